"""Common style of all figures; matplotlib's global settings are not changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

INK = "#222222"
MUTED = "#6b6b6b"
GRID = "#e6e6e6"
GOAL = "#444444"
# Okabe and Ito's palette for colour-blind readers, without its yellow, which is too pale on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Not as many as colours, so that the eighth plan does not look like the first.
MARKERS = "osD^vPX<>ph"
# Lines and bars are told apart without colour too.
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (9, 2)))
HATCHES = ("////", "", "....", "xxxx", "----", "oo")
# Characters in a line of a panel's title, beside the domain.
TITLE = 32
# Measured points of a panel; more would bury the band.
MAX_POINTS = 60
# Learning rates drawn of a schedule; more make a file large, and nobody sees them.
MAX_RATES = 500


def colour(index: int) -> str:
    """Colour of the palette at an index; the palette repeats.

    Parameters
    ----------
    index : int
        Index, from 0.

    Returns
    -------
    str
        Hex colour.
    """
    return PALETTE[index % len(PALETTE)]


def thinned(n: int, most: int = MAX_POINTS) -> NDArray[np.int64]:
    """Indices of evenly spaced points, the last one among them.

    Parameters
    ----------
    n : int
        Number of points.
    most : int
        Largest number to keep.

    Returns
    -------
    ndarray of int
        All if there are at most `most`, else every k-th.

    Examples
    --------
    >>> thinned(5, most=3).tolist()
    [0, 2, 4]
    """
    every = max(1, -(-n // most))
    return np.arange((n - 1) % every if n else 0, n, every)


def drawn_updates(n_steps: int) -> NDArray[np.int64]:
    """Updates of a schedule whose learning rates are drawn.

    Parameters
    ----------
    n_steps : int
        Number of updates.

    Returns
    -------
    ndarray of int
        All, from 1, or `MAX_RATES` of them, evenly spaced, the first and the last among them.

    Examples
    --------
    >>> drawn_updates(3).tolist(), drawn_updates(10**7).size
    ([1, 2, 3], 500)
    """
    return np.unique(np.linspace(1, n_steps, min(n_steps, MAX_RATES)).round().astype(np.int64))


def tidy(ax: Axes, grid: str = "y") -> None:
    """Apply the common style to axes: two grey spines, small ticks, a light grid.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes to style.
    grid : {"x", "y", "both"}
        Direction of the grid lines.
    """
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set(color=MUTED, linewidth=0.8)
    ax.tick_params(colors=MUTED, labelcolor=INK, labelsize=8, length=3, width=0.8)
    ax.grid(True, axis=grid, color=GRID, linewidth=0.7)  # type: ignore[arg-type]
    ax.set_axisbelow(True)


def percent(probability: float) -> str:
    """Probability as a percentage that is never 0% or 100%.

    Parameters
    ----------
    probability : float
        Probability, 0 to 1.

    Returns
    -------
    str
        Whole percentage; "<1%" or ">99%" near 0 and 1.
    """
    if probability <= 0.005:
        return "<1%"
    if probability >= 0.995:
        return ">99%"
    return f"{100 * probability:.0f}%"


def folded(name: str, width: int) -> str:
    r"""Name on several lines, broken after underscores, hyphens, slashes and spaces.

    Parameters
    ----------
    name : str
        A name of any length.
    width : int
        Characters in a line; a longer part without a break is cut into lines too.

    Returns
    -------
    str

    Examples
    --------
    >>> folded("cpt_medical_wsd_replay25", 12)
    'cpt_medical_\nwsd_replay25'
    """
    lines = [""]
    parts = rf"[^_/ \-]{{0,{width - 1}}}[_/ \-]|[^_/ \-]{{1,{width}}}"
    # Tick labels are set again at every drawing, so they are made printable here.
    for part in re.findall(parts, printable(name)):
        if len(lines[-1]) + len(part) > width and lines[-1]:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def listed(items: Sequence[object]) -> str:
    """Items as text for a message.

    Parameters
    ----------
    items : sequence
        Items.

    Returns
    -------
    str
        Items in quotes, separated by commas.
    """
    return ", ".join(repr(str(item)) for item in items)
