"""Calibration of the bands: their coverage, and histograms of PIT values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescpt.errors import PlanError
from bayescpt.evaluate import Backtest
from bayescpt.evaluate.score import MSCE_LEVELS, cluster_mean, quantile_column
from bayescpt.present.canvas import add_legend, given_axes, new_figure, panel_array
from bayescpt.present.plain import plain_text
from bayescpt.present.style import GOAL, INK, MARKERS, colour, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@plain_text
def coverage(backtest: Backtest, after: float = 0.1, *, axes: Any = None) -> Any:
    """Draw the coverage of each central band, the fraction of losses inside, by its probability.

    Parameters
    ----------
    backtest : Backtest
        Forecasts of held-out losses, by one method or by several (`side_by_side`).
    after : float
        First fraction of each run to leave out.
    axes : array_like of matplotlib.axes.Axes, optional
        Axes to draw on, one for each domain; by default those of a new figure.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (n_domains,)
        One panel per domain. Bands whose points lie below the dashed diagonal are too narrow.
        Whiskers extend one standard error, clustered by run, to either side.

    Raises
    ------
    PlanError
        If no held-out loss remains, or there are more or fewer axes than panels.

    Examples
    --------
    >>> import bayescpt
    >>> from bayescpt.evaluate.baselines import last_value
    >>> study = bayescpt.load_example("cpt_micro")
    >>> backtest = bayescpt.backtest(study, runs=["de_r25_cos"], method=last_value)
    >>> [ax.get_title(loc="right") for ax in bayescpt.plot.coverage(backtest)]
    ['general', 'german']
    """
    methods, domains, rows = _parts(backtest, after)
    several = len(methods) > 1
    if axes is None:
        fig = new_figure(0.6 + 2.9 * len(domains), 3.4 if several else 3.2)
        chosen = [fig.add_subplot(1, len(domains), k + 1) for k in range(len(domains))]
    else:
        chosen = given_axes(axes, domains)
    legend: dict[str, Any] = {}
    for k, (domain, ax) in enumerate(zip(domains, chosen, strict=True)):
        ax.set_aspect("equal")
        tidy(ax, grid="both")
        (legend["perfect calibration"],) = ax.plot(
            [0, 1], [0, 1], color=GOAL, lw=1.0, ls=(0, (4, 3))
        )
        for m, method in enumerate(methods):
            part = rows[(rows["domain"] == domain) & (rows["method"] == method)]
            if part.empty:
                continue
            share, error = coverage_of(part)
            # The points of several methods are drawn next to each other.
            at = np.array(MSCE_LEVELS) + 0.008 * (m - (len(methods) - 1) / 2)
            tone = colour(m if several else k)
            drawn = ax.errorbar(
                at, share, error, color=tone, lw=1.4, elinewidth=1.0, ms=4.5,
                marker=MARKERS[m % len(MARKERS)], markeredgecolor="white", markeredgewidth=0.6,
            )  # fmt: skip
            if several:
                legend[method] = drawn
        _domain_title(ax, domain, INK if several else colour(k))
        ax.set_ylim(-0.02, 1.02)
        _percent_ticks(ax)
        ax.set_yticks(TICKS, [f"{tick:.0%}" for tick in TICKS])
        ax.set_xlabel("probability of the band", fontsize=8.5, color=INK)
        if k == 0:
            ax.set_ylabel("held-out losses inside the band", fontsize=8.5, color=INK)
    add_legend(chosen, legend, axes)
    return panel_array(chosen)


@plain_text
def pit(backtest: Backtest, after: float = 0.1, bins: int = 10, *, axes: Any = None) -> Any:
    """Draw histograms of PIT values: the fraction of forecast draws below each held-out loss.

    Parameters
    ----------
    backtest : Backtest
        Forecasts of held-out losses, by one method or by several (`side_by_side`).
    after : float
        First fraction of each run to leave out.
    bins : int
        Number of bins of each histogram.
    axes : array_like of matplotlib.axes.Axes, optional
        Axes to draw on, one for each method and domain; by default those of a new figure.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (n_methods * n_domains,)
        One row per method and one column per domain. A calibrated forecast is flat at the dashed
        line; a U shape means bands that are too narrow, a hump bands that are too wide, a slope a
        bias. Whiskers extend one standard error, clustered by run, to either side.

    Raises
    ------
    PlanError
        If no held-out loss remains, or there are more or fewer axes than panels.

    Examples
    --------
    >>> import bayescpt
    >>> from bayescpt.evaluate.baselines import last_value
    >>> study = bayescpt.load_example("cpt_micro")
    >>> backtest = bayescpt.backtest(study, runs=["de_r25_cos"], method=last_value)
    >>> len(bayescpt.plot.pit(backtest))
    2
    """
    methods, domains, rows = _parts(backtest, after)
    if axes is None:
        fig = new_figure(0.6 + 2.9 * len(domains), 0.5 + 1.9 * len(methods))
        chosen = list(
            fig.subplots(
                len(methods), len(domains), sharex=True, sharey=True, squeeze=False
            ).ravel()
        )
    else:
        chosen = given_axes(axes, [(m, d) for m in methods for d in domains])
    for m, method in enumerate(methods):
        for k, domain in enumerate(domains):
            ax = chosen[m * len(domains) + k]
            tidy(ax)
            part = rows[(rows["domain"] == domain) & (rows["method"] == method)]
            if not part.empty:
                _histogram(ax, part, bins, colour(k))
            ax.axhline(1.0, color=GOAL, lw=1.0, ls=(0, (4, 3)))
            if m == 0 or axes is not None:
                _domain_title(ax, domain, colour(k))
            _percent_ticks(ax)
            if len(methods) > 1 and (k == 0 or axes is not None):
                ax.set_title(method, loc="left", fontsize=8.5, fontweight="bold", color=INK)
            if m == len(methods) - 1 or axes is not None:
                ax.set_xlabel("PIT: draws below the loss", fontsize=8.5, color=INK)
            if k == 0 or axes is not None:
                ax.set_ylabel("density (1 = uniform)", fontsize=8.5, color=INK)
    # Panels may share this axis, so its limit is set after all bars are drawn.
    for ax in chosen:
        ax.set_ylim(bottom=0)
    return panel_array(chosen)


def _histogram(ax: Axes, rows: pd.DataFrame, bins: int, tone: str) -> None:
    """Draw the histogram of the PIT values of some rows."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    number = np.minimum((rows["pit"].to_numpy() * bins).astype(int), bins - 1)
    runs = rows["run"].to_numpy()
    means = [cluster_mean((number == b).astype(float), runs) for b in range(bins)]
    density, error = bins * np.array(means).T
    centres = (edges[1:] + edges[:-1]) / 2
    ax.bar(centres, density, width=0.94 / bins, color=tone, alpha=0.55)
    ax.errorbar(centres, density, error, ls="", color=INK, elinewidth=0.9)


