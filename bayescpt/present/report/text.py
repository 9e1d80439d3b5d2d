"""Text of people, made safe for a page: names may hold HTML, scripts and terminal codes."""

from __future__ import annotations

import html
import re

# Control characters but tabs and line breaks, other ends of lines, marks without width, by which
# two names look alike, changes of the direction of writing, halves of characters, and what XML has
# no place for.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069"
    "\ud800-\udfff\ufeff\ufffe\uffff]"
)


def visible(text: str) -> str:
    r"""Text with control characters and changes of the direction of writing written out.

    Parameters
    ----------
    text : str
        Any text, such as the name of a run.

    Returns
    -------
    str
        Such characters as escapes, such as ``\x1b``; line breaks and tabs stay.

    Examples
    --------
    >>> visible("\x1b[31mred\u202e")
    '\\x1b[31mred\\u202e'
    """
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def escape(text: str) -> str:
    """Text as HTML, in content and in attributes.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str

    Examples
    --------
    >>> escape('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    return html.escape(visible(text))


def breakable(text: str) -> str:
    """Text as HTML in which a line may end where people divide names.

    Parameters
    ----------
    text : str
        A name.

    Returns
    -------
    str

    Examples
    --------
    >>> breakable("de_r25<x>"), breakable("at most 3.45")
    ('de_<wbr>r25&lt;x&gt;', 'at most 3.45')
    """
    return "<wbr>".join(escape(part) for part in re.split(r"(?<=[_/|-])(?=.)|(?<=\.)(?=\D)", text))


def listing(items: list[str], word: str = "and") -> str:
    """Items of a sentence.

    Parameters
    ----------
    items : list of str
        Items.
    word : str
        Between the last two.

    Returns
    -------
    str

    Examples
    --------
    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {word} {items[-1]}"
