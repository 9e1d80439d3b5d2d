"""CSV files of studies: commas between fields and points in numbers, or an error that says so."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from bayescpt.errors import StudyError

# What stands for a blank; "NA" and "None" are names.
BLANKS = ("", "nan", "NaN", "NAN")
_DECIMALS = "is there a decimal comma (write 0.25), or a comma too many?"


def read_csv(path: Path, text: Iterable[str]) -> pd.DataFrame:
    """Read a table from a CSV file.

    Parameters
    ----------
    path : Path
        The file.
    text : iterable of str
        Columns that stay text ("007", "NA", "None").

    Returns
    -------
    DataFrame

    Raises
    ------
    StudyError
        If it is no such file: in another encoding, with other signs between fields, or with rows
        of more fields than the header, which would be taken for other columns.
    FileNotFoundError
        If there is no file.
    """
    _check_header(path)
    try:
        frame = pd.read_csv(
            path, dtype=dict.fromkeys(text, "str"), keep_default_na=False, na_values=list(BLANKS)
        )
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: cannot be read: {error}; save it as CSV in UTF-8") from error
    except pd.errors.ParserError as error:
        raise StudyError(f"{path}: cannot be read: {error}; {_DECIMALS}") from error
    except Exception as error:  # pandas raises a dozen kinds
        raise StudyError(f"{path}: cannot be read: {error}") from error
    if not isinstance(frame.index, pd.RangeIndex):
        raise StudyError(f"{path}: its rows have more fields than its header; {_DECIMALS}")
    return frame


def _check_header(path: Path) -> None:
    """Refuse what spreadsheets write where numbers have decimal commas."""
    with path.open("rb") as file:
        header = file.readline(100_000).decode("utf-8-sig", "replace")
    for sign, name in ((";", "semicolons"), ("\t", "tabs")):
        if sign in header and "," not in header:
            raise StudyError(
                f"{path}: its fields are separated by {name}; expected commas between fields, and "
                "points in numbers"
            )
