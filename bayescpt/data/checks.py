"""What can be wrong with a study, one function a defect; every message names run, step and value.

Functions raise `StudyError` on the first defect and return nothing unless said. They expect the
tables as `Study.from_frames` tidies them.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bayescpt.data.schedule import Schedule
from bayescpt.data.schedules.array_schedule import from_array
from bayescpt.errors import ScheduleError, StudyError

Array = NDArray[np.float64]
PHASES = ("pt", "cpt")


def need_columns(frame: pd.DataFrame, needed: Sequence[str], table: str) -> None:
    """Refuse a table without the columns it must have.

    Parameters
    ----------
    frame : DataFrame
        The table.
    needed : sequence of str
        Its columns.
    table : str
        What to call it.
    """
    missing = [column for column in needed if column not in frame.columns]
    if missing:
        found = ", ".join(map(str, frame.columns)) or "none"
        raise StudyError(f"{table}: missing column {', '.join(missing)}; found: {found}")


def need_rows(frame: pd.DataFrame, table: str) -> None:
    """Refuse an empty table.

    Parameters
    ----------
    frame : DataFrame
        The table.
    table : str
        What to call it.
    """
    if frame.empty:
        raise StudyError(f"{table}: the study is empty: no row in {table}")


def need_names(names: pd.Series[str], column: str, table: str) -> None:
    """Refuse a blank name.

    Parameters
    ----------
    names : Series of str
        Names, blanks as NaN.
    column, table : str
        Where they stand.
    """
    for row in np.flatnonzero(names.isna())[:1]:
        raise StudyError(f"{table}: row {row + 1} has no {column}")


def numbers(
    values: pd.Series[Any], column: str, runs: pd.Series[str], table: str
) -> pd.Series[float]:
    """Read a column as numbers, refusing text.

    Parameters
    ----------
    values : Series
        The column; blanks pass.
    column : str
        Its name.
    runs : Series of str
        The runs that the rows are of.
    table : str
        Name of the table.

    Returns
    -------
    Series of float64
        The numbers.
    """
    parsed = pd.to_numeric(values, errors="coerce").astype("float64")
    for row in np.flatnonzero(parsed.isna() & values.notna())[:1]:
        raise StudyError(
            f"{table}: run {runs.iloc[row]!r}: {column} is {values.iloc[row]!r}; expected a number"
        )
    return parsed


def whole_numbers(values: pd.Series[float], column: str, runs: pd.Series[str], table: str) -> None:
    """Refuse counts that are not whole or below 0.

    Parameters
    ----------
    values : Series of float64
        The column; blanks pass.
    column : str
        Its name.
    runs : Series of str
        The runs that the rows are of.
    table : str
        Name of the table.
    """
    good = (values >= 0) & (values % 1 == 0) & np.isfinite(values)
    for row in np.flatnonzero(values.notna() & ~good)[:1]:
        raise StudyError(
            f"{table}: run {runs.iloc[row]!r}: {column} is {values.iloc[row]:g}; "
            "expected a whole number, 0 or more"
        )


def check_runs(runs: pd.DataFrame) -> None:
    """Check names, phases, parents, trunks and target domains of the table of runs.

    Parameters
    ----------
    runs : DataFrame
        Runs.
    """
    _check_names(runs)
    _check_phases(runs)
    _check_links(runs, "parent")
    _check_links(runs, "branch_of")
    _check_cycles(runs)
    _check_cpt_runs(runs)


def _check_names(runs: pd.DataFrame) -> None:
    need_names(runs["run"], "run", "runs")
    for name in runs.loc[runs["run"].duplicated(), "run"]:
        rows = np.flatnonzero(runs["run"] == name) + 1
        raise StudyError(f"runs: run {name!r} is there twice (rows {rows[0]} and {rows[1]})")


def _check_phases(runs: pd.DataFrame) -> None:
    for name, phase in zip(runs["run"], runs["phase"], strict=True):
        if phase not in PHASES:
            raise StudyError(f"runs: run {name!r}: unknown phase {phase!r}; expected pt or cpt")


def _check_links(runs: pd.DataFrame, column: str) -> None:
    known = set(runs["run"])
    linked = runs[runs[column].notna()]
    for name, other in zip(linked["run"], linked[column], strict=True):
        if other not in known:
            raise StudyError(
                f"runs: run {name!r}: unknown {column} {other!r}; runs: {', '.join(runs['run'])}"
            )


def _check_cycles(runs: pd.DataFrame) -> None:
    above = {
        run: [link for link in links if isinstance(link, str)]
        for run, *links in runs[["run", "parent", "branch_of"]].itertuples(index=False)
    }
    done: set[str] = set()

    def visit(run: str, path: list[str]) -> None:
        if run in path:
            cycle = [*path[path.index(run) :], run]
            raise StudyError(f"runs: run {run!r} descends from itself: {' -> '.join(cycle)}")
        if run not in done:
            for link in above[run]:
                visit(link, [*path, run])
            done.add(run)

    for run in above:
        visit(run, [])


def _check_cpt_runs(runs: pd.DataFrame) -> None:
    cpt = runs[runs["phase"] == "cpt"]
    for column, what in (("parent", "the run it starts from"), ("domain", "its target domain")):
        for name in cpt.loc[cpt[column].isna(), "run"]:
            raise StudyError(f"runs: cpt run {name!r} has no {column}: say {what}")


def check_curve_steps(curves: pd.DataFrame) -> None:
    """Refuse steps of curves that are missing, not whole, or do not rise within a run and domain.

    Parameters
    ----------
    curves : DataFrame
        Curves.
    """
    for column in ("run", "domain"):
        need_names(curves[column], column, "curves")
    for row in np.flatnonzero(curves["step"].isna())[:1]:
        raise StudyError(f"curves: run {curves['run'].iloc[row]!r}: row {row + 1} has no step")
    whole_numbers(curves["step"], "step", curves["run"], "curves")
    change = curves.groupby(["run", "domain"])["step"].diff()
    for row in np.flatnonzero(change <= 0)[:1]:
        step = curves["step"].iloc[row]
        problem = (
            "is there twice"
            if change.iloc[row] == 0
            else f"comes after step {step - change.iloc[row]:g}: steps must rise"
        )
        raise StudyError(f"curves: {_where(curves, row)}: step {step:g} {problem}")


def check_curves(curves: pd.DataFrame, runs: pd.DataFrame) -> None:
    """Check that curves are of known runs, hold possible losses, and cover the targets.

    Parameters
    ----------
    curves : DataFrame
        Curves.
    runs : DataFrame
        Runs.
    """
    _check_curve_runs(curves, runs)
    _check_losses(curves)
    _check_targets(curves, runs)


def _check_curve_runs(curves: pd.DataFrame, runs: pd.DataFrame) -> None:
    for row in np.flatnonzero(~curves["run"].isin(runs["run"]))[:1]:
        name = curves["run"].iloc[row]
        raise StudyError(f"curves: unknown run {name!r}; runs: {', '.join(runs['run'])}")


def _check_losses(curves: pd.DataFrame) -> None:
    loss = curves["loss"]
    for row in np.flatnonzero(~(np.isfinite(loss) & (loss > 0)))[:1]:
        raise StudyError(
            f"curves: {_where(curves, row)}: loss is {loss.iloc[row]:g}; "
            "expected a finite number above 0"
        )


def _check_targets(curves: pd.DataFrame, runs: pd.DataFrame) -> None:
    known = set(curves["domain"])
    cpt = runs[runs["phase"] == "cpt"]
    for name, domain in zip(cpt["run"], cpt["domain"], strict=True):
        if domain not in known:
            raise StudyError(
                f"runs: run {name!r}: unknown domain {domain!r}; "
                f"domains with a curve: {', '.join(sorted(known))}"
            )


def check_lr_steps(run: str, steps: pd.Series[Any]) -> None:
    """Refuse steps of a run's learning rates that are not 1, 2, 3 and so on.

    Parameters
    ----------
    run : str
        Name of the run.
    steps : Series
        Its steps in lrs.
    """
    given = pd.to_numeric(steps, errors="coerce").to_numpy(np.float64)
    for row in np.flatnonzero(given != np.arange(1, given.size + 1))[:1]:
        expected = row + 1
        if row and given[row] == given[row - 1]:
            problem = f"step {given[row]:g} is there twice"
        elif given[row] > expected:
            problem = f"the learning rate is missing at step {expected} (next is {given[row]:g})"
        else:
            problem = f"step is {given[row]:g} where {expected} is expected: steps count from 1"
        raise StudyError(f"lrs: run {run!r}: {problem}")


def check_lr_runs(lrs: Collection[str], runs: pd.DataFrame) -> None:
    """Refuse learning rates of unknown runs.

    Parameters
    ----------
    lrs : collection of str
        Runs with learning rates.
    runs : DataFrame
        Runs.
    """
    for name in sorted(set(lrs).difference(runs["run"])):
        raise StudyError(f"lrs: unknown run {name!r}; runs: {', '.join(runs['run'])}")


def checked_lr(run: str, lr: ArrayLike | Schedule) -> Array:
    """Make an array of a run's learning rates, refusing what no Schedule can hold.

    Parameters
    ----------
    run : str
        Name of the run.
    lr : array_like or Schedule
        Its learning rates.

    Returns
    -------
    ndarray, shape (n_steps,)
        The learning rates, read-only.
    """
    try:
        return lr.lr if isinstance(lr, Schedule) else from_array(lr, run).lr
    except ScheduleError as error:
        raise StudyError(f"lrs: {str(error).replace('schedule', 'run', 1)}") from None


def check_schedules(runs: pd.DataFrame, curves: pd.DataFrame, lrs: Mapping[str, Array]) -> None:
    """Refuse a cpt run without a learning rate at each step, and curves past their run's end.

    Parameters
    ----------
    runs : DataFrame
        Runs.
    curves : DataFrame
        Curves.
    lrs : mapping of str to ndarray, shape (n_steps,)
        Learning rates by run.
    """
    for name, phase, steps in runs[["run", "phase", "steps"]].itertuples(index=False):
        if name not in lrs:
            if phase == "cpt":
                raise StudyError(f"lrs: cpt run {name!r} has no learning rates")
        elif lrs[name].size < steps:
            raise StudyError(
                f"lrs: run {name!r}: the learning rate is missing at step {lrs[name].size + 1} "
                f"of {steps}"
            )
        elif lrs[name].size > steps:
            raise StudyError(
                f"lrs: run {name!r} has {lrs[name].size} learning rates; runs says {steps} steps"
            )
    ends = curves["run"].map(dict(zip(runs["run"], runs["steps"], strict=True)))
    for row in np.flatnonzero(curves["step"] > ends)[:1]:
        raise StudyError(
            f"curves: {_where(curves, row)}: step {curves['step'].iloc[row]} is past the end "
            f"of the schedule at step {ends.iloc[row]}"
        )


def check_branches(runs: pd.DataFrame, lrs: Mapping[str, Array]) -> None:
    """Refuse a branch without its trunk's learning rates up to the branch step.

    The branch step itself may already differ: logs that count updates from 0 are one step off.

    Parameters
    ----------
    runs : DataFrame
        Runs.
    lrs : mapping of str to ndarray, shape (n_steps,)
        Learning rates by run.
    """
    for name, step in runs.loc[runs["branch_of"].isna(), ["run", "branch_step"]].itertuples(
        index=False
    ):
        if step:
            raise StudyError(f"runs: run {name!r}: branch_step is {step}, but branch_of is blank")
    lengths = dict(zip(runs["run"], runs["steps"], strict=True))
    branches = runs[runs["branch_of"].notna()]
    for name, trunk, step in branches[["run", "branch_of", "branch_step"]].itertuples(index=False):
        last = min(lengths[name], lengths[trunk])
        if not 1 <= step <= last:
            raise StudyError(
                f"runs: run {name!r}: branch_step is {step}; expected 1 to {last}, "
                f"steps that it shares with {trunk!r}"
            )
        if name in lrs and trunk in lrs:
            ours, theirs = lrs[name][: step - 1], lrs[trunk][: step - 1]
            for row in np.flatnonzero(ours != theirs)[:1]:
                raise StudyError(
                    f"runs: run {name!r} shares {trunk!r} up to step {step}, but at step "
                    f"{row + 1} its learning rate is {ours[row]:g}, not {theirs[row]:g}"
                )


def check_replays(runs: pd.DataFrame, replays: Mapping[str, Array]) -> None:
    """Refuse replay ratios that are no ratios, or missing for a cpt run.

    Parameters
    ----------
    runs : DataFrame
        Runs.
    replays : mapping of str to ndarray, shape (n_steps,)
        Replay ratios of the runs where they vary.
    """
    for name, phase, ratio in runs[["run", "phase", "replay_ratio"]].itertuples(index=False):
        if name in replays:
            for index, value in enumerate(replays[name]):
                if not 0 <= value <= 1:
                    raise StudyError(
                        f"lrs: run {name!r}, step {index + 1}: {_bad_ratio('replay', value)}"
                    )
        elif (phase == "cpt" or not np.isnan(ratio)) and not 0 <= ratio <= 1:
            raise StudyError(f"runs: run {name!r}: {_bad_ratio('replay_ratio', ratio)}")


def _bad_ratio(column: str, value: float) -> str:
    if 1 < value <= 100:
        return f"{column} is {value:g}: looks like percent; write {value / 100:g}"
    return f"{column} is {value:g}; expected 0 to 1"


def check_general(general: str | None, domains: Collection[str]) -> None:
    """Refuse a general domain without a curve whose name looks like one that has.

    Parameters
    ----------
    general : str or None
        The general domain; it need have no curve.
    domains : collection of str
        Domains with a curve.
    """
    if general and general not in domains:
        for match in difflib.get_close_matches(general, domains, n=1, cutoff=0.8):
            raise StudyError(
                f"general domain {general!r} is in no curve; did you mean {match!r}? "
                f"domains: {', '.join(sorted(domains))}"
            )


def _where(curves: pd.DataFrame, row: int | np.integer[Any]) -> str:
    name, step, domain = curves[["run", "step", "domain"]].iloc[row]
    return f"run {name!r}, step {step:g}, domain {domain!r}"
