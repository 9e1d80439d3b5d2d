"""Checks of single columns: present, named, numeric, whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayescpt.errors import StudyError

_POWERS = {"K": 3, "M": 6, "B": 9, "T": 12}


def require_columns(frame: pd.DataFrame, columns: Sequence[str], table: str) -> None:
    """Raise an error if a table lacks a required column.

    Parameters
    ----------
    frame : DataFrame
        The table.
    columns : sequence of str
        Required columns.
    table : str
        Name of the table in messages.

    Raises
    ------
    StudyError
        If a column is missing.
    """
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        present = ", ".join(map(str, frame.columns)) or "none"
        raise StudyError(f"{table}: missing column {', '.join(missing)}; found: {present}")


def require_rows(frame: pd.DataFrame, table: str) -> None:
    """Raise an error if a table is empty.

    Parameters
    ----------
    frame : DataFrame
        The table.
    table : str
        Name of the table in messages.

    Raises
    ------
    StudyError
        If there is no row.
    """
    if frame.empty:
        raise StudyError(f"{table}: the study is empty: no row in {table}")


def require_names(names: pd.Series[str], column: str, table: str) -> None:
    """Raise an error if a name is blank.

    Parameters
    ----------
    names : Series of str
        Names; blanks are NaN.
    column : str
        Name of the column.
    table : str
        Name of the table.

    Raises
    ------
    StudyError
        If a name is blank.
    """
    for row in np.flatnonzero(names.isna())[:1]:
        raise StudyError(f"{table}: row {row + 1} has no {column}")


def to_numbers(
    values: pd.Series[Any], column: str, runs: pd.Series[str], table: str
) -> pd.Series[float]:
    """Convert a column to numbers.

    Parameters
    ----------
    values : Series
        The column; blanks become NaN.
    column : str
        Name of the column.
    runs : Series of str
        Run of each row.
    table : str
        Name of the table.

    Returns
    -------
    Series of float64
        The numbers.

    Raises
    ------
    StudyError
        If a value is text, or true or false.
    """
    require_no_booleans(values, column, runs, table)
    parsed = pd.to_numeric(values, errors="coerce").astype("float64")
    for row in np.flatnonzero(parsed.isna() & values.notna())[:1]:
        raise StudyError(
            f"{table}: run {runs.iloc[row]!r}: {column} is {values.iloc[row]!r}; expected a number"
            f"{_hint(values.iloc[row])}"
        )
    return parsed


def _hint(value: Any) -> str:
    """What was meant by a number as spreadsheets and people write it."""
    text = str(value).strip()
    plain, point = text.replace(",", ""), text.replace(",", ".")
    if re.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}", text):
        return f": write {plain} or {point}"
    if re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?", text):
        return f": write {plain}"
    if re.fullmatch(r"[-+]?\d*,\d+(e[-+]?\d+)?", text, re.IGNORECASE):
        return f": write {point}"
    if re.fullmatch(r"\d+(\.\d+)?\s*%", text):
        return f": write {float(text.rstrip('% ')) / 100:g}"
    if (found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMBT])", text, re.IGNORECASE)) is not None:
        return f": write {found[1]}e{_POWERS[found[2].upper()]}"
    return ""


def require_no_booleans(
    values: pd.Series[Any], column: str, runs: pd.Series[str], table: str
) -> None:
    """Raise an error if a value is true or false, which count as 1 and 0 elsewhere.

    Parameters
    ----------
    values : Series
        The column.
    column : str
        Name of the column.
    runs : Series of str
        Run of each row.
    table : str
        Name of the table.

    Raises
    ------
    StudyError
        If a value is true or false.
    """
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return
    for row in np.flatnonzero([isinstance(value, bool | np.bool_) for value in values])[:1]:
        raise StudyError(
            f"{table}: run {runs.iloc[row]!r}: {column} is {values.iloc[row]}; expected a number"
        )


def require_whole_numbers(
    values: pd.Series[float], column: str, runs: pd.Series[str], table: str
) -> None:
    """Raise an error if a count is negative or not whole.

    Parameters
    ----------
    values : Series of float64
        The column; NaN is allowed.
    column : str
        Name of the column.
    runs : Series of str
        Run of each row.
    table : str
        Name of the table.

    Raises
    ------
    StudyError
        If a value is negative, infinite or not whole.
    """
    is_count = (values >= 0) & (values % 1 == 0) & np.isfinite(values)
    for row in np.flatnonzero(values.notna() & ~is_count)[:1]:
        raise StudyError(
            f"{table}: run {runs.iloc[row]!r}: {column} is {values.iloc[row]:g}; "
            "expected a whole number, 0 or more"
        )
