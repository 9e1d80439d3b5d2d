"""Runs with the same losses, to the last digit: one run given twice, trunks that are not named."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.errors import StudyError

# Equal losses in a row that are no coincidence: runs that differ only by seed differ by .004 nats
# or more, so that losses of three decimals agree once in some ten rows.
FEWEST = 8
# Different values among them; a constant says nothing.
DISTINCT = 5


class Copy(NamedTuple):
    """Two runs whose losses agree.

    Attributes
    ----------
    first, second : str
        The runs.
    rows : int
        Rows that agree, after the start and the branch steps of both.
    last : int
        Step to which all their losses agree.
    whole : bool
        Whether no row differs.
    """

    first: str
    second: str
    rows: int
    last: int
    whole: bool


def check_copies(curves: pd.DataFrame, runs: pd.DataFrame) -> None:
    """Check that no run is given twice.

    Parameters
    ----------
    curves : DataFrame
        Table of curves.
    runs : DataFrame
        Table of runs.

    Raises
    ------
    StudyError
        If all losses of two runs after their start are the same.
    """
    for copy in copies(curves, runs):
        if copy.whole:
            raise StudyError(
                f"curves: run {copy.second!r} has the {copy.rows} losses of run {copy.first!r} to "
                "the last digit: it is one run given twice, which counts twice as much; leave one "
                "out (runs that differ by seed differ in their losses)"
            )


def copies(curves: pd.DataFrame, runs: pd.DataFrame) -> Iterator[Copy]:
    """Pairs of runs whose first losses agree, those up to their branch steps apart.

    Losses of a branch up to its branch step are those of its trunk, and fits leave them out.

    Parameters
    ----------
    curves : DataFrame
        Table of curves.
    runs : DataFrame
        Table of runs.

    Yields
    ------
    Copy
    """
    later = curves[curves["step"] > 0]
    columns = ["step", "domain", "loss"]
    shared = later[later.duplicated(columns, keep=False)]
    # Most pairs of runs have no loss in common.
    counts: dict[tuple[str, str], int] = {}
    for names in _groups(shared.groupby(columns).ngroup().to_numpy(), shared["run"].to_numpy()):
        for pair in combinations(dict.fromkeys(names), 2):
            counts[pair] = counts.get(pair, 0) + 1
    often = {pair for pair, count in counts.items() if count >= FEWEST}
    if not often:
        return
    # Rows in the order of their steps, then of the names of their domains.
    domains, place = np.unique(later["domain"].to_numpy(str), return_inverse=True)
    order = later["step"].to_numpy() * domains.size + place
    losses = later["loss"].to_numpy()
    rows = {name: (order[at], losses[at]) for name, at in later.groupby("run").indices.items()}
    branches = dict(zip(runs["run"], runs["branch_step"], strict=True))
    for pair in (pair for pair in counts if pair in often):
        known = max(branches[name] for name in pair)
        found = _compare(pair, [rows[name] for name in pair], known, domains.size)
        if found is not None:
            yield found


def _groups(numbers: NDArray[np.integer], names: NDArray[np.object_]) -> list[NDArray[np.object_]]:
    """Names by the number of their group, in the order of numbers."""
    order = np.argsort(numbers, kind="stable")
    return np.split(names[order], np.flatnonzero(np.diff(numbers[order])) + 1)


def _compare(
    pair: tuple[str, str],
    rows: list[tuple[NDArray[np.int64], NDArray[np.float64]]],
    known: int,
    n_domains: int,
) -> Copy | None:
    later = [order >= (known + 1) * n_domains for order, _ in rows]
    (one, losses), (other, others) = (
        (order[at], loss[at]) for (order, loss), at in zip(rows, later, strict=True)
    )
    both, here, there = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    same = losses[here] == others[there]
    agree = int(same.size if same.all() else np.argmin(same))
    if agree < FEWEST or np.unique(losses[here][:agree]).size < DISTINCT:
        return None
    whole = bool(same.all()) and one.size == other.size == same.size
    return Copy(*pair, agree, int(both[agree - 1] // n_domains), whole)
