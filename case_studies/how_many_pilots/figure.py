"""Figures of the tables: what a number of pilots is worth."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayescpt.present.style import DASHES, GOAL, INK, MARKERS, colour, tidy
from case_studies.how_many_pilots.tables import DOMAINS, Tables, means, on_common_runs

PANELS = {
    "coverage_90": ("in the 90% band", "share of losses inside"),
    "width_90": ("width of the 90% band", "nats/token"),
    "crps": ("error of the forecast", "CRPS (nats/token)"),
}


def by_number(tables: Tables) -> pd.DataFrame:
    """Scores by domain and number of pilots, on runs that every number forecasts."""
    return means(on_common_runs(tables.forecasts), ["domain", "pilots"], [*PANELS, "last_inside"])


def figure(tables: Tables) -> Figure:
    """Coverage, width and error against the number of pilots; whiskers are a standard error."""
    scores = by_number(tables)
    drawn = Figure(figsize=(9.6, 3.0), layout="constrained")
    axes = drawn.subplots(1, len(PANELS))
    for ax, (column, (title, label)) in zip(axes, PANELS.items(), strict=True):
        _panel(ax, scores, column)
        ax.set_title(title, fontsize=9.5, color=INK, loc="left")
        ax.set_ylabel(label, fontsize=8.5, color=INK)
        ax.set_xlabel("pilots fitted", fontsize=8.5, color=INK)
    axes[0].axhline(0.9, color=GOAL, lw=1.0, ls=(0, (4, 3)))
    lowest = (scores["coverage_90"] - 1.5 * scores["coverage_90_se"]).min()
    axes[0].set_ylim(min(0.6, lowest), 1.0)
    axes[0].yaxis.set_major_formatter("{x:.0%}")
    axes[0].legend(frameon=False, fontsize=8.5, loc="lower right")
    return drawn


def _panel(ax: Axes, scores: pd.DataFrame, column: str) -> None:
    """Lines of the two domains."""
    tidy(ax)
    numbers = sorted(set(scores.index.get_level_values("pilots")))
    for k, domain in enumerate(DOMAINS):
        part = scores.loc[domain].reindex(numbers)
        # Side by side, so that whiskers do not hide each other.
        ax.errorbar(
            [number + 0.12 * (k - 0.5) for number in numbers],
            part[column],
            part[f"{column}_se"],
            label=domain,
            color=colour(k),
            ls=DASHES[k],
            marker=MARKERS[k],
            lw=1.6,
            ms=5,
            elinewidth=1.0,
        )
    ax.set_xticks(numbers, [str(number) for number in numbers])
    if column != "coverage_90":
        ax.set_ylim(bottom=0.0)
