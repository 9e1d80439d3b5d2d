import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayescpt.evaluate.score import (
    LEVELS,
    MSCE_LEVELS,
    QUANTILES,
    cluster_mean,
    crps,
    energy_score,
    interval_score,
    one_step_log_score,
    predictive_columns,
    quantile_column,
    score_table,
)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def normal_crps(y):
    """Closed form for the standard normal (Gneiting and Raftery 2007)."""
    return y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / np.sqrt(np.pi)


def test_crps_of_a_normal_is_its_closed_form(rng):
    y = np.array([-2.0, 0.0, 0.3, 1.5])
    draws = rng.standard_normal((20_000, 4))
    # The standard error of the mean distance is below 1/sqrt(20000).
    np.testing.assert_allclose(crps(draws, y), normal_crps(y), atol=0.03)


def test_crps_is_fair_its_mean_does_not_depend_on_the_number_of_draws(rng):
    few = crps(rng.standard_normal((2, 200_000)), np.full(200_000, 0.5))
    error = few.std() / np.sqrt(few.size)
    assert abs(few.mean() - normal_crps(0.5)) < 4 * error


def test_crps_is_the_double_sum_over_distinct_pairs(rng):
    draws, y = rng.normal(size=7), 0.2
    pairs = np.abs(draws[:, None] - draws[None, :]).sum() / (7 * 6)
    assert crps(draws, y) == pytest.approx(np.abs(draws - y).mean() - pairs / 2)


def test_scores_leave_their_input_alone(rng):
    draws = rng.normal(size=(50, 3))
    before = draws.copy()
    crps(draws, np.zeros(3))
    np.testing.assert_array_equal(draws, before)


def test_energy_score_of_one_quantity_is_the_crps(rng):
    draws, y = rng.normal(size=(60, 5)), rng.normal(size=5)
    np.testing.assert_allclose(energy_score(draws[..., None], y[..., None]), crps(draws, y))


def test_energy_score_is_lowest_for_the_truth(rng):
    # The truth is correlated: right margins with the wrong sign of it, a wrong mean and a wrong
    # spread all score worse. Common random numbers keep the differences' errors small.
    y = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 3000)
    base = rng.standard_normal((30, 3000, 2))

    def mean_score(rho=0.9, shift=0.0, scale=1.0):
        root = np.linalg.cholesky([[1, rho], [rho, 1]])
        return energy_score(shift + scale * base @ root.T, y)

    best = mean_score()
    for wrong in (mean_score(rho=-0.9), mean_score(shift=0.5), mean_score(scale=2.0)):
        gap = wrong - best
        assert gap.mean() > 4 * gap.std() / np.sqrt(gap.size)


def test_log_scores_are_those_of_each_value_given_the_ones_before(rng):
    """An AR(1) about a level that is drawn once: known conditional densities."""
    n, along = 6, 0.7
    gap = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    covariance = 0.5**2 + 0.2**2 * along**gap
    root = np.linalg.cholesky(covariance)
    draws = 3.0 + rng.standard_normal((200_000, n)) @ root.T
    observed = 3.0 + root @ rng.standard_normal(n)
    found = one_step_log_score(draws, observed)
    whole = [
        stats.multivariate_normal(np.full(k, 3.0), covariance[:k, :k]).logpdf(observed[:k])
        for k in range(1, n + 1)
    ]
    np.testing.assert_allclose(found, np.diff(whole, prepend=0.0), atol=0.03)


def test_log_score_is_highest_for_the_truth(rng):
    """A level of the run, taken for noise of the rows: right margins, but a lower score."""
    n, runs = 20, 200

    def drawn(size, level=0.5, noise=0.1):
        return level * rng.standard_normal((size, 1)) + noise * rng.standard_normal((size, n))

    observed = drawn(runs)

    def mean_score(draws):
        return np.array([one_step_log_score(draws, y).mean() for y in observed])

    best = mean_score(drawn(1000))
    wrong = (drawn(1000, 0.0, np.hypot(0.5, 0.1)), drawn(1000, 0.1), drawn(1000, noise=0.3))
    for other in wrong:
        gap = best - mean_score(other)
        assert gap.mean() > 4 * gap.std() / np.sqrt(runs)


