"""A term of a row shape of its own, to see what one costs in the compiled pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from bayescpt.laws.parameter import Parameter
from bayescpt.laws.term import Term, register, unregister
from bayescpt.model.card import Card
from bayescpt.model.priors import parse_prior


class Transient(Term):
    """``height (exp(-speed fraction) - 1)``."""

    slot, name = "transient", "fading"

    @property
    def parameters(self):
        prior = {"dist": "LogNormal", "mu": 0.0, "sigma": 0.5}
        return tuple(
            Parameter(name, name, "1", ("domain",), 0.0, 1e3, prior, "any", "this benchmark")
            for name in ("height", "speed")
        )

    def features(self, view, is_target):
        return {"age": view.fraction}

    def coefficients(self, p, f, xp=np):
        return {"height": p["height"], "speed": p["speed"]}

    def rows(self, c, f, xp=np):
        return c["height"] * (xp.exp(-c["speed"] * f["age"]) - 1.0)


@contextmanager
def with_new_term(card: Card) -> Iterator[Card]:
    """The card with the term in its law."""
    register(Transient)
    priors = {
        p.name: parse_prior({**p.default, "reason": p.reason}, p.name)
        for p in Transient.parameters.fget(None)
    }
    choices = {**card.choices, Transient.slot: Transient.name}
    try:
        yield replace(card, choices=choices, priors={**card.priors, **priors})
    finally:
        unregister(Transient)
