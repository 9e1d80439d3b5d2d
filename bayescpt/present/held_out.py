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
from bayescpt.present.canvas import add_legend, given_axes, new_figure, panel_array
from bayescpt.present.legend import band_alpha, band_keys
from bayescpt.present.plain import plain_text
from bayescpt.present.style import INK, MUTED, colour, folded, listed, thinned, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BANDS = (0.9, 0.5)


@plain_text
def held_out(
    backtest: Backtest,
    runs: Sequence[str] | None = None,
    domains: Sequence[str] | None = None,
    after: float = 0.1,
    columns: int = 5,
    *,
    axes: Any = None,
) -> Any:
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
        Number of runs in a row of a new figure.
    axes : array_like of matplotlib.axes.Axes, optional
        Axes to draw on, one for each run and domain; by default those of a new figure.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (n_panels,)
        The domains of the first run, then those of the next. Hollow circles are the observed
        losses, at most 60 in a panel, over the 50% and 90% bands;
        the number in the corner of a panel is the fraction of all its losses inside the 90% band.
        Each panel has its own loss axis.

    Raises
    ------
    PlanError
        If a run or domain is unknown, there are several methods, no held-out loss remains, or
        there are more or fewer axes than panels.

    Examples
    --------
    >>> import bayescpt
    >>> from bayescpt.evaluate.baselines import last_value
    >>> study = bayescpt.load_example("cpt_micro")
    >>> backtest = bayescpt.backtest(study, runs=["de_r25_cos"], method=last_value)
    >>> [ax.get_ylabel() for ax in bayescpt.plot.held_out(backtest)]
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

    parts = {split: rows[rows["split"] == split] for split, _ in pairs}
    panels = [(s, d) for s, _ in pairs for d in shown if (parts[s]["domain"] == d).any()]
    width = min(columns, len(pairs))
    order = [split for split, _ in pairs]
    if axes is None:
        drawn = _new_axes(panels, order, shown, width)
    else:
        drawn = given_axes(axes, panels)
    unit = loss_label(table.attrs.get("units"))
    cutoffs = dict(pairs)
    for (split, domain), ax in zip(panels, drawn, strict=True):
        part = parts[split]
        tidy(ax)
        _panel(ax, part[part["domain"] == domain].sort_values("step"), colour(shown.index(domain)))
        place, k = order.index(split), shown.index(domain)
        ax.tick_params(labelsize=7, pad=2)
        if axes is not None:
            ax.set_ylabel(f"{domain} {unit}", fontsize=8.5, color=colour(k))
        else:
            ax.tick_params(labelbottom=k == len(shown) - 1)
            if place % width == 0:
                ax.set_ylabel(domain, fontsize=8.5, color=colour(k))
        if k == 0 or axes is not None:
            cutoff = cutoffs[split]
            title = f"{part['run'].iloc[0]} @ {cutoff:.0%}" if cutoff else split
            ax.set_title(folded(title, 22), loc="left", fontsize=8, fontweight="bold", color=INK)
        last = place >= len(order) - width and k == len(shown) - 1
        if last or axes is not None:
            ax.set_xlabel("step", fontsize=8, color=INK)
    if axes is None:
        drawn[0].figure.supylabel(unit, fontsize=8.5, color=INK)
    # An entry is at most as wide as a panel.
    add_legend(drawn, _legend_entries(), axes, width)
    return panel_array(drawn)


def _new_axes(
    panels: list[tuple[str, str]], order: list[str], domains: list[str], width: int
) -> list[Axes]:
    """Panels of a new figure, the domains of a run below each other."""
    groups = -(-len(order) // width)
    fig = new_figure(0.5 + 1.85 * width, 0.5 + (0.3 + 1.05 * len(domains)) * groups)
    grid = fig.add_gridspec(groups * len(domains), width)
    places = [(divmod(order.index(split), width), domains.index(d)) for split, d in panels]
    return [
        fig.add_subplot(grid[group * len(domains) + k, column]) for (group, column), k in places
    ]


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
