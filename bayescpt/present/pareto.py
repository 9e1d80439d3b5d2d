"""Pareto front of two losses, with the uncertainty of the forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescpt.data.conversion import LossUnits
from bayescpt.data.units import loss_label
from bayescpt.errors import PlanError
from bayescpt.present.legend import figure_legend
from bayescpt.present.style import GOAL, INK, MARKERS, colour, folded, new_figure, percent, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Characters in a line of the legend.
LABEL = 40


def plot_pareto(table: pd.DataFrame, best: str | None = None) -> Figure:
    """Draw the last losses of plans on two domains, their bands and the front of the medians.

    Parameters
    ----------
    table : pandas.DataFrame
        Table of `bayescpt.decide.front.pareto_front`; its first two domains are drawn.
    best : str, optional
        Name of the chosen plan, which the legend marks.

    Returns
    -------
    matplotlib.figure.Figure
        See `draw_pareto`.

    Raises
    ------
    PlanError
        If the table is not one of `pareto_front` with two domains, or has no plan `best`.

    Examples
    --------
    >>> import pandas as pd
    >>> from bayescpt.present import plot_pareto
    >>> table = pd.DataFrame(
    ...     {"on_front": [True], "prob_front": [1.0], "general_lower": [3.1]}
    ...     | {"general_median": [3.2], "general_upper": [3.3], "german_lower": [2.8]}
    ...     | {"german_median": [2.9], "german_upper": [3.0]},
    ...     index=pd.Index(["wsd"], name="plan"),
    ... )
    >>> table.attrs = {"domains": ["general", "german"], "prob": 0.9, "units": "nat/token"}
    >>> plot_pareto(table).axes[0].get_ylabel()
    'german loss (nats per token)'
    """
    fig = new_figure(6.4, 5.0)
    figure_legend(fig, draw_pareto(fig.add_subplot(), table, best))
    return fig


def draw_pareto(ax: Axes, table: pd.DataFrame, best: str | None = None) -> dict[str, Any]:
    """Draw a Pareto front on axes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes to draw on.
    table : pandas.DataFrame
        Table of `bayescpt.decide.front.pareto_front`; its first two domains are drawn.
    best : str, optional
        Name of the chosen plan, which the legend marks.

    Returns
    -------
    dict of str to artist
        Legend entries, which say with which probability a plan is on the front. A marker stands at
        the medians of each plan, filled if it is on the front of the medians and hollow if not,
        with the bands of both losses as bars. The stepped line joins the plans of the front: what
        lies above and to the right of it is dominated.

    Raises
    ------
    PlanError
        If the table is not one of `pareto_front` with two domains, or has no plan `best`.
    """
    domains = table.attrs.get("domains", [])
    if len(domains) < 2 or "prob_front" not in table:
        raise PlanError(
            f"a Pareto front needs a table of pareto_front with two domains; it has {domains}"
        )
    if best is not None and best not in table.index:
        raise PlanError(f"unknown plan {best!r}; the table has {list(table.index)}")
    units = LossUnits.of(table.attrs)
    x, y = (_shown(table, domain, units) for domain in domains[:2])
    tidy(ax, grid="both")
    entries: dict[str, Any] = {}
    for k, plan in enumerate(table.index):
        look: dict[str, Any] = {"color": colour(k), "lw": 1.2, "zorder": 2}
        ax.plot([x[0][k], x[2][k]], [y[1][k]] * 2, **look)
        ax.plot([x[1][k]] * 2, [y[0][k], y[2][k]], **look)
        chosen = " (chosen)" if plan == best else ""
        chance = percent(float(table["prob_front"].iloc[k]))
        label = f"{folded(f'{plan}{chosen}', LABEL)}: on the front with {chance}"
        (entries[label],) = ax.plot(
            x[1][k], y[1][k], ls="", marker=MARKERS[k % len(MARKERS)], ms=8, zorder=3,
            markeredgewidth=1.4, markeredgecolor=colour(k), label=label,
            markerfacecolor=colour(k) if bool(table["on_front"].iloc[k]) else "white",
        )  # fmt: skip
    on_front = table["on_front"].to_numpy(dtype=bool)
    entries["front of the medians"] = _front(ax, x[1], y[1], on_front)
    unit = units.shown if table.attrs.get("units") else None
    ax.set_xlabel(loss_label(unit, domains[0]), fontsize=9, color=INK)
    ax.set_ylabel(loss_label(unit, domains[1]), fontsize=9, color=INK)
    return entries


def _shown(table: pd.DataFrame, domain: str, units: LossUnits) -> list[np.ndarray]:
    """Lower end, median and upper end of each plan, in the unit shown."""
    return [
        units.show(table[f"{domain}_{end}"].to_numpy(dtype=float), domain)
        for end in ("lower", "median", "upper")
    ]


def _front(ax: Axes, x: np.ndarray, y: np.ndarray, on_front: np.ndarray) -> Any:
    """Join the plans of the front by steps, from the top to the right edge."""
    at = np.flatnonzero(on_front)
    at = at[np.argsort(x[at], kind="stable")]
    (_, right), (_, top) = ax.get_xlim(), ax.get_ylim()
    (line,) = ax.step(
        [x[at[0]], *x[at], right], [top, *y[at], y[at[-1]]], where="post",
        color=GOAL, lw=1.0, ls=(0, (4, 3)), zorder=1, label="front of the medians",
    )  # fmt: skip
    ax.set(xlim=(ax.get_xlim()[0], right), ylim=(ax.get_ylim()[0], top))
    return line
