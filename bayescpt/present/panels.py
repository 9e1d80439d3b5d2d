"""What the panels of a forecast show: bands, measured losses and goals, checked and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescpt.data.conversion import LossUnits
from bayescpt.decide.draws import ForecastLike, Kind, loss_draws, names, units_attrs
from bayescpt.decide.goal_levels import goal_levels
from bayescpt.decide.goals import Goal
from bayescpt.errors import PlanError
from bayescpt.present.labels import shown_curves, shown_draws
from bayescpt.present.legend import band_alpha
from bayescpt.present.style import (
    GOAL,
    GRID,
    INK,
    MUTED,
    TITLE,
    folded,
    listed,
    thinned,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# Where the law extrapolates: pale enough to be behind a band.
OUTSIDE, OUTSIDE_EDGE = "#ffffff", GRID


def panels_of(
    fc: ForecastLike | xr.Dataset,
    observed: pd.DataFrame | None,
    prob: float | Sequence[float],
    plans: Sequence[str] | None,
    fitted: pd.DataFrame | None,
    goal: Goal | Mapping[str, float | str] | None,
    kind: Kind,
    first_step: int | Mapping[str, int],
) -> Panels:
    """Check what a figure of a forecast is to show.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast of the plans, or its dataset.
    observed : pandas.DataFrame or None
        Curves that were not fitted.
    prob : float or sequence of float
        Probabilities of the bands.
    plans : sequence of str or None
        Plans to draw.
    fitted : pandas.DataFrame or None
        Curves that were fitted.
    goal : Goal or mapping or None
        Highest loss allowed per domain.
    kind : {"loss", "mu"}
        What is drawn.
    first_step : int or mapping of str to int
        First step to draw.

    Returns
    -------
    Panels

    Raises
    ------
    PlanError
        As `bayescpt.plot.fan`.
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
    so_far = getattr(fc, "so_far", None)
    if so_far is not None and len(so_far):
        fitted = so_far if fitted is None else pd.concat([so_far, fitted]).drop_duplicates()
    curves = {"observed": observed, "fitted": fitted}
    for label, frame in curves.items():
        _check_curves(frame, label, chosen)
    return Panels(
        values,
        probs,
        {d: {p: float(units.show(x, d)) for p, x in of.items()} for d, of in levels.items()},
        {label: shown_curves(f, units) for label, f in curves.items() if f is not None},
        first_step,
        getattr(fc, "now", {}),
        getattr(fc, "leaves_range", {}),
    )


