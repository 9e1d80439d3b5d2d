"""One look for all figures; nothing global is changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#222222"
MUTED = "#6b6b6b"
GRID = "#e6e6e6"
GOAL = "#444444"
# Okabe and Ito's palette for colour-blind readers, without its yellow (too pale on white)
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX"


def colour(index: int) -> str:
    """Return the palette's colour at an index, starting over at its end.

    Parameters
    ----------
    index : int
        Position, from 0.

    Returns
    -------
    str
        Hex colour.
    """
    return PALETTE[index % len(PALETTE)]


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure that no global state knows.

    Parameters
    ----------
    width, height : float
        Size in inches.

    Returns
    -------
    matplotlib.figure.Figure
        Figure with constrained layout on white.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained", facecolor="white")


def tidy(ax: Axes, grid: str = "y") -> None:
    """Give axes the common look: two quiet spines, small ticks, a light grid behind.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes to change.
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
    """Return a probability as text that never claims certainty.

    Parameters
    ----------
    probability : float
        In 0..1.

    Returns
    -------
    str
        Whole per cent, or `<1%` and `>99%` at the ends.
    """
    if probability < 0.005:
        return "<1%"
    if probability > 0.995:
        return ">99%"
    return f"{100 * probability:.0f}%"


def listed(items: Sequence[object]) -> str:
    """Return items as text for a message.

    Parameters
    ----------
    items : sequence
        What to list.

    Returns
    -------
    str
        Items in quotes, divided by commas.
    """
    return ", ".join(repr(str(item)) for item in items)
