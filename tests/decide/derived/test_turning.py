"""Turning lengths of curves whose turning length is known."""

import numpy as np
import pytest

import bayescpt as bc
from bayescpt.errors import PlanError


def general(theta, steps, replay, **_):
    """Back at 3 after 100 exp(theta (1 - replay) / .3) steps; above before."""
    return 3.0 + theta * (1 - replay) - 0.3 * np.log(steps / 100)


def german(theta, **_):
    return 2.0 + 0 * theta


@pytest.fixture(scope="module")
def fit(formula_fit):
    return formula_fit(general, german)


def test_it_is_that_of_the_formula_in_every_draw(fit, settings):
    space = settings | {"num_training_steps": (100, 1500)}
    found = bc.turning_length(fit, space)
    true = 100 * np.exp(fit.theta * 0.6 / 0.3)
    inside = true < 1500
    assert 0 < inside.mean() < 1
    np.testing.assert_allclose(found.values.ravel()[inside], true[inside], rtol=2e-3)
    assert np.all(found.values.ravel()[~inside] == np.inf)
    assert found.never == pytest.approx(1 - inside.mean())
    assert found.never_above == 0.0
    assert found.beyond_pilots == pytest.approx(np.mean((true > 1000) & inside))
    assert found.interval(0.9)[1] == np.inf
    assert "> 1,500" in repr(found)
    assert any("longest pilot" in note for note in found.notes)


def test_a_loss_that_never_rises_and_one_that_never_falls(formula_fit, settings):
    space = settings | {"num_training_steps": (100, 2000)}

    def falling(theta, steps, **_):
        return 2.9 - theta * steps / 1000

    def rising(theta, steps, **_):
        return 2.9 + theta * steps / 1000

    down = bc.turning_length(formula_fit(falling, german), space)
    up = bc.turning_length(formula_fit(rising, german), space)
    assert (down.never_above, down.never, up.never_above, up.never) == (1.0, 0.0, 0.0, 1.0)
    # Not 0: 400 draws that all agree say this much.
    assert 0 < down.below_mcse < 0.02


def test_tolerance_is_in_nats_or_a_share_of_the_start(fit, settings):
    space = settings | {"num_training_steps": (100, 3000)}
    nats = bc.turning_length(fit, space, tolerance=0.06)
    share = bc.turning_length(fit, space, tolerance="2%")
    np.testing.assert_array_equal(nats.values, share.values)
    assert nats.median < bc.turning_length(fit, space).median


def test_what_varies_besides_the_length_is_an_error(fit, settings):
    with pytest.raises(PlanError, match="'replay_ratio' varies in the space; give it one value"):
        bc.turning_length(
            fit, settings | {"num_training_steps": (100, 900), "replay_ratio": (0, 0.5)}
        )
    with pytest.raises(PlanError, match="num_training_steps has one value"):
        bc.turning_length(fit, settings)
    with pytest.raises(PlanError, match="prob = 2"):
        bc.turning_length(fit, settings | {"num_training_steps": [100, 900]}).interval(2)
