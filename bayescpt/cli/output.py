"""Output of commands: tables, JSON and notes."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

# Width of output to a file or pipe, enough for every table.
PIPE_WIDTH = 200


def console() -> Console:
    """Console on standard output.

    Returns
    -------
    rich.console.Console
        As wide as the terminal, or `PIPE_WIDTH` columns in a pipe.
    """
    from rich.console import Console

    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(width=width, highlight=False, soft_wrap=False)


def say(text: str = "") -> None:
    """Print a line on standard output.

    Parameters
    ----------
    text : str
        The line.
    """
    sys.stdout.write(f"{text}\n")


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
        sys.stderr.write(f"bayescpt: {text}\n")
        sys.stderr.flush()


def show_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    width: int | None = None,
) -> None:
    """Print a table; columns of numbers are right-aligned.

    Parameters
    ----------
    title : str
        Title, on a separate line.
    columns : sequence of str
        Column headings.
    rows : iterable of sequences
        Cells: text unchanged, numbers formatted by `number`, None and NaN empty.
    width : int, optional
        Most columns of text; by default those of the terminal.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    cells = [list(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD)
    for k, name in enumerate(columns):
        numeric = all(not isinstance(row[k], str) for row in cells)
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell if isinstance(cell, str) else number(cell)) for cell in row))
    out = console()
    if width is not None:
        out.width = min(out.width, width)
    with out.capture() as drawn:
        # Printed separately: Rich would wrap a table title at the width of the table.
        out.print(Text(title, style="bold"), soft_wrap=True)
        out.print(table)
    # Rich pads lines to the width of the table.
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in drawn.get().splitlines()))


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
