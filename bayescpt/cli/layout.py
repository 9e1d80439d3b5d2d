"""Layout of a table within a width: nothing is cut.

A table that is too wide loses space first, then wraps its headings and sentences at words, and is
then stacked: the columns go into several blocks, each with the names of its rows, or a long name
stands on a line of its own above its row.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bayescpt.text import printable

INDENT = 2
# Space between columns, where there is room and where there is not.
WIDE, NARROW = 3, 2
# A longer cell of more words is a sentence, which may be wrapped, but not below this width.
SENTENCE, WORDS = 28, 3
# A longer name may stand on a line of its own.
LONG_NAME = 24


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    head : str
        Heading.
    cells : tuple of str
        Cells as text.
    numeric : bool
        Whether the cells are numbers, aligned to the right.
    """

    head: str
    cells: tuple[str, ...]
    numeric: bool = False

    @property
    def longest(self) -> int:
        """Width of the widest cell."""
        return max(map(cell_width, self.cells), default=0)

    @property
    def natural(self) -> int:
        """Width on one line."""
        return max(self.longest, cell_width(self.head))

    @property
    def narrow(self) -> int:
        """Width with a wrapped heading."""
        return max(self.longest, *map(cell_width, self.head.split() or [""]))

    @property
    def is_prose(self) -> bool:
        """Whether some cell is a sentence."""
        return any(len(c.split()) > WORDS and cell_width(c) > SENTENCE for c in self.cells)


def cell_width(text: str) -> int:
    """Width of text on a terminal, where some characters take two columns.

    Parameters
    ----------
    text : str
        One line.

    Returns
    -------
    int

    Examples
    --------
    >>> cell_width("loss"), cell_width("損失")
    (4, 4)
    """
    from rich.cells import cell_len

    return len(text) if text.isascii() else cell_len(text)


def table_lines(columns: Sequence[Column], width: int, keys: int = 1) -> list[str]:
    r"""Lines of a table that fit a width.

    Parameters
    ----------
    columns : sequence of Column
        Columns, those that name a row first; characters that are not printable are escaped.
    width : int
        Width of the screen in characters.
    keys : int
        Number of columns that name a row; every block of a stacked table repeats them.

    Returns
    -------
    list of str

    Examples
    --------
    >>> columns = [Column("plan", ("wsd",)), Column("loss", ("3.41",), numeric=True)]
    >>> print("\n".join(table_lines(columns, 80)))
      plan   loss
     ─────────────
      wsd    3.41
    """
    columns = [
        replace(c, head=printable(c.head), cells=tuple(map(printable, c.cells))) for c in columns
    ]
    # The rule is wider than the columns by one on each side.
    room = max(width, 24) - INDENT - 1
    stacked = _blocks(columns, room, keys)
    own_line = columns[0].narrow > LONG_NAME and len(columns) > 1
    if own_line and (stacked is None or len(stacked) > 1):
        rest = _blocks(columns[1:], room - INDENT, max(keys - 1, 0))
        rest = rest or [[fold(column, room - INDENT)] for column in columns[1:]]
        if stacked is None or len(rest) < len(stacked):
            names = fold(columns[0], room)
            return _join([list(_named(names, block, room)) for block in rest])
    if stacked is None:
        stacked = [[fold(column, room)] for column in columns]
    return _join([list(_block(block, room, INDENT)) for block in stacked])


def fold(column: Column, room: int) -> Column:
    """Cut cells that are wider than the screen into lines.

    Parameters
    ----------
    column : Column
        The column.
    room : int
        Width for the column.

    Returns
    -------
    Column
        Cells with line breaks.
    """
    cells = ("\n".join(_wrap(cell, room)) for cell in column.cells)
    return replace(column, cells=tuple(cells))


def _blocks(columns: Sequence[Column], room: int, keys: int) -> list[list[Column]] | None:
    """Columns by block, sentences wrapped; None if a block does not fit."""
    whole = _fitted(columns, room)
    if whole is not None:
        return [whole]
    key = list(columns[:keys])
    blocks: list[list[Column]] = []
    for column in columns[keys:]:
        longer = None if not blocks else _fitted([*key, *blocks[-1], column], room)
        if longer is not None:
            blocks[-1].append(column)
        elif _fitted([*key, column], room) is not None:
            blocks.append([column])
        else:
            return None
    fitted = [_fitted([*key, *block], room) for block in blocks]
    return [block for block in fitted if block is not None] or None


