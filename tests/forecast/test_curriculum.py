"""The order of replay along a run counts."""

from dataclasses import replace

import numpy as np
import pytest

from bayescpt.data import Study, schedules
from bayescpt.forecast import Draws, Plan, forecast
from bayescpt.forecast.final import Screener
from bayescpt.model.rows import make_rows

WSD = schedules.wsd(2e-3, 200, 10, 40)
HIGH = 0.6
RISING = np.repeat([0.0, HIGH], 100)
LAWS = {
    "cpt_replay": 'annealing = "area"\nrewarm = "own"\nreplay = "memory"',
    "own_share": 'replay = "own_share"',
    "exponential": 'replay = "exponential"',
    "cpt_momentum": 'annealing = "momentum"\nreplay = "memory"',
}


def plan(name: str, ratio) -> Plan:
    return Plan(name, WSD, ratio, start="pt")


PLANS = [
    plan("rising", RISING),
    plan("falling", RISING[::-1]),
    plan("even", HIGH / 2),
    plan("none", 0.0),
    plan("all", HIGH),
]


@pytest.fixture(scope="module", params=LAWS.values(), ids=LAWS)
def forgetful(request, make_draws) -> Draws:
    """Draws of a law in which the general set is forgotten and the target is learnt."""
    draws = make_draws(law=request.param)
    posterior = draws.posterior.copy(deep=True)
    size = np.abs(posterior["shift_ref"])
    size[:] = np.maximum(size, 0.1)
    learnt = posterior["pair"].to_numpy() == "target|target"
    posterior["shift_ref"][:] = np.where(learnt, -size, size)
    if "anneal_replay" in posterior:
        posterior["anneal_replay"][:] = 0.0
    return replace(draws, posterior=posterior)


@pytest.fixture(scope="module")
def mu(forgetful):
    return forecast(forgetful, PLANS).mu


def test_curves_of_one_mean_ratio_differ_by_its_order(mu):
    # On the target, curves of one mean ratio cross on the way.
    steps = {"general": [50, 150, 200], "target": [50, 200]}
    for one, other in (("rising", "even"), ("even", "falling"), ("rising", "falling")):
        for domain, at in steps.items():
            apart = (mu.sel(plan=one) - mu.sel(plan=other)).sel(domain=domain, step=at)
            assert (np.abs(apart) > 1e-9).all()
            assert (np.abs(apart).median(("chain", "draw")) > 0.005).all()


def test_replay_that_comes_late_keeps_more_and_learns_less(mu):
    """Draw by draw; on a small model (docstring of `remembered_replay`) it was so."""
    end = {name: mu.sel(plan=name, step=200) for name in ("rising", "falling", "even")}
    general, target = ({n: e.sel(domain=d) for n, e in end.items()} for d in ("general", "target"))
    assert (general["rising"] < general["even"]).all()
    assert (general["even"] < general["falling"]).all()
    assert (target["rising"] > target["even"]).all()
    assert (target["even"] > target["falling"]).all()


def test_until_the_ratio_changes_a_curve_is_that_of_its_first_ratio(mu):
    for name, same in (("rising", "none"), ("falling", "all")):
        np.testing.assert_array_equal(
            mu.sel(plan=name, step=slice(0, 100)), mu.sel(plan=same, step=slice(0, 100))
        )
        assert (mu.sel(plan=name, step=110) != mu.sel(plan=same, step=110)).all()


def test_a_curriculum_ends_between_its_lowest_and_its_highest_ratio(mu):
    ends = mu.sel(step=200)
    for name in ("rising", "falling", "even"):
        low, high = (
            ends.sel(plan=["none", "all"]).min("plan"),
            ends.sel(plan=["none", "all"]).max("plan"),
        )
        assert ((low < ends.sel(plan=name)) & (ends.sel(plan=name) < high)).all()


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_a_constant_ratio_is_the_same_as_an_array(forgetful, ratio):
    given = [ratio, np.full(200, ratio), np.broadcast_to(ratio, 200)]
    made = [forecast(forgetful, plan("same", r)).dataset for r in given]
    screener = Screener(forgetful)
    ends = [screener.evaluator()([screener.place(plan("same", r))]).copy() for r in given]
    for other, end in zip(made[1:], ends[1:], strict=True):
        for kind in ("mu", "loss"):
            np.testing.assert_allclose(other[kind], made[0][kind], rtol=0, atol=1e-12)
        np.testing.assert_allclose(end, ends[0], rtol=0, atol=1e-12)


def test_screening_has_the_order_too(forgetful):
    screener = Screener(forgetful)
    found = screener.evaluator()([screener.place(one) for one in PLANS], "mu")
    expected = forecast(forgetful, PLANS, [200]).mu.to_numpy()
    shaped = expected.reshape(-1, len(PLANS), 2).transpose(1, 2, 0)
    np.testing.assert_allclose(found, shaped, rtol=1e-12)


def with_ratios(study: Study, **ratios) -> Study:
    """The study with replay ratios that were logged step by step."""
    return replace(study, replays={**study.replays, **ratios})


def test_a_fitted_run_of_a_constant_ratio_has_one_segment_a_curve(forgetful, simulated_study):
    logged = with_ratios(simulated_study, r10_wsd=np.full(200, 0.1))
    one, other = (make_rows(study, forgetful.card) for study in (simulated_study, logged))
    for part in ("segment", "row", "basis", "mix", "start"):
        for name, values in getattr(one, part).items():
            np.testing.assert_allclose(getattr(other, part)[name], values, rtol=0, atol=1e-12)


def test_a_fitted_curriculum_is_seen_in_its_order(forgetful, simulated_study):
    seen = {}
    for name, ratio in (("rising", RISING), ("falling", RISING[::-1])):
        rows = make_rows(with_ratios(simulated_study, r50_constant=ratio), forgetful.card)
        run = rows.labels.curve.index(("r50_constant", "general"))
        of = rows.segment["curve"][rows.row["segment"]] == run
        seen[name] = rows.segment["replay"][rows.row["segment"]][of]
        steps = rows.row["step"][of]
        first = ratio[0]
        np.testing.assert_array_equal(seen[name][steps <= 100], first)
        assert np.all(np.diff(seen[name][steps >= 100]) * (RISING[-1] - 2 * first) > 0)
    # What came last counts for more.
    assert seen["rising"][-1] > HIGH / 2 > seen["falling"][-1]
