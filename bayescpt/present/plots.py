"""Figures of forecasts and decisions; matplotlib is imported only when one is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescpt.decide.draws import (
    ForecastLike,
    Kind,
    at_steps,
    check_domains,
    last_steps,
    loss_draws,
    names,
)
from bayescpt.decide.goals import Goal
from bayescpt.errors import PlanError
from bayescpt.present.legend import band_alpha, band_keys, figure_legend
from bayescpt.present.style import (
    GOAL,
    INK,
    MARKERS,
    MUTED,
    colour,
    listed,
    new_figure,
    percent,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

LOSS_LABEL = "loss (nats/token)"


def plot_forecast(
    fc: ForecastLike | xr.Dataset,
    observed: pd.DataFrame | None = None,
    prob: float | Sequence[float] = (0.5, 0.9),
    plans: Sequence[str] | None = None,
    fitted: pd.DataFrame | None = None,
    goal: Goal | Mapping[str, float] | None = None,
    kind: Kind = "loss",
    first_step: int = 0,
) -> Figure:
    """Draw fan charts: one row a plan, one column a domain, the LR in a strip underneath.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast of the plans. Where it has `plans` with schedules, their LR is drawn too.
    observed : pandas.DataFrame, optional
        Curves that the fit has not seen: columns run, step, domain, loss (nats/token). Rows of
        runs that are named like a plan are drawn over its bands as hollow dots.
    prob : float or sequence of float
        Probabilities of the central bands, each strictly between 0 and 1.
    plans : sequence of str, optional
        Plans to draw, in this order; all by default.
    fitted : pandas.DataFrame, optional
        Curves that the fit has seen, as `observed`; drawn as small grey dots.
    goal : Goal or mapping of str to float, optional
        Thresholds to draw as dashed lines, nats/token.
    kind : {"loss", "mu"}
        `loss` is what the log of a new run will show; `mu` is the expected curve.
    first_step : int
        Draw from this step on: a steep start leaves little height for the bands that follow.

    Returns
    -------
    matplotlib.figure.Figure
        Figure that no global state knows; save it with `savefig`.

    Raises
    ------
    PlanError
        If a plan or a domain of the goal is unknown, a probability is out of range, a column of
        the curves is missing, no run of `observed` is named like a plan, or `first_step` is past
        every plan's end.
    """
    values = _pick_plans(loss_draws(fc, kind), plans)
    chosen, domains = names(values, "plan"), names(values, "domain")
    probs = _check_probs(prob)
    goal = None if goal is None else Goal.of(goal)
    if goal is not None:
        unknown = [domain for domain in goal.domains if domain not in domains]
        if unknown:
            raise PlanError(f"unknown domain {listed(unknown)}; the forecast knows {domains}")
    curves = {"observed": observed, "fitted": fitted}
    for label, frame in curves.items():
        _check_curves(frame, label, chosen)
    rates = _learning_rates(fc, chosen)

    fig = new_figure(1.0 + 3.7 * len(domains), 0.7 + (2.9 if rates else 2.4) * len(chosen))
    strips = 2 if rates else 1
    grid = fig.add_gridspec(
        strips * len(chosen), len(domains), height_ratios=[1.0, 0.2][:strips] * len(chosen)
    )
    first_of_column: dict[int, Axes] = {}
    legend: dict[str, Any] = {}
    drawn = False
    for row, plan in enumerate(chosen):
        for column, domain in enumerate(domains):
            panel = values.sel(plan=plan, domain=domain)
            keep = ~np.isnan(panel.values).all(axis=(1, 2))
            keep &= values["step"].values >= first_step
            if not keep.any():
                continue
            ax = fig.add_subplot(grid[strips * row, column], sharey=first_of_column.get(column))
            first_of_column.setdefault(column, ax)
            tidy(ax)
            tone = colour(column)
            steps = values["step"].values[keep]
            draws = panel.values[keep].reshape(len(steps), -1)
            _fan(ax, steps, draws, probs, tone)
            for label, frame in curves.items():
                if frame is not None:
                    rows = frame[(frame["run"] == plan) & (frame["domain"] == domain)]
                    legend |= _dots(ax, rows[rows["step"] >= first_step], label)
            if goal is not None and domain in goal.thresholds:
                line = ax.axhline(goal.thresholds[domain], color=GOAL, lw=1.0, ls=(0, (4, 3)))
                legend["goal"] = line
            drawn = True
            ax.set_title(plan, loc="left", fontsize=9.5, fontweight="bold", color=INK)
            ax.set_title(domain, loc="right", fontsize=9.5, color=tone)
            if column == 0:
                ax.set_ylabel(LOSS_LABEL, fontsize=8.5, color=INK)
            bottom = ax
            if plan in rates:
                ax.tick_params(labelbottom=False)
                bottom = fig.add_subplot(grid[strips * row + 1, column], sharex=ax)
                _rate_strip(bottom, rates[plan], first_step, labelled=column == 0)
            if row == len(chosen) - 1:
                bottom.set_xlabel("CPT step", fontsize=8.5, color=INK)
    if not drawn:
        raise PlanError(f"no plan has a forecast at or after first_step={first_step}")
    figure_legend(fig, band_keys(probs) | legend)
    return fig


def plot_goal_probability(table: pd.DataFrame, title: str | None = None) -> Figure:
    """Draw the probability that each plan meets the goal, jointly and by domain, as bars.

    Parameters
    ----------
    table : pandas.DataFrame
        What `goal_probability` returns: indexed by plan, `joint`, one column a domain, and a
        column `<name>_mcse` for each.
    title : str, optional
        Title; by default the goal, where the table's `attrs` hold it.

    Returns
    -------
    matplotlib.figure.Figure
        Plans from top to bottom in the order of the table; whiskers reach two Monte Carlo
        standard errors either side.

    Raises
    ------
    PlanError
        If the table is empty or has no column `joint`.
    """
    if "joint" not in table or table.empty:
        raise PlanError(
            f"the table has {len(table)} plans and the columns {list(table.columns)}; it must be "
            "what goal_probability returns"
        )
    columns = [column for column in table.columns if f"{column}_mcse" in table]
    # the joint bar is thicker, and there is a gap between plans
    heights = np.array([0.9 if column == "joint" else 0.5 for column in columns])
    centres = np.cumsum(heights) - heights / 2
    pitch = heights.sum() + 0.7
    fig = new_figure(6.6, 1.1 + 0.26 * pitch * len(table))
    ax = fig.add_subplot()
    tidy(ax, grid="x")
    for i, column in enumerate(columns):
        at = np.arange(len(table)) * pitch + centres[i]
        share = table[column].to_numpy(dtype=float)
        reach = 2 * table[f"{column}_mcse"].to_numpy(dtype=float)
        low, high = np.clip(share - reach, 0, 1), np.clip(share + reach, 0, 1)
        joint = column == "joint"
        ax.barh(
            at,
            share,
            height=0.86 * heights[i],
            color="#4d4d4d" if joint else colour(i - 1),
            label="all goals together" if joint else f"{column} alone",
        )
        # a white edge keeps a whisker visible on its own bar; a very short one would be all edge
        wide = high - low > 0.01
        ax.hlines(at[wide], low[wide], high[wide], color="white", lw=3.4, zorder=3)
        ax.hlines(at, low, high, color=INK, lw=1.3, zorder=3)
        for y, value, right in zip(at, share, high, strict=True):
            ax.annotate(
                percent(value),
                (right, y),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=9 if joint else 7.5,
                fontweight="bold" if joint else "normal",
                color=INK if joint else MUTED,
            )
    labels = [str(plan) for plan in table.index]
    if "best_step" in table:
        steps = table["best_step"]
        labels = [f"{plan}\nat step {step}" for plan, step in zip(labels, steps, strict=True)]
    ax.set_yticks(np.arange(len(table)) * pitch + heights.sum() / 2, labels)
    ax.tick_params(axis="y", length=0, labelsize=9)
    ax.set_ylim(len(table) * pitch - 0.45, -0.25)
    ax.spines["left"].set_visible(False)
    ax.set_xlim(0, 1.08)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    ax.spines["bottom"].set_bounds(0, 1)
    ax.set_xlabel(
        "probability of meeting the goal (whiskers: ±2 Monte Carlo errors)",
        fontsize=8.5,
        color=INK,
    )
    if title is None and "goal" in table.attrs:
        title = "Goal: " + ", ".join(f"{d} ≤ {v:g}" for d, v in table.attrs["goal"].items())
    handles, texts = ax.get_legend_handles_labels()
    figure_legend(fig, dict(zip(texts, handles, strict=True)))
    if title:
        fig.suptitle(title, fontsize=10.5, fontweight="bold", color=INK)
    return fig


def plot_losses(
    fc: ForecastLike | xr.Dataset,
    goal: Goal | Mapping[str, float] | None = None,
    domains: tuple[str, str] | None = None,
    best: str | None = None,
    max_draws: int = 400,
    kind: Kind = "loss",
) -> Figure:
    """Scatter the draws of two domains' losses at each plan's end, with the goal as a box.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast of the plans.
    goal : Goal or mapping of str to float, optional
        Thresholds, nats/token; the box holds the losses that meet them.
    domains : tuple of two str, optional
        Domains on the horizontal and vertical axis; by default the first two of the goal, if it
        has two, else of the forecast.
    best : str, optional
        The chosen plan (as `Decision.best`), marked as such.
    max_draws : int
        Draws shown a plan, evenly spaced along the chains; medians use all of them.
    kind : {"loss", "mu"}
        `loss` is what the log of a new run will show; `mu` is the expected curve.

    Returns
    -------
    matplotlib.figure.Figure
        One colour and marker a plan, the median of its losses ringed in white.

    Raises
    ------
    PlanError
        If there are no two domains to draw, or a plan or domain is unknown.
    """
    values = loss_draws(fc, kind)
    goal = None if goal is None else Goal.of(goal)
    if domains is None:
        two = goal.domains if goal is not None and len(goal.domains) > 1 else None
        two = two or names(values, "domain")
        if len(two) < 2:
            raise PlanError(f"a scatter needs two domains; the forecast has {two}")
        domains = (two[0], two[1])
    check_domains(values, domains)
    plans = names(values, "plan")
    if best is not None and best not in plans:
        raise PlanError(f"unknown plan {best!r}; the forecast knows {plans}")
    losses = at_steps(values.sel(domain=list(domains)), last_steps(values))
    losses = losses.reshape(len(plans), 2, -1)

    fig = new_figure(6.4, 5.0)
    ax = fig.add_subplot()
    tidy(ax, grid="both")
    stride = max(1, -(-losses.shape[2] // max_draws))
    for i, plan in enumerate(plans):
        x, y = losses[i]
        marker = MARKERS[i % len(MARKERS)]
        ax.scatter(
            x[::stride], y[::stride], s=9, marker=marker, color=colour(i), alpha=0.3, linewidths=0
        )
        ax.scatter(
            np.median(x),
            np.median(y),
            s=90,
            marker=marker,
            color=colour(i),
            edgecolors="white",
            linewidths=1.6,
            zorder=4,
            label=f"{plan} (chosen)" if plan == best else plan,
        )
    if goal is not None:
        _goal_box(ax, goal.thresholds.get(domains[0]), goal.thresholds.get(domains[1]))
    ax.set_xlabel(f"{domains[0]} {LOSS_LABEL}", fontsize=9, color=INK)
    ax.set_ylabel(f"{domains[1]} {LOSS_LABEL}", fontsize=9, color=INK)
    handles, texts = ax.get_legend_handles_labels()
    figure_legend(fig, dict(zip(texts, handles, strict=True)))
    return fig


def _pick_plans(values: xr.DataArray, plans: Sequence[str] | None) -> xr.DataArray:
    """Return the draws of the plans asked for, in that order."""
    known = names(values, "plan")
    if plans is None:
        return values
    unknown = [plan for plan in plans if plan not in known]
    if unknown or not plans:
        raise PlanError(f"unknown plan {listed(unknown)}; the forecast knows {known}")
    return values.sel(plan=list(plans))


def _check_probs(prob: float | Sequence[float]) -> list[float]:
    """Return band probabilities, widest first."""
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
        raise PlanError(f"no observed run is named like a plan: runs {runs}, plans {plans}")


def _learning_rates(
    fc: ForecastLike | xr.Dataset, plans: list[str]
) -> dict[str, NDArray[np.float64]]:
    """Return the LR of each plan that has a schedule."""
    return {
        plan.name: np.asarray(plan.schedule.lr, dtype=float)
        for plan in getattr(fc, "plans", ())
        if plan.name in plans
    }


def _fan(
    ax: Axes, steps: NDArray[Any], draws: NDArray[np.float64], probs: list[float], tone: str
) -> None:
    """Draw nested bands, the widest first, and the median."""
    for i, p in enumerate(probs):
        lower, upper = np.quantile(draws, [(1 - p) / 2, (1 + p) / 2], axis=1)
        alpha = band_alpha(i)
        ax.fill_between(steps, lower, upper, color=tone, alpha=alpha, linewidth=0, zorder=1.5)
    ax.plot(steps, np.median(draws, axis=1), color=tone, lw=1.5, zorder=3)


def _dots(ax: Axes, rows: pd.DataFrame, label: str) -> dict[str, Any]:
    """Draw measured points, hollow if the fit has not seen them; return legend entries."""
    if rows.empty:
        return {}
    look: dict[str, Any] = (
        {"s": 12, "facecolors": "white", "edgecolors": INK, "linewidths": 0.8, "zorder": 4}
        if label == "observed"
        else {"s": 6, "facecolors": MUTED, "linewidths": 0, "zorder": 3.5}
    )
    return {label: ax.scatter(rows["step"], rows["loss"], **look)}


def _rate_strip(ax: Axes, lr: NDArray[np.float64], first_step: int, labelled: bool) -> None:
    """Draw a schedule as a thin filled strip; lr[i] is the LR of step i + 1."""
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


def _goal_box(ax: Axes, right: float | None, top: float | None) -> None:
    """Shade the losses that meet the goal, up to the edges of the axes."""
    from matplotlib.patches import Rectangle

    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    # a goal out of reach must still be seen
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
