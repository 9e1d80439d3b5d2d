"""Tables of runs, curves and learning rates, converted from the user's form to the study's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bayescpt.data.checks.columns import (
    require_columns,
    require_names,
    require_no_booleans,
    require_rows,
    require_whole_numbers,
    to_numbers,
)
from bayescpt.data.checks.curves import check_curve_steps
from bayescpt.data.checks.learning_rates import check_lr_runs, check_lr_steps, lr_array
from bayescpt.data.checks.run_columns import blank_cells, check_run_columns
from bayescpt.data.schedule import Schedule
from bayescpt.errors import StudyError

Array = NDArray[np.float64]

TEXT_COLUMNS = ("run", "phase", "parent", "domain", "branch_of")
CORE_COLUMNS = (
    *("run", "phase", "parent", "domain", "replay_ratio", "steps", "branch_of", "branch_step"),
    *("seed", "n_params", "tokens_per_step", "tokens"),
)
# Name of an open base that no row describes.
BASE = "base"
CURVE_COLUMNS = ("run", "step", "domain", "loss")


def tidy_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Table of runs with all core columns, each of a fixed type.

    Parameters
    ----------
    runs : DataFrame
        Table as passed to `Study.from_frames`.

    Returns
    -------
    DataFrame
        Columns `CORE_COLUMNS`, then the others. Names are str, numbers float64, and blanks of both
        NaN; ``branch_step`` is int64.

    Raises
    ------
    StudyError
        If a column or all rows are missing or a column is misspelt, or a value is not a number
        where one is expected.
    """
    check_run_columns(runs.columns)
    require_columns(runs, ("run", "phase"), "runs")
    require_rows(runs, "runs")
    original = runs.reset_index(drop=True)
    tidy = pd.DataFrame(index=original.index)
    for column in CORE_COLUMNS:
        values = original.get(column, pd.Series(np.nan, index=tidy.index))
        if column in TEXT_COLUMNS:
            tidy[column] = as_text(values)
        else:
            tidy[column] = to_numbers(values, column, tidy["run"], "runs")
    for column in ("steps", "branch_step"):
        require_whole_numbers(tidy[column], column, tidy["run"], "runs")
    tidy["branch_step"] = tidy["branch_step"].fillna(0).astype("int64")
    for column in original.columns.difference(list(CORE_COLUMNS), sort=False):
        tidy[column] = original[column]
    return tidy


def add_base(runs: pd.DataFrame) -> pd.DataFrame:
    """Table of runs in which an open base is the parent of cpt runs that name none.

    Parameters
    ----------
    runs : DataFrame
        From `tidy_runs`.

    Returns
    -------
    DataFrame
        With a run ``base`` in front if no cpt run has a parent and there is no pt run; otherwise
        as it was, since a single blank is more likely forgotten.
    """
    cpt = runs["phase"] == "cpt"
    if not cpt.all() or runs["parent"].notna().any() or (runs["run"] == BASE).any():
        return runs
    base = pd.DataFrame({"run": [BASE], "phase": ["pt"], "branch_step": [0]})
    out = pd.concat([base, runs.assign(parent=BASE)], ignore_index=True)[list(runs.columns)]
    return out.astype({name: runs[name].dtype for name in CORE_COLUMNS})


def tidy_curves(curves: pd.DataFrame) -> pd.DataFrame:
    """Table of curves with its four columns, each of a fixed type.

    Parameters
    ----------
    curves : DataFrame
        Table as passed to `Study.from_frames`.

    Returns
    -------
    DataFrame
        Columns `CURVE_COLUMNS`, with the rows in their original order.

    Raises
    ------
    StudyError
        If a column or all rows are missing, a value is not a number, or steps do not increase.
    """
    require_columns(curves, CURVE_COLUMNS, "curves")
    require_rows(curves, "curves")
    original = curves.reset_index(drop=True)
    tidy = pd.DataFrame({"run": as_text(original["run"])})
    tidy["step"] = to_numbers(original["step"], "step", tidy["run"], "curves")
    tidy["domain"] = as_text(original["domain"])
    tidy["loss"] = to_numbers(original["loss"], "loss", tidy["run"], "curves")
    check_curve_steps(tidy)
    tidy["step"] = tidy["step"].astype("int64")
    return tidy


