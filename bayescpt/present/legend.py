"""Legend entries of bands, and the legend of a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.present.style import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Widths in a legend, inches: a key with its gaps, and a character.
HANDLE, CHARACTER = 0.62, 0.078
# Height of one line of it, inches.
LINE = 0.19


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
        Number of columns, at most as many as fit; by default as many as fit, up to six.
    """
    lines = [label.split("\n") for label in entries]
    longest = max((len(line) for label in lines for line in label), default=0)
    fit = int(fig.get_figwidth() / (HANDLE + CHARACTER * longest))
    wide = max(1, min(columns or 6, fit))
    # A legend of more than two lines takes its height from the panels.
    tall = sum(max(map(len, lines[k : k + wide])) for k in range(0, len(lines), wide))
    fig.set_figheight(fig.get_figheight() + LINE * max(tall - 2, 0))
    options = {"loc": "outside lower center", "ncols": max(1, min(len(entries), wide))}
    _add(fig, entries, fontsize=8.5, **options)


def axes_legend(ax: Axes, entries: Mapping[str, Any]) -> None:
    """Add a legend inside axes, where there is most room.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The axes.
    entries : Mapping of str to artist
        Legend handles by label.
    """
    _add(ax, entries, fontsize=7.5, loc="best")


def _add(to: Figure | Axes, entries: Mapping[str, Any], **options: Any) -> None:
    if not entries:
        return
    legend = to.legend(
        list(entries.values()),
        # Matplotlib leaves out an entry whose label starts with an underscore.
        [label.replace("_", "-") for label in entries],
        frameon=False,
        labelcolor=INK,
        **options,
    )
    for text, label in zip(legend.get_texts(), entries, strict=True):
        text.set_text(label)