def test_few_draws_cost_no_more_than_they_must(rng):
    """As many values as half the draws: without degrees of freedom each would look far off."""
    observed = rng.standard_normal((400, 20))
    draws = rng.standard_normal((400, 40, 20))
    found = np.array([one_step_log_score(x, y) for x, y in zip(draws, observed, strict=True)])
    exact = stats.norm.logpdf(observed)
    assert exact.mean() - found.mean() < 0.8
    assert np.isnan(one_step_log_score(draws[0, :20], observed[0])[10:]).all()
    assert not np.isnan(one_step_log_score(draws[0, :20], observed[0])[:10]).any()
    assert np.isnan(one_step_log_score(np.ones((50, 3)), np.ones(3))).all()


def test_interval_score_charges_width_and_misses():
    score = interval_score([0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.5, 1.1, -0.2], 0.9)
    np.testing.assert_allclose(score, [1.0, 1.0 + 20 * 0.1, 1.0 + 20 * 0.2])


def test_quantiles_hold_the_bounds_of_all_levels():
    for level in {*LEVELS, *MSCE_LEVELS}:
        assert round((1 - level) / 2, 4) in QUANTILES
        assert round((1 + level) / 2, 4) in QUANTILES
    assert quantile_column(0.5 - 0.495) == "q0.005"


def forecasts(rng, n_runs=60, n_steps=5, scale=1.0, shift=0.0):
    """Table of forecasts of standard normals, by draws with a scale and a shift."""
    tables = []
    for run in range(n_runs):
        rows = pd.DataFrame(
            {
                "run": f"r{run}",
                "domain": np.repeat(["general", "german"], n_steps),
                "step": np.tile(np.arange(1, n_steps + 1) * 10, 2),
                "phase": np.tile(["stable"] * (n_steps - 1) + ["decay"], 2),
                "observed": rng.standard_normal(2 * n_steps),
            }
        )
        rows["horizon"] = rows["step"]
        rows["fraction"] = rows["step"] / (10 * n_steps)
        rows["final"] = rows["fraction"] == 1
        draws = shift + scale * rng.standard_normal((200, len(rows)))
        tables.append(predictive_columns(rows, draws))
    return pd.concat(tables, ignore_index=True)


def test_an_exact_predictive_covers_as_it_says(rng):
    scores = score_table(forecasts(rng)).iloc[0]
    for level in LEVELS:
        name = f"coverage_{100 * level:g}"
        # Quantiles of 200 draws are a little narrow: coverage falls short by about 1 / 200.
        assert abs(scores[name] - level) < 4 * scores[f"{name}_se"] + 0.01
    assert scores["msce"] < 0.002
    assert abs(scores["bias"]) < 4 * scores["bias_se"]
    assert scores["crps"] == pytest.approx(1 / np.sqrt(np.pi), abs=4 * scores["crps_se"])
    assert scores["width_90"] == pytest.approx(2 * 1.645, rel=0.05)
    assert scores["rows"] == 600
    assert scores["runs"] == 60


@pytest.mark.parametrize(("scale", "low", "high"), [(0.3, 0.3, 0.5), (3.0, 0.99, 1.01)])
def test_wrong_widths_are_seen_and_score_worse(rng, scale, low, high):
    right = score_table(forecasts(rng)).iloc[0]
    wrong = score_table(forecasts(rng, scale=scale)).iloc[0]
    assert low < wrong["coverage_90"] < high
    for name in ("msce", "crps", "interval_score", "energy"):
        assert wrong[name] > right[name]


