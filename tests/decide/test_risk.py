"""Risk measures against closed forms and hand-made draws."""

import numpy as np
import pytest
from scipy.stats import norm

from bayescpt.decide import risk
from bayescpt.decide.montecarlo import mean_mcse
from bayescpt.errors import PlanError

LEVEL = 0.9


def normal_cvar(mu, sigma, level):
    """Return the CVaR of a normal: mu + sigma phi(z) / (1 - level)."""
    return mu + sigma * norm.pdf(norm.ppf(level)) / (1 - level)


def test_quantile_and_cvar_of_a_normal_within_four_standard_errors(rng):
    draws = rng.normal(3.0, 0.2, 20_000)
    for measure, contributions, truth in [
        (risk.quantile, risk.quantile_contributions, norm.ppf(LEVEL, 3.0, 0.2)),
        (risk.cvar, risk.cvar_contributions, normal_cvar(3.0, 0.2, LEVEL)),
        (risk.mean, np.asarray, 3.0),
    ]:
        value = measure(draws, LEVEL) if measure is not risk.mean else measure(draws)
        parts = contributions(draws, LEVEL) if measure is not risk.mean else draws
        assert abs(value - truth) < 4 * mean_mcse(parts[None])


@pytest.mark.parametrize(
    ("measure", "contributions"),
    [(risk.quantile, risk.quantile_contributions), (risk.cvar, risk.cvar_contributions)],
)
def test_error_of_a_measure_is_the_spread_of_repeated_estimates(rng, measure, contributions):
    repeats = rng.normal(3.0, 0.2, (1600, 1000))
    claimed = np.median(mean_mcse(contributions(repeats, LEVEL)[:, None, :]))
    assert claimed == pytest.approx(measure(repeats, LEVEL).std(), rel=0.2)


def test_quantile_error_of_a_normal_has_its_closed_form(rng):
    draws = rng.normal(size=40_000)
    truth = np.sqrt(LEVEL * (1 - LEVEL) / draws.size) / norm.pdf(norm.ppf(LEVEL))
    parts = risk.quantile_contributions(draws, LEVEL)
    assert mean_mcse(parts[None]) == pytest.approx(truth, rel=0.1)


def test_cvar_is_the_mean_of_the_worst_share():
    draws = np.arange(100.0)
    assert risk.cvar(draws, 0.9) == pytest.approx(np.mean(np.arange(90.0, 100.0)))
    # 1 - level falls inside a draw: the worst 1.5 of 3 draws are 3 and half of 2
    assert risk.cvar(np.array([1.0, 2.0, 3.0]), 0.5) == pytest.approx((3 + 0.5 * 2) / 1.5)
    # the worst 1.6 of 4; an interpolated quantile would give 3.675
    assert risk.cvar(np.arange(1.0, 5.0), 0.6) == pytest.approx((4 + 0.6 * 3) / 1.6)


def test_cvar_is_never_below_the_quantile_nor_the_mean(rng):
    draws = rng.gamma(2.0, size=(5, 500))
    for level in (0.1, 0.5, 0.99):
        cvar = risk.cvar(draws, level)
        assert np.all(cvar >= risk.quantile(draws, level) - 1e-2)
        assert np.all(cvar >= risk.mean(draws))


def test_regret_and_probability_best_on_constructed_draws():
    losses = np.array([[1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 3.0, 1.0], [9.0, 9.0, 3.0, 9.0]])
    np.testing.assert_allclose(risk.regret(losses), [[0, 1, 0, 3], [1, 0, 0, 0], [8, 8, 0, 8]])
    np.testing.assert_allclose(risk.expected_regret(losses), [1.0, 0.25, 6.0])
    third = 1 / 3
    np.testing.assert_allclose(
        risk.probability_best(losses), [(1 + third) / 4, (2 + third) / 4, third / 4]
    )


def test_probability_best_of_two_normals_has_its_closed_form(rng):
    losses = np.stack([rng.normal(3.0, 0.3, 40_000), rng.normal(3.2, 0.4, 40_000)])
    truth = norm.cdf(0.2 / 0.5)
    shares = risk.best_shares(losses)
    assert abs(risk.probability_best(losses)[0] - truth) < 4 * mean_mcse(shares[:1])
    assert risk.probability_best(losses).sum() == pytest.approx(1.0)


def test_regret_ranks_as_the_mean_does(rng):
    losses = rng.normal(rng.normal(size=(6, 1)), 1.0, (6, 300))
    np.testing.assert_allclose(
        risk.expected_regret(losses) - risk.expected_regret(losses)[0],
        risk.mean(losses) - risk.mean(losses)[0],
        atol=1e-12,
    )


@pytest.mark.parametrize("level", [0.0, 1.0, 90, -0.1, float("nan")])
@pytest.mark.parametrize("measure", [risk.quantile, risk.cvar])
def test_a_level_outside_0_1_is_refused(measure, level):
    with pytest.raises(PlanError, match=r"level is .* strictly between 0 and 1"):
        measure(np.arange(10.0), level)


def test_quantile_contributions_of_equal_draws_are_that_value():
    np.testing.assert_array_equal(risk.quantile_contributions(np.full(50, 2.5), 0.9), 2.5)
