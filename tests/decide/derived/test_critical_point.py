"""Critical points of curves whose critical point is known."""

import numpy as np
import pytest

import bayescpt as bc
from bayescpt.errors import PlanError

HORIZON = 400


def general(theta, steps, replay, lr, **_):
    return 3.0 + theta * (1 - replay) * (lr / 2e-3) - 0.3 * np.log(steps / 100)


def german(theta, **_):
    return 2.0 + 0 * theta


@pytest.fixture(scope="module")
def fit(formula_fit):
    return formula_fit(general, german)


def test_least_replay_that_comes_back(fit, settings):
    space = settings | {"num_training_steps": (100, HORIZON), "replay_ratio": (0.0, 0.6)}
    found = bc.critical_point(fit, space)
    true = 1 - 0.3 * np.log(HORIZON / 100) / fit.theta
    values, inside = found.values.ravel(), (true > 0) & (true < 0.6)
    np.testing.assert_allclose(values[inside], true[inside], atol=1e-9)
    assert np.all(values[true <= 0] == -np.inf)
    assert np.all(values[true >= 0.6] == np.inf)
    assert found.never == pytest.approx(np.mean(true >= 0.6))
    assert found.always == pytest.approx(np.mean(true <= 0))
    assert found.curve["prob_back"].is_monotonic_increasing


def test_highest_peak_that_comes_back(fit, settings):
    space = settings | {"num_training_steps": (100, HORIZON), "lr": (5e-4, 2e-3)}
    found = bc.critical_point(fit, space, "lr", points=41)
    true = 2e-3 * 0.3 * np.log(HORIZON / 100) / (0.6 * fit.theta)
    values, inside = found.values.ravel(), true < 2e-3
    assert 0 < inside.mean() < 1
    np.testing.assert_allclose(values[inside], true[inside], rtol=1e-6)
    assert np.all(values[~inside] == np.inf)
    assert found.never == 0.0
    assert found.always == pytest.approx(np.mean(~inside))


def test_it_is_where_the_turning_length_is_the_horizon(fit, settings):
    space = settings | {"num_training_steps": (100, HORIZON), "replay_ratio": (0.0, 0.9)}
    median = bc.critical_point(fit, space).median
    turned = bc.turning_length(fit, space | {"replay_ratio": median})
    assert turned.never == pytest.approx(0.5, abs=0.01)


def test_arguments(fit, settings):
    lengths = {"num_training_steps": (100, HORIZON)}
    with pytest.raises(PlanError, match="setting = 'start': give one of replay_ratio, lr"):
        bc.critical_point(fit, settings | lengths, "start")
    with pytest.raises(PlanError, match="replay_ratio has one value"):
        bc.critical_point(fit, settings | lengths)
    with pytest.raises(PlanError, match="'lr' varies"):
        bc.critical_point(fit, settings | lengths | {"lr": (1e-3, 2e-3)})
