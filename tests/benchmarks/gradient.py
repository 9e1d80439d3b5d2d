"""Log density and gradient: fused kernel against the plain graph and against bare exp and log.

What the floor counts. Of the law, a CPT row needs exp(-alpha log area) of the base term, and
log(1 + onset area) and exp(-beta log(...)) of the shift: two exp and one log; a pre-training row
needs the first exp. The backward pass needs no other: all derivatives are products of these. Of the
noise, a card with `early` needs exp(-fraction / width) and log sigma a row; without it sigma is one
number a domain. Terms by segment or by parameter are left out. So the floor is, for
cpt, cpt_momentum and cpt_replay, 3 exp + 2 log a row, and 1 exp for annealing; "law alone" leaves
the noise out (2 exp + 1 log). All are NumPy's vectorised ones, into arrays that are there already.
How fast these are differs fourfold between processors (with AVX-512 and without), so what np.exp
takes here stands beside.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayescpt.inference.compile import compiled_sampler
from bayescpt.model.card import Card
from bayescpt.model.rows import Rows
from tests.benchmarks.density import Density, plain_sampler
from tests.benchmarks.problem import CARDS, DEFAULT, rows
from tests.benchmarks.timing import Call, Options, Result, in_turn, ratio

# A known size: two of each of 1,088 rows.
REFERENCE_EXPS = 2176


def counts(arrays: Rows, card: Card, noise: bool = True) -> tuple[int, int]:
    """Calls of exp and of log that one evaluation needs, over all rows."""
    total = arrays.loss.size
    cpt = int(arrays.segment["is_cpt"][arrays.row["segment"]].sum()) if card.continual else 0
    early = (cpt if card.continual else total) if card.early and noise else 0
    return total + cpt + early, cpt + early


def floor(exps: int, logs: int) -> Call:
    """NumPy's exp and log, so many of each."""
    rng = np.random.default_rng(1)
    below, above = -rng.random(exps), 1.0 + rng.random(logs)
    out_exp, out_log = np.empty(exps), np.empty(logs)

    def call() -> None:
        np.exp(below, out=out_exp)
        if logs:
            np.log(above, out=out_log)

    return call


def run(options: Options) -> Iterator[Result]:
    """Time each card's density."""
    exps = in_turn({"exp": floor(REFERENCE_EXPS, 0)}, options.repeats)["exp"]
    yield Result(f"np.exp on {REFERENCE_EXPS} values", exps)
    for name in options.cards or ((DEFAULT,) if options.quick else CARDS):
        arrays, card = rows(name)
        ours, plain = Density(compiled_sampler(arrays, card)), Density(plain_sampler(arrays, card))
        point = ours.start()
        calls = {"fused": ours.at(point), "plain": plain.at(point)}
        # The same density, or the comparison means nothing.
        np.testing.assert_allclose(calls["fused"](), calls["plain"](), rtol=1e-9)
        np.testing.assert_allclose(ours.gradient, plain.gradient, rtol=1e-6, atol=1e-6)
        calls["floor"] = floor(*counts(arrays, card))
        calls["law alone"] = floor(*counts(arrays, card, noise=False))
        times = in_turn(calls, options.repeats)
        case = f"{name}, {arrays.loss.size} rows, {point.size} parameters"
        fused = times["fused"]
        for against, quotient, target in (
            ("plain", ratio(times["plain"], fused), ">= 5"),
            ("floor", ratio(fused, times["floor"]), "<= 3"),
            ("law alone", ratio(fused, times["law alone"]), ""),
        ):
            label = {"plain": "plain graph", "floor": "exp and log in NumPy"}.get(
                against, "exp and log of the law alone"
            )
            yield Result(case, fused, "s", label, times[against], quotient, target)
