"""Text of figures is shown as it is: names come from files of other people."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from bayescpt.text import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plain_text[**P](draw: Callable[P, Figure]) -> Callable[P, Figure]:
    r"""Decorate a function that draws a figure, so that no text in it is read as mathematics.

    A name such as ``a$\frac{b$`` would otherwise be typeset, or stop the drawing. Characters that
    are not printable are escaped, but for the line breaks of folded names.

    Parameters
    ----------
    draw : callable
        Returns a figure.

    Returns
    -------
    callable
        The same function.

    Examples
    --------
    >>> from bayescpt.present.style import new_figure
    >>> @plain_text
    ... def titled(name):
    ...     figure = new_figure(2, 1)
    ...     figure.add_subplot().set_title(name)
    ...     return figure
    >>> titled("$x$").axes[0].title.get_parse_math()
    False
    """

    @functools.wraps(draw)
    def _drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        from matplotlib.text import Text

        figure = draw(*args, **kwargs)
        # All scales are linear: their numbers need no mathematics either.
        for text in cast("list[Text]", figure.findobj(Text)):
            text.set_parse_math(False)
            shown = "\n".join(map(printable, text.get_text().split("\n")))
            if shown != text.get_text():
                text.set_text(shown)
        return figure

    return _drawn
