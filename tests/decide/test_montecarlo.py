"""Monte Carlo errors against repeated experiments and closed forms."""

import numpy as np
import pytest
from scipy.signal import lfilter

from bayescpt.decide.montecarlo import effective_draws, mean_mcse, probability_mcse


def _ar1(rng, rho, shape):
    """Return stationary AR(1) series with standard normal margins along the last axis."""
    noise = rng.standard_normal(shape)
    noise[..., 1:] *= np.sqrt(1 - rho**2)
    return lfilter([1.0], [1.0, -rho], noise, axis=-1)


def test_mean_mcse_of_independent_draws_is_sd_over_root_n(rng):
    assert mean_mcse(rng.normal(0, 2, (4, 2500))) == pytest.approx(2 / 100, rel=0.1)


def test_mean_mcse_of_an_ar1_chain_is_its_long_run_error(rng):
    rho = 0.9
    # One experiment tells its error to a tenth only.
    claimed = np.median(mean_mcse(_ar1(rng, rho, (30, 4, 5000))))
    expected = np.sqrt((1 + rho) / (1 - rho) / 20_000)
    assert claimed == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_probability_mcse_is_the_spread_of_repeated_estimates(rng, rho):
    repeats = _ar1(rng, rho, (200, 4, 500))
    hits = repeats < -1.0
    spread = hits.mean(axis=(1, 2)).std()
    claimed = np.median(probability_mcse(hits, -1.0 - repeats))
    assert claimed == pytest.approx(spread, rel=0.2)


def test_autocorrelated_chains_have_a_larger_error_than_independent_ones(rng):
    independent, correlated = _ar1(rng, 0.0, (4, 1000)), _ar1(rng, 0.95, (4, 1000))
    for threshold in (0.0, 9.0):  # 9: every draw hits, only the margin shows the correlation
        few, many = (
            probability_mcse(x < threshold, threshold - x) for x in (independent, correlated)
        )
        assert many > 2 * few


@pytest.mark.parametrize("hit", [False, True])
def test_saturated_probability_keeps_an_error_near_the_rule_of_three(rng, hit):
    margin = rng.standard_normal((4, 1000))
    mcse = probability_mcse(np.full((4, 1000), hit), margin)
    assert 0 < mcse
    assert 2 * mcse == pytest.approx(3 / 4000, rel=0.25)


def test_one_hit_is_not_more_certain_than_none(rng):
    margin = rng.standard_normal((4, 1000))
    none = np.zeros((4, 1000), dtype=bool)
    one = none.copy()
    one[2, 300] = True
    assert probability_mcse(one, margin) > 0.9 * probability_mcse(none, margin)


def test_chains_that_disagree_count_as_chains_not_as_draws():
    hits = np.repeat([[True], [False], [True], [False]], 1000, axis=1)
    assert effective_draws(hits) < 8
    assert probability_mcse(hits, hits - 0.5) > 0.1


def test_too_few_draws_to_estimate_falls_back_on_their_number():
    assert effective_draws(np.array([[0.0, 1.0]])) == 2
    assert np.isfinite(probability_mcse(np.array([[True]]), np.array([[0.3]])))
