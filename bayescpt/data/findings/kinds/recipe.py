"""Recipes that are valid but odd: learning rates, mixed sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayescpt.data.checks.mixed import MEANINGS, TOLERANCES
from bayescpt.data.checks.plausible import lr_notes
from bayescpt.data.final_losses import is_final
from bayescpt.data.findings.registry import Finding, register_finding
from bayescpt.data.findings.view import StudyView


@register_finding("lr")
def learning_rates(view: StudyView) -> Iterator[Finding]:
    """Learning rates that look like another unit or not like those planned.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    peaks = {run: float(lr.max()) for run, lr in view.study.lrs.items()}
    for text in lr_notes(view.study.runs, peaks):
        yield Finding("lr", tuple(run for run in view.runs if repr(run) in text), text)


@register_finding("mixed")
def mixed(view: StudyView) -> Iterator[Finding]:
    """Model or batch sizes that differ, where the study allows it.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    # Laws of final losses have a term for the size.
    allowed = () if is_final(view.study) else view.study.allow_mixed
    for column in allowed:
        known = view.study.runs[view.study.runs[column].notna()]
        if known.empty:
            continue
        values = known[column].to_numpy(np.float64)
        low, high = int(values.argmin()), int(values.argmax())
        if values[high] > values[low] * (1.0 + TOLERANCES[column]):
            runs = (str(known["run"].iloc[low]), str(known["run"].iloc[high]))
            yield Finding(
                "mixed",
                runs,
                f"{column} is {values[low]:,.12g} in run {runs[0]!r} but {values[high]:,.12g} in "
                f"run {runs[1]!r} (allow_mixed): the laws have no term for the {MEANINGS[column]}, "
                "and take what it does for something else",
            )
