"""Are the bands true? Coverage against what was asked for, and where the losses fall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescpt.errors import PlanError
from bayescpt.evaluate import Backtest
from bayescpt.evaluate.score import MSCE_LEVELS, cluster_mean, quantile_column
from bayescpt.present.legend import figure_legend
from bayescpt.present.style import GOAL, INK, MARKERS, colour, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def plot_coverage(backtest: Backtest, after: float = 0.1) -> Figure:
    """Draw the share of held-out losses inside each central band against its probability.

    Parameters
    ----------
    backtest : Backtest
        Forecasts of held-out rows, of one method or of several side by side.
    after : float
        Rows in this first share of a run are left out.

    Returns
    -------
    matplotlib.figure.Figure
        A panel a domain; below the dashed diagonal bands are too narrow. Whiskers are one standard
        error either side, by run.

    Raises
    ------
    PlanError
        If no row is left.
    """
    methods, domains, rows = _parts(backtest, after)
    fig = new_figure(0.6 + 2.9 * len(domains), 3.4 if len(methods) > 1 else 3.2)
    legend: dict[str, Any] = {}
    for k, domain in enumerate(domains):
        ax = fig.add_subplot(1, len(domains), k + 1, aspect="equal")
        tidy(ax, grid="both")
        (legend["as asked for"],) = ax.plot([0, 1], [0, 1], color=GOAL, lw=1.0, ls=(0, (4, 3)))
        for m, method in enumerate(methods):
            part = rows[(rows["domain"] == domain) & (rows["method"] == method)]
            if part.empty:
                continue
            share, error = coverage(part)
            # Beside each other, not over each other.
            at = np.array(MSCE_LEVELS) + 0.008 * (m - (len(methods) - 1) / 2)
            tone = colour(m if len(methods) > 1 else k)
            drawn = ax.errorbar(
                at, share, error, color=tone, lw=1.4, elinewidth=1.0, ms=4.5,
                marker=MARKERS[m % len(MARKERS)], markeredgecolor="white", markeredgewidth=0.6,
            )  # fmt: skip
            if len(methods) > 1:
                legend[method] = drawn
        _panel(ax, domain, k, len(methods) > 1)
        ax.set_ylim(-0.02, 1.02)
        _percent_ticks(ax)
        ax.set_yticks(TICKS, [f"{tick:.0%}" for tick in TICKS])
        ax.set_xlabel("probability of the band", fontsize=8.5, color=INK)
        if k == 0:
            ax.set_ylabel("held-out losses inside", fontsize=8.5, color=INK)
    figure_legend(fig, legend)
    return fig


def plot_pit(backtest: Backtest, after: float = 0.1, bins: int = 10) -> Figure:
    """Draw where held-out losses fall in their forecasts: histograms of the share of draws below.

    Parameters
    ----------
    backtest : Backtest
        Forecasts of held-out rows, of one method or of several side by side.
    after : float
        Rows in this first share of a run are left out.
    bins : int
        Bins of each histogram.

    Returns
    -------
    matplotlib.figure.Figure
        A row a method and a column a domain. Flat at the dashed line is right; high ends are bands
        too narrow, a high middle bands too wide, a slope a bias. Whiskers are one standard error
        either side, by run.

    Raises
    ------
    PlanError
        If no row is left.
    """
    methods, domains, rows = _parts(backtest, after)
    fig = new_figure(0.6 + 2.9 * len(domains), 0.5 + 1.9 * len(methods))
    axes = fig.subplots(len(methods), len(domains), sharex=True, sharey=True, squeeze=False)
    edges = np.linspace(0.0, 1.0, bins + 1)
    for m, method in enumerate(methods):
        for k, domain in enumerate(domains):
            ax = axes[m, k]
            tidy(ax)
            part = rows[(rows["domain"] == domain) & (rows["method"] == method)]
            if not part.empty:
                number = np.minimum((part["pit"].to_numpy() * bins).astype(int), bins - 1)
                runs = part["run"].to_numpy()
                found = [cluster_mean((number == b).astype(float), runs) for b in range(bins)]
                share, error = bins * np.array(found).T
                centres = (edges[1:] + edges[:-1]) / 2
                ax.bar(centres, share, width=0.94 / bins, color=colour(k), alpha=0.55)
                ax.errorbar(centres, share, error, ls="", color=INK, elinewidth=0.9)
            ax.axhline(1.0, color=GOAL, lw=1.0, ls=(0, (4, 3)))
            if m == 0:
                _panel(ax, domain, k, False)
            _percent_ticks(ax)
            if len(methods) > 1 and k == 0:
                ax.set_title(method, loc="left", fontsize=8.5, fontweight="bold", color=INK)
            if m == len(methods) - 1:
                ax.set_xlabel("draws below the loss", fontsize=8.5, color=INK)
        axes[m, 0].set_ylabel("losses, 1 = uniform", fontsize=8.5, color=INK)
    # Shared by all panels, so set once the highest bar is known.
    axes[0, 0].set_ylim(bottom=0)
    return fig


def coverage(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Share of losses inside each central band, and its standard error by run.

    Parameters
    ----------
    rows : DataFrame
        Rows of a backtest's table.

    Returns
    -------
    share, error : ndarray, shape (7,)
        At `MSCE_LEVELS`.
    """
    observed, runs = rows["observed"].to_numpy(), rows["run"].to_numpy()
    found = []
    for level in MSCE_LEVELS:
        low, high = (rows[quantile_column(q)] for q in ((1 - level) / 2, (1 + level) / 2))
        inside = (low.to_numpy() <= observed) & (observed <= high.to_numpy())
        found.append(cluster_mean(inside.astype(float), runs))
    share, error = np.array(found).T
    return share, error


def _parts(backtest: Backtest, after: float) -> tuple[list[str], list[str], pd.DataFrame]:
    """Methods, domains and the rows that are scored, with a column method."""
    table = backtest.table
    rows = table[~table["shared"] & (table["fraction"] > after)]
    if rows.empty:
        raise PlanError(f"no held-out row after the first {after:.0%} of a run is left to draw")
    if "method" not in rows:
        rows = rows.assign(method="")
    return (
        [str(name) for name in dict.fromkeys(rows["method"])],
        [str(name) for name in dict.fromkeys(rows["domain"])],
        rows,
    )


def _panel(ax: Axes, domain: str, index: int, plain: bool) -> None:
    tone = INK if plain else colour(index)
    ax.set_title(domain, loc="right", fontsize=9.5, color=tone)


def _percent_ticks(ax: Axes) -> None:
    ax.set_xlim(-0.02, 1.02)
    ax.set_xticks(TICKS, [f"{tick:.0%}" for tick in TICKS])
