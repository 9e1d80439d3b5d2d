import numpy as np
import pytest
import xarray as xr

from bayescpt.laws.points import References
from bayescpt.model.card_file import load_card

AREA = np.array([0.01, 0.3, 1.0, 2.5])
VALUES = {
    "shift_ref": 0.8, "onset": 40.0, "beta": 0.2, "share_kappa": 1.3, "share_gamma": 0.3,
    "shift_peak": 0.4, "speed_peak": -0.2, "share_size": 0.15, "keep_power": 0.6,
    "forget_peak": -0.3,
}  # fmt: skip


@pytest.fixture
def fade(make_term):
    return make_term("replay", "fade", shift="power")


@pytest.fixture
def memory(make_term):
    return make_term("replay", "memory", shift="power")


def forgotten(area, kept, onset, beta, gamma):
    """Rise of the loss of a set, by its definition: (w^-gamma - 1) / (gamma beta)."""
    worth = kept + (1.0 - kept) * (1.0 + onset * area) ** -beta
    return (worth**-gamma - 1.0) / (gamma * beta)


@pytest.mark.parametrize("replay", [0.0, 0.02, 0.25, 0.75])
@pytest.mark.parametrize("seen", [0.0, 0.1])
@pytest.mark.parametrize("log_peak", [0.0, np.log(0.25)])
def test_a_set_fades_down_to_a_power_of_its_share(fade, replay, seen, log_peak):
    p = VALUES
    f = {"replay": replay, "replay_seen": seen, "log_peak": log_peak, "is_target": 0.0}
    onset = 40.0 * np.exp(-0.3 * log_peak)
    grown = forgotten(AREA, replay**0.6, onset, 0.2, 0.3)
    at_seen = forgotten(1.0, seen**0.6, 40.0, 0.2, 0.3)
    expected = 0.8 * np.exp(0.4 * log_peak) * grown / at_seen
    np.testing.assert_allclose(fade.value(p, f | {"shift_area": AREA}), expected, rtol=1e-7)


@pytest.mark.parametrize("replay", [0.1, 0.25, 0.75])
@pytest.mark.parametrize("log_peak", [0.0, np.log(0.25)])
def test_a_target_learns_later_and_less_by_its_share(fade, replay, log_peak):
    f = {"replay": replay, "replay_seen": 0.1, "log_peak": log_peak, "is_target": 1.0}
    share = (1.0 - replay) / 0.9
    speed = share**1.3 * np.exp(-0.2 * log_peak)
    grown = (1.0 - (1.0 + 40.0 * speed * AREA) ** -0.2) / (1.0 - 41.0**-0.2)
    expected = 0.8 * share**0.15 * grown
    np.testing.assert_allclose(fade.value(VALUES, f | {"shift_area": AREA}), expected, rtol=1e-12)


@pytest.mark.parametrize("is_target", [0.0, 1.0])
def test_without_the_exponents_it_is_the_fading_memory(fade, memory, is_target):
    p = VALUES | {"share_size": 0.0, "keep_power": 1.0, "forget_peak": 0.0}
    for replay in (0.0, 0.25, 0.75):
        f = {"replay": replay, "replay_seen": 0.0, "log_peak": -1.0, "is_target": is_target}
        f |= {"shift_area": AREA}
        np.testing.assert_allclose(fade.value(p, f), memory.value(p, f), rtol=1e-7)


def test_both_sets_move_by_the_sum_of_a_power_of_the_lr(fade, make_study, make_law, look):
    study = make_study(np.full(20, 2e-3), [[2e-3] * 4, [5e-4] * 4])
    law = make_law(replay="fade")
    for is_target in (False, True):
        full = law.features(look(study, "run0", [4], law), is_target)["shift_area"]
        low = law.features(look(study, "run1", [4], law), is_target)["shift_area"]
        assert low[0] / full[0] == pytest.approx(0.25**0.6)


def test_only_what_has_a_part_is_used(fade):
    assert not fade.uses("share_size", is_target=False)
    assert fade.uses("share_size", is_target=True)
    assert not fade.uses("keep_power", is_target=True)
    assert not fade.uses("share_gamma", is_target=True)
    assert fade.uses("keep_power", is_target=False)
    assert [fade.uses("forgetting_ref", is_target=side) for side in (False, True)] == [True, False]
    assert [fade.uses("learning_ref", is_target=side) for side in (False, True)] == [False, True]


@pytest.mark.parametrize(("is_target", "left"), [(0.0, 3.0), (1.0, 0.5)])
def test_beta_is_what_leaves_so_much_at_the_reference_area(make_law, is_target, left):
    p = VALUES | {"forgetting_ref": 3.0, "learning_ref": 0.5}
    beta = make_law(replay="fade").adjusted(p, {"is_target": is_target})["beta"]
    assert (1.0 + p["onset"]) ** -beta == pytest.approx(np.exp(-left))


def test_draws_have_the_beta_of_each_set(make_law):
    law, pairs = make_law(replay="fade"), ["general|german", "german|german"]

    def by_pair(*values):
        return xr.DataArray(list(values), {"pair": pairs}, "pair")

    p = {
        "shift_ref": by_pair(0.8, -2.0), "onset": by_pair(40.0, 90.0),
        "forgetting_ref": by_pair(3.0, 9.0), "learning_ref": by_pair(9.0, 0.5),
    }  # fmt: skip
    refs = References({"shift_area": 2.0}, "true")
    symbols = law.terms[-1].symbols(p, refs)
    expected = [3.0 / np.log(41.0), 0.5 / np.log(91.0)]
    np.testing.assert_allclose(symbols["beta"], expected)
    np.testing.assert_allclose(symbols["E"], [20.0, 45.0])
    np.testing.assert_allclose(
        symbols["B"], [0.8 / (1.0 - np.exp(-3.0)), -2.0 / (1.0 - np.exp(-0.5))]
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_priors_bound_the_shift_without_replay(make_law, seed):
    """A fit of pilots that all replay a quarter cannot say that none costs a hundred times more."""
    card = load_card("cpt_fade")
    rng = np.random.default_rng(seed)
    p = {one.name: card.priors[one.name].draw(rng, (20_000,)) for one in card.law.parameters}
    p["shift_ref"] = 1.0
    f = {"is_target": 0.0, "log_peak": 0.0, "replay_seen": 0.25, "shift_area": 1.0}
    p |= make_law(replay="fade").adjusted(p, f)
    term = next(term for term in card.law.terms if term.slot == "replay")
    without, half = (term.value(p, f | {"replay": replay}) for replay in (0.0, 0.5))
    # The studies of the fleet have 2.2 to 5.7, Ibrahim et al. (arXiv 2403.08763) 8.7.
    low, middle, high, extreme = np.quantile(without, [0.05, 0.5, 0.95, 0.998])
    assert 1.5 < low < 2.2 < middle < 5.7 < high < 12.0
    assert extreme < 50.0
    assert np.quantile(half, 0.95) < 1.0
