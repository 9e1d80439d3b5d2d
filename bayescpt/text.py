"""Text of unknown origin, such as names out of files, as a terminal can show it."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Text with every character that is not printable written as its escape sequence.

    Names of runs, studies, domains and plans come from files of other people. Control characters
    and escape codes could rewrite what stands on a terminal, marks that change the direction of
    text its order, and a lone surrogate (a file name that is not UTF-8) cannot be written at all.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The same text where all of it is printable, which letters of all languages are.

    Examples
    --------
    >>> printable("wsd\x1b[2J"), printable("a\u202eb"), printable("損失 ü")
    ('wsd\\x1b[2J', 'a\\u202eb', '損失 ü')
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str) -> str:
    r"""Printable text in one line, with runs of blanks and line breaks as single blanks.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str

    Examples
    --------
    >>> one_line("a file\n that\tis\x07 loud")
    'a file that is\\x07 loud'
    """
    return printable(" ".join(text.split()))
