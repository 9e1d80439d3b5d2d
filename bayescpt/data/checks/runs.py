"""Checks of the table of runs: names, phases, parents, branches and replay ratios."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data.checks.amounts import check_amounts
from bayescpt.data.checks.columns import require_names
from bayescpt.data.checks.run_columns import blank_cells
from bayescpt.errors import StudyError

Array = NDArray[np.float64]
PHASES = ("pt", "cpt")


def check_runs(runs: pd.DataFrame) -> None:
    """Check names, phases, parents, branches, target domains and sizes.

    Parameters
    ----------
    runs : DataFrame
        Table of runs.

    Raises
    ------
    StudyError
        If a name is blank or duplicated, a phase is unknown, a parent or trunk does not exist or
        descends from the run itself, a cpt run has no parent or domain, or a size is not above 0.
    """
    _check_names(runs)
    _check_phases(runs)
    _check_links(runs, "parent")
    _check_links(runs, "branch_of")
    _check_cycles(runs)
    _check_cpt_runs(runs)
    check_amounts(runs)


def check_branches(runs: pd.DataFrame, lrs: Mapping[str, Array]) -> None:
    """Check that each branch has the learning rates of its trunk before its branch step.

    The learning rate of the branch step itself may differ: in logs that count updates from 0,
    branch steps are one too high.

    Parameters
    ----------
    runs : DataFrame
        Table of runs.
    lrs : mapping of str to ndarray, shape (n_steps,)
        Learning rates by run.

    Raises
    ------
    StudyError
        If a branch step is out of range or has no trunk, or an earlier learning rate differs.
    """
    columns = ["run", "branch_step"]
    for name, step in runs.loc[runs["branch_of"].isna(), columns].itertuples(index=False):
        if step:
            raise StudyError(f"runs: run {name!r}: branch_step is {step}, but branch_of is blank")
    lengths = dict(zip(runs["run"], runs["steps"], strict=True))
    branches = runs[runs["branch_of"].notna()]
    for name, trunk, step in branches[["run", "branch_of", "branch_step"]].itertuples(index=False):
        last = min(lengths[name], lengths[trunk])
        if not 1 <= step <= last:
            raise StudyError(
                f"runs: run {name!r}: branch_step is {step}; expected 1 to {last}, "
                f"the steps that it can share with {trunk!r}"
            )
        if name in lrs and trunk in lrs:
            own, shared = lrs[name][: step - 1], lrs[trunk][: step - 1]
            for row in np.flatnonzero(own != shared)[:1]:
                raise StudyError(
                    f"runs: run {name!r} branches off {trunk!r} at step {step}, but at step "
                    f"{row + 1} its learning rate is {own[row]:g}, not {shared[row]:g}"
                )


def check_replays(runs: pd.DataFrame, replays: Mapping[str, Array]) -> None:
    """Check that every cpt run has a replay ratio, and that all ratios lie in 0 to 1.

    Parameters
    ----------
    runs : DataFrame
        Table of runs.
    replays : mapping of str to ndarray, shape (n_steps,)
        Replay ratios of the runs in which they vary.

    Raises
    ------
    StudyError
        If a ratio is missing or out of range.
    """
    needed = (runs["phase"] == "cpt") & ~runs["run"].isin(list(replays))
    if blank := blank_cells(runs, "replay_ratio", needed):
        raise StudyError(
            f"runs: column replay_ratio is blank in {blank}: give the share of general tokens in "
            "the training mixture of each cpt run, 0 to 1 (0 for none)"
        )
    for name, phase, ratio in runs[["run", "phase", "replay_ratio"]].itertuples(index=False):
        if name in replays:
            for index, value in enumerate(replays[name]):
                if not 0 <= value <= 1:
                    raise StudyError(
                        f"lrs: run {name!r}, step {index + 1}: {_ratio_message('replay', value)}"
                    )
        elif (phase == "cpt" or not np.isnan(ratio)) and not 0 <= ratio <= 1:
            raise StudyError(f"runs: run {name!r}: {_ratio_message('replay_ratio', ratio)}")


def _ratio_message(column: str, value: float) -> str:
    if 1 < value <= 100:
        return f"{column} is {value:g}: looks like a percentage; write {value / 100:g}"
    return f"{column} is {value:g}; expected 0 to 1"


def _check_names(runs: pd.DataFrame) -> None:
    require_names(runs["run"], "run", "runs")
    for name in runs.loc[runs["run"].duplicated(), "run"]:
        rows = np.flatnonzero(runs["run"] == name) + 1
        raise StudyError(f"runs: run {name!r} appears twice (rows {rows[0]} and {rows[1]})")


def _check_phases(runs: pd.DataFrame) -> None:
    for name, phase in zip(runs["run"], runs["phase"], strict=True):
        if phase not in PHASES:
            raise StudyError(f"runs: run {name!r}: unknown phase {phase!r}; expected pt or cpt")


def _check_links(runs: pd.DataFrame, column: str) -> None:
    names = set(runs["run"])
    linked = runs[runs[column].notna()]
    for name, other in zip(linked["run"], linked[column], strict=True):
        if other not in names:
            raise StudyError(
                f"runs: run {name!r}: unknown {column} {other!r}; runs: {', '.join(runs['run'])}"
            )


def _check_cycles(runs: pd.DataFrame) -> None:
    links = {
        run: [link for link in row if isinstance(link, str)]
        for run, *row in runs[["run", "parent", "branch_of"]].itertuples(index=False)
    }
    done: set[str] = set()
    for first in links:
        # The runs from the first to where the search is, each with its links still to follow. No
        # recursion: chains may be longer than Python's stack.
        path = {first: iter(links[first])}
        while path:
            run = next(reversed(path))
            link = next((link for link in path[run] if link not in done), None)
            if link is None:
                done.add(run)
                del path[run]
            elif link in path:
                cycle = [*list(path)[list(path).index(link) :], link]
                raise StudyError(f"runs: run {link!r} descends from itself: {' -> '.join(cycle)}")
            else:
                path[link] = iter(links[link])


def _check_cpt_runs(runs: pd.DataFrame) -> None:
    for column, meaning in (("parent", "the run it starts from"), ("domain", "its target domain")):
        if blank := blank_cells(runs, column, runs["phase"] == "cpt"):
            raise StudyError(
                f"runs: column {column} is blank in {blank}: name {meaning} for each cpt run"
            )
