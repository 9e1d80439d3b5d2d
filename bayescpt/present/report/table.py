"""Tables of a report, before they are HTML, and the numbers in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

# Characters from which on a cell is a sentence.
SENTENCE = 20


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes
    ----------
    caption : str
        What it shows.
    heads : tuple of str
        Headings of the columns; the first column names the rows.
    rows : list of tuple of str
        Cells.
    numeric : frozenset of int
        Columns of numbers, which are aligned to the right.
    prose : frozenset of int
        Columns with sentences, which need width.
    marked : str or None
        Name of the row that is the chosen plan.
    """

    caption: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    numeric: frozenset[int] = frozenset()
    prose: frozenset[int] = frozenset()
    marked: str | None = None


def make_table(
    caption: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    marked: str | None = None,
) -> Table:
    """Table whose columns of numbers are found by their cells, and without empty columns.

    Parameters
    ----------
    caption : str
        What it shows.
    heads : sequence of str
        Headings.
    rows : sequence of sequence of str
        Cells; "" where there is nothing to say.
    marked : str, optional
        First cell of the row to mark.

    Returns
    -------
    Table

    Examples
    --------
    >>> table = make_table("Plans", ["plan", "steps", "note"], [["wsd", "1,000", ""]])
    >>> table.heads, sorted(table.numeric)
    (('plan', 'steps'), [1])
    """
    kept = [k for k in range(len(heads)) if k == 0 or any(row[k] for row in rows)]
    numeric = frozenset(
        place for place, k in enumerate(kept) if k and all(_is_number(row[k]) for row in rows)
    )
    cells = [tuple(row[k] for k in kept) for row in rows]
    wide = [max(len(row[place]) for row in cells) for place in range(len(kept))] if cells else []
    prose = frozenset(place for place, width in enumerate(wide) if place and width > SENTENCE)
    caption = f"{caption[:1].upper()}{caption[1:]}"
    return Table(caption, tuple(heads[k] for k in kept), cells, numeric, prose, marked)


def fixed(value: float, digits: int = 3) -> str:
    """Number with fixed decimals; empty for NaN.

    Parameters
    ----------
    value : float
        The number.
    digits : int
        Decimals.

    Returns
    -------
    str
    """
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def significant(value: float, digits: int = 3) -> str:
    """Number with significant digits, without an exponent where a reader needs none.

    Parameters
    ----------
    value : float
        The number.
    digits : int
        Significant digits.

    Returns
    -------
    str
        Empty for NaN.

    Examples
    --------
    >>> significant(0.012345), significant(2048000), significant(1.5e-9), significant(8.5e9)
    ('0.0123', '2,048,000', '1.5e-09', '8.5e+09')
    """
    if math.isnan(value):
        return ""
    if value == 0 or 1e-4 <= abs(value) < 10**digits:
        return f"{value:.{digits}g}"
    return f"{value:,.0f}" if 1 <= abs(value) < 1e9 else f"{value:.{digits}g}"


def chance(value: float, error: float) -> str:
    """Probability with its Monte Carlo standard error, which is never shown as 0.

    Parameters
    ----------
    value, error : float
        Probability, 0 to 1, and its standard error.

    Returns
    -------
    str
        As ``bayescpt goal`` prints it.

    Examples
    --------
    >>> chance(0.7771, 0.0066), chance(1.0, 0.0002)
    ('0.777 ± 0.007', '1.000 ± <.001')
    """
    return f"{value:.3f} ± {f'{error:.3f}' if error >= 0.0005 else '<.001'}"


def band(lower: float, median: float, upper: float) -> str:
    """Median with its band.

    Parameters
    ----------
    lower, median, upper : float
        Losses.

    Returns
    -------
    str
        Empty for NaN.

    Examples
    --------
    >>> band(3.401, 3.4371, 3.465)
    '3.437 [3.401, 3.465]'
    """
    return "" if math.isnan(median) else f"{median:.3f} [{lower:.3f}, {upper:.3f}]"


def extent(values: ArrayLike | None) -> str:
    """Lowest to highest of some numbers as text, such as the replay ratios along a run.

    Parameters
    ----------
    values : array_like or None
        One or more numbers.

    Returns
    -------
    str
        One number where all are the same; empty for None and where one is unknown (NaN).

    Examples
    --------
    >>> extent(0.25), extent([0.1, 0.5]), extent(None)
    ('0.25', '0.1 to 0.5', '')
    """
    if values is None:
        return ""
    given = np.asarray(values, dtype=float)
    low, high = float(given.min()), float(given.max())
    if math.isnan(low):
        return ""
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"


def _is_number(cell: str) -> bool:
    """Whether a cell is empty or starts as a number does."""
    return not cell or cell.lstrip("+-<").replace(",", "")[:1].isdigit()
