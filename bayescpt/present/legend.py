"""Keys of bands, and one legend a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.present.style import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def band_alpha(order: int) -> float:
    """Return the opacity of a band.

    Parameters
    ----------
    order : int
        The widest band is number 0 and the palest.

    Returns
    -------
    float
        In 0..1.
    """
    return min(0.16 + 0.14 * order, 0.6)


def band_keys(probs: list[float]) -> dict[str, Any]:
    """Return legend entries for the median and the bands, in grey: each domain has a colour.

    Parameters
    ----------
    probs : list of float
        Probabilities of the bands, widest first.

    Returns
    -------
    dict of str to artist
        Handle by label.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    # a band lies on all the wider ones, so its key is as dark as their sum
    light = np.cumprod([1 - band_alpha(i) for i in range(len(probs))])
    keys: dict[str, Any] = {"median": Line2D([], [], color=INK, lw=1.5)}
    for p, shade in zip(reversed(probs), reversed(light), strict=True):
        keys[f"{100 * p:g}% band"] = Patch(facecolor=INK, alpha=1 - float(shade), linewidth=0)
    return keys


def figure_legend(fig: Figure, entries: Mapping[str, Any], columns: int | None = None) -> None:
    """Put one legend for the whole figure underneath it.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        The figure.
    entries : Mapping of str to artist
        Handle by label.
    columns : int, optional
        Entries beside each other; by default by the figure's width.
    """
    wide = columns or (6 if fig.get_figwidth() > 7 else 3)
    fig.legend(
        list(entries.values()),
        list(entries),
        loc="outside lower center",
        ncols=min(len(entries), wide),
        frameon=False,
        fontsize=8.5,
        labelcolor=INK,
    )
