"""Compiled samplers that several threads ask for at once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest
import xarray as xr

import bayescpt as bc
from bayescpt.inference import compile as compiled
from bayescpt.inference import stored
from bayescpt.inference.compile import compiled_sampler, pad


@dataclass
class FakeSampler:
    """What `compiled_sampler` needs of one."""

    number: int
    shared_var_keys: tuple = ()

    def with_data(self):
        return self


@pytest.fixture
def compilations(monkeypatch):
    """Compilations so far: slow ones that know how many run at once; nothing is kept on disk."""
    monkeypatch.setenv(stored.VARIABLE, "")
    monkeypatch.setattr(compiled, "_COMPILED", {})
    running, found = [0], []

    def compile_slowly(build, key, storable):
        _, card = build.args
        running[0] += 1
        found.append((card.name, running[0]))
        time.sleep(0.2)
        running[0] -= 1
        return FakeSampler(len(found))

    monkeypatch.setattr(compiled, "_compile", compile_slowly)
    return found


def at_once(calls):
    """Results of functions that start together, each in a thread of its own."""
    together = threading.Barrier(len(calls))

    def start(call):
        together.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(start, calls))


def test_threads_wait_for_the_sampler_that_another_compiles(small_fit, compilations):
    rows = pad(small_fit.rows, small_fit.card)
    made = at_once([lambda: compiled_sampler(rows, small_fit.card)] * 4)
    assert len(compilations) == 1
    assert {sampler.number for sampler in made} == {1}


def test_no_two_samplers_are_compiled_at_a_time(small_fit, compilations):
    rows = pad(small_fit.rows, small_fit.card)
    cards = [
        replace(small_fit.card, name=str(mu), priors={**small_fit.card.priors, "sigma": prior})
        for mu in (-4.0, -4.1, -4.2)
        for prior in [replace(small_fit.card.priors["sigma"], args={"mu": mu, "sigma": 1.0})]
    ]
    made = at_once([lambda card=card: compiled_sampler(rows, card) for card in cards])
    assert sorted(sampler.number for sampler in made) == [1, 2, 3]
    # Never more than one at a time.
    assert [at_a_time for _, at_a_time in compilations] == [1, 1, 1]


def test_fits_at_once_are_those_of_one_after_the_other(study, small_fit, settings, monkeypatch):
    """From the sampler on disk, which both threads look for."""
    short = {**settings, "draws": 20, "tune": 60, "cores": 1}
    seeds = (3, 4)
    alone = [bc.fit(study, "cpt_replay", **{**short, "seed": seed}).posterior for seed in seeds]
    monkeypatch.setattr(compiled, "_COMPILED", {})
    calls = [lambda s=s: bc.fit(study, "cpt_replay", **{**short, "seed": s}) for s in seeds]
    for made, expected in zip(at_once(calls), alone, strict=True):
        xr.testing.assert_equal(made.posterior, expected)
        assert np.isfinite(made.posterior["sigma"]).all()
    assert len(compiled._COMPILED) == 1
    # The two threads had draws of their own.
    assert not np.allclose(alone[0]["sigma"], alone[1]["sigma"])


@pytest.mark.slow
def test_two_threads_that_compile_at_once_both_fit(study, settings, monkeypatch, tmp_path):
    """Two cards, nothing compiled before: draws are those of one fit after the other."""
    short = {**settings, "draws": 50, "tune": 100, "cores": 1}
    calls = [lambda card=card: bc.fit(study, card, **short) for card in ("cpt", "annealing")]
    found = []
    for folder, run in (("both", at_once), ("alone", lambda calls: [call() for call in calls])):
        monkeypatch.setenv(stored.VARIABLE, str(tmp_path / folder))
        monkeypatch.setattr(compiled, "_COMPILED", {})
        found.append(run(calls))
        assert len(compiled._COMPILED) == 2
    for made, expected in zip(*found, strict=True):
        assert made.card == expected.card
        xr.testing.assert_equal(made.posterior, expected.posterior)
