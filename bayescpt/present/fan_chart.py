"""Fan charts of forecasts: bands of the loss curves of plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from bayescpt.data.units import loss_label
from bayescpt.decide.draws import ForecastLike, Kind, names
from bayescpt.decide.goals import Goal
from bayescpt.errors import PlanError
from bayescpt.present.labels import forecast_unit
from bayescpt.present.legend import band_keys, figure_legend
from bayescpt.present.panels import learning_rates, panels_of
from bayescpt.present.plain import plain_text
from bayescpt.present.style import (
    INK,
    colour,
    drawn_updates,
    new_figure,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@plain_text
def plot_forecast(
    fc: ForecastLike | xr.Dataset,
    observed: pd.DataFrame | None = None,
    prob: float | Sequence[float] = (0.5, 0.9),
    plans: Sequence[str] | None = None,
    fitted: pd.DataFrame | None = None,
    goal: Goal | Mapping[str, float | str] | None = None,
    kind: Kind = "loss",
    first_step: int | Mapping[str, int] = 0,
) -> Figure:
    """Draw fan charts: one row per plan, its domains side by side, the learning rate underneath.

    Each plan has a step axis of its own, so that a short plan beside a long one can be read. More
    than six plans are easier to compare in one overlay, see `plot_overlay`.

    A plan that is a run in flight (`bayescpt.forecast.Forecast.so_far`) has its losses so far drawn
    as fitted ones, and a line at the last of them, now.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast of the plans, or its dataset. The attribute ``units`` of the dataset is the unit in
        the axis labels. If the forecast has `plans` with schedules, their learning rates are drawn.
    observed : pandas.DataFrame, optional
        Curves that were not fitted: columns ``run``, ``step``, ``domain`` and ``loss`` (in the unit
        of the forecast). Runs that have the name of a plan are drawn over its bands as hollow
        circles, at most 60 in a panel, evenly spaced, so that they do not bury the band.
    prob : float or sequence of float
        Probabilities of the central bands, each strictly between 0 and 1.
    plans : sequence of str, optional
        Plans to draw, in this order; all by default.
    fitted : pandas.DataFrame, optional
        Curves that were fitted, with the columns of `observed`; drawn as small grey dots, thinned
        likewise.
    goal : Goal or mapping of str to float or str, optional
        Highest loss allowed per domain, in any form that `Goal` takes; drawn as dashed lines.
    kind : {"loss", "mu"}
        ``loss`` is the loss that the log of a new run will show; ``mu`` is the expected loss.
    first_step : int or mapping of str to int
        First step to draw, or that of each plan: a steep start leaves little height for the bands
        that follow.

    Returns
    -------
    matplotlib.figure.Figure
        A figure outside pyplot's state; save it with ``savefig``.

    Raises
    ------
    PlanError
        If a plan or a domain of the goal is unknown, a probability is out of range, a column of
        the curves is missing, no run of `observed` has the name of a plan, or `first_step` is past
        the end of every plan.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from bayescpt.present import plot_forecast
    >>> draws = np.random.default_rng(0).normal(3.0, 0.1, (2, 50, 1, 1, 3))
    >>> forecast = xr.Dataset(
    ...     {"loss": (("chain", "draw", "plan", "domain", "step"), draws)},
    ...     coords={"plan": ["wsd"], "domain": ["german"], "step": [100, 200, 300]},
    ...     attrs={"units": "nat/token"},
    ... )
    >>> figure = plot_forecast(forecast, prob=0.9)
    >>> figure.axes[0].get_ylabel()
    'loss (nats per token)'
    """
    panels = panels_of(fc, observed, prob, plans, fitted, goal, kind, first_step)
    chosen, domains = names(panels.values, "plan"), names(panels.values, "domain")
    rates = learning_rates(fc, chosen)

    shown = {plan: [d for d in domains if panels.drawn_steps(plan, d).any()] for plan in chosen}
    shown = {plan: own for plan, own in shown.items() if own}
    if not shown:
        raise PlanError(f"no plan has a forecast at or after first_step={first_step}")
    wide = max(map(len, shown.values()))
    strips = 2 if rates else 1
    fig = new_figure(1.0 + 3.7 * wide, 0.7 + (2.9 if rates else 2.4) * len(shown))
    grid = fig.add_gridspec(
        strips * len(shown), wide, height_ratios=[1.0, 0.2][:strips] * len(shown)
    )
    first_of_domain: dict[str, Axes] = {}
    for row, (plan, own) in enumerate(shown.items()):
        for column, domain in enumerate(own):
            ax = fig.add_subplot(grid[strips * row, column], sharey=first_of_domain.get(domain))
            first_of_domain.setdefault(domain, ax)
            panels.draw_panel(ax, plan, domain, colour(domains.index(domain)))
            if column == 0:
                ax.set_ylabel(loss_label(forecast_unit(fc)), fontsize=8.5, color=INK)
            bottom = ax
            if plan in rates:
                ax.tick_params(labelbottom=False)
                bottom = fig.add_subplot(grid[strips * row + 1, column], sharex=ax)
                _draw_learning_rate(bottom, rates[plan], panels.first(plan), column == 0)
            if row == len(shown) - 1:
                bottom.set_xlabel("CPT step", fontsize=8.5, color=INK)
    figure_legend(fig, band_keys(panels.probs) | panels.legend)
    return fig


def _draw_learning_rate(ax: Axes, lr: NDArray[np.float64], first_step: int, labelled: bool) -> None:
    """Draw a schedule as a thin filled strip; lr[i] belongs to step i + 1."""
    tidy(ax)
    ax.grid(False)
    steps = drawn_updates(len(lr))
    steps = steps[steps >= first_step]
    ax.fill_between(steps, 0, lr[steps - 1], color="#c9c9c9", linewidth=0)
    peak = float(lr.max())
    ax.set_ylim(0, 1.15 * peak if peak > 0 else 1.0)
    mantissa, exponent = f"{peak:.2e}".split("e")
    ax.set_yticks([peak], [f"{float(mantissa):g}e{int(exponent)}" if labelled else ""])
    ax.tick_params(axis="y", labelsize=7)
    if labelled:
        ax.set_ylabel("LR", fontsize=8, color=INK, rotation=0, ha="right", va="center")
