"""What each term of the law adds to the curves of fitted runs and of plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.errors import PlanError
from bayescpt.forecast import Plan
from bayescpt.forecast.components import LEVEL, expected_terms
from bayescpt.forecast.plan import Starts
from bayescpt.laws.trajectory import Trajectory
from bayescpt.laws.view import View
from bayescpt.present.canvas import PAGE, add_legend, given_axes, new_figure, panel_array
from bayescpt.present.legend import band_alpha
from bayescpt.present.plain import plain_text
from bayescpt.present.style import (
    DASHES,
    INK,
    MUTED,
    TITLE,
    colour,
    folded,
    listed,
    thinned,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayescpt.forecast import Draws
    from bayescpt.inference import Fit

# Steps of a curve, and runs drawn unless they are named.
POINTS, RUNS = 120, 4


@plain_text
def components(
    fit: Fit,
    runs: Sequence[str] | None = None,
    domains: Sequence[str] | None = None,
    prob: float = 0.9,
    *,
    plans: Sequence[Plan] | Plan = (),
    axes: Any = None,
) -> Any:
    """Draw the terms of the law along runs or plans: base, annealing, shift, re-warm-up.

    Parameters
    ----------
    fit : Fit
        The fit; its checks need not have passed.
    runs : sequence of str, optional
        Fitted runs to draw, from top to bottom; by default up to four, evenly chosen, and none
        where there are plans.
    domains : sequence of str, optional
        Domains to draw, from left to right; by default all that were fitted.
    prob : float
        Probability of the band of the expected loss.
    plans : Plan or sequence of Plan
        Recipes to draw, below the runs.
    axes : array_like of matplotlib.axes.Axes, optional
        Axes to draw on, one for each panel; by default those of a new figure.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (n_panels,)
        The domains of the first run or plan, then those of the next. Changes of the loss in nats
        against the level of the law: the start checkpoint in continual pre-training. Lines of
        colour are posterior means of the terms; they sum to the black line, the expected loss,
        around which lie the fitted losses.

    Raises
    ------
    PlanError
        If a run or domain was not fitted, a plan does not match the study, `prob` is not between 0
        and 1, or there are more or fewer axes than panels.

    Examples
    --------
    >>> import bayescpt as bc
    >>> bc.plot.components(fit, runs=["de_r25_wsd"])  # doctest: +SKIP
    >>> bc.plot.components(fit, plans=[plan], domains=["german"])  # doctest: +SKIP
    """
    if not 0.0 < prob < 1.0:
        raise PlanError(f"prob is {prob!r}; it must lie strictly between 0 and 1, such as 0.9")
    draws = fit.draws(allow_failed=True)
    shown = _chosen(domains, draws.labels.domain, "domain")
    curves = _curves(draws, runs, [plans] if isinstance(plans, Plan) else list(plans), shown)
    panels = [(path.name, domain) for path, own in curves for domain in own]
    chosen = _new_axes(curves) if axes is None else given_axes(axes, panels)
    legend: dict[str, Any] = {}
    at = iter(chosen)
    for row, (path, own) in enumerate(curves):
        for column, domain in enumerate(own):
            ax = next(at)
            legend |= _panel(ax, draws, path, domain, prob)
            title = folded(path.name, TITLE)
            ax.set_title(title, loc="left", fontsize=9.5, fontweight="bold", color=INK)
            ax.set_title(domain, loc="right", fontsize=9.5, color=INK)
            if column == 0 or axes is not None:
                ax.set_ylabel("change of the loss (nats)", fontsize=8.5, color=INK)
            if row == len(curves) - 1 or axes is not None:
                ax.set_xlabel("step", fontsize=8.5, color=INK)
    add_legend(chosen, legend, axes)
    return panel_array(chosen)


type Curves = list[tuple[Trajectory, list[str]]]


def _curves(
    draws: Draws, runs: Sequence[str] | None, plans: list[Plan], domains: list[str]
) -> Curves:
    """Trajectories to draw, each with its domains."""
    fitted = draws.labels.run
    names = _chosen(runs, fitted, "run") if runs is not None or not plans else []
    if runs is None and len(names) > RUNS:
        places = np.linspace(0, len(names) - 1, RUNS).round().astype(int)
        names = [names[k] for k in places]
    curves = [
        (draws.trajectories[run], [d for d in domains if (run, d) in draws.labels.curve])
        for run in names
    ]
    starts = Starts(draws.study, draws.rows.refs.warmup, draws.card)
    for plan in plans:
        path = starts.trajectory(starts.complete(plan))
        curves.append((path, [domain for domain in domains if draws.shows(path, domain)]))
    curves = [(path, own) for path, own in curves if own]
    if not curves:
        raise PlanError(f"no run of {listed(names)} was fitted on {listed(domains)}")
    return curves


def _new_axes(curves: Curves) -> list[Axes]:
    """Axes of a new figure: a row for each trajectory, a column for each domain."""
    wide = max(len(own) for _, own in curves)
    height = min(2.3, max(1.3, (PAGE[1] - 0.7) / len(curves)))
    fig = new_figure(1.0 + 3.7 * wide, 0.7 + height * len(curves))
    grid = fig.add_gridspec(len(curves), wide)
    return [
        fig.add_subplot(grid[row, column])
        for row, (_, own) in enumerate(curves)
        for column in range(len(own))
    ]


def _panel(ax: Axes, draws: Draws, path: Trajectory, domain: str, prob: float) -> dict[str, Any]:
    """Draw one trajectory on one domain; return the legend entries."""
    tidy(ax)
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
    legend |= _fitted_losses(ax, draws, path, domain, float(level[:, 0].mean()))
    ax.axhline(0.0, color=MUTED, lw=0.8, zorder=1)
    return {"sum: expected loss": line, f"its {prob:.0%} band": band, **legend}


def _fitted_losses(
    ax: Axes, draws: Draws, path: Trajectory, domain: str, level: float
) -> dict[str, Any]:
    """Draw the losses that were fitted, if the trajectory is that of a fitted run."""
    if not draws.is_fitted(path) or (path.run, domain) not in draws.labels.curve:
        return {}
    rows = draws.rows
    curve = draws.labels.curve.index((str(path.run), domain))
    here = np.flatnonzero(np.asarray(rows.segment["curve"])[rows.row["segment"]] == curve)
    here = here[thinned(here.size)]
    dots = ax.scatter(
        rows.row["step"][here], rows.loss[here] - level,
        s=6, facecolors=MUTED, linewidths=0, zorder=3.5,
    )  # fmt: skip
    return {"fitted losses": dots}


def _chosen(given: Sequence[str] | None, known: Sequence[str], kind: str) -> list[str]:
    if given is None:
        return list(known)
    unknown = [name for name in given if name not in known]
    if unknown or not given:
        raise PlanError(f"unknown {kind} {listed(unknown)}; fitted are {listed(list(known))}")
    return list(given)
