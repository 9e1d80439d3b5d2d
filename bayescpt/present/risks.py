"""Risks of plans side by side, and their differences to the chosen plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.data.units import unit_name
from bayescpt.decide import Decision
from bayescpt.decide.risks import RiskMeasure, measures
from bayescpt.decide.shown import in_shown_unit
from bayescpt.errors import PlanError
from bayescpt.present.canvas import PAGE, add_legend, given_axes, new_figure, panel_array
from bayescpt.present.plain import plain_text
from bayescpt.present.style import INK, MARKERS, MUTED, colour, folded, percent, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Characters in a line of a plan's name.
LABEL = 22
CONTRAST = "minus the chosen"


@plain_text
def risks(decision: Decision, *, axes: Any = None) -> Any:
    """Draw the risks of plans: weighted loss, difference to the chosen one, regret and goal.

    Parameters
    ----------
    decision : Decision
        Output of `bayescpt.compare`.
    axes : array_like of matplotlib.axes.Axes, optional
        Axes to draw on, one for each panel; by default those of a new figure.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (n_panels,)
        Plans from top to bottom, on the same places in all panels: the measures of the weighted
        loss (mean, quantile, CVaR); the 90% interval of the difference of each plan to the chosen
        one, draw by draw, if there are several and one was chosen; the measures relative to the
        other plans (expected regret), if there are several; and the probability of the goal, if
        there is one. Names of plans that are not eligible are in brackets.

    Raises
    ------
    PlanError
        If there are more or fewer axes than panels.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import bayescpt as bc
    >>> draws = np.random.default_rng(0).normal(3.0, 0.1, (2, 50, 2, 1, 1))
    >>> forecast = xr.Dataset(
    ...     {"loss": (("chain", "draw", "plan", "domain", "step"), draws)},
    ...     coords={"plan": ["wsd", "cosine"], "domain": ["german"], "step": [500]},
    ...     attrs={"units": "nat/token"},
    ... )
    >>> axes = bc.plot.risks(bc.compare(forecast))
    >>> [ax.get_title(loc="left") for ax in axes]
    ['weighted loss', 'minus the chosen', 'regret']
    """
    decision, unit = in_shown_unit(decision)
    several = len(decision.table) > 1
    known = [m for m in measures() if m.column in decision.table]
    groups: dict[str, list[RiskMeasure]] = {
        "weighted loss": [m for m in known if not (m.needs_goal or m.relative)],
        CONTRAST: [],
        "regret": [m for m in known if m.relative and several],
        "goal": [m for m in known if m.needs_goal],
    }
    with_contrasts = several and decision.best is not None
    panels = [name for name, own in groups.items() if own or (name == CONTRAST and with_contrasts)]
    if not panels:
        raise PlanError("the decision has no plan to draw")
    chosen = (
        _new_axes(len(panels), len(decision.table)) if axes is None else given_axes(axes, panels)
    )
    label = f"weighted loss ({unit_name(unit)})" if unit else "weighted loss"
    legend: dict[str, Any] = {}
    for k, (name, ax) in enumerate(zip(panels, chosen, strict=True)):
        tidy(ax, grid="both")
        if name == CONTRAST:
            legend |= _contrasts(ax, decision)
        else:
            legend |= _measures(ax, decision, groups[name], legend)
        ax.set_title(name, loc="left", fontsize=9, fontweight="bold", color=INK)
        text = "probability" if name == "goal" else label.replace("weighted loss", name, 1)
        ax.set_xlabel(folded(text, 26), fontsize=8.5, color=INK)
        _plan_ticks(ax, decision, k == 0 or axes is not None)
    add_legend(chosen, legend, axes)
    return panel_array(chosen)


def _new_axes(panels: int, plans: int) -> list[Axes]:
    """Panels of a new figure, side by side."""
    height = min(PAGE[1], 1.5 + 0.42 * plans)
    fig = new_figure(min(PAGE[0], 1.4 + 2.6 * panels), height)
    return [fig.add_subplot(1, panels, k + 1) for k in range(panels)]


def _plan_ticks(ax: Axes, decision: Decision, labelled: bool) -> None:
    """Write the names of the plans; the chosen one is bold."""
    table = decision.table
    names = [
        folded(str(plan) if row["eligible"] else f"({plan})", LABEL)
        for plan, row in table.iterrows()
    ]
    ax.set_yticks(range(len(table)), names if labelled else [""] * len(table))
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0, labelsize=8)
    ax.tick_params(axis="x", labelsize=7.5)
    ax.locator_params(axis="x", nbins=4)
    for plan, text in zip(table.index, ax.get_yticklabels(), strict=True):
        if plan == decision.best:
            text.set_fontweight("bold")
            place = list(table.index).index(plan)
            ax.axhspan(place - 0.45, place + 0.45, facecolor=INK, alpha=0.06, lw=0, zorder=0)


def _measures(
    ax: Axes, decision: Decision, own: list[RiskMeasure], known: dict[str, Any]
) -> dict[str, Any]:
    """Draw risk measures of every plan as markers on a line; return new legend entries."""
    values = np.array([decision.table[m.column].to_numpy(dtype=float) for m in own])
    places = np.arange(len(decision.table))
    ax.hlines(places, values.min(axis=0), values.max(axis=0), color="#c9c9c9", lw=2, zorder=1.5)
    legend = {}
    for k, measure in enumerate(own, start=len(known)):
        # What the plan was chosen by is larger.
        size = 8.0 if measure.name == decision.risk else 5.5
        name = measure.label(decision.level)
        legend[name] = ax.plot(
            values[k - len(known)], places, ls="", marker=MARKERS[k % len(MARKERS)], ms=size,
            color=colour(k), mec="white", mew=0.6, zorder=3, label=name,
        )[0]  # fmt: skip
        if measure.needs_goal:
            ax.set_xlim(-0.12, 1.12)
            ax.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
            for x, y in zip(values[k - len(known)], places, strict=True):
                ax.annotate(
                    percent(x), (x, y), xytext=(0, 6), textcoords="offset points",
                    ha="center", fontsize=7.5, color=MUTED,
                )  # fmt: skip
    return legend


def _contrasts(ax: Axes, decision: Decision) -> dict[str, Any]:
    """Draw the difference of each plan to the chosen one; return the legend entry."""
    rows = decision.contrasts.reindex(decision.table.index).drop(index=str(decision.best))
    places = [list(decision.table.index).index(plan) for plan in rows.index]
    ax.axvline(0.0, color=MUTED, lw=0.9, zorder=1)
    lines = ax.hlines(places, rows["lower"], rows["upper"], color=INK, lw=1.6, zorder=2)
    ax.plot(rows["mean"], places, ls="", marker="|", ms=9, mew=1.8, color=INK, zorder=3)
    return {"mean and 90% interval of the difference": lines}
