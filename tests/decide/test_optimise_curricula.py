"""The best curriculum of a space, under laws whose best recipe is known."""

from dataclasses import replace

import numpy as np
import pytest

from bayescpt.data import schedules
from bayescpt.decide import Space, compare, goal_map, optimise
from bayescpt.decide.goal_map import map_settings
from bayescpt.forecast import Plan
from bayescpt.laws import view

STEPS = 200
RATIOS = [k / 10 for k in range(10)]
FIXED = {"schedule": "wsd", "num_training_steps": STEPS, "warmup_share": 0.05, "lr": 2e-3}
CURRICULA = {**FIXED, "decay_share": 0.2, "replay_ratio": RATIOS, "replay_pieces": [1, 2]}
CURRICULA |= {"switch_share": [0.25, 0.5, 0.75]}
# At these weights neither all replay nor none is best.
WEIGHTS = {"general": 0.05, "target": 0.95}
SCHEDULE = schedules.wsd(2e-3, STEPS, num_warmup_steps=10, num_decay_steps=40)


@pytest.fixture(scope="module")
def forgetful(prior_fit):
    """A law in which the general set is forgotten and the target learnt."""
    posterior = prior_fit.posterior.copy(deep=True)
    size = np.maximum(np.abs(posterior["shift_ref"]), 0.3)
    learnt = posterior["pair"].to_numpy() == "target|target"
    posterior["shift_ref"][:] = np.where(learnt, -size, size)
    return replace(prior_fit, posterior=posterior)


@pytest.fixture
def without_memory(monkeypatch):
    """What sets remember of replay is its plain mean so far: its order does not count."""

    def _mean(replay, area, steps):
        return np.r_[replay[0], np.cumsum(replay) / np.arange(1, replay.size + 1)][steps]

    monkeypatch.setattr(view, "remembered_replay", _mean)


def search(fit, **given):
    return optimise(fit, {**CURRICULA, **given}, risk="mean", weights=WEIGHTS, extrapolate=True)


def expected(fit, recipes):
    """Expected losses of recipes at the end, each forecast on its own."""
    plans = [Plan(str(k), SCHEDULE, ratio, start="pt") for k, ratio in enumerate(recipes)]
    made = fit.forecast(plans, [STEPS], 0, False, True)
    table = compare(made, risk="mean", weights=WEIGHTS, kind="mu").table
    return table["mean"].to_numpy()


def test_the_best_of_all_recipes_is_found_under_a_law_with_memory(forgetful):
    found = search(forgetful)
    recipes = list(RATIOS)
    for switch in (50, 100, 150):
        pairs = [(one, two) for one in RATIOS for two in RATIOS if one != two]
        recipes += [[(0, one), (switch, two)] for one, two in pairs]
    assert len(found.tried) == len(recipes) == 280
    every = expected(forgetful, recipes)
    best = expected(forgetful, [found.plan.replay_ratio])
    noise = found.decision.contrasts["mcse"].max()
    assert best[0] <= every.min() + 5 * noise
    assert found.tried["mean"].min() == pytest.approx(every.min(), abs=5 * noise)
    # Curricula differ from each other by their order.
    falling, rising = expected(forgetful, [[(0, 0.9), (150, 0.0)], [(0, 0.0), (150, 0.9)]])
    assert abs(falling - rising) > 5 * noise


def test_a_constant_ratio_is_recovered_where_the_order_does_not_count(forgetful, without_memory):
    found = search(forgetful)
    assert len(found.tried) == 280
    ratio = found.plan.replay_ratio
    assert np.ndim(ratio) == 0
    constant = expected(forgetful, RATIOS)
    noise = found.decision.contrasts["mcse"].max()
    assert constant[RATIOS.index(ratio)] <= constant.min() + 5 * noise
    # Curricula of the same mean are as good, and were tried.
    assert any("equal" in note for note in found.warnings)
    assert found.plans[0] is found.plan


def test_a_range_of_curricula_is_searched_as_well_as_a_list(forgetful):
    lists = search(forgetful).tried["mean"].min()
    found = search(forgetful, replay_ratio=(0.0, 0.9), switch_share=(0.05, 0.95))
    spread = np.ptp(expected(forgetful, RATIOS))
    assert found.tried["mean"].min() <= lists + 0.05 * spread


def test_curricula_are_said_to_be_outside_pilots_of_constant_ratios(forgetful):
    found = optimise(
        forgetful, {**CURRICULA, "replay_ratio": [0.1, 0.3, 0.5]}, risk="mean", weights=WEIGHTS
    )
    text = "the replay ratio changes along it, and along no fitted run"
    for plan in found.plans:
        assert (found.tried.loc[plan.name, "outside"] == text) == (np.ndim(plan.replay_ratio) == 1)


def test_the_plain_replay_of_a_space_is_searched_as_before(forgetful):
    plain = {k: v for k, v in CURRICULA.items() if k not in ("replay_pieces", "switch_share")}
    one = optimise(forgetful, plain, risk="mean", weights=WEIGHTS, extrapolate=True)
    pieces = {**plain, "replay_pieces": 1}
    other = optimise(forgetful, pieces, risk="mean", weights=WEIGHTS, extrapolate=True)
    assert one.table.equals(other.table)


def test_a_map_of_the_goal_takes_settings_of_pieces(forgetful):
    space = {**CURRICULA, "replay_ratio": (0.1, 0.5), "switch_share": (0.1, 0.9)}
    assert map_settings(Space.of(space))[0] == ("replay_ratio", "switch_share")
    found = goal_map(
        forgetful, space, {"general": 5.0}, "replay_ratio", "switch_share",
        at={"replay_pieces": 2, "replay_ratio_2": 0.5}, points=3,
    )  # fmt: skip
    assert found.probability.shape == (3, 3)
    # From .5 to .5 is no curriculum; all others are outside pilots of constant ratios.
    assert found.outside[:, :2].all()
    assert not found.outside[:, 2].any()
