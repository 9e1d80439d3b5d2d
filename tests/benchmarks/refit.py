"""Refit on new data: the sampler that is there takes them without compiling."""

from __future__ import annotations

import os
from collections.abc import Iterator

import bayescpt as bc
from bayescpt.data import Study
from bayescpt.inference.compile import _COMPILED, is_compiled, pad
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows
from tests.benchmarks.problem import DEFAULT, SEED, sized, study
from tests.benchmarks.timing import Options, Result, ratio, seconds

SHORT = {"draws": 200, "tune": 300, "chains": 4}


def compiled_for(data: Study) -> bool:
    """Is a sampler at hand?"""
    card = load_card(DEFAULT)
    return is_compiled(pad(make_rows(data, card), card), card)


def run(options: Options) -> Iterator[Result]:
    """First fit of the process, then refits on other data."""
    settings = SHORT | ({"draws": 20, "tune": 30} if options.quick else {})

    def fit(data: Study, seed: int) -> bc.Fit:
        return bc.fit(data, card=DEFAULT, seed=seed, extend=1, progress=False, **settings)

    # Nothing of another benchmark, and no sampler from disk; numba's files stay: a warm start.
    _COMPILED.clear()
    os.environ["BAYESCPT_CACHE"] = ""
    first = seconds(lambda: fit(study(), 1))
    before = len(_COMPILED)
    for case, data in (
        ("other losses", study(seed=SEED + 1)),
        ("half as many rows a curve", sized(eval_every=224, n_replays=3)),
        ("16 runs for 12", sized(eval_every=112, n_replays=4)),
    ):
        if not compiled_for(data):
            raise RuntimeError(f"{case}: the sampler that is there does not fit")
        times = [seconds(lambda d=data, n=n: fit(d, n)) for n in range(options.repeats)]
        if len(_COMPILED) != before:
            raise RuntimeError(f"{case}: something was compiled")
        share = ratio(times, [first])
        yield Result(case, times, "s", "first fit, compiling", [first], share, "<= 0.15")
