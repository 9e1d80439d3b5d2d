"""A table of log rows, long or wide, with one run or several, as runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data.readers.names import (
    DOMAIN_COLUMNS,
    meaning,
    name_of_path,
    set_name,
    step_counter,
)
from bayescpt.data.readers.recipe import recipe_beside
from bayescpt.data.readers.record import EVAL_COLUMNS, LogRun, ReadOptions, empty_frame
from bayescpt.data.readers.wide import split_wide
from bayescpt.errors import StudyError

# Columns of a table with one metric a row.
_KEY_COLUMNS = ("metric", "metric_name", "key", "tag", "variable", "name")
_VALUE_COLUMN = "value"
_PPL_COLUMNS = ("ppl", "perplexity")  # of the set of the row
_TRAIN_SETS = ("train", "training")


def is_log_table(header: list[str], columns: Mapping[str, str]) -> bool:
    """Whether a table with these columns is a log: it has a step, and a loss or learning rate.

    Parameters
    ----------
    header : list of str
        Its columns.
    columns : mapping of str to str
        What the user says of some columns, as in `ReadOptions`.

    Returns
    -------
    bool
    """
    if step_counter(header, columns) is None:
        return False
    roles = {_role(name, columns) for name in header}
    return bool(roles & {"eval", "ppl", "train", "lr"}) or _key_column(header, columns) is not None


def runs_of_table(frame: pd.DataFrame, path: Path, kind: str, options: ReadOptions) -> list[LogRun]:
    """Runs in a table of log rows.

    Parameters
    ----------
    frame : DataFrame
        The table. It is wide (one column a metric), long by set (a column with the name of the
        set, and one loss), or long by metric (a column with the metric's key, and its value).
    path : Path
        File that it comes from.
    kind : str
        Name of the reader.
    options : ReadOptions
        What the user says of some columns.

    Returns
    -------
    list of LogRun
        One per name in the column of runs; one run called after the file without such a column.

    Raises
    ------
    StudyError
        If no column counts steps.
    """
    columns = options.columns
    header = [str(name) for name in frame.columns]
    frame = frame.set_axis(header, axis="columns")
    key_column = _key_column(header, columns)
    domain = _domain_column(header, columns, key_column)
    run_column = _run_column(header, columns, domain, key_column)
    counter = step_counter([c for c in header if c not in (run_column, domain)], columns)
    if counter is None:
        raise StudyError(
            f"{path}: no column counts steps; found: {', '.join(header)}. Name it in a column map: "
            f'{header[0]} = "step"'
        )
    step_column, steps_are = counter
    name, part = name_of_path(path)
    runs = []
    for run_name, rows in _by(frame, run_column):
        wide = _pivot(rows, key_column) if key_column else rows
        if domain is not None:
            wide = _in_time(wide, domain, step_column)
        named, rest, steps = _split_sets(wide, domain, step_column, columns)
        parts = split_wide(rest, steps, columns)
        run = LogRun(name if run_name is None else run_name, kind, (path,), part=part)
        run.evals = pd.concat([part for part in (parts.evals, named) if len(part)] or [run.evals])
        run.lr, run.train, run.steps_are = parts.lr, parts.train, steps_are
        run.notes = list(parts.notes)
        if (lost := int(np.isnan(rows[step_column].to_numpy(np.float64)).sum())) > 0:
            run.notes.append(f"{lost} rows without a {step_column} left out")
        run.config = recipe_beside(path) if run_column is None else {}
        runs.append(run)
    return runs


def _by(frame: pd.DataFrame, column: str | None) -> list[tuple[str | None, pd.DataFrame]]:
    if column is None:
        return [(None, frame)]
    names = frame[column]
    if pd.api.types.is_float_dtype(names) and (names.dropna() % 1 == 0).all():
        names = names.astype("Int64")
    groups = frame.groupby(names.astype("str").str.strip().mask(names.isna()), sort=False)
    return [(str(name), rows.reset_index(drop=True)) for name, rows in groups]


def _in_time(frame: pd.DataFrame, domain: str, step_column: str) -> pd.DataFrame:
    """A table that has one set after the other, in the order of its steps."""
    steps = frame[step_column].to_numpy(np.float64, na_value=np.nan)
    back = np.flatnonzero(np.diff(steps) < 0)
    sets = frame[domain].to_numpy(object)
    if back.size and (sets[back] != sets[back + 1]).all():
        return frame.sort_values(step_column, kind="stable", ignore_index=True)
    return frame


def _split_sets(
    frame: pd.DataFrame, domain: str | None, step_column: str, columns: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame, NDArray[np.float64]]:
    """Evaluations of a table with a column of sets, the rest of the table, and its steps."""
    steps = frame[step_column].to_numpy(np.float64, na_value=np.nan)
    roles = {str(name): _role(str(name), columns) for name in frame.columns}
    metrics = [name for name in roles if roles[name] in ("eval", "ppl", "train", "lr")]
    rest = frame[metrics]
    # The loss on the set of the row: `val_loss` rather than `loss`, a perplexity where it is all.
    losses = [name for role in ("eval", "train", "ppl") for name in metrics if roles[name] == role]
    if domain is None or not losses:
        return empty_frame(EVAL_COLUMNS), rest, steps
    column = losses[0]
    values = frame[column].to_numpy(np.float64, na_value=np.nan)
    if roles[column] == "ppl":
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.log(values)
    usable = np.flatnonzero(frame[domain].notna() & ~np.isnan(steps) & ~np.isnan(values))
    codes, names = pd.factorize(frame[domain].iloc[usable].astype("str").str.strip())
    trained = np.array([name.lower() in _TRAIN_SETS for name in names], dtype=bool)[codes]
    of_set = usable[~trained]
    sets = np.array([set_name(name) for name in names], dtype=object)[codes][~trained]
    evals = pd.DataFrame({"step": steps[of_set], "domain": sets, "loss": values[of_set]})
    rest = rest.drop(columns=[name for name in metrics if roles[name] == "ppl"])
    if roles[column] == "train":  # the training loss stands in the rows that are no set's
        kept = frame[column].copy()
        kept.iloc[of_set] = np.nan
        return evals, rest.assign(**{column: kept}), steps
    return evals, rest.drop(columns=column, errors="ignore"), steps


def _role(name: str, columns: Mapping[str, str]) -> str:
    is_ppl = name not in columns and name.strip().lower() in _PPL_COLUMNS
    return "ppl" if is_ppl else meaning(name, columns).role


def _pivot(frame: pd.DataFrame, key_column: str) -> pd.DataFrame:
    """A table with one metric a row as a wide one, in the order of its rows."""
    value = next(c for c in frame.columns if c.strip().lower() == _VALUE_COLUMN)
    numbers = pd.to_numeric(frame[value], errors="coerce")
    out = frame.drop(columns=[key_column, value])
    codes, keys = pd.factorize(frame[key_column])
    wide = {
        str(key): numbers.where(codes == k)
        for k, key in enumerate(keys)
        if meaning(str(key)).role in ("eval", "ppl", "train", "lr")
    }
    return out.assign(**wide)


def _key_column(header: list[str], columns: Mapping[str, str]) -> str | None:
    plain = {name.strip().lower(): name for name in header if name not in columns}
    if _VALUE_COLUMN not in plain:
        return None
    return next((plain[name] for name in _KEY_COLUMNS if name in plain), None)


def _domain_column(
    header: list[str], columns: Mapping[str, str], key_column: str | None
) -> str | None:
    for name in header:
        if columns.get(name) == "domain":
            return name
    plain = {name.strip().lower(): name for name in header if name not in columns}
    found = [plain[name] for name in DOMAIN_COLUMNS if name in plain and plain[name] != key_column]
    sets = {meaning(name, columns).domain for name in header} - {"", "val", "test"}
    if found[:1] == [plain.get("name")] and sets:
        return None  # columns name the sets, so `name` is the run's
    return found[0] if found else None


def _run_column(
    header: list[str], columns: Mapping[str, str], domain: str | None, key_column: str | None
) -> str | None:
    taken = (domain, key_column)
    named = [name for name in header if meaning(name, columns).role == "run"]
    # Beside another column of sets, `name` is the run's.
    named += [n for n in header if n.strip().lower() == "name" and n not in columns]
    return next((name for name in named if name not in taken), None)


def column_kind(columns: Mapping[str, str]) -> Any:
    """What `read_delimited` is to read a column as, given the user's column map.

    Parameters
    ----------
    columns : mapping of str to str
        What the user says of some columns.

    Returns
    -------
    callable
        From a column to "number", "text" or "".
    """

    def _kind(name: str) -> str:
        role = meaning(name, columns).role
        plain = name.strip().lower()
        if role in ("run", "domain") or (name not in columns and plain in _KEY_COLUMNS):
            return "text"
        is_value = name not in columns and plain in (_VALUE_COLUMN, *_PPL_COLUMNS)
        return "number" if role != "ignore" or is_value else ""

    return _kind
