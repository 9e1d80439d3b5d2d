"""Many plans over each other: their expected curves, and the bands of their last losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescpt.data.units import loss_label
from bayescpt.decide.draws import ForecastLike, Kind, names
from bayescpt.decide.goals import Goal
from bayescpt.errors import PlanError
from bayescpt.present.canvas import add_legend, given_axes, new_figure, panel_array
from bayescpt.present.labels import forecast_unit
from bayescpt.present.panels import Panels, learning_rates, panels_of
from bayescpt.present.plain import plain_text
from bayescpt.present.style import (
    DASHES,
    INK,
    MARKERS,
    colour,
    drawn_updates,
    folded,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Whole bands of more plans would hide each other.
MOST_BANDS = 3
# Border of a line where the law extrapolates.
HALO = "#c9c9c9"


@plain_text
def overlay(
    fc: ForecastLike | xr.Dataset,
    observed: pd.DataFrame | None = None,
    prob: float = 0.9,
    plans: Sequence[str] | None = None,
    fitted: pd.DataFrame | None = None,
    goal: Goal | Mapping[str, float | str] | None = None,
    kind: Kind = "loss",
    first_step: int | Mapping[str, int] = 0,
    *,
    axes: Any = None,
) -> Any:
    """Draw all plans over each other: one panel per domain, the learning rates underneath.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast of the plans, or its dataset.
    observed : pandas.DataFrame, optional
        Curves that were not fitted, of runs that have the name of a plan.
    prob : float
        Probability of the band.
    plans : sequence of str, optional
        Plans to draw, in this order; all by default.
    fitted : pandas.DataFrame, optional
        Curves that were fitted.
    goal : Goal or mapping of str to float or str, optional
        Highest loss allowed per domain; drawn as dashed lines.
    kind : {"loss", "mu"}
        ``loss`` is the loss that the log of a new run will show; ``mu`` is the expected loss.
    first_step : int or mapping of str to int
        First step to draw, or that of each plan.
    axes : array_like of matplotlib.axes.Axes, optional
        Axes to draw on, one for each domain; learning rates are not drawn on them. By default those
        of a new figure.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (n_domains,)
        Lines are medians, different in colour and dashes, with a grey border where a plan is
        outside the range of the fitted runs. The bar at the end of a line is the band of the plan's
        last loss; the whole band is drawn for up to three plans.

    Raises
    ------
    PlanError
        As `bayescpt.plot.fan`.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import bayescpt as bc
    >>> draws = np.random.default_rng(0).normal(3.0, 0.1, (2, 50, 2, 1, 3))
    >>> forecast = xr.Dataset(
    ...     {"loss": (("chain", "draw", "plan", "domain", "step"), draws)},
    ...     coords={"plan": ["wsd", "cosine"], "domain": ["german"], "step": [100, 200, 300]},
    ...     attrs={"units": "nat/token"},
    ... )
    >>> len(bc.plot.overlay(forecast))
    1
    """
    panels = panels_of(fc, observed, prob, plans, fitted, goal, kind, first_step)
    plan_names = names(panels.values, "plan")
    domains = [
        domain
        for domain in names(panels.values, "domain")
        if any(panels.drawn_steps(plan, domain).any() for plan in plan_names)
    ]
    if not domains:
        raise PlanError(f"no plan has a forecast at or after first_step={first_step}")
    rates = learning_rates(fc, plan_names)
    chosen, strips = (
        _new_axes(len(domains), bool(rates)) if axes is None else (given_axes(axes, domains), [])
    )
    legend: dict[str, Any] = {}
    for column, (domain, ax) in enumerate(zip(domains, chosen, strict=True)):
        tidy(ax)
        legend |= _curves(ax, panels, plan_names, domain)
        ax.set_title(domain, loc="right", fontsize=9.5, color=INK)
        bottom = ax
        if strips:
            ax.tick_params(labelbottom=False)
            bottom = strips[column]
            _schedules(bottom, rates, plan_names, panels)
        bottom.set_xlabel("CPT step", fontsize=8.5, color=INK)
        if column == 0 or axes is not None:
            ax.set_ylabel(loss_label(forecast_unit(fc)), fontsize=8.5, color=INK)
        if column == 0 and strips:
            bottom.set_ylabel("LR", fontsize=8.5, color=INK)
    add_legend(chosen, legend | panels.legend, axes)
    return panel_array(chosen)


def _new_axes(n: int, with_rates: bool) -> tuple[list[Axes], list[Axes]]:
    """Panels of a new figure, and those of the learning rates underneath."""
    fig = new_figure(1.0 + 3.7 * n, 4.6 if with_rates else 3.4)
    grid = fig.add_gridspec(1 + with_rates, n, height_ratios=[1, 0.3][: 1 + with_rates])
    panels = [fig.add_subplot(grid[0, k]) for k in range(n)]
    if not with_rates:
        return panels, []
    return panels, [fig.add_subplot(grid[1, k], sharex=panels[k]) for k in range(n)]


def _curves(ax: Axes, panels: Panels, plans: list[str], domain: str) -> dict[str, Any]:
    """Draw the curves of all plans on a domain; return the legend entries."""
    legend: dict[str, Any] = {}
    ends = []
    for k, plan in enumerate(plans):
        drawn = panels.drawn_steps(plan, domain)
        if not drawn.any():
            continue
        steps = panels.values["step"].values[drawn]
        draws = panels.values.sel(plan=plan, domain=domain).values[drawn].reshape(len(steps), -1)
        tail = (1 - panels.probs[0]) / 2
        low, middle, high = np.quantile(draws, [tail, 0.5, 1 - tail], axis=1)
        look = _look(k)
        (line,) = ax.plot(steps, middle, lw=1.4, zorder=3, markevery=[], **look)
        _pale_outside(ax, steps, middle, panels.leaves_range.get(plan))
        legend[folded(plan, 36)] = line
        if len(plans) <= MOST_BANDS:
            ax.fill_between(
                steps, low, high, color=look["color"], alpha=0.16, linewidth=0, zorder=1.5
            )
        ends.append((steps[-1], low[-1], middle[-1], high[-1], look))
        panels.draw_curves(ax, plan, domain)
    _draw_ends(ax, ends)
    panels.draw_goal(ax, domain, plans)
    if any(panels.leaves_range.get(plan) is not None for plan in plans):
        legend["outside the pilots' range"] = _halo(ax, [], [])
    return legend


def _pale_outside(ax: Axes, steps: Any, middle: Any, edge: int | None) -> None:
    """Give a line a grey border where its plan is outside the range of the fitted runs."""
    if edge is not None and (steps >= edge).any():
        # From the step before, so that the border has no gap at the edge.
        here = steps >= max([steps[0], *steps[steps <= edge]])
        _halo(ax, steps[here], middle[here])


def _halo(ax: Axes, x: Any, y: Any) -> Any:
    return ax.plot(x, y, color=HALO, lw=5, solid_capstyle="butt", zorder=2)[0]


def _draw_ends(ax: Axes, ends: list[tuple[Any, ...]]) -> None:
    """Draw the bands of the last losses, side by side where plans end at one step."""
    left, right = ax.get_xlim()
    apart = 0.007 * (right - left)
    at_step: dict[int, int] = {}
    for step, low, middle, high, look in ends:
        place = at_step.get(step, 0)
        at_step[step] = place + 1
        x = step + apart * place
        # The marker shows which plan a bar is, without colour too.
        bar = {"color": look["color"], "zorder": 4}
        ax.plot([x, x], [low, high], lw=1.6, **bar)
        ax.plot(x, middle, marker=look["marker"], ms=4.5, mec="white", mew=0.5, **bar)


def _look(k: int) -> dict[str, Any]:
    """Line of the k-th plan, and the marker of its last loss."""
    return {
        "color": colour(k),
        "ls": DASHES[k % len(DASHES)],
        "marker": MARKERS[k % len(MARKERS)],
        "ms": 4,
        "mec": "white",
        "mew": 0.5,
    }


def _schedules(ax: Axes, rates: Mapping[str, Any], plans: list[str], panels: Panels) -> None:
    """Draw the learning rates of all plans; lr[i] belongs to step i + 1."""
    tidy(ax)
    for k, plan in enumerate(plans):
        if plan not in rates:
            continue
        steps = drawn_updates(len(rates[plan]))
        steps = steps[steps >= panels.first(plan)]
        look = _look(k)
        ax.plot(steps, rates[plan][steps - 1], color=look["color"], ls=look["ls"], lw=1.1)
    ax.set_ylim(bottom=0)
    ax.ticklabel_format(axis="y", style="sci", scilimits=(-3, 3))
    ax.yaxis.get_offset_text().set_fontsize(7)
    ax.tick_params(axis="y", labelsize=7)
