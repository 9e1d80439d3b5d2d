"""Scatter plot of the final losses of plans on two domains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayescpt.data.conversion import LossUnits
from bayescpt.data.units import loss_label
from bayescpt.decide.draws import (
    ForecastLike,
    Kind,
    at_steps,
    check_domains,
    end_steps,
    loss_draws,
    names,
    units_attrs,
)
from bayescpt.decide.goal_levels import goal_levels
from bayescpt.decide.goals import Goal
from bayescpt.errors import PlanError
from bayescpt.present.canvas import add_legend, one_axes
from bayescpt.present.labels import forecast_unit, shown_draws
from bayescpt.present.plain import plain_text
from bayescpt.present.style import GOAL, INK, MARKERS, colour, folded, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Characters in a line of the legend.
LABEL = 40


@plain_text
def ends(
    fc: ForecastLike | xr.Dataset,
    goal: Goal | Mapping[str, float | str] | None = None,
    domains: tuple[str, str] | None = None,
    best: str | None = None,
    max_draws: int = 400,
    kind: Kind = "loss",
    *,
    ax: Axes | None = None,
) -> Axes:
    """Scatter the draws of two domains' losses at the end of each plan, with the goal as a box.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast of the plans, or its dataset. The attribute ``units`` of the dataset is the unit in
        the axis labels.
    goal : Goal or mapping of str to float or str, optional
        Highest loss allowed per domain, in any form that `Goal` takes. The shaded box holds the
        losses that meet the goal; there are several where it is relative to several checkpoints.
    domains : tuple of two str, optional
        Domains on the horizontal and the vertical axis; by default the first two of the goal if it
        has two, or else of the forecast.
    best : str, optional
        Name of the chosen plan (`Decision.best`), which the legend marks.
    max_draws : int
        Number of draws to show per plan, evenly spaced along the chains. Medians use all draws.
    kind : {"loss", "mu"}
        ``loss`` is the loss that the log of a new run will show; ``mu`` is the expected loss.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        One colour and marker per plan; the large marker with a white edge is the median.

    Raises
    ------
    PlanError
        If there are no two domains to draw, a plan or domain is unknown, or a plan is not
        forecast at its own last step.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import bayescpt as bc
    >>> draws = np.random.default_rng(0).normal(3.0, 0.1, (2, 50, 1, 2, 1))
    >>> forecast = xr.Dataset(
    ...     {"loss": (("chain", "draw", "plan", "domain", "step"), draws)},
    ...     coords={"plan": ["wsd"], "domain": ["general", "german"], "step": [1000]},
    ...     attrs={"units": "nat/token"},
    ... )
    >>> bc.plot.ends(forecast, goal={"general": 3.1, "german": 3.0}).get_xlabel()
    'general loss (nats per token)'
    """
    units = LossUnits.of(units_attrs(fc))
    values = shown_draws(loss_draws(fc, kind), units)
    goal = None if goal is None else Goal.of(goal)
    if domains is None:
        two = goal.domains if goal is not None and len(goal.domains) > 1 else None
        two = two or names(values, "domain")
        if len(two) < 2:
            raise PlanError(f"a scatter plot needs two domains; the forecast has {two}")
        domains = (two[0], two[1])
    check_domains(values, domains)
    plans = names(values, "plan")
    if best is not None and best not in plans:
        raise PlanError(f"unknown plan {best!r}; the forecast has {plans}")
    index, _ = end_steps(values, fc)
    losses = at_steps(values.sel(domain=list(domains)), index)
    losses = losses.reshape(len(plans), 2, -1)

    chosen = one_axes(ax, 6.4, 5.0)
    tidy(chosen, grid="both")
    entries: dict[str, Any] = {}
    stride = max(1, -(-losses.shape[2] // max_draws))
    for i, plan in enumerate(plans):
        x, y = losses[i]
        marker = MARKERS[i % len(MARKERS)]
        chosen.scatter(
            x[::stride], y[::stride], s=9, marker=marker, color=colour(i), alpha=0.3, linewidths=0
        )
        label = folded(f"{plan} (chosen)" if plan == best else plan, LABEL)
        entries[label] = chosen.scatter(
            np.median(x),
            np.median(y),
            s=90,
            marker=marker,
            color=colour(i),
            edgecolors="white",
            linewidths=1.6,
            zorder=4,
            label=label,
        )
    if goal is not None:
        for corner in _corners(goal_levels(fc, goal, kind), domains, plans, units):
            _goal_box(chosen, *corner)
    unit = forecast_unit(fc)
    chosen.set_xlabel(loss_label(unit, domains[0]), fontsize=9, color=INK)
    chosen.set_ylabel(loss_label(unit, domains[1]), fontsize=9, color=INK)
    add_legend([chosen], entries, ax)
    return chosen


def _corners(
    levels: dict[str, dict[str, float]],
    domains: tuple[str, str],
    plans: list[str],
    units: LossUnits,
) -> list[tuple[float | None, ...]]:
    """Right and top of the box of each plan, without repeats; None where there is no limit."""
    found = [
        tuple(
            float(units.show(levels[domain][plan], domain)) if domain in levels else None
            for domain in domains
        )
        for plan in plans
    ]
    return list(dict.fromkeys(found))


def _goal_box(ax: Axes, right: float | None, top: float | None) -> None:
    """Shade the losses that meet the goal, down to the edges of the axes."""
    from matplotlib.patches import Rectangle

    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    # A goal that no draw meets must still be visible.
    pad_x, pad_y = 0.16 * (x1 - x0), 0.1 * (y1 - y0)
    x0, x1 = (
        min(x0, (x0 if right is None else right) - pad_x),
        max(x1, x1 if right is None else right),
    )
    y0, y1 = min(y0, (y0 if top is None else top) - pad_y), max(y1, y1 if top is None else top)
    ax.set(xlim=(x0, x1), ylim=(y0, y1))
    width = (x1 if right is None else right) - x0
    height = (y1 if top is None else top) - y0
    box = Rectangle((x0, y0), width, height, facecolor=INK, alpha=0.06, zorder=0, lw=0)
    ax.add_patch(box)
    line: dict[str, Any] = {"color": GOAL, "lw": 1.0, "ls": (0, (4, 3)), "zorder": 1}
    if right is not None:
        ax.plot([right, right], [y0, y0 + height], **line)
    if top is not None:
        ax.plot([x0, x0 + width], [top, top], **line)
    ax.annotate(
        "goal met",
        (x0, y0),
        xytext=(6, 6),
        textcoords="offset points",
        fontsize=8.5,
        color=GOAL,
    )
