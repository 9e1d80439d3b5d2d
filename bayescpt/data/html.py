"""HTML of objects in notebooks; all text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

import pandas as pd

from bayescpt.text import printable

# Rows of a table that are shown.
MAX_ROWS = 60


def html_block(
    title: str,
    facts: Mapping[str, object],
    tables: Mapping[str, pd.DataFrame],
    notes: Iterable[str] = (),
) -> str:
    """HTML of an object: a title, facts in one line, folded tables, and notes.

    Parameters
    ----------
    title : str
        What it is.
    facts : Mapping of str to object
        Values by name; None is left out.
    tables : Mapping of str to DataFrame
        Tables by heading; the first is open, the others are folded.
    notes : iterable of str
        Warnings, one a line.

    Returns
    -------
    str

    Examples
    --------
    >>> html_block("Study", {"name": "<b>"}, {})
    '<div><strong>Study</strong><br>name: &lt;b&gt;</div>'
    """
    shown = "; ".join(f"{name}: {value}" for name, value in facts.items() if value is not None)
    parts = [f"<strong>{escape(title)}</strong>", *([f"<br>{escape(shown)}"] if shown else [])]
    for k, (heading, table) in enumerate(tables.items()):
        more = f" (first {MAX_ROWS} of {len(table)})" if len(table) > MAX_ROWS else ""
        body = table.head(MAX_ROWS).to_html(border=0, na_rep="", float_format=_number)
        opened = " open" if k == 0 else ""
        parts.append(
            f"<details{opened}><summary>{escape(heading + more)}</summary>{body}</details>"
        )
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
    if listed:
        parts.append(f"<ul>{listed}</ul>")
    lines = "".join(parts).split("\n")
    return f"<div>{chr(10).join(map(printable, lines))}</div>"


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
