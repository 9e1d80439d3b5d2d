"""Legend entries of bands, and the legend of a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.present.style import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def band_alpha(order: int) -> float:
    """Opacity of a band.

    Parameters
    ----------
    order : int
        Number of the band, from 0 for the widest, which is the palest.

    Returns
    -------
    float
        Opacity, 0 to 1.
    """
    return min(0.16 + 0.14 * order, 0.6)


def band_keys(probs: list[float]) -> dict[str, Any]:
    """Legend entries of the median and the bands, in grey because each domain has its colour.

    Parameters
    ----------
    probs : list of float
        Probabilities of the bands, widest first.

    Returns
    -------
    dict of str to artist
        Legend handles by label.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    # A band is drawn on top of all wider ones, so that their opacities combine.
    light = np.cumprod([1 - band_alpha(i) for i in range(len(probs))])
    keys: dict[str, Any] = {"median": Line2D([], [], color=INK, lw=1.5)}
    for p, shade in zip(reversed(probs), reversed(light), strict=True):
        keys[f"{100 * p:g}% band"] = Patch(facecolor=INK, alpha=1 - float(shade), linewidth=0)
    return keys


def figure_legend(fig: Figure, entries: Mapping[str, Any], columns: int | None = None) -> None:
    """Add one legend for the whole figure, below it.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        The figure.
    entries : Mapping of str to artist
        Legend handles by label.
    columns : int, optional
        Number of columns; by default it depends on the width of the figure.
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