def steps_of_tokens(curves: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Table of curves in which tokens are converted to steps.

    Parameters
    ----------
    curves : DataFrame
        Table as passed to `Study.from_frames`. A column ``tokens`` counts the tokens of rows whose
        ``step`` is blank or missing.
    runs : DataFrame
        From `tidy_runs`; ``tokens_per_step`` converts them.

    Returns
    -------
    DataFrame
        With steps, and without tokens; of rows that round to one step, the last.

    Raises
    ------
    StudyError
        If the tokens per step of such a run are not known.
    """
    if "tokens" not in curves.columns or "run" not in curves.columns:
        return curves
    steps = pd.to_numeric(curves.get("step", pd.Series(np.nan, index=curves.index)))
    names = as_text(curves["run"])
    rows = (steps.isna() & curves["tokens"].notna()).to_numpy()
    batch = names.map(dict(zip(runs["run"], runs["tokens_per_step"], strict=True)))
    wanted = runs["run"].isin(names[rows & batch.isna().to_numpy()])
    if blank := blank_cells(runs, "tokens_per_step", wanted):
        raise StudyError(
            f"runs: column tokens_per_step is blank in {blank}: give the tokens per update, by "
            "which the tokens in curves are divided"
        )
    steps = steps.where(~rows, (curves["tokens"] / batch).round())
    out = curves.assign(step=steps).drop(columns="tokens")
    return out[~(out.duplicated(["run", "step", "domain"], keep="last") & rows)]


def tidy_lrs(
    lrs: pd.DataFrame | Mapping[str, ArrayLike | Schedule] | None, runs: pd.DataFrame
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Learning rates by run, and replay ratios by run where they vary.

    Parameters
    ----------
    lrs : DataFrame, mapping or None
        Table or mapping as passed to `Study.from_frames`.
    runs : DataFrame
        From `tidy_runs`.

    Returns
    -------
    lr_by_run : dict of str to ndarray, shape (n_steps,)
        Learning rates, read-only, in the order of `runs`.
    replays : dict of str to ndarray, shape (n_steps,)
        Replay ratios of the runs with one ratio per step.

    Raises
    ------
    StudyError
        If a run is unknown, a step is missing, or a value is not a learning rate.
    """
    rates: dict[str, ArrayLike | Schedule] = {}
    replays: dict[str, Array] = {}
    if isinstance(lrs, pd.DataFrame):
        require_columns(lrs, ("run", "step", "lr"), "lrs")
        original = lrs.reset_index(drop=True)
        names = as_text(original["run"])
        require_names(names, "run", "lrs")
        require_no_booleans(original["lr"], "lr", names, "lrs")
        for name, rows in original.groupby(names, sort=False):
            run = str(name)
            check_lr_steps(run, rows["step"])
            rates[run] = rows["lr"].to_numpy()
            if "replay" in rows and rows["replay"].notna().any():
                column = to_numbers(rows["replay"], "replay", names[rows.index], "lrs")
                replays[run] = np.asarray(column, dtype=np.float64)
    elif lrs is not None:
        rates = {str(run): lr for run, lr in lrs.items()}
    check_lr_runs(rates, runs)
    order = [run for run in runs["run"] if run in rates]
    lr_by_run = {run: lr_array(run, rates[run]) for run in order}
    return lr_by_run, {run: replays[run] for run in order if run in replays}


def fill_steps(runs: pd.DataFrame, curves: pd.DataFrame, lrs: Mapping[str, Array]) -> pd.DataFrame:
    """Table of runs with missing numbers of steps filled in.

    Parameters
    ----------
    runs : DataFrame
        From `tidy_runs`.
    curves : DataFrame
        From `tidy_curves`.
    lrs : mapping of str to ndarray, shape (n_steps,)
        From `tidy_lrs`.

    Returns
    -------
    DataFrame
        The runs with steps as int64: as given, or the length of the schedule, or the last measured
        step of a run without a schedule.
    """
    lengths = {run: lr.size for run, lr in lrs.items()}
    last_measured = curves.groupby("run")["step"].max()
    steps = runs["steps"].fillna(runs["run"].map(lengths)).fillna(runs["run"].map(last_measured))
    return runs.assign(steps=steps.fillna(0).astype("int64"))


def as_text(values: pd.Series[Any]) -> pd.Series[str]:
    """Names as text, so that a run called 7 in one table is the run "7" in all.

    Parameters
    ----------
    values : Series
        Names as text or whole numbers.

    Returns
    -------
    Series of str
        Names without surrounding spaces; NaN for blanks.
    """
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")  # whole numbers in a column with blanks
    if isinstance(values.dtype, pd.StringDtype):
        # A long table has few names.
        codes, known = pd.factorize(values)
        names = pd.Series(known).astype(str).str.strip()
        text = names.mask(names == "").reindex(codes).set_axis(values.index)
        text.name = values.name
        return text
    text = values.astype(str).str.strip()
    return text.mask(values.isna() | (text == ""))
