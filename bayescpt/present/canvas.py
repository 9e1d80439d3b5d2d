"""Where figures are drawn: on axes of the caller, or on a new figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.errors import PlanError
from bayescpt.present.legend import axes_legend, figure_legend
from bayescpt.present.style import listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Width and height of a page with its margins, inches.
PAGE = (8.4, 11.0)
_OUTSIDE_PYPLOT: ContextVar[bool] = ContextVar("_OUTSIDE_PYPLOT", default=False)


def page(draw: Callable[..., Any], *args: Any, **options: Any) -> Figure:
    """Draw on a new figure outside pyplot's state, and return that figure.

    Parameters
    ----------
    draw : callable
        A function of `bayescpt.plot`.
    *args, **options : Any
        Its arguments.

    Returns
    -------
    matplotlib.figure.Figure
        Save it with ``savefig``; nothing has to be closed.

    Examples
    --------
    >>> import bayescpt as bc
    >>> from bayescpt.present import page
    >>> figure = page(bc.plot.study, bc.load_example("cpt_micro"))
    >>> len(figure.axes)
    4
    """
    with outside_pyplot():
        drawn = draw(*args, **options)
    figure: Figure = np.ravel(np.array(drawn, dtype=object))[0].figure
    return figure


@contextmanager
def outside_pyplot() -> Iterator[None]:
    """Make new figures outside pyplot's state, which keeps them until they are closed.

    Yields
    ------
    None
    """
    token = _OUTSIDE_PYPLOT.set(True)
    try:
        yield
    finally:
        _OUTSIDE_PYPLOT.reset(token)


def new_figure(width: float, height: float) -> Figure:
    """Empty figure, which notebooks show unless it is made in `outside_pyplot`.

    Parameters
    ----------
    width, height : float
        Size in inches.

    Returns
    -------
    matplotlib.figure.Figure
        Figure with a white background and constrained layout.
    """
    options: dict[str, Any] = {"figsize": (width, height), "dpi": 150, "facecolor": "white"}
    if _OUTSIDE_PYPLOT.get():
        from matplotlib.figure import Figure

        return Figure(layout="constrained", **options)
    from matplotlib import pyplot

    return pyplot.figure(layout="constrained", **options)


def one_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Axes for a figure of one panel.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
        Axes of the caller.
    width, height : float
        Size of a new figure, inches.

    Returns
    -------
    matplotlib.axes.Axes
        Those of the caller, or the only ones of a new figure.
    """
    return new_figure(width, height).add_subplot() if ax is None else ax


def given_axes(axes: Any, panels: Sequence[object]) -> list[Axes]:
    """Axes of the caller for the panels of a figure.

    Parameters
    ----------
    axes : matplotlib.axes.Axes or array_like of them
        As many as there are panels, in any shape.
    panels : sequence
        What each panel shows, for the message.

    Returns
    -------
    list of matplotlib.axes.Axes

    Raises
    ------
    PlanError
        If there are more or fewer.
    """
    found = list(np.ravel(np.array(axes, dtype=object)))
    if len(found) != len(panels):
        raise PlanError(
            f"{len(found)} axes were given for {len(panels)} panels: {listed(list(panels))}"
        )
    return found


def add_legend(
    axes: Sequence[Axes], entries: Mapping[str, Any], given: Any, columns: int | None = None
) -> None:
    """Add the legend: below a new figure, inside the last of axes that were given.

    Parameters
    ----------
    axes : sequence of matplotlib.axes.Axes
        The panels.
    entries : Mapping of str to artist
        Legend handles by label.
    given : Any
        Axes of the caller; None for a new figure.
    columns : int, optional
        Columns below a figure, at most; by default as many as fit, up to six.
    """
    if given is not None:
        axes_legend(axes[-1], entries)
        return
    from matplotlib.figure import Figure

    if isinstance(figure := axes[0].figure, Figure):
        figure_legend(figure, entries, columns)


def panel_array(axes: Sequence[Axes]) -> Any:
    """Axes as functions with several panels return them.

    Parameters
    ----------
    axes : sequence of matplotlib.axes.Axes
        The panels.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (n_panels,)
    """
    out = np.empty(len(axes), dtype=object)
    out[:] = axes
    return out
