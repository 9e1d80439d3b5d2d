"""Goal probabilities of known truth: right ones are calibrated, others are found out."""

import numpy as np
import pandas as pd
import pytest

from bayescpt.errors import PlanError
from bayescpt.evaluate.backtest import Backtest
from bayescpt.evaluate.reliability import GoalCalibration, goal_calibration

RUNS, DRAWS = 600, 200


def known(width=1.0, shift=0.0, correlated=True, domains=("general", "german"), seed=5, runs=RUNS):
    """Final losses about known centres: the forecast knows the centre, and says its width."""
    rng, forecast_rng = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    shape = (runs, len(domains), DRAWS)
    observed, loss = np.empty(shape), np.empty(shape)
    for run in range(runs):
        common, common_draw = rng.standard_normal(), forecast_rng.standard_normal(DRAWS)
        centres = rng.normal(3.0, 0.1, len(domains))
        for place, centre in enumerate(centres):
            error = 0.1 * common
            draws = 0.1 * (common_draw if correlated else forecast_rng.standard_normal(DRAWS))
            observed[run, place] = centre + error
            loss[run, place] = centre + shift + width * draws
    names = np.repeat([f"r{run}" for run in range(runs)], len(domains) * DRAWS)
    finals = pd.DataFrame(
        {
            "split": names,
            "run": names,
            "domain": np.tile(np.repeat(domains, DRAWS), runs),
            "cutoff": 0.0,
            "step": 100,
            "observed": observed.ravel(),
            "draw": np.tile(np.arange(DRAWS), runs * len(domains)),
            "loss": loss.ravel(),
        }
    )
    return Backtest(pd.DataFrame(), pd.DataFrame(), finals)


@pytest.fixture(scope="module")
def right():
    return goal_calibration(known()).table()


def test_true_probabilities_are_calibrated_and_have_skill(right):
    assert list(right.index) == ["general", "german", "joint"]
    assert list(right["forecasts"]) == [9 * RUNS, 9 * RUNS, 81 * RUNS]
    # 600 runs fill ten bins with an error of about .025 each; the skill of the joint is .25.
    assert (right["ece"] < 0.05).all()
    assert (right["skill"] > 0.15).all()
    # Without knowledge the base rate p scores p (1 - p), .165 over these quantiles.
    expected = np.mean([0.1 * k * (1 - 0.1 * k) for k in range(1, 10)])
    assert right.loc["general", "climatology_brier"] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("wrong", [{"width": 0.05, "shift": 0.1}, {"shift": 0.2}])
def test_false_probabilities_are_found_out(right, wrong):
    table = goal_calibration(known(**wrong)).table()
    assert (table["ece"] > 0.1).all()
    assert (table["brier"] > right["brier"] + 2 * right["brier_se"]).all()


def test_too_sure_probabilities_are_found_out(right):
    table = goal_calibration(known(width=0.01)).table()
    assert (table.loc[["general", "german"], "ece"] > 0.1).all()
    assert (table["brier"] > right["brier"]).all()


def test_joint_probabilities_need_paired_draws(right):
    unpaired = goal_calibration(known(correlated=False)).table()
    assert unpaired.loc["general", "ece"] < 0.05
    assert unpaired.loc["joint", "brier"] > right.loc["joint", "brier"]
    assert unpaired.loc["joint", "ece"] > 2 * right.loc["joint", "ece"]


def test_numbers_of_a_small_case():
    forecasts = pd.DataFrame(
        {
            "split": ["a", "b", "c", "d"],
            "run": ["a", "b", "c", "d"],
            "domain": "general",
            "goal": 0,
            "probability": [0.05, 0.95, 1.0, 0.55],
            "met": [0, 1, 0, 1],
            "climatology": [2 / 3, 1 / 3, 2 / 3, 1 / 3],
        }
    )
    made = GoalCalibration(forecasts)
    row = made.table().loc["general"]
    assert row["brier"] == pytest.approx((0.05**2 + 0.05**2 + 1 + 0.45**2) / 4)
    assert row["climatology_brier"] == pytest.approx(4 / 9)
    assert row["skill"] == pytest.approx(1 - row["brier"] / row["climatology_brier"])
    # Bins 0-10%, 50-60% and 90-100%; the last holds two.
    assert row["ece"] == pytest.approx((0.05 + 0.45 + 2 * (0.975 - 0.5)) / 4)
    bins = made.reliability()
    assert list(bins["forecasts"]) == [1, 1, 2]
    assert list(bins["lower"]) == [0.0, 0.5, 0.9]
    assert list(bins["met"]) == [0, 1, 0.5]


def test_climatology_leaves_the_run_out():
    made = goal_calibration(known(domains=("general",)), levels=[0.5]).forecasts
    met = made["met"].to_numpy()
    np.testing.assert_allclose(made["climatology"], (met.sum() - met) / (RUNS - 1))
    assert met.mean() == pytest.approx(0.5, abs=0.01)


def test_many_domains_share_the_level():
    table = goal_calibration(known(domains=tuple("abcd"), runs=60)).table()
    assert table.loc["joint", "forecasts"] == 9 * 60


def test_what_cannot_be_judged():
    made = known(runs=20)
    with pytest.raises(PlanError, match="strictly between"):
        goal_calibration(made, levels=[1.0])
    none = Backtest(made.table, made.fits, made.finals.iloc[:0])
    with pytest.raises(PlanError, match="no final loss"):
        goal_calibration(none)
    one = Backtest(made.table, made.fits, made.finals[made.finals["run"] == "r0"])
    with pytest.raises(PlanError, match="one run"):
        goal_calibration(one)
    method = np.where(made.finals["run"] < "r5", "a", "b")
    two = Backtest(made.table, made.fits, made.finals.assign(method=method))
    with pytest.raises(PlanError, match="several methods"):
        goal_calibration(two)
