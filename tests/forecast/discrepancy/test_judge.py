"""Effects of runs judged as held out, against refits of a linear law that leave each run out."""

import sys

import numpy as np
import pytest

from bayescpt.forecast.discrepancy import judge
from bayescpt.forecast.discrepancy.judge import (
    OUTLIER_SHARE,
    SPREADS,
    Curve,
    _draw_effects,
    _draw_ratios,
    held_out_likelihood,
)

N_ROWS, N_DRAWS, SIGMA = 24, 4000, 0.01
STEPS = np.linspace(0.1, 1.0, N_ROWS)
COLUMNS = np.stack([np.ones(N_ROWS), STEPS])
ALL = np.array([True, True])
SEEDS = range(4)


def linear_fit(losses, designs, rng):
    """Draws of the expected curves of a linear law with a flat prior, run by run."""
    design, loss = np.concatenate(designs), np.concatenate(losses)
    covariance = SIGMA**2 * np.linalg.inv(design.T @ design)
    mean = covariance @ design.T @ loss / SIGMA**2
    draws = rng.multivariate_normal(mean, covariance, N_DRAWS, method="cholesky")
    return [draws @ one.T for one in designs]


def fitted(effect_sd, n_runs=12, seed=0, distance=0.0, outlier=0.0, sizes=None):
    """Curves of a linear law with run effects, as `fitted_curves` gives them."""
    rng = np.random.default_rng(seed)
    sizes = rng.normal(size=n_runs) if sizes is None else sizes
    designs = [np.stack([np.ones(N_ROWS), STEPS, size * STEPS**2], axis=1) for size in sizes]
    truth = np.array([3.0, -0.2, 0.05])
    losses = [
        one @ truth
        + effect_sd * rng.standard_normal(2) @ COLUMNS
        + SIGMA * rng.standard_normal(N_ROWS)
        for one in designs
    ]
    losses[0] = losses[0] + outlier
    expected = linear_fit(losses, designs, rng)
    curves = [
        Curve(
            domain=0,
            distance=distance,
            residual=loss - mean,
            noise=np.full(mean.shape, SIGMA),
            columns=COLUMNS,
            unit=np.full((2, N_DRAWS), SIGMA),
        )
        for loss, mean in zip(losses, expected, strict=True)
    ]
    return curves, losses, designs


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_that_alone_decides_a_level_says_nothing_of_its_effect(seed):
    # A level that the last run has, and the others a twentieth of it in all.
    sizes = np.array([0.1] * 5 + [1.0])
    common = np.stack([STEPS, STEPS**2], axis=1)
    designs = [np.column_stack([common, np.full(N_ROWS, size)]) for size in sizes]

    def judged(off, member):
        """Log likelihood by spread of an effect of the last run, which lies off by a curve."""
        rng = np.random.default_rng(seed)
        losses = [
            one @ np.array([-0.2, 0.05, 3.0]) + SIGMA * rng.standard_normal(N_ROWS)
            for one in designs
        ]
        losses[5] += off
        expected = linear_fit(losses, designs, rng)
        curve = Curve(
            domain=0,
            distance=0.0,
            residual=losses[5] - expected[5],
            noise=np.full(expected[5].shape, SIGMA),
            columns=COLUMNS,
            unit=np.full((2, N_DRAWS), SIGMA),
        )
        return held_out_likelihood(curve, np.array(member))[SPREADS <= 3]

    assert np.ptp(judged(10 * SIGMA, [True, False])) < 0.5
    # A drift of the same size is seen: all runs decide it.
    assert np.ptp(judged(10 * SIGMA * STEPS, [False, True])) > 10.0


def exact_likelihood(k, losses, designs, spread):
    """Log likelihood of run k by the law fitted to the others, with effects of a known spread."""
    others = np.concatenate([one for n, one in enumerate(designs) if n != k])
    rest = np.concatenate([one for n, one in enumerate(losses) if n != k])
    covariance = SIGMA**2 * np.linalg.inv(others.T @ others)
    error = losses[k] - designs[k] @ (covariance @ others.T @ rest / SIGMA**2)
    total = designs[k] @ covariance @ designs[k].T + SIGMA**2 * np.eye(N_ROWS)
    total += (spread * SIGMA) ** 2 * COLUMNS.T @ COLUMNS
    return -0.5 * (error @ np.linalg.solve(total, error) + np.linalg.slogdet(total)[1])


@pytest.mark.parametrize("seed", SEEDS)
def test_held_out_likelihood_is_that_of_a_refit_without_the_run(seed):
    curves, losses, designs = fitted(0.02, seed=seed)
    for k in (0, 5):
        found = held_out_likelihood(curves[k], ALL)
        exact = np.array([exact_likelihood(k, losses, designs, s) for s in SPREADS])
        # Relative to no effect; the covariance comes from 2000 draws.
        difference = (found - found[0]) - (exact - exact[0])
        assert np.abs(difference).max() < 0.1 * np.ptp(exact) + 0.3


