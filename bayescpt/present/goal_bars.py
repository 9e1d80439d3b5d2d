"""Bar chart of goal probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescpt.data.units import unit_name
from bayescpt.decide.limits import limit_labels, limit_text
from bayescpt.errors import PlanError
from bayescpt.present.canvas import add_legend, one_axes
from bayescpt.present.plain import plain_text
from bayescpt.present.style import HATCHES, INK, MUTED, colour, folded, percent, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# Heights of the bars and of the gap between plans, in the units of the vertical axis.
# Characters in a line of a plan's name.
LABEL = 30
# And in one of the title.
TITLE = 60
JOINT_HEIGHT, DOMAIN_HEIGHT, GAP = 0.9, 0.5, 0.7


@plain_text
def goal_probability(
    table: pd.DataFrame, title: str | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw the probability that each plan meets the goal, jointly and by domain, as bars.

    Parameters
    ----------
    table : pandas.DataFrame
        Table of `goal_probability`: one row per plan, a column ``joint``, one column per domain,
        and for each of them a column ``<name>_mcse``, its Monte Carlo standard error.
    title : str, optional
        Title; by default the goal, if ``table.attrs`` holds it under ``goal``, with the unit under
        ``units``.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Plans from top to bottom in the order of the table. Whiskers extend two Monte Carlo standard
        errors to either side.

    Raises
    ------
    PlanError
        If the table is empty or has no column ``joint``.

    Examples
    --------
    >>> import pandas as pd
    >>> import bayescpt as bc
    >>> table = pd.DataFrame(
    ...     {"joint": [0.7], "joint_mcse": [0.01], "german": [0.9], "german_mcse": [0.01]},
    ...     index=pd.Index(["wsd"], name="plan"),
    ... )
    >>> table.attrs = {"goal": {"german": 3.0}, "units": "nat/token"}
    >>> bc.plot.goal_probability(table).get_title()
    'Goal: german ≤ 3 (nats per token)'
    """
    if "joint" not in table or table.empty:
        raise PlanError(
            f"the table has {len(table)} plans and the columns {list(table.columns)}; it must be "
            "a table of goal_probability"
        )
    columns = [column for column in table.columns if f"{column}_mcse" in table]
    heights = np.array([JOINT_HEIGHT if column == "joint" else DOMAIN_HEIGHT for column in columns])
    centres = np.cumsum(heights) - heights / 2
    pitch = heights.sum() + GAP
    chosen = one_axes(ax, 6.6, 1.1 + min(0.26 * pitch * len(table), max(8.0, 0.3 * len(table))))
    tidy(chosen, grid="x")
    entries: dict[str, Any] = {}
    for i, column in enumerate(columns):
        tone = "#4d4d4d" if column == "joint" else colour(i - 1)
        positions = np.arange(len(table)) * pitch + centres[i]
        hatch = "" if column == "joint" else HATCHES[(i - 1) % len(HATCHES)]
        bars = _bars(chosen, table, column, positions, heights[i], tone, hatch)
        entries["all goals together" if column == "joint" else f"{column} alone"] = bars
    chosen.set_yticks(np.arange(len(table)) * pitch + heights.sum() / 2, _plan_labels(table))
    chosen.set_ylim(len(table) * pitch - 0.45, -0.25)
    _style_axes(chosen)
    add_legend([chosen], entries, ax)
    title = _goal_title(table) if title is None else title
    if title:
        chosen.set_title(_lines(title), fontsize=10.5, fontweight="bold", color=INK, pad=8)
    return chosen


def _bars(
    ax: Axes,
    table: pd.DataFrame,
    column: str,
    positions: NDArray[np.float64],
    height: float,
    tone: str,
    hatch: str,
) -> Any:
    """Draw the bars of one column, with whiskers and percentages; return them for the legend.

    Bars are solid for all goals together and hatched by domain, so that they differ in grey too.
    """
    probability = table[column].to_numpy(dtype=float)
    reach = 2 * table[f"{column}_mcse"].to_numpy(dtype=float)
    low, high = np.clip(probability - reach, 0, 1), np.clip(probability + reach, 0, 1)
    joint = column == "joint"
    bars = ax.barh(
        positions,
        probability,
        height=0.86 * height,
        color=tone,
        hatch=hatch,
        edgecolor="white" if hatch else tone,
        linewidth=0,
    )
    # A white outline makes a whisker visible on its bar; a very short one would be all outline.
    wide = high - low > 0.01
    ax.hlines(positions[wide], low[wide], high[wide], color="white", lw=3.4, zorder=3)
    ax.hlines(positions, low, high, color=INK, lw=1.3, zorder=3)
    for y, value, right in zip(positions, probability, high, strict=True):
        ax.annotate(
            percent(value),
            (right, y),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9 if joint else 7.5,
            fontweight="bold" if joint else "normal",
            color=INK if joint else MUTED,
        )
    return bars


def _plan_labels(table: pd.DataFrame) -> list[str]:
    labels = [folded(str(plan), LABEL) for plan in table.index]
    if "best_step" not in table:
        return labels
    steps = table["best_step"]
    return [f"{plan}\nat step {step}" for plan, step in zip(labels, steps, strict=True)]


def _style_axes(ax: Axes) -> None:
    ax.tick_params(axis="y", length=0, labelsize=9)
    ax.spines["left"].set_visible(False)
    ax.set_xlim(0, 1.08)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    ax.spines["bottom"].set_bounds(0, 1)
    ax.set_xlabel(
        "probability of meeting the goal\n(whiskers: ±2 Monte Carlo standard errors)",
        fontsize=8.5,
        color=INK,
    )


def _lines(title: str) -> str:
    """Title in lines that fit, broken after the goal of a domain where possible."""
    lines = [""]
    for clause in title.split(", "):
        longer = f"{lines[-1]}, {clause}" if lines[-1] else clause
        if len(longer) < TITLE or not lines[-1]:
            lines[-1] = longer
        else:
            lines[-1] += ","
            lines.append(clause)
    return "\n".join(folded(line, TITLE) for line in lines)


def _goal_title(table: pd.DataFrame) -> str:
    if "goal" not in table.attrs:
        return ""
    given = table.attrs["goal"]
    labels = limit_labels(given, table.attrs.get("levels", {}), table.attrs)
    goal = ", ".join(f"{domain} ≤ {label}" for domain, label in labels.items())
    plain = all(label == limit_text(given[domain]) for domain, label in labels.items())
    unit = unit_name(table.attrs.get("units")) if plain else ""
    return f"Goal: {goal} ({unit})" if unit else f"Goal: {goal}"