@dataclass
class Panels:
    """Content of the panels, and the legend entries of what has been drawn.

    Attributes
    ----------
    values : xr.DataArray
        Draws of the loss, of the plans to draw.
    probs : list of float
        Probabilities of the bands, widest first.
    levels : dict of str to dict of str to float
        Goal by domain and plan, in the unit shown.
    curves : dict of str to DataFrame
        Measured losses by what they are.
    first_step : int or mapping of str to int
        First step to draw.
    now : mapping of str to int
        Last step with a loss, of plans that are runs in flight.
    leaves_range : mapping of str to int
        First step outside the range of the fitted runs, of plans that leave it.
    legend : dict of str to artist
        Entries of what has been drawn so far.
    """

    values: xr.DataArray
    probs: list[float]
    levels: dict[str, dict[str, float]]
    curves: dict[str, pd.DataFrame]
    first_step: int | Mapping[str, int]
    now: Mapping[str, int] = field(default_factory=dict)
    leaves_range: Mapping[str, int] = field(default_factory=dict)
    legend: dict[str, Any] = field(default_factory=dict)

    def first(self, plan: str) -> int:
        """First step to draw of a plan.

        Parameters
        ----------
        plan : str
            Name of the plan.

        Returns
        -------
        int
        """
        return self.first_step if isinstance(self.first_step, int) else self.first_step[plan]

    def drawn_steps(self, plan: str, domain: str) -> NDArray[np.bool_]:
        """Which steps have a forecast and are not before the first step to draw.

        Parameters
        ----------
        plan : str
            Name of the plan.
        domain : str
            Name of the domain.

        Returns
        -------
        ndarray of bool, shape (steps,)
        """
        has_draw = ~np.isnan(self.values.sel(plan=plan, domain=domain).values).all(axis=(1, 2))
        return np.asarray(has_draw & (self.values["step"].values >= self.first(plan)))

    def draw_panel(
        self, ax: Axes, plan: str, domain: str, tone: str, title: str | None = None
    ) -> None:
        """Draw bands, curves and goal of one plan and domain.

        Parameters
        ----------
        ax : matplotlib.axes.Axes
            Panel.
        plan : str
            Name of the plan.
        domain : str
            Name of the domain.
        tone : str
            Colour.
        title : str, optional
            Title on the left; by default the name of the plan.
        """
        tidy(ax)
        drawn = self.drawn_steps(plan, domain)
        steps = self.values["step"].values[drawn]
        draws = self.values.sel(plan=plan, domain=domain).values[drawn].reshape(len(steps), -1)
        _draw_bands(ax, steps, draws, self.probs, tone)
        self.draw_outside(ax, plan, int(steps[-1]))
        self.draw_curves(ax, plan, domain)
        if self.now.get(plan, -1) >= self.first(plan):
            self.legend["now"] = ax.axvline(self.now[plan], color=INK, lw=0.9, ls=":", zorder=2)
        self.draw_goal(ax, domain, [plan])
        left = folded(plan, TITLE) if title is None else title
        ax.set_title(left, loc="left", fontsize=9.5, fontweight="bold", color=INK)
        ax.set_title(domain, loc="right", fontsize=9.5, color=tone)

    def draw_outside(self, ax: Axes, plan: str, last: int) -> None:
        """Shade the steps outside the range of the fitted runs, with a line at their edge.

        Parameters
        ----------
        ax : matplotlib.axes.Axes
            Panel.
        plan : str
            Name of the plan.
        last : int
            Last step drawn.
        """
        edge = self.leaves_range.get(plan, last + 1)
        if edge > last:
            return
        left = max(edge, self.first(plan))
        self.legend["outside the pilots' range"] = ax.axvspan(
            left,
            last,
            facecolor=OUTSIDE,
            edgecolor=OUTSIDE_EDGE,
            hatch="\\\\\\",
            linewidth=0,
            zorder=0,
        )
        if left == edge > 1:
            ax.axvline(edge, color=MUTED, lw=0.9, zorder=1)

    def draw_curves(self, ax: Axes, plan: str, domain: str) -> None:
        """Draw the measured losses of a plan on a domain.

        Parameters
        ----------
        ax : matplotlib.axes.Axes
            Panel.
        plan : str
            Name of the plan.
        domain : str
            Name of the domain.
        """
        for label, frame in self.curves.items():
            rows = frame[(frame["run"] == plan) & (frame["domain"] == domain)]
            self.legend |= _draw_points(ax, rows[rows["step"] >= self.first(plan)], label)

    def draw_goal(self, ax: Axes, domain: str, plans: Sequence[str]) -> None:
        """Draw the goal of plans on a domain, if there is one.

        Parameters
        ----------
        ax : matplotlib.axes.Axes
            Panel.
        domain : str
            Name of the domain.
        plans : sequence of str
            Names of the plans; those of one limit share its line.
        """
        if domain not in self.levels:
            return
        for level in dict.fromkeys(self.levels[domain][plan] for plan in plans):
            self.legend["goal"] = ax.axhline(level, color=GOAL, lw=1.0, ls=(0, (4, 3)))


def learning_rates(
    fc: ForecastLike | xr.Dataset, plans: list[str]
) -> dict[str, NDArray[np.float64]]:
    """Learning rates of each plan that has a schedule.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast.
    plans : list of str
        Plans to draw.

    Returns
    -------
    dict of str to ndarray, shape (n_steps,)
    """
    return {
        plan.name: np.asarray(plan.schedule.lr, dtype=float)
        for plan in getattr(fc, "plans", ())
        if plan.name in plans
    }


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
    rows = rows.sort_values("step").iloc[thinned(len(rows))]
    look: dict[str, Any] = (
        {"s": 12, "facecolors": "white", "edgecolors": INK, "linewidths": 0.8, "zorder": 4}
        if label == "observed"
        else {"s": 6, "facecolors": MUTED, "linewidths": 0, "zorder": 3.5}
    )
    return {label: ax.scatter(rows["step"], rows["loss"], **look)}
