"""Effects of runs whose size is a parameter of the likelihood."""

import numpy as np
import pytest

from bayescpt.data import schedules
from bayescpt.evaluate.generate import draw_spreads
from bayescpt.forecast import Draws, Plan
from bayescpt.forecast.discrepancy import judge
from bayescpt.forecast.discrepancy.judge import (
    FAR_MEDIAN,
    FAR_SD,
    NEAR_SD,
    add_discrepancy,
    fitted_curves,
    fitted_ratios,
    pilots_by_domain,
)
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


def test_a_new_run_deviates_less_than_the_pilots_near_them_and_more_far_away(marginal):
    posterior = add_discrepancy(marginal, seed=3)
    draws = Draws(posterior, marginal.card, marginal.study, marginal.rows)
    path = path_of(draws, 0.25)
    near, away = (effect_spread(draws, path, "general", distance) for distance in (0.0, 2.0))
    size, pilots = draws.value("run_sd", 0), pilots_by_domain(draws.labels)[0]
    assert pilots < 8
    found = [
        (near[0] / size, pilots / 8, NEAR_SD),
        (np.sqrt(away[0] ** 2 - near[0] ** 2) / size / 2.0, FAR_MEDIAN, FAR_SD),
    ]
    for ratio, median, sd in found:
        assert abs(np.log(ratio / median).mean()) < 5 * sd / np.sqrt(ratio.size)
        assert np.log(ratio).std() == pytest.approx(sd, rel=0.25)


def test_effects_of_fitted_runs_are_drawn_given_their_rows(marginal):
    posterior = add_discrepancy(marginal, seed=3)
    for c, curve in enumerate(fitted_curves(marginal)):
        effects = [posterior[f"effect_{name}"].isel(curve=c) for name in ("level", "drift")]
        explained = np.stack([effect.to_numpy().ravel() for effect in effects], 1) @ curve.columns
        before, after = (
            np.sum((left / curve.noise) ** 2, axis=1)
            for left in (curve.residual, curve.residual - explained)
        )
        # Of a run that is tens of nats off, effects take away all that their sizes allow, up to
        # their own spread: about one unit for each.
        assert np.mean(after < before + 20.0) > 0.99
        assert np.median(after / before) < 0.9


def test_the_size_of_effects_is_taken_at_its_word_from_eight_pilots_on():
    rng = np.random.default_rng(1)
    medians = [
        float(np.median(fitted_ratios((4000,), np.array([pilots]), rng)[0]))
        for pilots in (2, 4, 8, 30)
    ]
    np.testing.assert_allclose(medians, [0.25, 0.5, 1.0, 1.0], rtol=0.05)


def test_simulated_runs_have_the_effects_that_forecasts_draw(marginal):
    one = marginal.posterior.isel(chain=[0], draw=[0])
    found = draw_spreads(marginal.card, one, marginal.rows, np.random.default_rng(1))
    pilots = np.tile(pilots_by_domain(marginal.labels), found.sizes["discrepancy"] // 2)
    for name, median, sd in (("near", pilots / 8, NEAR_SD), ("far", FAR_MEDIAN, FAR_SD)):
        ratio = np.log(found[f"discrepancy_{name}"].to_numpy().ravel() / median)
        assert (np.abs(ratio) < 5 * sd).all()
        assert np.ptp(ratio) > 0.0


def test_effects_of_fitted_runs_have_the_size_of_the_likelihood(marginal, monkeypatch):
    sizes = []
    monkeypatch.setattr(
        judge, "_draw_effects", lambda curve, spread, rng: (sizes.append(spread), 0.0 * spread)[1]
    )
    add_discrepancy(marginal, seed=3)
    for curve, spread in zip(fitted_curves(marginal), sizes, strict=True):
        np.testing.assert_allclose(spread[0], marginal.value("run_sd", curve.domain))