def _fitted(columns: Sequence[Column], room: int) -> list[Column] | None:
    """Columns with sentences wrapped so that they fit side by side; None if they do not."""
    gaps = NARROW * (len(columns) - 1)
    if sum(column.narrow for column in columns) + gaps <= room:
        return list(columns)
    prose = [column for column in columns if column.is_prose]
    left = room - gaps - sum(column.narrow for column in columns if not column.is_prose)
    if not prose or left < SENTENCE * len(prose):
        return None
    # Sentences share what the other columns leave, in proportion to their lengths.
    total = sum(column.longest for column in prose)
    spare = left - SENTENCE * len(prose)
    widths = [SENTENCE + spare * column.longest // total for column in prose]
    shared = iter(widths)
    return [fold(column, next(shared)) if column.is_prose else column for column in columns]


def _block(columns: Sequence[Column], room: int, indent: int) -> Iterator[str]:
    """Heading, rule and rows of one block."""
    head, rows = _grid(columns, room)
    yield from (" " * indent + line for line in head)
    yield " " * (indent - 1) + "─" * (_widest(head, rows) + 2)
    for row in rows:
        yield from (" " * indent + line for line in row)


def _named(names: Column, columns: Sequence[Column], room: int) -> Iterator[str]:
    """A block whose first column stands on lines of its own."""
    deeper = 2 * INDENT
    head, rows = _grid(columns, room - INDENT)
    widest = _widest(head, rows) + INDENT
    yield " " * INDENT + names.head
    yield from (" " * deeper + line for line in head)
    longest = max(cell_width(line) for cell in names.cells for line in cell.splitlines() or [""])
    yield " " * (INDENT - 1) + "─" * (min(max(widest, longest), room) + 1)
    for name, row in zip(names.cells, rows, strict=True):
        yield from (" " * INDENT + line for line in name.splitlines())
        yield from (" " * deeper + line for line in row)


def _widest(head: list[str], rows: list[list[str]]) -> int:
    return max(cell_width(line) for lines in (head, *rows) for line in lines)


def _grid(columns: Sequence[Column], room: int) -> tuple[list[str], list[list[str]]]:
    """Lines of the heading, and those of every row."""
    # Folded cells have several lines.
    lines = [[cell.splitlines() or [""] for cell in column.cells] for column in columns]
    cells = [max((cell_width(t) for c in own for t in c), default=0) for own in lines]
    unwrapped = [max(w, cell_width(c.head)) for w, c in zip(cells, columns, strict=True)]
    for gap in (WIDE, NARROW):
        widths = unwrapped
        if sum(widths) + gap * (len(widths) - 1) <= room:
            break
    else:
        widths = _shrunk(columns, cells, unwrapped, room)
    heads = [_wrap(c.head, w) for c, w in zip(columns, widths, strict=True)]
    tall = max(map(len, heads))
    right = [column.numeric for column in columns]
    head = _side_by_side([[""] * (tall - len(h)) + h for h in heads], widths, right, gap)
    rows = [_side_by_side(list(row), widths, right, gap) for row in zip(*lines, strict=True)]
    return head, rows


def _shrunk(columns: Sequence[Column], cells: list[int], widths: list[int], room: int) -> list[int]:
    """Widths with the longest headings wrapped until the columns fit."""
    words = [max(map(cell_width, c.head.split() or [""])) for c in columns]
    least = [max(pair) for pair in zip(cells, words, strict=True)]
    widths = list(widths)
    while sum(widths) + NARROW * (len(widths) - 1) > room and widths != least:
        k = max(range(len(widths)), key=lambda k: widths[k] - least[k])
        widths[k] -= 1
    return widths


def _side_by_side(
    cells: list[list[str]], widths: Sequence[int], right: Sequence[bool], gap: int
) -> list[str]:
    """Lines of one row, padded."""
    out = []
    for k in range(max(map(len, cells))):
        parts = [cell[k] if k < len(cell) else "" for cell in cells]
        padded = [
            " " * (w - cell_width(text)) + text if r else text + " " * (w - cell_width(text))
            for text, w, r in zip(parts, widths, right, strict=True)
        ]
        out.append((" " * gap).join(padded).rstrip())
    return out


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 1), break_on_hyphens=False) or [""]


def _join(blocks: list[list[str]]) -> list[str]:
    """Blocks, one blank line apart."""
    out: list[str] = []
    for block in blocks:
        out += [""] * bool(out) + block
    return out
