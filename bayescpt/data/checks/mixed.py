"""Check that the runs of a study have one model size and one batch size."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from bayescpt.data.units import did_you_mean
from bayescpt.errors import StudyError

# Largest relative difference between equal values: parameters are counted in several ways, a batch
# size is exact.
TOLERANCES = {"n_params": 0.01, "tokens_per_step": 0.0}
MEANINGS = {"n_params": "model size", "tokens_per_step": "batch size"}


def check_allow_mixed(allow_mixed: Iterable[str]) -> tuple[str, ...]:
    """Columns that may differ between the runs of a study.

    Parameters
    ----------
    allow_mixed : iterable of str
        Names of columns; a single name may be given as str.

    Returns
    -------
    tuple of str
        The names without duplicates, in the order of `TOLERANCES`.

    Raises
    ------
    StudyError
        If a name is not ``n_params`` or ``tokens_per_step``.
    """
    names = [allow_mixed] if isinstance(allow_mixed, str) else list(allow_mixed)
    for name in names:
        if name not in TOLERANCES:
            hint = did_you_mean(str(name), list(TOLERANCES))
            raise StudyError(
                f"study.toml: allow_mixed has {name!r}; {hint}known names: {', '.join(TOLERANCES)}"
            )
    return tuple(column for column in TOLERANCES if column in names)


def check_mixed(runs: pd.DataFrame, curves: pd.DataFrame, allow_mixed: Iterable[str] = ()) -> None:
    """Check that model size and batch size are the same in all runs that a fit can use.

    These are the runs with a curve and those that they start from or branch off. Missing values
    are not compared.

    Parameters
    ----------
    runs : DataFrame
        Table of runs.
    curves : DataFrame
        Table of curves.
    allow_mixed : iterable of str
        Columns that may differ.

    Raises
    ------
    StudyError
        If ``n_params`` differs by more than 1%, or ``tokens_per_step`` at all; the message names
        the two runs with the smallest and the largest value.
    """
    used = runs[runs["run"].isin(_runs_with_descendants(runs, set(curves["run"])))]
    for column, tolerance in TOLERANCES.items():
        known = used[used[column].notna()]
        if column in allow_mixed or known.empty:
            continue
        names, values = known["run"].to_numpy(), known[column].to_numpy(np.float64)
        low, high = values.argmin(), values.argmax()
        if values[high] > values[low] * (1.0 + tolerance):
            size = MEANINGS[column]
            raise StudyError(
                f"runs: {column} is {values[low]:,.12g} in run {names[low]!r} but "
                f"{values[high]:,.12g} in run {names[high]!r}; the laws describe runs of one "
                f"{size}: correct the values, make one study per {size}, or, to fit the runs "
                f'together all the same, set allow_mixed = ["{column}"] in the table [study] of '
                "study.toml (allow_mixed of Study.from_frames)"
            )


def _runs_with_descendants(runs: pd.DataFrame, measured: set[str]) -> set[str]:
    """Runs with a curve, and all that they start from or branch off."""
    links = {
        run: [link for link in row if isinstance(link, str)]
        for run, *row in runs[["run", "parent", "branch_of"]].itertuples(index=False)
    }
    used: set[str] = set()
    pending = list(measured)
    while pending:
        run = pending.pop()
        if run not in used:
            used.add(run)
            pending += links[run]
    return used
