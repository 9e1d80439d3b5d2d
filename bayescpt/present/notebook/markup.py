"""Text of people in the cells of a notebook: Markdown that shows it, Python that holds it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bayescpt.present.report.text import visible

# What begins a tag, an entity or a formula is written as an entity: MathJax reads a page before
# Markdown does, and takes two backslashes for one.
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "\\": "&#92;"}
_SPECIAL = re.compile(r"[&<>$\\]|[`*_{}\[\]()#+\-.!|~:@]")
WIDTH = 96


def markdown(text: str) -> str:
    r"""Text as Markdown that shows it as it is, on one line.

    Parameters
    ----------
    text : str
        Any text, such as the name of a run.

    Returns
    -------
    str
        With escapes for all that Markdown, HTML and MathJax would take for more.

    Examples
    --------
    >>> markdown("de_r25 <b>$x$"), markdown("# a\n*b*")
    ('de\\_r25 &lt;b&gt;&#36;x&#36;', '\\# a \\*b\\*')
    """
    line = " ".join(visible(text).split())
    return _SPECIAL.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), line)


def python(value: Any) -> str:
    r"""Value as a Python literal with double quotes, on several lines where one is too long.

    Parameters
    ----------
    value : Any
        Text, a number, None, or a list or mapping of such.

    Returns
    -------
    str
        A literal that evaluates to the value; characters that are not printable are escaped.

    Examples
    --------
    >>> print(python({"it's": [1e-05, 0.5], 'a "b"': None}))
    {"it's": [1e-05, 0.5], 'a "b"': None}
    """
    if isinstance(value, Mapping):
        return _wrapped("{", [f"{python(k)}: {python(v)}" for k, v in value.items()], "}")
    if isinstance(value, list | tuple):
        return _wrapped("[", [python(item) for item in value], "]")
    text = repr(value)
    if isinstance(value, str) and text[0] == "'" and '"' not in text:
        inside = text[1:-1].replace("\\'", "'")
        return f'"{inside}"'
    return text


def _wrapped(first: str, items: Iterable[str], last: str) -> str:
    parts = list(items)
    line = f"{first}{', '.join(parts)}{last}"
    if len(line) <= WIDTH - 16:
        return line
    return "\n".join([first, *(f"    {part}," for part in parts), last])
