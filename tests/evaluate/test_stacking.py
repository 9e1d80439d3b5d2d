"""Stacking weights, and forecasts held as quantiles."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from bayescpt.evaluate.quantile_forecast import log_density, mixture
from bayescpt.evaluate.score import predictive_columns
from bayescpt.evaluate.stacking import (
    bootstrap_weights,
    run_densities,
    stacking_weights,
    without_each_run,
)


def weights_of(log_density, runs, **options):
    _, relative, share = run_densities(log_density, runs)
    return stacking_weights(relative, share, **options)


@pytest.fixture
def scores():
    """Log densities of 7 runs of 1 to 7 losses under 3 cards."""
    rng = np.random.default_rng(4)
    runs = [f"run {r}" for r in range(7) for _ in range(r + 1)]
    return rng.normal(0, 1.5, (len(runs), 3)), runs


def test_weights_are_the_maximum_of_the_stated_objective(scores):
    values, runs = scores
    found = weights_of(values, runs, prior=2.0)

    def objective(free):
        w = np.exp(np.append(free, 0.0))
        w /= w.sum()
        by_loss = pd.Series(np.log(np.exp(values) @ w)).groupby(runs).mean()
        return -(by_loss.sum() + 2.0 / 3.0 * np.log(w).sum())

    best = optimize.minimize(objective, np.zeros(2), method="Nelder-Mead", tol=1e-10).x
    wanted = np.exp(np.append(best, 0.0))
    np.testing.assert_allclose(found, wanted / wanted.sum(), atol=1e-5)


def test_a_run_counts_once_however_often_it_was_evaluated(scores):
    values, runs = scores
    again = np.repeat(values, 50, axis=0), [run for run in runs for _ in range(50)]
    np.testing.assert_allclose(weights_of(*again), weights_of(values, runs), atol=1e-7)
    # Not so if the losses were taken for runs of their own.
    apart = weights_of(again[0], [str(k) for k in range(len(again[1]))])
    assert np.abs(apart - weights_of(values, runs)).max() > 0.05


@pytest.mark.parametrize("n_runs", [1, 3, 13])
def test_luck_on_few_runs_is_bounded(n_runs):
    values = np.tile([0.0, -50.0], (n_runs, 1))
    found = weights_of(values, [str(run) for run in range(n_runs)])
    np.testing.assert_allclose(found[0], (n_runs + 1.0) / (n_runs + 2.0), rtol=1e-6)


def test_copies_of_a_card_share_their_weight(scores):
    values, runs = scores
    found = weights_of(values[:, [0, 1, 0]], runs)
    assert found[0] == pytest.approx(found[2], abs=1e-9)
    assert found.sum() == pytest.approx(1.0)


def test_weights_without_a_run_do_not_know_it(scores):
    values, runs = scores
    names, relative, share = run_densities(values, runs)
    before = without_each_run(relative, share)
    changed = values.copy()
    changed[[run == names[2] for run in runs]] = [9.0, 0.0, 0.0]
    after = without_each_run(*run_densities(changed, runs)[1:])
    np.testing.assert_allclose(after[2], before[2], atol=1e-7)
    assert np.abs(after[1] - before[1]).max() > 0.01


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bootstrap_spreads_as_weights_do_over_studies(seed):
    rng = np.random.default_rng(seed)

    def study():
        return rng.normal(0.3, 1.0, (20, 1)) * [1.0, 0.0]

    runs = [str(run) for run in range(20)]
    truth = np.std([weights_of(study(), runs)[0] for _ in range(200)])
    errors = []
    for _ in range(20):
        _, relative, share = run_densities(study(), runs)
        errors.append(bootstrap_weights(relative, share, seed, n=100)[:, 0].std())
    assert 0.6 * truth < np.median(errors) < 1.5 * truth


@pytest.fixture
def rows():
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "run": np.repeat([f"run {r}" for r in range(6)], 10),
            "step": np.tile(np.arange(1, 11), 6),
            "domain": "general",
            "observed": rng.normal(3, 0.05, 60),
        }
    )


def test_density_of_a_normal_forecast_is_exact(rows):
    levels = stats.norm(3, 0.05)
    table = predictive_columns(rows, levels.rvs((400, 60), random_state=1))
    for name in [name for name in table if name.startswith("q0.")]:
        table[name] = levels.ppf(float(name[1:]))
    wanted = levels.logpdf(rows["observed"])
    np.testing.assert_allclose(log_density(table), wanted, atol=1e-6)


def test_a_mixture_is_scored_as_its_draws_are(rows):
    rng = np.random.default_rng(2)
    one, other = rng.normal(3, 0.05, (8000, 60)), 3.05 + 0.03 * rng.standard_t(4, (8000, 60))
    tables = [predictive_columns(rows, draws) for draws in (one, other)]
    wanted = predictive_columns(rows, np.concatenate([one[:6000], other[:2000]]))
    found = mixture(tables, np.array([0.75, 0.25]))
    # Monte Carlo errors of a CRPS and of a 5% quantile of 8,000 draws.
    np.testing.assert_allclose(found["crps"], wanted["crps"], atol=4 * 0.05 / np.sqrt(8000))
    np.testing.assert_allclose(found["pit"], wanted["pit"], atol=4 * 0.5 / np.sqrt(8000))
    np.testing.assert_allclose(found["q0.05"], wanted["q0.05"], atol=4 * 0.11 / np.sqrt(8000))
    np.testing.assert_allclose(found["mean"], wanted["mean"], atol=4 * 0.05 / np.sqrt(8000))
    alone = mixture([tables[1]], np.ones(1))
    np.testing.assert_allclose(alone["crps"], tables[1]["crps"], rtol=0.05)
