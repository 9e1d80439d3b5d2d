import numpy as np
import pytest

from bayescpt.laws.replay_state import TARGET_EXPONENT
from bayescpt.laws.terms.shift import shift_growth

FLAT = np.full(20, 2e-3)
REPLAY = np.array([0.0, 1e-6, 0.01, 0.25, 0.5, 0.75, 1.0])
VALUES = {
    "shift_ref": 1.0, "onset": 40.0, "beta": 0.2, "share_kappa": 1.3, "share_gamma": 0.3,
    "shift_peak": 0.4, "speed_peak": -0.2,
}  # fmt: skip


@pytest.fixture
def memory(make_term):
    return make_term("replay", "memory", shift="power")


@pytest.fixture
def own_tokens(memory):
    """Function: factor of the shift, and the onset, at a replay ratio and the reference peak."""

    def grown(replay, is_target, kappa, onset=40.0, beta=0.2, xp=np):
        p = VALUES | {"share_kappa": kappa, "onset": onset, "beta": beta}
        c = memory.coefficients(
            p, {"replay": replay, "is_target": is_target, "replay_seen": 0.0, "log_peak": 0.0}, xp
        )
        return c["shift"], c["onset"]

    return grown


def test_own_tokens_without_replay_are_the_shift_itself(own_tokens):
    for kappa in (0.3, 1.0, 2.0):
        assert own_tokens(0.0, 1.0, kappa) == (pytest.approx(1.0), 40.0)
    response, onset = own_tokens(REPLAY, 1.0, 1.3)
    assert response[-1] == pytest.approx(0.0, abs=1e-7)
    assert np.all(np.diff(response) <= 0)
    assert np.all(np.isfinite(onset))
    assert np.all(onset > 0)


def test_at_kappa_1_the_target_learns_from_its_share_of_the_tokens(memory):
    """Shift at replay r and area s is that of no replay at area (1 - r) s."""
    area = np.array([0.0, 1e-6, 0.01, 0.3, 1.0, 2.5])
    for beta in (0.0, 0.2, 3.0):
        for replay in REPLAY[:-1]:
            p = VALUES | {"share_kappa": 1.0, "beta": beta}
            seen = {
                "replay": replay,
                "is_target": 1.0,
                "replay_seen": 0.0,
                "log_peak": 0.0,
                "shift_area": area,
            }
            expected = shift_growth((1.0 - replay) * area, 40.0, beta)
            np.testing.assert_allclose(memory.value(p, seen), expected, rtol=1e-13)


def test_kappa_is_an_exponent_of_the_targets_share(own_tokens):
    response, onset = own_tokens(0.5, 1.0, 2.0)
    assert onset == pytest.approx(0.25 * 40.0, rel=1e-14)
    assert response == pytest.approx(shift_growth(0.25, 40.0, 0.2), rel=1e-14)


def test_other_sets_do_not_learn_from_the_targets_tokens(own_tokens):
    response, onset = own_tokens(REPLAY, np.zeros_like(REPLAY), 1.3)
    np.testing.assert_array_equal(response, np.ones_like(REPLAY))
    np.testing.assert_array_equal(onset, np.full_like(REPLAY, 40.0))


def test_it_keeps_the_share_of_other_sets_and_counts_the_targets_own_tokens(memory):
    p = VALUES | {"shift_ref": 0.8, "onset": 28.0, "share_kappa": 1.2}
    seen = {"replay": 0.25, "replay_seen": 0.0, "log_peak": np.log(0.5)}
    other = memory.coefficients(p, seen | {"is_target": 0.0})
    assert (other["keep"], other["gamma"], other["onset"]) == (0.25, 0.3, 28.0)
    assert other["shift"] == pytest.approx(0.8 * 0.5**0.4, rel=1e-14)
    target = memory.coefficients(p, seen | {"is_target": 1.0})
    assert (target["keep"], target["gamma"]) == (0.0, -1.0)
    own = 0.75**1.2 * 0.5**-0.2
    assert target["onset"] == pytest.approx(28.0 * own, rel=1e-14)
    assert target["shift"] == pytest.approx(0.8 * shift_growth(own, 28.0, 0.2), rel=1e-13)


