import numpy as np
import pytest

from bayescpt.laws.replay import (
    exponential_response,
    own_tokens_growth,
    power_response,
    power_share,
)
from bayescpt.laws.shift import shift_growth

REPLAY = np.array([0.0, 1e-6, 0.01, 0.25, 0.5, 0.75, 1.0])
GAMMA = np.array([1e-10, 1e-3, 0.4, 3.0])
EPS = np.array([1e-4, 0.03, 0.5, 0.03])


@pytest.mark.parametrize("is_target", [0.0, 1.0])
def test_whole_shift_without_replay_and_none_at_replay_1(is_target):
    for gamma in GAMMA:
        for eps in EPS:
            response = power_response(REPLAY, is_target, gamma, eps)
            assert response[0] == pytest.approx(1.0, abs=1e-12)
            assert response[-1] == pytest.approx(0.0, abs=1e-12)
            assert np.all(np.diff(response) <= 0)


def test_share_is_the_published_form():
    gamma, eps = 0.4, 0.03
    top = (REPLAY + eps) ** -gamma - (1 + eps) ** -gamma
    exact = top / (eps**-gamma - (1 + eps) ** -gamma)
    np.testing.assert_allclose(power_share(REPLAY, gamma, eps), exact, atol=1e-14)
    # gamma -> 0: linear in the logarithm of the share.
    exact = 1 - np.log((REPLAY + eps) / eps) / np.log((1 + eps) / eps)
    np.testing.assert_allclose(power_share(REPLAY, 1e-9, eps), exact, atol=1e-8)


def test_the_target_answers_to_its_own_share():
    general = power_response(REPLAY, 0.0, 0.4, 0.03)
    target = power_response(REPLAY, 1.0, 0.4, 0.03)
    np.testing.assert_allclose(target, 1 - power_response(1 - REPLAY, 0.0, 0.4, 0.03), atol=1e-14)
    # A little replay takes much of the forgetting away, and hardly slows the learning.
    assert general[3] < 0.4
    assert target[3] > 0.9


def test_forgetting_of_ibrahim_et_al_is_within_reach():
    """Rise of the general loss, 405M to German (laws.md; arXiv 2403.08763): log-like in replay."""
    replay = np.array([0.0, 0.01, 0.05, 0.1, 0.25, 0.5])
    rise = np.array([1.39, 0.66, 0.40, 0.29, 0.16, 0.07])
    grid = [
        np.abs(1.39 * power_response(replay, 0.0, gamma, eps) - rise).max()
        for gamma in np.linspace(0.02, 2, 40)
        for eps in np.geomspace(1e-4, 0.3, 40)
    ]
    exponential = [
        np.abs(1.39 * exponential_response(replay, rate) - rise).max()
        for rate in np.geomspace(1e-3, 80, 200)
    ]
    assert min(grid) < 0.04
    assert min(exponential) > 0.3


def test_exponential_response_is_equation_8_scaled():
    rate = 2.5
    response = exponential_response(REPLAY, rate)
    np.testing.assert_allclose(
        response * (1 - np.exp(-rate)), 1 - np.exp(-rate * (1 - REPLAY)), atol=1e-14
    )
    assert response[0] == 1.0
    assert response[-1] == 0.0
    np.testing.assert_allclose(exponential_response(REPLAY, 1e-9), 1 - REPLAY, atol=1e-8)


@pytest.mark.parametrize("is_target", [0.0, 1.0])
def test_power_is_the_same_by_numpy_xarray_and_pytensor(everywhere, is_target):
    out = everywhere(
        power_response, {"gamma": GAMMA, "eps": EPS}, {"replay": REPLAY}, is_target=is_target
    )
    for values in out.values():
        np.testing.assert_allclose(values, out["numpy"], rtol=1e-10, atol=1e-10)


def test_exponential_is_the_same_by_numpy_xarray_and_pytensor(everywhere):
    out = everywhere(exponential_response, {"rate": [1e-9, 0.5, 60.0]}, {"replay": REPLAY})
    for values in out.values():
        np.testing.assert_allclose(values, out["numpy"], rtol=1e-10, atol=1e-10)


OWN = {"kappa": 1.3, "onset": 40.0, "beta": 0.2}


def test_own_tokens_without_replay_are_the_shift_itself():
    for kappa in (0.3, 1.0, 2.0):
        values = OWN | {"kappa": kappa}
        assert own_tokens_growth(0.0, 1.0, **values) == (pytest.approx(1.0), 40.0)
    response, onset = own_tokens_growth(REPLAY, 1.0, **OWN)
    assert response[-1] == pytest.approx(0.0, abs=1e-7)
    assert np.all(np.diff(response) <= 0)
    assert np.all(np.isfinite(onset))
    assert np.all(onset > 0)


def test_at_kappa_1_the_target_learns_from_its_share_of_the_tokens():
    """Shift at replay r and area s is that of no replay at area (1 - r) s."""
    area = np.array([0.0, 1e-6, 0.01, 0.3, 1.0, 2.5])
    for beta in (0.0, 0.2, 3.0):
        for replay in REPLAY[:-1]:
            response, onset = own_tokens_growth(replay, 1.0, **OWN | {"kappa": 1.0, "beta": beta})
            found = response * shift_growth(area, onset, beta)
            expected = shift_growth((1.0 - replay) * area, 40.0, beta)
            np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_kappa_is_an_exponent_of_the_targets_share():
    response, onset = own_tokens_growth(0.5, 1.0, **OWN | {"kappa": 2.0})
    assert onset == pytest.approx(0.25 * 40.0, rel=1e-14)
    assert response == pytest.approx(shift_growth(0.25, 40.0, 0.2), rel=1e-14)


def test_other_sets_do_not_learn_from_the_targets_tokens():
    response, onset = own_tokens_growth(REPLAY, 0.0, **OWN)
    np.testing.assert_array_equal(response, np.ones_like(REPLAY))
    np.testing.assert_array_equal(onset, np.full_like(REPLAY, 40.0))


@pytest.mark.parametrize("part", [0, 1], ids=["response", "onset"])
def test_own_tokens_are_the_same_by_numpy_xarray_and_pytensor(everywhere, part):
    def law(xp=np, **values):
        parts = own_tokens_growth(**values, xp=xp)
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
