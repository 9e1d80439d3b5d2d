"""Chains by themselves: kept, taken again to the bit, and all ended by an interruption."""

import signal
import threading
import time

import nutpie
import pytest
import xarray as xr

import bayescpt as bc
from bayescpt.errors import FitError, WorkError
from bayescpt.inference import chains
from bayescpt.inference.chains import chain_seed
from bayescpt.interruption import Interrupted
from bayescpt.work import pieces


@pytest.fixture
def started(monkeypatch) -> list[int]:
    """Seeds of the chains sampled from here on."""
    seeds, sample = [], nutpie.sample

    def spy(*args, **kwargs):
        seeds.append(kwargs["seed"])
        return sample(*args, **kwargs)

    monkeypatch.setattr(nutpie, "sample", spy)
    return seeds


def interrupt_after(monkeypatch, count):
    """Interrupt sampling when so many chains are kept."""
    packed, kept = chains._packed, []

    def interrupt(chain):
        if len(kept) == count:
            raise Interrupted(signal.SIGINT)
        kept.append(chain)
        return packed(chain)

    monkeypatch.setattr(chains, "_packed", interrupt)


def test_a_fit_goes_on_from_its_finished_chains(
    study, settings, small_fit, tmp_path, monkeypatch, started
):
    with monkeypatch.context() as patch:
        interrupt_after(patch, 1)
        with pytest.raises(Interrupted):
            bc.fit(study, "cpt_replay", work=tmp_path, cores=1, **settings)
    assert [path.name for path in pieces(tmp_path)] == ["chain-0.piece"]
    again = bc.fit(study, "cpt_replay", work=tmp_path, **settings)
    seeds = [chain_seed(settings["seed"], chain) for chain in (0, 1)]
    # The second chain was under way when the first fit ended, and was not kept.
    assert started == [*seeds, seeds[1]]
    xr.testing.assert_identical(again.posterior, small_fit.posterior)
    xr.testing.assert_identical(again.sample_stats, small_fit.sample_stats)
    for name, values in small_fit.posterior.data_vars.items():
        assert values.dtype == again.posterior[name].dtype
    taken = bc.fit(study, "cpt_replay", work=tmp_path, **settings)
    xr.testing.assert_identical(taken.posterior, small_fit.posterior)
    assert len(started) == 3


@pytest.mark.parametrize("change", [{"draws": 151}, {"seed": 4}, {"target_accept": 0.9}])
def test_chains_of_another_fit_are_refused(
    study, settings, tmp_path_factory, change, kept_chains, started
):
    with pytest.raises(WorkError, match=next(iter(change)).replace("seed", "random_seed")):
        bc.fit(study, "cpt_replay", work=kept_chains, **{**settings, **change})
    with pytest.raises(WorkError, match="the study changed"):
        bc.fit(study.drop(["r25_cosine"]), "cpt_replay", work=kept_chains, **settings)
    with pytest.raises(WorkError, match="the card changed"):
        bc.fit(study, "cpt", work=kept_chains, **settings)
    assert not started


@pytest.fixture(scope="module")
def kept_chains(study, settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    bc.fit(study, "cpt_replay", work=folder, **settings)
    return folder


def test_a_chain_does_not_depend_on_the_others(study, settings, small_fit):
    alone = bc.fit(study, "cpt_replay", **{**settings, "chains": 1})
    sampled = [name for name, v in alone.posterior.items() if v.attrs.get("sampled")]
    assert sampled
    # Effects of runs are judged from the draws of all chains.
    first = small_fit.posterior.isel(chain=[0])
    xr.testing.assert_identical(alone.posterior[sampled], first[sampled])
    assert len({chain_seed(seed, chain) for seed in range(50) for chain in range(8)}) == 400


def test_an_interruption_ends_all_chains(study, settings):
    endless = {**settings, "draws": 200_000, "chains": 2, "cores": 2}
    timer = threading.Timer(2.0, signal.raise_signal, [signal.SIGINT])
    timer.start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bc.fit(study, "cpt_replay", **endless)
    timer.cancel()
    assert time.monotonic() - begun < 60
    used = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - used < 0.3


def test_a_chain_that_cannot_start_is_one_short_error(study, settings, monkeypatch):
    def no_start(sampler, _seed):
        from dataclasses import replace

        def fail(_chain_seed):
            raise ValueError("no start")

        return replace(sampler, initial_point_func=fail)

    monkeypatch.setattr("bayescpt.inference.sample.started", no_start)
    with pytest.raises(FitError, match=r"sampling failed: (?s:.*)no start") as caught:
        bc.fit(study, "cpt_replay", **settings)
    assert "backtrace" not in str(caught.value)
