"""Output of commands: tables, JSON and notes."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bayescpt.cli.layout import Column, table_lines
from bayescpt.text import printable

# Width of what goes to a file or pipe: that of most terminals and logs.
PIPE_WIDTH = 80


def screen_width() -> int:
    """Width for tables: that of the terminal or of COLUMNS, or else `PIPE_WIDTH`.

    Returns
    -------
    int
    """
    return shutil.get_terminal_size((PIPE_WIDTH, 24)).columns


def say(text: str = "") -> None:
    """Print text on standard output.

    Parameters
    ----------
    text : str
        Lines. On a screen of known width, those that are too wide are wrapped at words, but not
        indented ones, which are to be copied. Characters that are not printable are escaped.
    """
    for line in map(printable, text.split("\n")):
        shown = line if line.startswith("  ") else wrapped(line)
        sys.stdout.write(f"{shown}\n")


def wrapped(text: str) -> str:
    """Wrap text at words, if the width of the screen is known; scripts get it on one line.

    Parameters
    ----------
    text : str
        One line.

    Returns
    -------
    str
    """
    if not (sys.stdout.isatty() or "COLUMNS" in os.environ):
        return text
    return textwrap.fill(text, screen_width(), break_long_words=False, break_on_hyphens=False)


def progress(text: str, quiet: bool = False) -> None:
    """Print a progress message on standard error.

    Parameters
    ----------
    text : str
        The message.
    quiet : bool
        Print nothing.
    """
    if not quiet:
        sys.stderr.write(f"bayescpt: {printable(text)}\n")
        sys.stderr.flush()


def show_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    keys: int = 1,
    width: int | None = None,
) -> None:
    """Print a table; columns of numbers are right-aligned.

    A table that is wider than the screen is stacked, see `bayescpt.cli.layout`.

    Parameters
    ----------
    title : str
        Title, on a separate line.
    columns : sequence of str
        Column headings.
    rows : iterable of sequences
        Cells: text unchanged, numbers formatted by `number`, None and NaN empty.
    keys : int
        Number of columns that name a row.
    width : int, optional
        Most columns of text; by default those of the screen.
    """
    cells = [list(row) for row in rows]
    drawn = [
        Column(
            head,
            tuple(c if isinstance(c, str) else number(c) for c in (row[k] for row in cells)),
            numeric=all(_is_number(row[k]) for row in cells),
        )
        for k, head in enumerate(columns)
    ]
    width = min(screen_width(), width or screen_width())
    bold, plain = ("\033[1m", "\033[0m") if _styled() else ("", "")
    lines = [f"{bold}{wrapped(printable(title))}{plain}", "", *table_lines(drawn, width, keys), ""]
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _is_number(cell: Any) -> bool:
    """Whether a cell is a number, or the text of one, or empty."""
    if not isinstance(cell, str) or not cell:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _styled() -> bool:
    """Whether standard output is a terminal that shows styles."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def number(value: Any, digits: int = 3) -> str:
    """Format a number for a table.

    Parameters
    ----------
    value : float, int, bool or None
        The number.
    digits : int
        Decimals of numbers between 0.001 and 10,000 in absolute value; others get as many
        significant digits.

    Returns
    -------
    str
        Empty for None and NaN.
    """
    if value is None:
        return ""
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value}"
    x = float(value)
    if math.isnan(x):
        return ""
    if x.is_integer() and abs(x) < 1e6:
        return f"{x:.0f}" if x else "0"
    return f"{x:.{digits}f}" if 10.0**-digits <= abs(x) < 1e4 else f"{x:.{digits}g}"


def fixed(value: Any, digits: int = 3) -> str:
    """Format a number with fixed decimals, so that a column is easy to compare.

    Parameters
    ----------
    value : float or None
        The number.
    digits : int
        Decimals.

    Returns
    -------
    str
        Empty for None and NaN.
    """
    if value is None or math.isnan(float(value)):
        return ""
    return f"{float(value):.{digits}f}"


def show_json(content: Mapping[str, Any]) -> None:
    """Print one JSON object; NaN and infinite numbers become null.

    Parameters
    ----------
    content : Mapping
        Plain values, NumPy numbers and arrays, by key.
    """
    sys.stdout.write(json.dumps(_plain(content), indent=2, allow_nan=False) + "\n")


def records(table: Any) -> list[dict[str, Any]]:
    """Rows of a DataFrame as dicts, with the index first.

    Parameters
    ----------
    table : pandas.DataFrame
        Table with a named index.

    Returns
    -------
    list of dict
    """
    return list(table.reset_index().to_dict("records"))


def notes(failed_checks: Sequence[str], warnings: Iterable[str]) -> None:
    """Print warnings about the table above.

    Parameters
    ----------
    failed_checks : sequence of str
        Failed checks of the fit.
    warnings : iterable of str
        Other warnings; each is printed once.
    """
    for text in dict.fromkeys(warnings):
        say(f"note: {text}")
    if failed_checks:
        say(
            f"FAILED CHECKS: this fit failed {', '.join(failed_checks)}; do not trust the numbers "
            "above"
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if hasattr(value, "tolist"):  # NumPy arrays and numbers
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
