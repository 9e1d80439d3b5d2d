"""Fan charts of forecasts: bands of the loss curves of plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescpt.data.conversion import LossUnits
from bayescpt.data.units import loss_label
from bayescpt.decide.draws import ForecastLike, Kind, loss_draws, names, units_attrs
from bayescpt.decide.goal_levels import goal_levels
from bayescpt.decide.goals import Goal
from bayescpt.errors import PlanError
from bayescpt.present.labels import forecast_unit, shown_curves, shown_draws
from bayescpt.present.legend import band_alpha, band_keys, figure_legend
from bayescpt.present.style import (
    GOAL,
    INK,
    MUTED,
    colour,
    listed,
    new_figure,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


def plot_forecast(
    fc: ForecastLike | xr.Dataset,
    observed: pd.DataFrame | None = None,
    prob: float | Sequence[float] = (0.5, 0.9),
    plans: Sequence[str] | None = None,
    fitted: pd.DataFrame | None = None,
    goal: Goal | Mapping[str, float | str] | None = None,
    kind: Kind = "loss",
    first_step: int = 0,
) -> Figure:
    """Draw fan charts: one row per plan, one column per domain, the learning rate underneath.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast of the plans, or its dataset. The attribute ``units`` of the dataset is the unit in
        the axis labels. If the forecast has `plans` with schedules, their learning rates are drawn.
    observed : pandas.DataFrame, optional
        Curves that were not fitted: columns ``run``, ``step``, ``domain`` and ``loss`` (in the unit
        of the forecast). Runs that have the name of a plan are drawn over its bands as hollow
        circles.
    prob : float or sequence of float
        Probabilities of the central bands, each strictly between 0 and 1.
    plans : sequence of str, optional
        Plans to draw, in this order; all by default.
    fitted : pandas.DataFrame, optional
        Curves that were fitted, with the columns of `observed`; drawn as small grey dots.
    goal : Goal or mapping of str to float or str, optional
        Highest loss allowed per domain, in any form that `Goal` takes; drawn as dashed lines.
    kind : {"loss", "mu"}
        ``loss`` is the loss that the log of a new run will show; ``mu`` is the expected loss.
    first_step : int
        First step to draw: a steep start leaves little height for the bands that follow.

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
    units = LossUnits.of(units_attrs(fc))
    values = shown_draws(_select_plans(loss_draws(fc, kind), plans), units)
    chosen, domains = names(values, "plan"), names(values, "domain")
    probs = _check_probs(prob)
    goal, levels = None if goal is None else Goal.of(goal), {}
    if goal is not None:
        unknown = [domain for domain in goal.domains if domain not in domains]
        if unknown:
            raise PlanError(f"unknown domain {listed(unknown)}; the forecast has {domains}")
        levels = goal_levels(fc, goal, kind)
    curves = {"observed": observed, "fitted": fitted}
    for label, frame in curves.items():
        _check_curves(frame, label, chosen)
    panels = _Panels(
        values,
        probs,
        {d: {p: float(units.show(x, d)) for p, x in of.items()} for d, of in levels.items()},
        {label: shown_curves(f, units) for label, f in curves.items() if f is not None},
        first_step,
    )
    rates = _learning_rates(fc, chosen)

    strips = 2 if rates else 1
    fig = new_figure(1.0 + 3.7 * len(domains), 0.7 + (2.9 if rates else 2.4) * len(chosen))
    grid = fig.add_gridspec(
        strips * len(chosen), len(domains), height_ratios=[1.0, 0.2][:strips] * len(chosen)
    )
    first_of_column: dict[int, Axes] = {}
    for row, plan in enumerate(chosen):
        for column, domain in enumerate(domains):
            if not panels.drawn_steps(plan, domain).any():
                continue
            ax = fig.add_subplot(grid[strips * row, column], sharey=first_of_column.get(column))
            first_of_column.setdefault(column, ax)
            panels.draw_panel(ax, plan, domain, colour(column))
            if column == 0:
                ax.set_ylabel(loss_label(forecast_unit(fc)), fontsize=8.5, color=INK)
            bottom = ax
            if plan in rates:
                ax.tick_params(labelbottom=False)
                bottom = fig.add_subplot(grid[strips * row + 1, column], sharex=ax)
                _draw_learning_rate(bottom, rates[plan], first_step, labelled=column == 0)
            if row == len(chosen) - 1:
                bottom.set_xlabel("CPT step", fontsize=8.5, color=INK)
    if not first_of_column:
        raise PlanError(f"no plan has a forecast at or after first_step={first_step}")
    figure_legend(fig, band_keys(probs) | panels.legend)
    return fig


