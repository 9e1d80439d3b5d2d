"""Posterior against prior: intervals of the parameters and of the paper's symbols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayescpt.errors import PlanError
from bayescpt.inference.before_after import prior_posterior_table
from bayescpt.present.canvas import add_legend, given_axes, new_figure, panel_array
from bayescpt.present.plain import plain_text
from bayescpt.present.style import INK, MUTED, colour, folded, listed, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayescpt.inference import Fit

# Prior intervals that span more than this factor are drawn on a log scale.
WIDE = 30.0
COLUMNS = 3
# Characters in a line of an entry's name.
LABEL = 18
PRIOR, POSTERIOR = "#c9c9c9", colour(0)


@plain_text
def prior_posterior(
    fit: Fit | pd.DataFrame,
    quantities: Sequence[str] | None = None,
    columns: int = COLUMNS,
    *,
    axes: Any = None,
) -> Any:
    """Draw prior and posterior intervals in the units of the paper, a panel per quantity.

    Parameters
    ----------
    fit : Fit or pandas.DataFrame
        A fit, or a table of `bayescpt.inference.before_after.prior_posterior_table`.
    quantities : sequence of str, optional
        Quantities to draw, such as ``beta``; all by default.
    columns : int
        Panels in a row of a new figure.
    axes : array_like of matplotlib.axes.Axes, optional
        Axes to draw on, one for each quantity; by default those of a new figure.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (n_quantities,)
        Of every entry, the wide grey bar is the prior's 90% interval with its median as a tick, the
        narrow bar on it the posterior's with its median as a dot. Priors that span more than a
        factor of 30 have a log scale.

    Raises
    ------
    PlanError
        If a quantity is unknown, the table is empty, or there are more or fewer axes than
        quantities.

    Examples
    --------
    >>> import pandas as pd
    >>> import bayescpt as bc
    >>> names = ["prior_lower", "prior_median", "prior_upper", "lower", "median", "upper"]
    >>> table = pd.DataFrame([[0.1, 1.0, 5.0, 0.8, 1.0, 1.2]], ["B[general]"], names)
    >>> table = table.assign(quantity="B", label="general", unit="nat")
    >>> bc.plot.prior_posterior(table)[0].get_title(loc="left")
    'B'
    """
    table = fit if isinstance(fit, pd.DataFrame) else prior_posterior_table(fit)
    known = list(dict.fromkeys(table["quantity"])) if len(table) else []
    chosen = known if quantities is None else list(quantities)
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise PlanError(f"unknown quantity {listed(unknown)}; the table has {listed(known)}")
    parts = [table[table["quantity"] == name] for name in chosen]
    drawn = _new_axes(parts, columns) if axes is None else given_axes(axes, chosen)
    legend: dict[str, Any] = {}
    for ax, part in zip(drawn, parts, strict=True):
        legend |= _draw(ax, part)
    add_legend(drawn, legend, axes)
    return panel_array(drawn)


def _new_axes(parts: list[pd.DataFrame], columns: int) -> list[Axes]:
    """Panels of a new figure; each row is as high as its fullest panel needs."""
    columns = min(columns, len(parts))
    rows = [parts[k : k + columns] for k in range(0, len(parts), columns)]
    heights = [0.78 + 0.2 * max(map(len, row)) for row in rows]
    fig = new_figure(0.5 + 2.6 * columns, 0.4 + sum(heights))
    grid = fig.add_gridspec(len(rows), columns, height_ratios=heights)
    return [fig.add_subplot(grid[k // columns, k % columns]) for k in range(len(parts))]


def _draw(ax: Axes, rows: pd.DataFrame) -> dict[str, Any]:
    """Draw the intervals of the entries of one quantity; return the legend entries."""
    tidy(ax, grid="x")
    lower, upper = rows["prior_lower"].to_numpy(), rows["prior_upper"].to_numpy()
    if (lower > 0).all() and (upper > WIDE * lower).any():
        ax.set_xscale("log")
        # The formatter of a log axis writes mathematical text.
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.xaxis.set_minor_formatter(lambda value, _: "")
    legend: dict[str, Any] = {}
    for y, row in enumerate(rows.to_dict("records")):
        legend["prior"] = ax.plot(
            [row["prior_lower"], row["prior_upper"]], [y, y],
            color=PRIOR, lw=7, solid_capstyle="butt", zorder=1.5,
        )[0]  # fmt: skip
        ax.plot(row["prior_median"], y, ls="", marker="|", ms=7, color=MUTED, zorder=1.6)
        legend["posterior"] = ax.plot(
            [row["lower"], row["upper"]], [y, y],
            color=POSTERIOR, lw=2.4, solid_capstyle="butt", zorder=2,
        )[0]  # fmt: skip
        ax.plot(row["median"], y, ls="", marker="o", ms=4, color=POSTERIOR, zorder=3)
    ax.set_yticks(range(len(rows)), [folded(str(label), LABEL) for label in rows["label"]])
    ax.tick_params(axis="y", length=0, labelsize=7.5)
    ax.tick_params(axis="x", labelsize=7.5)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    if ax.get_xscale() == "linear":
        ax.locator_params(axis="x", nbins=4)
    ax.set_title(rows["quantity"].iloc[0], loc="left", fontsize=9, fontweight="bold", color=INK)
    unit = str(rows["unit"].iloc[0])
    ax.set_xlabel("no unit" if unit == "1" else unit, fontsize=7.5, color=MUTED, labelpad=3)
    return legend
