"""Effects of runs whose size is a parameter of the likelihood."""

import numpy as np
import pytest

from bayescpt.data import schedules
from bayescpt.evaluate.generate import draw_spreads
from bayescpt.forecast import Draws, Plan
from bayescpt.forecast.discrepancy.judge import FITTED_FAR, add_discrepancy, fitted_curves
from bayescpt.forecast.discrepancy.spread import effect_spread, effect_unit
from bayescpt.forecast.plan import plan_trajectory

NOISE = 'run_effects = ["level", "drift"]\nmarginal_effects = true'


@pytest.fixture(scope="module")
def marginal(make_draws) -> Draws:
    return make_draws(NOISE, draws=400)


def path_of(draws: Draws, ratio: float):
    plan = Plan("new", schedules.wsd(2e-3, 200, 10, 40), ratio, start="pt")
    return plan_trajectory(plan, draws.study, draws.rows.refs.warmup)


def test_the_unit_is_the_fitted_size_at_the_ratio_of_the_effect(marginal):
    path = path_of(marginal, 0.25)
    for d, domain in enumerate(("general", "target")):
        size = marginal.value("run_sd", d)
        np.testing.assert_array_equal(effect_unit(marginal, "level", path, domain), size)
        np.testing.assert_array_equal(effect_unit(marginal, "drift", path, domain), 2.0 * size)


def test_near_the_pilots_the_spread_is_the_fitted_size_and_far_away_it_is_larger(marginal):
    posterior = add_discrepancy(marginal, seed=3)
    draws = Draws(posterior, marginal.card, marginal.study, marginal.rows)
    path = path_of(draws, 0.25)
    near, away = (effect_spread(draws, path, "general", distance) for distance in (0.0, 2.0))
    np.testing.assert_allclose(near[0], draws.value("run_sd", 0))
    ratio = np.log(np.sqrt((away[0] / near[0]) ** 2 - 1.0) / 2.0)
    mean, sd = FITTED_FAR
    assert abs(ratio.mean() - mean) < 5 * sd / np.sqrt(ratio.size)


def test_effects_of_fitted_runs_are_drawn_given_their_rows(marginal):
    posterior = add_discrepancy(marginal, seed=3)
    for c, curve in enumerate(fitted_curves(marginal)):
        effects = [posterior[f"effect_{name}"].isel(curve=c) for name in ("level", "drift")]
        explained = np.stack([effect.to_numpy().ravel() for effect in effects], 1) @ curve.columns
        before, after = (
            np.sum((left / curve.noise) ** 2, axis=1)
            for left in (curve.residual, curve.residual - explained)
        )
        # Of a run that is tens of nats off, effects take away all that their sizes allow.
        assert np.mean(after < before) > 0.99


def test_simulated_runs_have_the_effects_that_forecasts_draw(marginal):
    one = marginal.posterior.isel(chain=[0], draw=[0])
    found = draw_spreads(marginal.card, one, np.random.default_rng(1))
    assert (found["discrepancy_near"] == 1.0).all()
    assert (found["discrepancy_far"] > 0.0).all()
