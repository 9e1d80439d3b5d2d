"""Learning rates that are valid but odd: another plan, another unit, far apart."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

# A learning rate above this is likely a percentage.
_HIGH = 0.1
_APART = 100.0
_DIFFERS = 0.01


def lr_notes(runs: pd.DataFrame, peaks: Mapping[str, float]) -> list[str]:
    """Warnings about learning rates.

    Parameters
    ----------
    runs : DataFrame
        Table of runs; the column ``planned_peak_lr``, if there is one, holds the peak that the
        configuration of a run asks for.
    peaks : mapping of str to float
        Highest learning rate by run.

    Returns
    -------
    list of str
        One sentence each.

    Examples
    --------
    >>> import pandas as pd
    >>> from bayescpt.data.checks.plausible import lr_notes
    >>> runs = pd.DataFrame({"run": ["a"], "planned_peak_lr": [2e-4]})
    >>> lr_notes(runs, {"a": 2e-5})
    ["run 'a': its learning rate peaks at 2e-05, but 0.0002 was planned (planned_peak_lr)"]
    """
    notes = []
    if "planned_peak_lr" in runs:
        planned = pd.to_numeric(runs["planned_peak_lr"], errors="coerce")
        for run, peak in zip(runs["run"], planned, strict=True):
            if peak > 0 and run in peaks and abs(peaks[run] / peak - 1) > _DIFFERS:
                notes.append(
                    f"run {run!r}: its learning rate peaks at {peaks[run]:.3g}, but {peak:.3g} was "
                    "planned (planned_peak_lr)"
                )
    high = [run for run, peak in peaks.items() if peak > _HIGH]
    if high:
        notes.append(
            f"run {high[0]!r}: its learning rate peaks at {peaks[high[0]]:.3g}, above {_HIGH}: is "
            "it a percentage, or scaled?"
        )
    used = {run: peak for run, peak in peaks.items() if peak > 0}
    if used:
        low, top = min(used, key=used.__getitem__), max(used, key=used.__getitem__)
        if used[top] > _APART * used[low]:
            notes.append(
                f"learning rates of run {top!r} (peak {used[top]:.3g}) and {low!r} "
                f"({used[low]:.3g}) are more than {_APART:.0f} times apart: are they in one unit?"
            )
    return notes
