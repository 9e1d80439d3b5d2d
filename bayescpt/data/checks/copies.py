"""Runs with the same losses, to the last digit: one run given twice, trunks that are not named."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

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
    shared = later[later.duplicated(["step", "domain", "loss"], keep=False)]
    # Most pairs of runs have no loss in common.
    counts: dict[tuple[str, str], int] = {}
    for _, names in shared.groupby(["step", "domain", "loss"])["run"]:
        for pair in combinations(dict.fromkeys(names), 2):
            counts[pair] = counts.get(pair, 0) + 1
    branches = dict(zip(runs["run"], runs["branch_step"], strict=True))
    for (first, second), count in counts.items():
        if count >= FEWEST:
            found = _compare(later, first, second, max(branches[first], branches[second]))
            if found is not None:
                yield found


def _compare(later: pd.DataFrame, first: str, second: str, known: int) -> Copy | None:
    keys = ["step", "domain"]
    one, other = (later[later["run"] == name].set_index(keys)["loss"] for name in (first, second))
    both = pd.concat([one, other], axis=1, join="inner", keys=["one", "other"]).sort_index()
    both = both[both.index.get_level_values("step") > known]
    same = (both["one"] == both["other"]).to_numpy()
    agree = int(same.size if same.all() else np.argmin(same))
    if agree < FEWEST or both["one"].iloc[:agree].nunique() < DISTINCT:
        return None
    own = [int((each.index.get_level_values("step") > known).sum()) for each in (one, other)]
    whole = bool(same.all()) and own == [same.size, same.size]
    return Copy(first, second, agree, int(both.index[agree - 1][0]), whole)
