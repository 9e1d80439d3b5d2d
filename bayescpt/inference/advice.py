"""Pilot runs that would inform what the priors determine, as entries of a plans file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bayescpt.data.sizes import run_size
from bayescpt.forecast.plan_text import plan_text
from bayescpt.laws.parameter import Advice
from bayescpt.laws.pilots import Pilots, Proposal
from bayescpt.laws.trajectory import run_trajectory
from bayescpt.model.card import Card

if TYPE_CHECKING:
    from bayescpt.data import Study
    from bayescpt.model.rows import Rows

# Share of a run that is its start.
START = 0.1


class PilotAdvice(NamedTuple):
    """A question that the pilots leave open, and the run that would answer it.

    Attributes
    ----------
    sentence : str
        What is not determined, and what to add.
    plan : str
        The run to add, as a ``[[plan]]`` of a plans file; empty where there is none.
    """

    sentence: str
    plan: str

    def __str__(self) -> str:
        """Return the sentence and, below it, the entry to paste."""
        return f"{self.sentence}\n{self.plan}" if self.plan else self.sentence


def study_pilots(study: Study, card: Card, rows: Rows) -> Pilots:
    """Fitted runs that a new pilot would join.

    Parameters
    ----------
    study : Study
        The study.
    card : Card
        The card, which says which phase matters.
    rows : Rows
        Its rows.

    Returns
    -------
    Pilots
    """
    paths = [run_trajectory(study, name, rows.refs.warmup) for name in rows.labels.run]
    runs = tuple(path for path in paths if path.is_cpt == card.continual)
    ends = {
        name: float(study.lrs[name][-1]) / study.lr_units.get(name, 1.0)
        for name in study.pt_runs
        if name in study.lrs
    }
    models = {name: (run_size(study, name), study.lr_units.get(name, 1.0)) for name in ends}
    steps, fraction, run = (np.asarray(rows.row[key]) for key in ("step", "fraction", "run"))
    early = {
        name: int(np.unique(steps[(run == k) & (fraction <= START)]).size)
        for k, name in enumerate(rows.labels.run)
        if name in {path.name for path in runs}
    }
    return Pilots(runs, ends, early, models)


def pilot_advice(parameters: Iterable[str], card: Card, pilots: Pilots | None) -> list[PilotAdvice]:
    """Pilot runs that would inform parameters that the priors determine.

    Parameters
    ----------
    parameters : iterable of str
        Weakly informed parameters, such as ``share_gamma[general|german]``.
    card : Card
        Card whose terms state which pilots would determine a parameter.
    pilots : Pilots or None
        The fitted runs, from `study_pilots`; without them no run is proposed.

    Returns
    -------
    list of PilotAdvice
        One per run to add, each a pilot with one change; none for noise parameters.
    """
    known = {parameter.name: parameter.advice for parameter in card.parameters()}
    found = [known.get(name.partition("[")[0]) for name in parameters]
    # One entry per run: several questions may ask for the same.
    asked: dict[str, tuple[list[str], Proposal | None]] = {}
    for advice in dict.fromkeys(one for one in found if one is not None):
        proposal = None if pilots is None else _first(advice, pilots)
        key = advice.question if proposal is None else proposal.path.name
        asked.setdefault(key, ([], proposal))[0].append(advice.question)
    return [_said(questions, proposal, pilots) for questions, proposal in asked.values()]


def _first(advice: Advice, pilots: Pilots) -> Proposal | None:
    if not pilots.runs:
        return None
    return next((made for change in advice.changes if (made := change(pilots))), None)


def _said(questions: list[str], proposal: Proposal | None, pilots: Pilots | None) -> PilotAdvice:
    sentence = f"the pilots do not determine {' and '.join(questions)}"
    if proposal is None:
        prior = "" if pilots is None else ": no run near them would tell, so that the prior decides"
        return PilotAdvice(sentence + prior, "")
    sentence += f": {proposal.kind}, such as {proposal.like} with {proposal.change}"
    return PilotAdvice(sentence, plan_text(proposal.path, f"{proposal.like}: {proposal.change}"))
