"""Figures of a report, each with what it shows in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayescpt.inference.checks import CONFLICT, CONTRACTION
from bayescpt.present import plot
from bayescpt.present.canvas import page
from bayescpt.present.report.case import Case
from bayescpt.present.report.svg import inline_figure
from bayescpt.present.style import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More plans are drawn over each other.
MOST_ROWS = 3
# Plans and runs whose numbers a text alternative reads out; all are in the tables.
MOST_READ = 6


@dataclass(frozen=True)
class Picture:
    """A figure on the page.

    Attributes
    ----------
    html : str
        The figure, with its text alternative.
    caption : str
        What it shows and how to read it.
    """

    html: str
    caption: str


def pictures(case: Case) -> dict[str, Picture]:
    """Figures of a report by name; those without content are left out.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    dict of str to Picture
        Of ``goal``, ``bands``, ``front``, ``ends``, ``priors`` and ``data``.
    """
    out = {}
    for name, make in _MAKERS.items():
        made = make(case)
        if made is not None:
            draw, caption, alt = made
            out[name] = Picture(inline_figure(draw, name, alt), caption)
    return out


type Made = tuple[Callable[[], Figure], str, str]


def _goal(case: Case) -> Made | None:
    chances = case.chances
    if chances is None:
        return None
    alt = "Bar chart of the probability of meeting the goal. " + _read(
        f"{plan}: all goals {percent(row['joint'])}"
        + "".join(f", {domain} {percent(row[domain])}" for domain in case.limits)
        for plan, row in chances.iterrows()
    )
    caption = (
        "Probability that each plan meets the goal: the thick bar is all goals together, the thin "
        "ones are single domains."
    )
    return lambda: page(plot.goal_probability, chances), caption, alt


def _bands(case: Case) -> Made:
    goal = case.decision.goal
    ends = {plan.name: plan.schedule.n_steps for plan in case.plans}
    # The steep first tenth would compress the rest, but what a run in flight has logged must show.
    first = {name: case.curves.now.get(name, end) // 10 for name, end in ends.items()}
    own = [plan.run for plan in case.plans if plan.run == plan.name]
    curves = case.fit.study.curves
    fitted = curves[curves["run"].isin(own)]

    def draw() -> Figure:
        if len(ends) > MOST_ROWS:
            return page(plot.overlay, case.curves, goal=goal, fitted=fitted, first_step=first)
        return page(plot.fan, case.curves, goal=goal, fitted=fitted, first_step=first)

    told = []
    for plan in case.plans:
        losses = []
        for domain in map(str, case.ends.dataset["domain"].values):
            low, middle, high = case.last_band(plan, domain)
            if not np.isnan(middle):
                losses.append(f"{domain} {middle:.3f} (90% band {low:.3f} to {high:.3f})")
        told.append(f"{plan.name} at step {plan.schedule.n_steps}: {', '.join(losses)}")
    alt = (
        f"Forecast loss curves of {len(ends)} plans with their bands, and their learning rates "
        f"underneath. {_read(told)}"
    )
    kind = (
        "Forecast losses by step: the line is the median; the bands hold the losses of a new run "
        "with probability 50% and 90%."
        if len(ends) <= MOST_ROWS
        else "Forecast losses by step: the line is the median of a plan; the bar at its end is the "
        "90% band of its last loss."
    )
    tenth = " The first tenth of each plan is left out."
    mark = "Hatched steps" if len(ends) <= MOST_ROWS else "Parts of a line with a grey border"
    beyond = f" {mark} are outside the range of the pilots." if case.curves.leaves_range else ""
    dashed = " The dashed line is the goal." if goal is not None else ""
    return draw, f"{kind}{dashed}{beyond}{tenth}", alt


def _front(case: Case) -> Made | None:
    front, pair = case.front, case.pair
    if front is None or pair is None:
        return None
    on = [str(plan) for plan in front.index[front["on_front"]]]
    alt = (
        f"Last loss on {pair[0]} (horizontal) against {pair[1]} (vertical) of each plan, with 90% "
        f"bands. On the front of the medians: {', '.join(on)}. "
        + _read(
            f"{plan} is on the front with probability {percent(row['prob_front'])}"
            for plan, row in front.iterrows()
        )
    )
    caption = (
        f"Last {pair[0]} loss against last {pair[1]} loss: lower and further left is better. Bars "
        "are 90% bands; filled markers are on the front of the medians, hollow ones are dominated."
    )

    return lambda: page(plot.pareto, front, case.decision.best), caption, alt


def _ends(case: Case) -> Made | None:
    pair = case.pair
    if pair is None:
        return None
    met = ""
    if case.chances is not None:
        met = " The share inside the box: " + _read(
            f"{plan} {percent(value)}" for plan, value in case.chances["joint"].items()
        )
        if set(case.limits) - set(pair):
            met = ""
    alt = (
        f"Cloud of the draws of the last {pair[0]} and {pair[1]} losses of each plan, with the "
        f"losses that meet the goal as a box.{met}"
    )
    boxed = "; the shaded box is where the goal is met" if case.limits else ""
    caption = f"Draws of the last losses of each plan; large markers are medians{boxed}."
    return (
        lambda: page(
            plot.ends,
            case.ends,
            case.decision.goal,
            domains=pair,
            best=case.decision.best,
            max_draws=250,
        ),
        caption,
        alt if case.limits else alt.partition(", with the losses")[0] + ".",
    )


def _priors(case: Case) -> Made:
    table = case.before_after
    loose = table.index[(table["ratio"] > CONTRACTION) & (table["ratio"] <= CONFLICT)]
    said = ""
    if len(loose):
        said = f" The data say little about {', '.join(map(str, loose))}."
    alt = (
        f"Prior and posterior intervals of {len(table)} quantities of the law, a panel for each."
        f"{said} The numbers are in the table below."
    )
    caption = (
        "90% interval of each quantity before the data (grey, with the median as a tick) and after "
        f"(colour, with the median as a dot).{said}"
    )
    return lambda: page(plot.prior_posterior, table), caption, alt


def _data(case: Case) -> Made:
    study = case.fit.study
    runs = study.cpt_runs or study.pt_runs
    alt = (
        f"Loss curves of {len(runs)} runs of the study {study.name}, a panel for each of "
        f"{', '.join(study.domains)}, and their learning rates. The last losses are in the table "
        "below."
    )
    return lambda: page(plot.study, study), "Losses of the pilots, and their learning rates.", alt


_MAKERS: dict[str, Callable[[Case], Made | None]] = {
    "goal": _goal,
    "bands": _bands,
    "front": _front,
    "ends": _ends,
    "priors": _priors,
    "data": _data,
}


def _read(items: Iterable[str]) -> str:
    """The first few items as sentences, and how many more there are."""
    told = list(items)
    more = len(told) - MOST_READ
    rest = f" {more} more are in the table." if more > 0 else ""
    return "; ".join(told[:MOST_READ]) + "." + rest