def test_a_shift_shows_as_bias(rng):
    scores = score_table(forecasts(rng, shift=0.5)).iloc[0]
    assert scores["bias"] == pytest.approx(0.5, abs=4 * scores["bias_se"])


def test_groups(rng):
    table = forecasts(rng, n_runs=20)
    by = score_table(table, ["domain", "phase"])
    assert list(by[["domain", "phase"]].itertuples(index=False, name=None)) == [
        ("general", "decay"),
        ("general", "stable"),
        ("german", "decay"),
        ("german", "stable"),
    ]
    assert by["rows"].sum() == len(table)
    by_horizon = score_table(table, "horizon")
    assert list(by_horizon["horizon"]) == ["10%-25%", "25%-50%", "50%-75%", "75%-100%"]
    assert by_horizon["rows"].sum() == len(table)
    assert score_table(table, after=0.5)["rows"].item() == 20 * 2 * 3


def test_finals_count_last_rows_only(rng):
    table = forecasts(rng, n_runs=10)
    table.loc[table["final"], "observed"] = 99.0
    assert score_table(table)["finals_inside"].item() == 0
    assert score_table(table)["coverage_90"].item() > 0.6


def test_energy_needs_two_domains_at_the_step(rng):
    rows = pd.DataFrame(
        {"step": [1, 1, 2], "domain": ["a", "b", "a"], "observed": rng.normal(size=3)}
    )
    draws = rng.normal(size=(100, 3))
    energy = predictive_columns(rows, draws)["energy"].to_numpy()
    assert energy[0] == energy[1] == energy_score(draws[:, :2], rows["observed"][:2])
    assert np.isnan(energy[2])


def test_log_scores_follow_each_domain_s_curve_by_step(rng):
    rows = pd.DataFrame(
        {"step": [3, 1, 2, 1], "domain": ["a", "a", "a", "b"], "observed": rng.normal(size=4)}
    )
    draws = rng.normal(size=(100, 4)) + rng.normal(size=(100, 1))
    found = predictive_columns(rows, draws)["log_score"].to_numpy()
    curve = [1, 2, 0]
    np.testing.assert_array_equal(
        found[curve], one_step_log_score(draws[:, curve], rows["observed"].to_numpy()[curve])
    )
    assert found[3] == one_step_log_score(draws[:, [3]], rows["observed"][[3]])[0]


def test_clustered_errors_are_honest_about_correlated_rows(rng):
    # 40 runs of 25 rows that are all but copies: the error is that of 40 values.
    effect = rng.standard_normal((2000, 40))
    means = effect.mean(axis=1)
    clusters = np.repeat(np.arange(40), 25)
    errors = [cluster_mean(np.repeat(row, 25), clusters)[1] for row in effect[:200]]
    assert np.mean(errors) == pytest.approx(means.std(), rel=0.05)
    assert np.isnan(cluster_mean(np.ones(5), np.zeros(5))[1])


def test_pit_is_uniform_where_the_forecast_is_right_and_piles_up_where_it_is_narrow(rng):
    right = forecasts(rng)["pit"]
    assert stats.kstest(right, "uniform").pvalue > 1e-4
    narrow = forecasts(rng, scale=0.3)["pit"]
    assert ((narrow < 0.1) | (narrow > 0.9)).mean() > 0.5


def test_shared_rows_count_in_one_score_only(rng):
    table = forecasts(rng, n_runs=10).assign(shared=False)
    assert "mae_all_rows" not in score_table(table)
    table["shared"] = table["step"] <= 20
    scores = score_table(table, "run")
    error = (table["median"] - table["observed"]).abs()
    assert scores["rows"].sum() == (~table["shared"]).sum()
    by_run = error.groupby(table["run"]).mean()
    np.testing.assert_allclose(scores["mae_all_rows"], by_run.loc[scores["run"]])
    assert scores["mae"].mean() == pytest.approx(error[~table["shared"]].mean())
