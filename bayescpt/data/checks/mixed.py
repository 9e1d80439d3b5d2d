"""Check that runs have the model size of the run they start from, and one batch size."""

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
    """Check the model sizes and batch sizes of all runs that a fit can use.

    These are the runs with a curve and those that they start from or branch off. The batch size is
    the same in all of them. The model size is the same in runs that descend from one base; a study
    may have bases of several sizes. Missing values are not compared.

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
        If ``n_params`` differs by more than 1% between runs of one base, or ``tokens_per_step`` at
        all; the message names the two runs with the smallest and the largest value.
    """
    used = runs[runs["run"].isin(_runs_with_descendants(runs, set(curves["run"].unique())))]
    for column in TOLERANCES:
        found = () if column in allow_mixed else differing(used, column)
        if not found:
            continue
        (low, smallest), (high, largest) = found
        size = MEANINGS[column]
        why = (
            f"runs that start from one base have one {size}: correct the values, give each {size} "
            "a base of its own"
            if column == "n_params"
            else f"the laws describe runs of one {size}: correct the values, make one study per "
            f"{size}"
        )
        raise StudyError(
            f"runs: {column} is {smallest:,.12g} in run {low!r} but {largest:,.12g} in run "
            f"{high!r}; {why}, or, to fit the runs "
            f'together all the same, set allow_mixed = ["{column}"] in the table [study] of '
            "study.toml (allow_mixed of Study.from_frames)"
        )


def differing(runs: pd.DataFrame, column: str) -> tuple[tuple[str, float], ...]:
    """Two runs whose values differ although the laws need them to be the same.

    Parameters
    ----------
    runs : DataFrame
        Table of runs.
    column : str
        ``n_params``, compared between the runs that descend from one base, or ``tokens_per_step``,
        compared between all.

    Returns
    -------
    tuple of (str, float)
        Run and value, the smallest first; empty if all are the same.
    """
    base = _bases(runs) if column == "n_params" else pd.Series("", runs.index)
    for _, known in runs[runs[column].notna()].groupby(base, sort=False):
        names, values = known["run"].to_numpy(), known[column].to_numpy(np.float64)
        low, high = values.argmin(), values.argmax()
        if values[high] > values[low] * (1.0 + TOLERANCES[column]):
            return (str(names[low]), float(values[low])), (str(names[high]), float(values[high]))
    return ()


def _bases(runs: pd.DataFrame) -> pd.Series:
    """First run that each run descends from, by the runs that they start from or branch off."""
    links = {
        run: next((link for link in row if isinstance(link, str) and link), None)
        for run, *row in runs[["run", "branch_of", "parent"]].itertuples(index=False)
    }
    base: dict[str, str] = {}
    for name in runs["run"]:
        # Each link is followed once, in chains of thousands of runs too.
        seen, last = {name}, name
        while last not in base and (link := links.get(last)) is not None and link not in seen:
            seen.add(link)
            last = link
        base |= dict.fromkeys(seen, base.get(last, last))
    return pd.Series([base[name] for name in runs["run"]], runs.index)


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
