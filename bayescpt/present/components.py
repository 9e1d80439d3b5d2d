"""What each term of the law adds to the curves of fitted runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.errors import PlanError
from bayescpt.forecast.components import LEVEL, expected_terms
from bayescpt.laws.view import View
from bayescpt.present.legend import band_alpha, figure_legend
from bayescpt.present.plain import plain_text
from bayescpt.present.style import (
    DASHES,
    INK,
    MUTED,
    TITLE,
    colour,
    folded,
    listed,
    new_figure,
    thinned,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayescpt.forecast import Draws
    from bayescpt.inference import Fit

# Steps of a curve, and runs drawn unless they are named.
POINTS, RUNS = 120, 4


@plain_text
def plot_components(
    fit: Fit,
    runs: Sequence[str] | None = None,
    domains: Sequence[str] | None = None,
    prob: float = 0.9,
) -> Figure:
    """Draw the terms of the law along fitted runs: base, annealing, shift, re-warm-up.

    Parameters
    ----------
    fit : Fit
        The fit; its checks need not have passed.
    runs : sequence of str, optional
        Fitted runs to draw, from top to bottom; by default up to four, evenly chosen.
    domains : sequence of str, optional
        Domains to draw, from left to right; by default all that were fitted.
    prob : float
        Probability of the band of the expected loss.

    Returns
    -------
    matplotlib.figure.Figure
        Changes of the loss in nats against the level of the law: the start checkpoint in continual
        pre-training. Lines of colour are posterior means of the terms; they sum to the black line,
        the expected loss, around which lie the fitted losses.

    Raises
    ------
    PlanError
        If a run or domain was not fitted, or `prob` is not between 0 and 1.

    Examples
    --------
    >>> plot_components(fit, runs=["de_r25_wsd"])  # doctest: +SKIP
    """
    if not 0.0 < prob < 1.0:
        raise PlanError(f"prob is {prob!r}; it must lie strictly between 0 and 1, such as 0.9")
    draws = fit.draws(allow_failed=True)
    fitted = draws.labels.run
    chosen = _chosen(runs, fitted, "run")
    if runs is None and len(fitted) > RUNS:
        places = np.linspace(0, len(fitted) - 1, RUNS).round().astype(int)
        chosen = [fitted[k] for k in places]
    shown = _chosen(domains, draws.labels.domain, "domain")
    columns = {run: [d for d in shown if (run, d) in draws.labels.curve] for run in chosen}
    columns = {run: own for run, own in columns.items() if own}
    if not columns:
        raise PlanError(f"no run of {listed(chosen)} was fitted on {listed(shown)}")
    wide = max(map(len, columns.values()))
    fig = new_figure(1.0 + 3.7 * wide, 0.7 + 2.3 * len(columns))
    grid = fig.add_gridspec(len(columns), wide)
    legend: dict[str, Any] = {}
    for row, (run, own) in enumerate(columns.items()):
        for column, domain in enumerate(own):
            ax = fig.add_subplot(grid[row, column])
            legend |= _panel(ax, draws, run, domain, prob)
            ax.set_title(folded(run, TITLE), loc="left", fontsize=9.5, fontweight="bold", color=INK)
            ax.set_title(domain, loc="right", fontsize=9.5, color=INK)
            if column == 0:
                ax.set_ylabel("change of the loss (nats)", fontsize=8.5, color=INK)
            if row == len(columns) - 1:
                ax.set_xlabel("step", fontsize=8.5, color=INK)
    figure_legend(fig, legend)
    return fig


def _panel(ax: Axes, draws: Draws, run: str, domain: str, prob: float) -> dict[str, Any]:
    """Draw one run on one domain; return the legend entries."""
    tidy(ax)
    path = draws.trajectories[run]
    steps = np.unique(np.linspace(1, path.n_steps, POINTS).round().astype(np.int64))
    parts = expected_terms(draws, View(path, steps, draws.rows.refs), domain)
    level = parts.pop(LEVEL)
    total = sum(parts.values(), np.zeros_like(level))
    low, high = np.quantile(total, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
    band = ax.fill_between(
        steps, low, high, color=INK, alpha=band_alpha(1), linewidth=0, zorder=1.5
    )
    legend: dict[str, Any] = {}
    for k, (name, part) in enumerate(parts.items()):
        (legend[name],) = ax.plot(
            steps, part.mean(axis=0), color=colour(k), ls=DASHES[k % len(DASHES)], lw=1.4, zorder=2
        )
    (line,) = ax.plot(steps, total.mean(axis=0), color=INK, lw=1.6, zorder=3)
    rows = draws.rows
    curve = draws.labels.curve.index((run, domain))
    here = np.flatnonzero(np.asarray(rows.segment["curve"])[rows.row["segment"]] == curve)
    here = here[thinned(here.size)]
    dots = ax.scatter(
        rows.row["step"][here], rows.loss[here] - level[:, 0].mean(),
        s=6, facecolors=MUTED, linewidths=0, zorder=3.5,
    )  # fmt: skip
    ax.axhline(0.0, color=MUTED, lw=0.8, zorder=1)
    return {
        "fitted losses": dots,
        "sum: expected loss": line,
        f"its {prob:.0%} band": band,
        **legend,
    }


def _chosen(given: Sequence[str] | None, known: Sequence[str], kind: str) -> list[str]:
    if given is None:
        return list(known)
    unknown = [name for name in given if name not in known]
    if unknown or not given:
        raise PlanError(f"unknown {kind} {listed(unknown)}; fitted are {listed(list(known))}")
    return list(given)
