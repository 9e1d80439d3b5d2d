"""Tables of runs, curves and learning rates, as they come, made into one form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bayescpt.data import checks
from bayescpt.data.schedule import Schedule

Array = NDArray[np.float64]

TEXT_COLUMNS = ("run", "phase", "parent", "domain", "branch_of")
CORE_COLUMNS = (
    *("run", "phase", "parent", "domain", "replay_ratio", "steps", "branch_of", "branch_step"),
    *("seed", "n_params", "tokens_per_step"),
)
CURVE_COLUMNS = ("run", "step", "domain", "loss")


def tidy_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Give a table of runs every core column, of one type each.

    Parameters
    ----------
    runs : DataFrame
        As given to `Study.from_frames`.

    Returns
    -------
    DataFrame
        Columns `CORE_COLUMNS`, then the others; text or NaN, float64 or NaN, branch_step int64.
    """
    checks.need_columns(runs, ("run", "phase"), "runs")
    checks.need_rows(runs, "runs")
    given = runs.reset_index(drop=True)
    tidy = pd.DataFrame(index=given.index)
    for column in CORE_COLUMNS:
        values = given.get(column, pd.Series(np.nan, index=tidy.index))
        if column in TEXT_COLUMNS:
            tidy[column] = as_text(values)
        else:
            tidy[column] = checks.numbers(values, column, tidy["run"], "runs")
    if "replay_ratio" not in given:
        tidy.loc[tidy["phase"] == "cpt", "replay_ratio"] = 0.0
    for column in ("steps", "branch_step"):
        checks.whole_numbers(tidy[column], column, tidy["run"], "runs")
    tidy["branch_step"] = tidy["branch_step"].fillna(0).astype("int64")
    for column in given.columns.difference(list(CORE_COLUMNS), sort=False):
        tidy[column] = given[column]
    return tidy


def tidy_curves(curves: pd.DataFrame) -> pd.DataFrame:
    """Give a table of curves its four columns, of one type each.

    Parameters
    ----------
    curves : DataFrame
        As given to `Study.from_frames`.

    Returns
    -------
    DataFrame
        Columns `CURVE_COLUMNS`, in the rows' own order.
    """
    checks.need_columns(curves, CURVE_COLUMNS, "curves")
    checks.need_rows(curves, "curves")
    given = curves.reset_index(drop=True)
    tidy = pd.DataFrame({"run": as_text(given["run"])})
    tidy["step"] = checks.numbers(given["step"], "step", tidy["run"], "curves")
    tidy["domain"] = as_text(given["domain"])
    tidy["loss"] = checks.numbers(given["loss"], "loss", tidy["run"], "curves")
    checks.check_curve_steps(tidy)
    tidy["step"] = tidy["step"].astype("int64")
    return tidy


def tidy_lrs(
    lrs: pd.DataFrame | Mapping[str, ArrayLike | Schedule] | None, runs: pd.DataFrame
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Split learning rates, and replay ratios where they vary, by run.

    Parameters
    ----------
    lrs : DataFrame, mapping or None
        As given to `Study.from_frames`.
    runs : DataFrame
        From `tidy_runs`.

    Returns
    -------
    dict of str to ndarray, shape (n_steps,)
        Learning rates, read-only, in the order of `runs`.
    dict of str to ndarray, shape (n_steps,)
        Replay ratios of the runs that give one a step.
    """
    rates: dict[str, ArrayLike | Schedule] = {}
    replays: dict[str, Array] = {}
    if isinstance(lrs, pd.DataFrame):
        checks.need_columns(lrs, ("run", "step", "lr"), "lrs")
        given = lrs.reset_index(drop=True)
        names = as_text(given["run"])
        checks.need_names(names, "run", "lrs")
        for name, rows in given.groupby(names, sort=False):
            run = str(name)
            checks.check_lr_steps(run, rows["step"])
            rates[run] = rows["lr"].to_numpy()
            if "replay" in rows and rows["replay"].notna().any():
                column = checks.numbers(rows["replay"], "replay", names[rows.index], "lrs")
                replays[run] = np.asarray(column, dtype=np.float64)
    elif lrs is not None:
        rates = {str(run): lr for run, lr in lrs.items()}
    checks.check_lr_runs(rates, runs)
    order = [run for run in runs["run"] if run in rates]
    checked = {run: checks.checked_lr(run, rates[run]) for run in order}
    return checked, {run: replays[run] for run in order if run in replays}


def fill_steps(runs: pd.DataFrame, curves: pd.DataFrame, lrs: Mapping[str, Array]) -> pd.DataFrame:
    """Fill in missing steps: a schedule's length, or the last measured step where there is none.

    Parameters
    ----------
    runs : DataFrame
        From `tidy_runs`.
    curves : DataFrame
        From `tidy_curves`.
    lrs : mapping of str to ndarray
        From `tidy_lrs`.

    Returns
    -------
    DataFrame
        The runs, with steps as int64.
    """
    lengths = {run: lr.size for run, lr in lrs.items()}
    measured = curves.groupby("run")["step"].max()
    steps = runs["steps"].fillna(runs["run"].map(lengths)).fillna(runs["run"].map(measured))
    return runs.assign(steps=steps.fillna(0).astype("int64"))


def as_text(values: pd.Series[Any]) -> pd.Series[str]:
    """Make names text, and blanks NaN; a run called 7 in one table is the run "7" in all.

    Parameters
    ----------
    values : Series
        Names as given.

    Returns
    -------
    Series of str
        Names without outer spaces.
    """
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")  # whole numbers beside a blank
    text = values.astype(str).str.strip()
    return text.mask(values.isna() | (text == ""))