@dataclass
class _Panels:
    """Content of the panels, and the legend entries of what has been drawn."""

    values: xr.DataArray
    probs: list[float]
    levels: dict[str, dict[str, float]]
    curves: dict[str, pd.DataFrame]
    first_step: int
    legend: dict[str, Any] = field(default_factory=dict)

    def drawn_steps(self, plan: str, domain: str) -> NDArray[np.bool_]:
        """Which steps have a forecast and are not before the first step to draw."""
        has_draw = ~np.isnan(self.values.sel(plan=plan, domain=domain).values).all(axis=(1, 2))
        return np.asarray(has_draw & (self.values["step"].values >= self.first_step))

    def draw_panel(self, ax: Axes, plan: str, domain: str, tone: str) -> None:
        """Draw bands, curves and goal of one plan and domain."""
        tidy(ax)
        drawn = self.drawn_steps(plan, domain)
        steps = self.values["step"].values[drawn]
        draws = self.values.sel(plan=plan, domain=domain).values[drawn].reshape(len(steps), -1)
        _draw_bands(ax, steps, draws, self.probs, tone)
        for label, frame in self.curves.items():
            rows = frame[(frame["run"] == plan) & (frame["domain"] == domain)]
            self.legend |= _draw_points(ax, rows[rows["step"] >= self.first_step], label)
        if domain in self.levels:
            level = self.levels[domain][plan]
            self.legend["goal"] = ax.axhline(level, color=GOAL, lw=1.0, ls=(0, (4, 3)))
        ax.set_title(plan, loc="left", fontsize=9.5, fontweight="bold", color=INK)
        ax.set_title(domain, loc="right", fontsize=9.5, color=tone)


def _select_plans(values: xr.DataArray, plans: Sequence[str] | None) -> xr.DataArray:
    """Draws of the requested plans, in that order."""
    present = names(values, "plan")
    if plans is None:
        return values
    unknown = [plan for plan in plans if plan not in present]
    if unknown or not plans:
        raise PlanError(f"unknown plan {listed(unknown)}; the forecast has {present}")
    return values.sel(plan=list(plans))


def _check_probs(prob: float | Sequence[float]) -> list[float]:
    """Probabilities of the bands, widest first."""
    probs = sorted(np.atleast_1d(np.asarray(prob, dtype=float)).tolist(), reverse=True)
    for p in probs:
        if not 0.0 < p < 1.0:
            raise PlanError(f"prob is {p!r}; it must lie strictly between 0 and 1, such as 0.9")
    return probs


def _check_curves(frame: pd.DataFrame | None, label: str, plans: list[str]) -> None:
    """Check that curves can be drawn, and that observed ones belong to a plan."""
    if frame is None:
        return
    missing = [name for name in ("run", "step", "domain", "loss") if name not in frame]
    if missing:
        raise PlanError(f"{label} lacks the columns {missing}; it has {list(frame.columns)}")
    if label == "observed" and not frame["run"].isin(plans).any():
        runs = listed(list(frame["run"].unique()))
        raise PlanError(f"no observed run has the name of a plan: runs {runs}, plans {plans}")


def _learning_rates(
    fc: ForecastLike | xr.Dataset, plans: list[str]
) -> dict[str, NDArray[np.float64]]:
    """Learning rates of each plan that has a schedule."""
    return {
        plan.name: np.asarray(plan.schedule.lr, dtype=float)
        for plan in getattr(fc, "plans", ())
        if plan.name in plans
    }


def _draw_bands(
    ax: Axes, steps: NDArray[Any], draws: NDArray[np.float64], probs: list[float], tone: str
) -> None:
    """Draw nested bands, the widest first, and the median."""
    for i, p in enumerate(probs):
        lower, upper = np.quantile(draws, [(1 - p) / 2, (1 + p) / 2], axis=1)
        alpha = band_alpha(i)
        ax.fill_between(steps, lower, upper, color=tone, alpha=alpha, linewidth=0, zorder=1.5)
    ax.plot(steps, np.median(draws, axis=1), color=tone, lw=1.5, zorder=3)


def _draw_points(ax: Axes, rows: pd.DataFrame, label: str) -> dict[str, Any]:
    """Draw measured losses, hollow if they were not fitted; return the legend entry."""
    if rows.empty:
        return {}
    look: dict[str, Any] = (
        {"s": 12, "facecolors": "white", "edgecolors": INK, "linewidths": 0.8, "zorder": 4}
        if label == "observed"
        else {"s": 6, "facecolors": MUTED, "linewidths": 0, "zorder": 3.5}
    )
    return {label: ax.scatter(rows["step"], rows["loss"], **look)}


def _draw_learning_rate(ax: Axes, lr: NDArray[np.float64], first_step: int, labelled: bool) -> None:
    """Draw a schedule as a thin filled strip; lr[i] belongs to step i + 1."""
    tidy(ax)
    ax.grid(False)
    steps = np.arange(1, len(lr) + 1)
    shown = steps >= first_step
    ax.fill_between(steps[shown], 0, lr[shown], color="#c9c9c9", linewidth=0)
    peak = float(lr.max())
    ax.set_ylim(0, 1.15 * peak if peak > 0 else 1.0)
    mantissa, exponent = f"{peak:.2e}".split("e")
    ax.set_yticks([peak], [f"{float(mantissa):g}e{int(exponent)}" if labelled else ""])
    ax.tick_params(axis="y", labelsize=7)
    if labelled:
        ax.set_ylabel("LR", fontsize=8, color=INK, rotation=0, ha="right", va="center")
