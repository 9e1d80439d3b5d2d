"""Contributions of the law's terms to an expected curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.expected import curve_inputs
from bayescpt.forecast.posterior import Draws
from bayescpt.laws.term import Term
from bayescpt.laws.view import View

Floats = NDArray[np.float64]

LEVEL = "level"
# Names of slots in figures and tables, where the slot's is not a word.
LABELS = {"rewarm": "re-warm-up"}


def expected_terms(draws: Draws, view: View, domain: str) -> dict[str, Floats]:
    """Contribution of each term of the law to the expected loss of a fitted run.

    Parameters
    ----------
    draws : Draws
        Posterior.
    view : View
        The trajectory at n steps.
    domain : str
        Evaluated domain.

    Returns
    -------
    dict of str to ndarray, shape (draws, n)
        Nats, by the name of the term; their sum is the expected loss. ``level`` is the loss that
        the other terms move.

    Raises
    ------
    PlanError
        If the fit does not cover this domain, target or start.
    """
    # Nothing is drawn: the start checkpoint was fitted.
    inputs = curve_inputs(draws, view, domain, np.random.default_rng(0))
    f = inputs.at()
    p = draws.card.law.adjusted(inputs.parameters, f)
    shape = (draws.size, view.steps.size)
    out: dict[str, Floats] = {}
    for term in draws.card.law.terms:
        if term.applies(view.is_cpt):
            part = np.broadcast_to(np.asarray(term.value(p, f), dtype=float), shape)
            name = term_label(term)
            out[name] = out[name] + part if name in out else part
    return out


def final_terms(draws: Draws) -> dict[str, dict[str, Floats]]:
    """Contribution of each term to the last fitted losses, on average over the fitted runs.

    Parameters
    ----------
    draws : Draws
        Posterior.

    Returns
    -------
    dict of str to dict of str to ndarray, shape (draws,)
        Nats, by domain and by term but the level: of the runs of continual pre-training, or of
        pre-training where the card describes no other.
    """
    out: dict[str, dict[str, Floats]] = {}
    for domain in draws.labels.domain:
        by_run = []
        for c, (run, of) in enumerate(draws.labels.curve):
            path = draws.trajectories[run]
            if of == domain and path.is_cpt == draws.card.continual:
                view = View(path, np.array([draws.last_step(c)]), draws.rows.refs)
                by_run.append(expected_terms(draws, view, domain))
        if by_run:
            names = [name for name in by_run[0] if name != LEVEL]
            out[domain] = {
                name: np.mean([parts[name][:, 0] for parts in by_run], axis=0) for name in names
            }
    return out


def term_label(term: Term) -> str:
    """Name of a term for a reader: that of its slot.

    Parameters
    ----------
    term : Term
        A term of a law.

    Returns
    -------
    str
        A term that extends another has the name of that one.

    Examples
    --------
    >>> from bayescpt.laws.law import Law
    >>> law = Law({"base": "power", "annealing": "area", "shift": "power", "replay": "memory"})
    >>> [term_label(term) for term in law.terms]
    ['base', 'annealing', 'shift']
    """
    slot = term.extends or term.slot
    return LABELS.get(slot, slot)
