"""What the user says of runs in a table, in addition to what logs tell."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bayescpt.data.checks.run_columns import check_run_columns
from bayescpt.data.csv_file import read_csv
from bayescpt.data.parquet_file import read_parquet
from bayescpt.data.readers.record import LogRun
from bayescpt.data.tables import as_text
from bayescpt.errors import StudyError

_TEXT = ("run", "phase", "parent", "domain", "branch_of", "schedule", "schedule_params")
# Columns that change how the log of a run is read.
# Columns of an earlier import that the logs tell anew; all others are the user's.
_FROM_LOGS = ("steps", "planned_peak_lr", "schedule", "schedule_params")
LOG_COLUMNS = ("tokens_per_step", "accumulation", "step_offset", "steps", "n_params")


def read_run_table(runs: pd.DataFrame | str | os.PathLike[str] | None) -> pd.DataFrame:
    """The user's table of runs, with its columns checked.

    Parameters
    ----------
    runs : DataFrame or path, optional
        The table, or its CSV or Parquet file.

    Returns
    -------
    DataFrame
        With names of runs as text; without rows if none is given.

    Raises
    ------
    StudyError
        If it cannot be read, a column is misspelt, or a run is not named or named twice.
    """
    if runs is None:
        return pd.DataFrame({"run": pd.Series(dtype="str")})
    table = "runs"
    if not isinstance(runs, pd.DataFrame):
        path = Path(runs)
        table = str(path)
        try:
            runs = read_parquet(path) if path.suffix == ".parquet" else read_csv(path, _TEXT)
        except FileNotFoundError:
            raise StudyError(f"{path}: no such file") from None
        except StudyError:
            raise
        except Exception as error:  # pandas and pyarrow raise a dozen kinds
            raise StudyError(f"{path}: cannot be read: {error}") from error
    check_run_columns(runs.columns, table)
    if "run" not in runs:
        raise StudyError(f"{table}: no column run; found: {', '.join(map(str, runs.columns))}")
    out = runs.assign(run=as_text(runs["run"])).reset_index(drop=True)
    for row in out.index[out["run"].isna()][:1]:
        raise StudyError(f"{table}: row {row + 1} has no run")
    for name in out.loc[out["run"].duplicated(), "run"]:
        raise StudyError(f"{table}: run {name!r} appears twice")
    return out.rename_axis(index=None)


def merge_tables(earlier: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The user's table of runs, with what was filled into that of an earlier import.

    Parameters
    ----------
    earlier : DataFrame
        Table of the earlier import, from `read_run_table`.
    table : DataFrame
        The user's table, which takes precedence.

    Returns
    -------
    DataFrame
        One row per run of either.
    """
    filled = earlier.drop(columns=[c for c in _FROM_LOGS if c in earlier])
    both = [part for part in (filled, table) if len(part)]
    if not both:
        return table
    # The last that is not blank.
    return pd.concat(both, ignore_index=True).groupby("run", sort=False).last().reset_index()


def cells_of(table: pd.DataFrame, run: str) -> dict[str, Any]:
    """Cells of a run that are not blank.

    Parameters
    ----------
    table : DataFrame
        From `read_run_table`.
    run : str
        Name of the run.

    Returns
    -------
    dict of str to object
        Values by column; empty if the run has no row.
    """
    rows = table[table["run"] == run]
    if rows.empty:
        return {}
    return {str(k): v for k, v in rows.iloc[0].items() if k != "run" and pd.notna(v) and v != ""}


def with_user_settings(runs: Iterable[LogRun], table: pd.DataFrame) -> list[LogRun]:
    """Runs whose configuration holds what the table says about how to read them.

    Parameters
    ----------
    runs : iterable of LogRun
        Runs.
    table : DataFrame
        From `read_run_table`.

    Returns
    -------
    list of LogRun
        The same runs.

    Raises
    ------
    StudyError
        If such a value is not a number.
    """
    out = list(runs)
    for run in out:
        cells = cells_of(table, run.name)
        for column in LOG_COLUMNS:
            if column in cells:
                try:
                    number = float(cells[column])
                except ValueError:
                    raise StudyError(
                        f"runs: run {run.name!r}: {column} is {cells[column]!r}; expected a number"
                    ) from None
                whole = number.is_integer() and column != "accumulation"
                run.config[column] = int(number) if whole else number
    return out


def check_names(table: pd.DataFrame, found: Sequence[str]) -> None:
    """Check that each run of the table that needs a log has one.

    Parameters
    ----------
    table : DataFrame
        From `read_run_table`.
    found : sequence of str
        Names of the runs in the logs.

    Raises
    ------
    StudyError
        If a run is in no log, and is not pre-training, such as a base that nobody logged.
    """
    phases = table["phase"] if "phase" in table else pd.Series("", index=table.index)
    for name, phase in zip(table["run"], phases, strict=True):
        if name in found or phase == "pt":
            continue
        close = difflib.get_close_matches(name, found, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise StudyError(
            f"runs: run {name!r} is in no log; {hint}runs in the logs: {', '.join(found)}. A base "
            "model without a log is a row with phase pt"
        )
