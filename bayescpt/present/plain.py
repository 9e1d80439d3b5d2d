"""Text of figures is shown as it is: names come from files of other people."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bayescpt.text import printable

if TYPE_CHECKING:
    from matplotlib.text import Text


def plain_text[**P, R](draw: Callable[P, R]) -> Callable[P, R]:
    r"""Decorate a function that draws on axes, so that no text on them is read as mathematics.

    A name such as ``a$\frac{b$`` would otherwise be typeset, or stop the drawing. Characters that
    are not printable are escaped, but for the line breaks of folded names.

    Parameters
    ----------
    draw : callable
        Returns axes, or an array of them. Axes of the caller are its argument ``ax`` or ``axes``;
        without one, it makes a new figure, all of whose text is made plain.

    Returns
    -------
    callable
        The same function.

    Examples
    --------
    >>> from bayescpt.present.canvas import one_axes
    >>> @plain_text
    ... def titled(name, ax=None):
    ...     ax = one_axes(ax, 2, 1)
    ...     ax.set_title(name)
    ...     return ax
    >>> from matplotlib.figure import Figure
    >>> titled("$x$", ax=Figure().add_subplot()).title.get_parse_math()
    False
    """

    @functools.wraps(draw)
    def _drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        drawn = draw(*args, **kwargs)
        axes: list[Any] = list(np.ravel(np.array(drawn, dtype=object)))
        own = kwargs.get("ax") is None and kwargs.get("axes") is None
        for artist in [axes[0].figure] if own else axes:
            make_plain(artist)
        return drawn

    return _drawn


def make_plain(artist: Any) -> None:
    """Make all text of an artist plain.

    Parameters
    ----------
    artist : matplotlib.artist.Artist
        A figure or axes. Its numbers need no mathematics either: scales are linear, or have a
        formatter of their own.
    """
    from matplotlib.text import Text

    for text in cast("list[Text]", artist.findobj(Text)):
        text.set_parse_math(False)
        shown = "\n".join(map(printable, text.get_text().split("\n")))
        if shown != text.get_text():
            text.set_text(shown)
