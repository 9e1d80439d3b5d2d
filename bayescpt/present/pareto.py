"""Pareto front of two losses, with the uncertainty of the forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescpt.data.conversion import LossUnits
from bayescpt.data.units import loss_label
from bayescpt.decide.draws import ForecastLike
from bayescpt.decide.front import pareto_front
from bayescpt.errors import PlanError
from bayescpt.present.canvas import add_legend, one_axes
from bayescpt.present.plain import plain_text
from bayescpt.present.style import GOAL, INK, MARKERS, colour, folded, percent, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Characters in a line of the legend.
LABEL = 40


@plain_text
def pareto(
    plans: ForecastLike | xr.Dataset | pd.DataFrame,
    best: str | None = None,
    domains: tuple[str, str] | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw the last losses of plans on two domains, their bands and the front of the medians.

    Parameters
    ----------
    plans : ForecastLike, xarray.Dataset or pandas.DataFrame
        Forecast of the plans, or a table of `bayescpt.decide.front.pareto_front`.
    best : str, optional
        Name of the chosen plan (`Decision.best`), which the legend marks.
    domains : tuple of two str, optional
        Domains on the horizontal and the vertical axis; by default the first two.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        A marker stands at the medians of each plan, filled if it is on the front of the medians and
        hollow if not, with the 90% bands of both losses as bars. The stepped line joins the plans
        of the front: what lies above and to the right of it is dominated. The legend says with
        which probability a plan is on the front.

    Raises
    ------
    PlanError
        If there are no two domains, or there is no plan `best`.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import bayescpt as bc
    >>> draws = np.random.default_rng(0).normal(3.0, 0.1, (2, 50, 2, 2, 1))
    >>> forecast = xr.Dataset(
    ...     {"loss": (("chain", "draw", "plan", "domain", "step"), draws)},
    ...     coords={"plan": ["wsd", "cosine"], "domain": ["general", "german"], "step": [500]},
    ...     attrs={"units": "nat/token"},
    ... )
    >>> bc.plot.pareto(forecast).get_ylabel()
    'german loss (nats per token)'
    """
    table = plans if isinstance(plans, pd.DataFrame) else pareto_front(plans, domains)
    _check(table, best, domains)
    chosen = one_axes(ax, 6.4, 5.0)
    add_legend([chosen], _draw(chosen, table, best), ax)
    return chosen


def _check(table: pd.DataFrame, best: str | None, domains: tuple[str, str] | None) -> None:
    found = table.attrs.get("domains", [])
    if len(found) < 2 or "prob_front" not in table:
        raise PlanError(
            "a Pareto front needs a forecast, or a table of pareto_front, on two domains; this has "
            f"{found}"
        )
    if domains is not None and list(domains) != list(found[:2]):
        raise PlanError(f"the table is of {found[:2]}, not of {list(domains)}: give the forecast")
    if best is not None and best not in table.index:
        raise PlanError(f"unknown plan {best!r}; the table has {list(table.index)}")


def _draw(ax: Axes, table: pd.DataFrame, best: str | None) -> dict[str, Any]:
    """Draw a Pareto front; return the legend entries."""
    domains = table.attrs["domains"]
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
