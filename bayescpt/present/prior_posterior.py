"""Posterior against prior: intervals of the parameters and of the paper's symbols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayescpt.errors import PlanError
from bayescpt.present.legend import figure_legend
from bayescpt.present.style import INK, MUTED, colour, folded, listed, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Prior intervals that span more than this factor are drawn on a log scale.
WIDE = 30.0
COLUMNS = 3
# Characters in a line of an entry's name.
LABEL = 18
PRIOR, POSTERIOR = "#c9c9c9", colour(0)


def plot_prior_posterior(
    table: pd.DataFrame, quantities: Sequence[str] | None = None, columns: int = COLUMNS
) -> Figure:
    """Draw prior and posterior intervals, a panel per quantity.

    Parameters
    ----------
    table : pandas.DataFrame
        Table of `bayescpt.inference.before_after.prior_posterior_table`.
    quantities : sequence of str, optional
        Quantities to draw, such as ``beta``; all by default.
    columns : int
        Panels in a row.

    Returns
    -------
    matplotlib.figure.Figure
        See `draw_prior_posterior` for a panel.

    Raises
    ------
    PlanError
        If a quantity is unknown, or the table is empty.

    Examples
    --------
    >>> import pandas as pd
    >>> from bayescpt.present import plot_prior_posterior
    >>> names = ["prior_lower", "prior_median", "prior_upper", "lower", "median", "upper"]
    >>> table = pd.DataFrame([[0.1, 1.0, 5.0, 0.8, 1.0, 1.2]], ["B[general]"], names)
    >>> table = table.assign(quantity="B", label="general", unit="nat")
    >>> plot_prior_posterior(table).axes[0].get_title(loc="left")
    'B'
    """
    known = list(dict.fromkeys(table["quantity"])) if len(table) else []
    chosen = known if quantities is None else list(quantities)
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise PlanError(f"unknown quantity {listed(unknown)}; the table has {listed(known)}")
    columns = min(columns, len(chosen))
    rows = [chosen[k : k + columns] for k in range(0, len(chosen), columns)]
    entries = [max(int((table["quantity"] == q).sum()) for q in row) for row in rows]
    heights = [0.62 + 0.2 * n for n in entries]
    fig = new_figure(0.5 + 2.6 * columns, 0.4 + sum(heights))
    grid = fig.add_gridspec(len(rows), columns, height_ratios=heights)
    legend: dict[str, Any] = {}
    for r, row in enumerate(rows):
        for c, quantity in enumerate(row):
            ax = fig.add_subplot(grid[r, c])
            legend |= draw_prior_posterior(ax, table[table["quantity"] == quantity])
    figure_legend(fig, legend)
    return fig


def draw_prior_posterior(ax: Axes, rows: pd.DataFrame) -> dict[str, Any]:
    """Draw prior and posterior intervals of the entries of one quantity.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes to draw on.
    rows : pandas.DataFrame
        Rows of `prior_posterior_table` of one quantity, from top to bottom.

    Returns
    -------
    dict of str to artist
        Legend entries. Of every entry, the wide grey bar is the prior's interval with its median
        as a tick, the narrow bar on it the posterior's with its median as a dot. Priors that span
        more than a factor of 30 have a log scale.
    """
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
    ax.set_title("" if unit == "1" else unit, loc="right", fontsize=8, color=MUTED)
    return legend
