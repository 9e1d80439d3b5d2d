"""Held-out runs and the bands of their forecasts, as small multiples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescpt.data.units import loss_label
from bayescpt.errors import PlanError
from bayescpt.evaluate import Backtest
from bayescpt.evaluate.score import BAND, quantile_column
from bayescpt.present.legend import band_alpha, band_keys, figure_legend
from bayescpt.present.plain import plain_text
from bayescpt.present.style import INK, MUTED, colour, folded, listed, new_figure, thinned, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BANDS = (0.9, 0.5)


@plain_text
def plot_held_out(
    backtest: Backtest,
    runs: Sequence[str] | None = None,
    domains: Sequence[str] | None = None,
    after: float = 0.1,
    columns: int = 5,
) -> Figure:
    """Draw every held-out run with its forecast, one panel per domain.

    Parameters
    ----------
    backtest : Backtest
        Forecasts of held-out losses, by one method. A run that was cut off at several fractions has
        panels for each. The attribute ``units`` of its table is the unit in the axis label.
    runs : sequence of str, optional
        Runs to draw, in this order; all by default.
    domains : sequence of str, optional
        Domains to draw, from top to bottom; all by default.
    after : float
        First fraction of each run to leave out, as in the scores: a steep start leaves little
        height for the bands that follow.
    columns : int
        Number of runs in a row.

    Returns
    -------
    matplotlib.figure.Figure
        Hollow circles are the observed losses, at most 60 in a panel, over the 50% and 90% bands;
        the number in the corner of a panel is the fraction of all its losses inside the 90% band.
        Each panel has its own loss axis.

    Raises
    ------
    PlanError
        If a run or domain is unknown, there are several methods, or no held-out loss remains.

    Examples
    --------
    >>> import bayescpt
    >>> from bayescpt.evaluate.baselines import last_value
    >>> from bayescpt.present import plot_held_out
    >>> study = bayescpt.load_example("cpt_micro")
    >>> backtest = bayescpt.backtest(study, runs=["de_r25_cos"], method=last_value)
    >>> figure = plot_held_out(backtest)
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['general', 'german']
    """
    table = backtest.table
    if "method" in table and table["method"].nunique() > 1:
        raise PlanError("the backtest has several methods; draw one at a time")
    rows = table[~table["shared"] & (table["fraction"] > after)]
    chosen = _select(runs, rows["run"], "run")
    shown = _select(domains, rows["domain"], "domain")
    rows = rows[rows["run"].isin(chosen) & rows["domain"].isin(shown)]
    # A run has a split per cutoff, or per draw of pilots that did not include it.
    splits = rows.drop_duplicates("split").sort_values("cutoff", kind="stable")
    pairs = [
        (str(split), float(cutoff))
        for run in chosen
        for split, cutoff in splits.loc[splits["run"] == run, ["split", "cutoff"]].itertuples(
            index=False
        )
    ]
    if not pairs:
        raise PlanError(f"no held-out row after the first {after:.0%} of a run remains to be drawn")

    width = min(columns, len(pairs))
    groups = -(-len(pairs) // width)
    fig = new_figure(0.5 + 1.85 * width, 0.5 + (0.3 + 1.05 * len(shown)) * groups)
    grid = fig.add_gridspec(groups * len(shown), width)
    for place, (split, cutoff) in enumerate(pairs):
        group, column = divmod(place, width)
        part = rows[rows["split"] == split]
        for k, domain in enumerate(shown):
            own = part[part["domain"] == domain].sort_values("step")
            if own.empty:
                continue
            ax = fig.add_subplot(grid[group * len(shown) + k, column])
            tidy(ax)
            _panel(ax, own, colour(k))
            ax.tick_params(labelsize=7, pad=2, labelbottom=k == len(shown) - 1)
            if column == 0:
                ax.set_ylabel(domain, fontsize=8.5, color=colour(k))
            if k == 0:
                title = f"{part['run'].iloc[0]} @ {cutoff:.0%}" if cutoff else split
                ax.set_title(
                    folded(title, 22), loc="left", fontsize=8, fontweight="bold", color=INK
                )
            if group == groups - 1 and k == len(shown) - 1:
                ax.set_xlabel("step", fontsize=8, color=INK)
    unit = table.attrs.get("units")
    fig.supylabel(loss_label(unit), fontsize=8.5, color=INK)
    # An entry is at most as wide as a panel.
    figure_legend(fig, _legend_entries(), width)
    return fig


def _select(requested: Sequence[str] | None, column: pd.Series, kind: str) -> list[str]:
    present = [str(name) for name in dict.fromkeys(column)]
    if requested is None:
        return present
    unknown = [name for name in requested if name not in present]
    if unknown or not requested:
        raise PlanError(f"unknown {kind} {listed(unknown)}; the backtest has {listed(present)}")
    return list(requested)


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Lower and upper limit of the loss axis."""
    edges = rows[["observed", *(quantile_column((1 + side * BAND) / 2) for side in (-1, 1))]]
    low, high = float(edges.min().min()), float(edges.max().max())
    pad = 0.06 * (high - low)
    # The number in the corner needs room above.
    return low - pad, high + 3.5 * pad


def _panel(ax: Axes, rows: pd.DataFrame, tone: str) -> None:
    """Draw bands, median, observed losses, and the fraction of them inside the 90% band."""
    steps, observed = rows["step"].to_numpy(), rows["observed"].to_numpy(np.float64)
    for order, prob in enumerate(BANDS):
        low, high = (
            rows[quantile_column(q)].to_numpy(np.float64) for q in ((1 - prob) / 2, (1 + prob) / 2)
        )
        alpha = band_alpha(order)
        ax.fill_between(steps, low, high, color=tone, alpha=alpha, linewidth=0, zorder=1.5)
        if prob == BAND:
            inside = float(np.mean((low <= observed) & (observed <= high)))
    ax.plot(steps, rows["median"], color=tone, lw=1.0, zorder=3)
    ax.set_ylim(*_limits(rows))
    ax.locator_params(axis="y", nbins=4)
    few = thinned(steps.size)
    ax.scatter(steps[few], observed[few], **_circle())
    ax.annotate(
        f"{inside:.0%}",
        (1, 1),
        xycoords="axes fraction",
        xytext=(-2, -2),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=7,
        color=MUTED,
    )


def _circle() -> dict[str, Any]:
    return {"s": 5, "facecolors": "white", "edgecolors": INK, "linewidths": 0.5, "zorder": 4}


def _legend_entries() -> dict[str, Any]:
    from matplotlib.lines import Line2D

    circle = Line2D(
        [], [], ls="", marker="o", ms=3.5, markerfacecolor="white", markeredgecolor=INK,
        markeredgewidth=0.7,
    )  # fmt: skip
    share = Line2D([], [], ls="", marker="$94\\%$", ms=15, color=MUTED, markeredgewidth=0)
    return {
        "observed, not fitted": circle,
        **band_keys(list(BANDS)),
        "losses inside the 90% band": share,
    }
