"""CSV and TSV files, read quickly and in little memory: only the columns that have a meaning."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from bayescpt.errors import StudyError

_BLANKS = ["", "null", "None", "NULL", "N/A", "NA", "-"]


def header_of(head: bytes) -> tuple[list[str], str] | None:
    """Column names in the first line of a file, and their delimiter.

    Parameters
    ----------
    head : bytes
        First bytes of the file.

    Returns
    -------
    tuple of (list of str, str), or None
        None if the first line is not a header of two or more distinct names.
    """
    try:
        text = head.decode("utf-8-sig", errors="ignore" if len(head) > 60_000 else "strict")
    except UnicodeDecodeError:
        return None
    line = text.lstrip("\r\n").split("\n", 1)[0].rstrip("\r")
    delimiter = max(",\t;", key=line.count)
    if "\x00" in line or not line.count(delimiter) or "{" in line[:1]:
        return None
    names = next(csv.reader([line], delimiter=delimiter))
    names = [name.strip() for name in names]
    # The index of pandas' to_csv has no name.
    named = [name for name in names if name]
    is_header = len(set(named)) == len(named) >= 2 and not any(map(_is_number, named))
    return (names, delimiter) if is_header else None


def read_delimited(
    path: Path, header: list[str], delimiter: str, kind_of: Callable[[str], str], notes: list[str]
) -> pd.DataFrame:
    """Read the columns of a delimited file that have a meaning.

    Parameters
    ----------
    path : Path
        The file.
    header : list of str
        Its columns, from `header_of`.
    delimiter : str
        What separates cells.
    kind_of : callable
        "number", "text" or "" (not needed) of a column.
    notes : list of str
        Gets a sentence about lines and cells that are left out.

    Returns
    -------
    DataFrame
        Numbers are float64 with NaN for blanks and inf for a written NaN, text is str.

    Raises
    ------
    StudyError
        If the file cannot be read.
    """
    kinds = {name: kind_of(name) for name in header if name and kind_of(name)}
    skipped = 0

    def _skip(row: pa_csv.InvalidRow) -> str:
        nonlocal skipped
        skipped += 1
        return "skip"

    def _read(types: dict[str, pa.DataType]) -> pa.Table:
        nonlocal skipped
        skipped = 0
        return pa_csv.read_csv(
            path,
            read_options=pa_csv.ReadOptions(column_names=header, skip_rows=1),
            parse_options=pa_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=_skip),
            convert_options=pa_csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=_BLANKS,
                strings_can_be_null=True,
            ),
        )

    as_numbers = {n: pa.float64() if kind == "number" else pa.string() for n, kind in kinds.items()}
    try:
        table = _read(as_numbers)
    except pa.ArrowInvalid:
        # Text between numbers, such as the header again after a restart.
        try:
            table = _read(dict.fromkeys(kinds, pa.string()))
        except (pa.ArrowInvalid, OSError) as error:
            raise StudyError(f"{path}: cannot be read as a table: {error}") from error
    if skipped:
        notes.append(f"{skipped} lines do not have {len(header)} cells and are left out")
    return _numbers(table, kinds, notes)


def _numbers(table: pa.Table, kinds: dict[str, str], notes: list[str]) -> pd.DataFrame:
    frame: dict[str, pd.Series] = {}
    repeated = None
    for name, kind in kinds.items():
        column = table.column(name)
        if kind == "text":
            frame[name] = column.to_pandas()
            continue
        if pa.types.is_floating(column.type):
            blank = column.is_null().to_numpy()
            values = pd.Series(column.to_numpy())
        else:
            text = column.to_pandas()
            blank = text.isna().to_numpy(bool)
            values = pd.to_numeric(text, errors="coerce").astype("float64")
            is_nan = text.str.strip().str.lower().isin(["nan", "-nan"]).to_numpy(bool)
            again = (text.str.strip() == name).to_numpy(bool)
            repeated = again if repeated is None else repeated | again
            wrong = values.isna().to_numpy() & ~blank & ~is_nan & ~again
            if wrong.any():
                row = int(wrong.argmax())
                notes.append(
                    f"{int(wrong.sum())} cells of {name} are no numbers and are left out, the first"
                    f" {text.iloc[row]!r} in row {row + 1}"
                )
            blank = blank | wrong | again
        # A loss that diverged is told from a blank.
        frame[name] = values.mask(values.isna() & ~blank, float("inf"))
    out = pd.DataFrame(frame)
    if repeated is not None and repeated.any():
        notes.append(f"{int(repeated.sum())} repeated header lines left out")
        out = out[~repeated].reset_index(drop=True)
    return out


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
