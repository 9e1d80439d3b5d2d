import numpy as np
import pytest

from bayescpt.laws.replay import exponential_response, power_response, power_share

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