def coverage_of(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Fraction of losses inside each central band, and its standard error.

    Parameters
    ----------
    rows : DataFrame
        Rows of a backtest's table.

    Returns
    -------
    share, error : ndarray, shape (7,)
        Fraction and standard error, clustered by run, at the probabilities `MSCE_LEVELS`.
    """
    observed, runs = rows["observed"].to_numpy(), rows["run"].to_numpy()
    means = []
    for level in MSCE_LEVELS:
        low, high = (rows[quantile_column(q)] for q in ((1 - level) / 2, (1 + level) / 2))
        inside = (low.to_numpy() <= observed) & (observed <= high.to_numpy())
        means.append(cluster_mean(inside.astype(float), runs))
    share, error = np.array(means).T
    return share, error


def _parts(backtest: Backtest, after: float) -> tuple[list[str], list[str], pd.DataFrame]:
    """Methods, domains and the rows that are scored, with a column ``method``."""
    table = backtest.table
    rows = table[~table["shared"] & (table["fraction"] > after)]
    if rows.empty:
        raise PlanError(f"no held-out row after the first {after:.0%} of a run remains to be drawn")
    if "method" not in rows:
        rows = rows.assign(method="")
    return (
        [str(name) for name in dict.fromkeys(rows["method"])],
        [str(name) for name in dict.fromkeys(rows["domain"])],
        rows,
    )


def _domain_title(ax: Axes, domain: str, tone: str) -> None:
    ax.set_title(domain, loc="right", fontsize=9.5, color=tone)


def _percent_ticks(ax: Axes) -> None:
    ax.set_xlim(-0.02, 1.02)
    ax.set_xticks(TICKS, [f"{tick:.0%}" for tick in TICKS])