def test_another_set_fades_down_to_its_share(memory):
    """w^-gamma by hand, times the effect of the peak."""
    area = np.array([0.0, 0.3, 1.0, 2.5])
    seen = {
        "replay": 0.25,
        "is_target": 0.0,
        "replay_seen": 0.0,
        "log_peak": np.log(0.5),
        "shift_area": area,
    }
    share = 0.25 + 0.75 * (1 + 40.0 * area) ** -0.2
    alone = (1 + 40.0) ** (0.2 * 0.3) - 1
    expected = 0.5**0.4 * (share**-0.3 - 1) / alone
    np.testing.assert_allclose(memory.value(VALUES, seen), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("part", [0, 1], ids=["response", "onset"])
def test_own_tokens_are_the_same_by_numpy_xarray_and_pytensor(everywhere, own_tokens, part):
    def law(xp=np, **values):
        parts = own_tokens(**values, xp=xp)
        # The onset takes no part in beta; every argument must be in the graph.
        return parts[part] + 0.0 * parts[0]

    by_draw = {
        "kappa": [0.3, 1.0, 1.3, 2.0], "onset": [1e-2, 40.0, 5662.0, 1e6],
        "beta": [0.0, 1e-4, 0.2, 3.0],
    }  # fmt: skip
    by_row = {"replay": np.tile(REPLAY, 2), "is_target": np.repeat([0.0, 1.0], REPLAY.size)}
    out = everywhere(law, by_draw, by_row)
    assert out["numpy"].shape == (4, 14)
    for values in out.values():
        np.testing.assert_allclose(values, out["numpy"], rtol=1e-10, atol=1e-10)


def test_a_target_learns_by_a_power_of_the_lr_in_the_unit_of_the_shift(make_study, make_law, look):
    lr = np.r_[np.linspace(1e-4, 2e-3, 20), np.full(200, 2e-3), np.linspace(2e-3, 1e-5, 80)]
    study, law = make_study(FLAT, [lr]), make_law(replay="memory")
    view = look(study, "run0", np.arange(301), law)
    exact = np.r_[0.0, np.cumsum((lr / 2e-3) ** TARGET_EXPONENT)] / (lr.sum() / 2e-3)
    np.testing.assert_allclose(law.features(view, True)["shift_area"], exact, rtol=1e-12)
    plain = np.r_[0.0, np.cumsum(lr)] / lr.sum()
    np.testing.assert_allclose(law.features(view, False)["shift_area"], plain, rtol=1e-12)
    before = look(study, "base", [1, 20], law)
    for is_target in (False, True):
        assert not law.features(before, is_target)["shift_area"].any()


def test_half_the_lr_is_two_thirds_of_a_targets_area(make_study, make_law, look):
    """2^-.6 = .659754, 4^-.6 = .435275; the shift's reference is 3.5e-3, the peak 2e-3."""
    study, law = make_study(FLAT, [[2e-3, 1e-3, 5e-4]]), make_law(replay="memory")
    seen = law.features(look(study, "run0", np.arange(4), law), True)["shift_area"]
    expected = np.array([0.0, 1.0, 1.659754, 2.095029]) * 2e-3 / 3.5e-3
    np.testing.assert_allclose(seen, expected, rtol=1e-6)


def test_a_target_has_no_share_response_and_another_set_no_tokens_of_its_own(memory):
    """What a kind of set does not use changes nothing there."""
    seen = {
        "replay": 0.25,
        "replay_seen": 0.0,
        "log_peak": np.log(0.5),
        "shift_area": np.array([0.5, 1.0]),
    }
    for is_target in (False, True):
        of = seen | {"is_target": float(is_target)}
        for name in ("share_gamma", "share_kappa", "beta"):
            moved = memory.value(VALUES | {name: VALUES[name] + 0.1}, of)
            differs = np.any(moved != memory.value(VALUES, of))
            assert memory.uses(name, is_target) == differs, (name, is_target)
