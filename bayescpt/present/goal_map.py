"""Contours of the probability of a goal over two settings, with the pilots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.decide.goal_map import GoalMap
from bayescpt.errors import PlanError
from bayescpt.present.canvas import add_legend, given_axes, new_figure, panel_array
from bayescpt.present.plain import make_plain, plain_text
from bayescpt.present.style import INK, folded, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.contour import QuadContourSet

# From dark to light in grey too, and told apart by colour-blind readers.
COLOURS = "cividis"
HATCH = "#a8a8a8"
LEVELS = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)
NAMED = (0.1, 0.5, 0.9)
LABELS = {
    "replay_ratio": "replay ratio",
    "lr": "peak learning rate",
    "num_training_steps": "steps",
    "num_decay_steps": "decay (steps)",
    "decay_share": "decay (share of all steps)",
    "warmup_share": "warm-up (share of all steps)",
    "num_warmup_steps": "warm-up (steps)",
}
# Characters in a line of a title.
TITLE = 42


@plain_text
def goal_map(maps: GoalMap | Sequence[GoalMap], *, axes: Any = None) -> Any:
    """Draw the probability of a goal over two settings of a recipe.

    Parameters
    ----------
    maps : GoalMap or sequence of GoalMap
        Output of `bayescpt.goal_map`, such as over replay and decay, and over replay and peak.
    axes : array_like of matplotlib.axes.Axes, optional
        Axes to draw on, one for each map; by default those of a new figure.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (n_maps,)
        Filled contours of the joint probability, with lines at 5, 10, 25, 50, 75, 90 and 95%.
        Circles are the pilots on the map (their other settings may differ from its own), the
        hatched part is outside the range of the pilots.

    Raises
    ------
    PlanError
        If there is no map, or there are more or fewer axes than maps.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import bayescpt as bc
    >>> from bayescpt.decide.goal_map import GoalMap
    >>> replay, decay = np.linspace(0, 0.5, 5), np.linspace(0.1, 0.6, 4)
    >>> chance = np.outer(decay, 1 - replay)
    >>> pilots = pd.DataFrame({"x": [0.1], "y": [0.2]}, index=["wsd"])
    >>> made = GoalMap(
    ...     "replay_ratio", "decay_share", replay, decay, chance, 0 * chance, chance < 0, {},
    ...     bc.Goal(german=3.0), pilots,
    ... )  # fmt: skip
    >>> [ax.get_xlabel() for ax in bc.plot.goal_map(made)]
    ['replay ratio']
    """
    several = [maps] if isinstance(maps, GoalMap) else list(maps)
    if not several:
        raise PlanError("no map to draw: give the output of bayescpt.goal_map")
    panels = [f"{one.x} and {one.y}" for one in several]
    if axes is None:
        fig = new_figure(1.4 + 3.5 * len(several), 3.9)
        chosen = list(fig.subplots(1, len(several), squeeze=False)[0])
    else:
        chosen = given_axes(axes, panels)
    legend: dict[str, Any] = {}
    filled = None
    for ax, one in zip(chosen, several, strict=True):
        filled = _surface(ax, one)
        legend |= _outside(ax, one) | _pilots(ax, one)
        ax.set_xlabel(_label(one.x), fontsize=8.5, color=INK)
        ax.set_ylabel(_label(one.y), fontsize=8.5, color=INK)
        ax.set_title(_title(one), loc="left", fontsize=8.5, color=INK)
    bar = chosen[0].figure.colorbar(filled, ax=chosen, pad=0.02, ticks=LEVELS)
    bar.ax.set_yticklabels([f"{level:.0%}" for level in LEVELS])
    bar.set_label("probability of meeting all goals", fontsize=8.5, color=INK)
    bar.ax.tick_params(labelsize=7.5)
    make_plain(bar.ax)
    add_legend(chosen, legend, axes)
    return panel_array(chosen)


def _surface(ax: Axes, one: GoalMap) -> QuadContourSet:
    """Draw the probability, and lines where it crosses a level."""
    from matplotlib.ticker import NullLocator

    tidy(ax)
    ax.grid(False)
    values = np.ma.masked_invalid(one.probability)
    if one.x == "lr":
        ax.set_xscale("log")
    if one.y == "lr":
        ax.set_yscale("log")
    # No interpolation could reach 0 and 1 from beyond; rounding may.
    filled = ax.contourf(
        one.x_values, one.y_values, np.clip(values, 0, 1), levels=LEVELS, cmap=COLOURS, zorder=1
    )
    crossed = [level for level in LEVELS[1:-1] if values.min() < level < values.max()]
    if crossed:
        lines = ax.contour(
            one.x_values, one.y_values, values, levels=crossed, colors="white", linewidths=0.9,
            zorder=2,
        )  # fmt: skip
        # Labels of all would hide each other; the colours say the rest.
        named = [level for level in crossed if level in NAMED]
        for text in lines.clabel(named, fmt=lambda level: f"{level:.0%}", fontsize=7.5):
            text.set_bbox({"facecolor": INK, "alpha": 0.55, "pad": 0.8, "linewidth": 0})
    for axis, name in ((ax.xaxis, one.x), (ax.yaxis, one.y)):
        if name == "lr":
            ends = (one.x_values if axis is ax.xaxis else one.y_values)[[0, -1]]
            # The formatter of a log axis writes mathematical text.
            ticks = np.geomspace(float(ends[0]), float(ends[-1]), 4)
            axis.set_ticks(ticks, [f"{tick:.2g}" for tick in ticks])
            axis.set_minor_locator(NullLocator())
    return filled


def _outside(ax: Axes, one: GoalMap) -> dict[str, Any]:
    """Hatch the recipes outside the range of the pilots; return the legend entry."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Patch, Rectangle

    if not one.outside.any():
        return {}
    x, y = _edges(one.x_values), _edges(one.y_values)
    cells = [
        Rectangle((x[i], y[j]), x[i + 1] - x[i], y[j + 1] - y[j])
        for j, i in np.argwhere(one.outside)
    ]
    ax.add_collection(
        PatchCollection(
            cells, facecolor="none", edgecolor=HATCH, hatch="////", linewidth=0, zorder=2.5
        )
    )
    key = Patch(facecolor="#8a8a8a", edgecolor=HATCH, hatch="////", linewidth=0)
    return {"outside the pilots' range": key}


