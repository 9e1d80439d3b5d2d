import numpy as np
import pytest

from bayescpt.laws.terms.shift_own_share import power_share

REPLAY = np.array([0.0, 1e-6, 0.01, 0.25, 0.5, 0.75, 1.0])
GAMMA = np.array([1e-10, 1e-3, 0.4, 3.0])
EPS = np.array([1e-4, 0.03, 0.5, 0.03])


@pytest.fixture
def response(make_term):
    """Function: part of the no-replay shift that is left at a replay ratio."""
    term = make_term("replay", "own_share", shift="power")

    def left(replay, is_target, gamma, eps, xp=np):
        p = {"replay_gamma": gamma, "replay_eps": eps}
        return term.response(p, {"replay": replay, "is_target": is_target}, xp)

    return left


@pytest.mark.parametrize("is_target", [0.0, 1.0])
def test_whole_shift_without_replay_and_none_at_replay_1(response, is_target):
    for gamma in GAMMA:
        for eps in EPS:
            left = response(REPLAY, is_target, gamma, eps)
            assert left[0] == pytest.approx(1.0, abs=1e-12)
            assert left[-1] == pytest.approx(0.0, abs=1e-12)
            assert np.all(np.diff(left) <= 0)


def test_share_is_the_published_form():
    gamma, eps = 0.4, 0.03
    top = (REPLAY + eps) ** -gamma - (1 + eps) ** -gamma
    exact = top / (eps**-gamma - (1 + eps) ** -gamma)
    np.testing.assert_allclose(power_share(REPLAY, gamma, eps), exact, atol=1e-14)
    # gamma -> 0: linear in the logarithm of the share.
    exact = 1 - np.log((REPLAY + eps) / eps) / np.log((1 + eps) / eps)
    np.testing.assert_allclose(power_share(REPLAY, 1e-9, eps), exact, atol=1e-8)


def test_the_target_answers_to_its_own_share(response):
    general = response(REPLAY, 0.0, 0.4, 0.03)
    target = response(REPLAY, 1.0, 0.4, 0.03)
    np.testing.assert_allclose(target, 1 - response(1 - REPLAY, 0.0, 0.4, 0.03), atol=1e-14)
    # A little replay takes much of the forgetting away, and hardly slows the learning.
    assert general[3] < 0.4
    assert target[3] > 0.9


def test_forgetting_of_ibrahim_et_al_is_within_reach(response, make_term):
    """Rise of the general loss, 405M to German (laws.md; arXiv 2403.08763): log-like in replay."""
    replay = np.array([0.0, 0.01, 0.05, 0.1, 0.25, 0.5])
    rise = np.array([1.39, 0.66, 0.40, 0.29, 0.16, 0.07])
    grid = [
        np.abs(1.39 * response(replay, 0.0, gamma, eps) - rise).max()
        for gamma in np.linspace(0.02, 2, 40)
        for eps in np.geomspace(1e-4, 0.3, 40)
    ]
    term = make_term("replay", "exponential", shift="power")
    exponential = [
        np.abs(1.39 * term.response({"replay_rate": rate}, {"replay": replay}) - rise).max()
        for rate in np.geomspace(1e-3, 80, 200)
    ]
    assert min(grid) < 0.04
    assert min(exponential) > 0.3


@pytest.mark.parametrize("is_target", [0.0, 1.0])
def test_is_the_same_by_numpy_xarray_and_pytensor(everywhere, response, is_target):
    out = everywhere(
        response, {"gamma": GAMMA, "eps": EPS}, {"replay": REPLAY}, is_target=is_target
    )
    for values in out.values():
        np.testing.assert_allclose(values, out["numpy"], rtol=1e-10, atol=1e-10)


def test_sets_of_both_kinds_at_once(response):
    replay, is_target = np.tile(REPLAY, 2), np.repeat([0.0, 1.0], REPLAY.size)
    expected = np.concatenate([response(REPLAY, kind, 0.4, 0.03) for kind in (0.0, 1.0)])
    np.testing.assert_array_equal(response(replay, is_target, 0.4, 0.03), expected)


@pytest.mark.parametrize("is_target", [0.0, 1.0])
def test_it_scales_the_shift(make_term, response, is_target):
    term = make_term("replay", "own_share", shift="power")
    p = {"shift_ref": 0.8, "onset": 28.0, "beta": 0.2, "replay_gamma": 0.4, "replay_eps": 0.03}
    found = term.coefficients(p, {"replay": 0.25, "is_target": is_target})
    left = response(0.25, is_target, 0.4, 0.03)
    assert found["shift"] == pytest.approx(0.8 * left, rel=1e-14)
    assert (found["onset"], found["beta"]) == (28.0, 0.2)