@pytest.mark.parametrize("distance", [0.0, 1.5])
def test_the_spread_of_effects_is_found(distance):
    """40 runs of two effects tell the spread to 1/sqrt(160) = 8%; the grid is about as fine."""
    medians = []
    for seed in SEEDS:
        curves, _, _ = fitted(0.02, n_runs=40, seed=seed, distance=distance)
        near, far = _draw_ratios(curves, ALL, 2000, np.random.default_rng(seed))
        low, median, high = np.quantile(np.hypot(near, far * distance), [0.01, 0.5, 0.99])
        assert 1.0 < low < high < 4.0
        assert high / low < 2.5
        medians.append(median)
    assert np.log(medians).mean() == pytest.approx(np.log(2.0), abs=0.2)


@pytest.mark.parametrize("seed", SEEDS)
def test_without_effects_the_spread_is_small(seed):
    curves, _, _ = fitted(0.0, n_runs=40, seed=seed)
    near, _ = _draw_ratios(curves, ALL, 2000, np.random.default_rng(seed))
    assert np.quantile(near, 0.95) < 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_one_run_far_off_does_not_widen_all(seed):
    curves, _, _ = fitted(0.01, n_runs=30, seed=seed)
    spoilt, _, _ = fitted(0.01, n_runs=30, seed=seed, outlier=0.5)
    ratios = [
        np.median(_draw_ratios(some, ALL, 2000, np.random.default_rng(seed))[0])
        for some in (curves, [spoilt[0], *curves[1:]])
    ]
    # Its say is bounded by the share of outliers: two points of the grid at most.
    assert ratios[1] < 1.4 * ratios[0]
    assert 0 < OUTLIER_SHARE < 0.5


def exact_forecast(k, losses, designs):
    """Held-out error of run k and covariance of its rows by a refit without it."""
    others = np.concatenate([one for n, one in enumerate(designs) if n != k])
    rest = np.concatenate([one for n, one in enumerate(losses) if n != k])
    covariance = SIGMA**2 * np.linalg.inv(others.T @ others)
    error = losses[k] - designs[k] @ (covariance @ others.T @ rest / SIGMA**2)
    return error, designs[k] @ covariance @ designs[k].T + SIGMA**2 * np.eye(N_ROWS)


def exact_by_spread(k, losses, designs, judged, beside=0.0):
    """Log likelihood of run k at every spread of the judged effects, against that of none."""
    error, fixed = exact_forecast(k, losses, designs)
    fixed = fixed + (beside * SIGMA) ** 2 * COLUMNS[~judged].T @ COLUMNS[~judged]
    out = []
    for spread in SPREADS:
        total = fixed + (spread * SIGMA) ** 2 * COLUMNS[judged].T @ COLUMNS[judged]
        out.append(-0.5 * (error @ np.linalg.solve(total, error) + np.linalg.slogdet(total)[1]))
    return np.array(out) - out[0]


@pytest.fixture
def many_draws(monkeypatch):
    """Draws enough for a covariance to a percent, all of them used."""
    monkeypatch.setattr(sys.modules[__name__], "N_DRAWS", 40_000)
    monkeypatch.setattr(judge, "N_COVARIANCE", 40_000)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("judged", [ALL, np.array([True, False]), np.array([False, True])])
def test_a_run_that_decides_much_is_judged_as_by_a_refit_without_it(many_draws, judged, seed):
    """Four runs: leverage of a quarter and of a half, so errors and covariance change much."""
    # Balanced, as a run with nearly all the leverage is not judged at all.
    curves, losses, designs = fitted(0.01, seed=seed, sizes=[-1.0, -1.0, 1.0, 1.0])
    # Mean of a half-normal effect of the unit's size; nothing is new.
    beside = np.sqrt(2 / np.pi)
    for k, curve in enumerate(curves):
        found = held_out_likelihood(curve, judged)
        exact = exact_by_spread(k, losses, designs, judged, beside)
        # A covariance of 40,000 draws is right to .7%, the likelihood to some times that.
        tolerance = 0.1 * np.ptp(exact) + 0.1
        np.testing.assert_allclose(found - found[0], exact, rtol=0, atol=tolerance)


def test_effects_of_a_fitted_run_follow_from_its_rows():
    """Conjugate: precision 1 / spread^2 + columns^2 / noise^2, pulled by the residuals."""
    rng = np.random.default_rng(2)
    n, spread = 40_000, np.array([0.02, 0.05])
    residual = np.array([0.02, -0.03]) @ COLUMNS + SIGMA * rng.standard_normal(N_ROWS)
    curve = Curve(
        domain=0,
        distance=0.0,
        residual=np.tile(residual, (n, 1)),
        noise=np.full((n, N_ROWS), SIGMA),
        columns=COLUMNS,
        unit=np.ones((2, n)),
    )
    drawn = _draw_effects(curve, np.repeat(spread[:, None], n, axis=1), rng)
    covariance = np.linalg.inv(np.diag(spread**-2.0) + COLUMNS @ COLUMNS.T / SIGMA**2)
    mean = covariance @ COLUMNS @ residual / SIGMA**2
    error = np.sqrt(np.diag(covariance) / n)
    assert np.all(np.abs(drawn.mean(axis=1) - mean) < 4 * error)
    np.testing.assert_allclose(np.cov(drawn), covariance, rtol=0.05)


def test_an_effect_of_no_spread_is_nothing():
    curves, _, _ = fitted(0.02)
    drawn = _draw_effects(curves[0], np.zeros((2, N_DRAWS)), np.random.default_rng(1))
    assert np.abs(drawn).max() < 1e-7