def _edges(values: np.ndarray) -> np.ndarray:
    """Edges of the cells around values."""
    middle = (values[1:] + values[:-1]) / 2
    return np.concatenate([values[:1], middle, values[-1:]])


def _pilots(ax: Axes, one: GoalMap) -> dict[str, Any]:
    """Mark the pilots on the map; return the legend entry."""
    (x0, x1), (y0, y1) = one.x_values[[0, -1]], one.y_values[[0, -1]]
    pilots = one.pilots
    shown = pilots[pilots["x"].between(x0, x1) & pilots["y"].between(y0, y1)]
    ax.set(xlim=(x0, x1), ylim=(y0, y1))
    if shown.empty:
        return {}
    dots = ax.scatter(
        shown["x"], shown["y"], s=34, facecolors="white", edgecolors=INK, linewidths=1.2,
        zorder=4, clip_on=False,
    )  # fmt: skip
    return {"pilots": dots}


def _label(setting: str) -> str:
    return LABELS.get(setting, setting.replace("_", " "))


def _title(one: GoalMap) -> str:
    """The settings that are the same everywhere on the map."""
    told = [
        f"{_label(name)} {value:g}" if isinstance(value, int | float) else f"{value}"
        for name, value in one.fixed.items()
        if name not in ("domain",) and value is not None
    ]
    return folded(", ".join(told), TITLE)
