"""What is fitted and judged where the largest size of the fleet is left out, and the scores."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from case_studies.leave_out_size import GIVEN, LARGEST, design, scores, summary


@pytest.fixture(scope="module")
def two():
    return design("code", "two")


def test_no_test_run_is_looked_at_and_no_fitted_run_is_judged(two):
    runs = two.study.runs.set_index("run")
    assert set(runs["split"]) <= {"fit", "choose"}
    assert not set(two.fitted) & set(two.judged)
    assert all(name.startswith(LARGEST) for name in two.judged)
    observed = [name for name in two.train.cpt_runs if two.train.is_observed(name)]
    # A hidden run has its first row at most, which is its base's last.
    seen = [n for n in observed if len(two.train.curve(n, "general")) > 1]
    assert set(seen) == set(two.fitted)


def test_the_designs_differ_by_the_runs_of_the_largest_size(two):
    none, alone = design("code", "none"), design("code", "alone")
    assert set(two.fitted) - set(none.fitted) == set(GIVEN) == set(alone.fitted)
    assert none.judged == two.judged == alone.judged
    every = design("code", "none", "all")
    assert set(none.fitted) < set(every.fitted)


def test_scores_of_a_forecast_that_is_known(two):
    """Normal errors of known size around the truth, and a forecast that is off by ten of them."""
    sd, name = 0.05, two.judged[0]
    rng = np.random.default_rng(1)

    def forecaster(off):
        def forecast(plans, steps, allow_failed):
            assert allow_failed
            sets = ["general", "code"]
            truth = [
                two.study.curve(name, d).set_index("step")["loss"].loc[steps].to_numpy()
                for d in sets
            ]
            drawn = np.array(truth) + off + sd * rng.standard_normal((2, 2000, 2, len(steps)))
            dims, named = ("chain", "draw", "domain", "step"), {"domain": sets, "step": steps}
            loss = xr.DataArray(drawn, named, dims).expand_dims(plan=[plans[0].name])
            return SimpleNamespace(loss=loss)

        return SimpleNamespace(forecast=forecast)

    good = summary(scores(forecaster(0.0), two.study, [name]))
    assert list(good.index) == ["general", "target"]
    np.testing.assert_array_equal(good["inside"], 1.0)
    np.testing.assert_allclose(good["width"], 2 * 1.6449 * sd, rtol=0.03)
    # The CRPS of a normal distribution at its mean.
    np.testing.assert_allclose(good["crps"], 0.2337 * sd, rtol=0.05)
    np.testing.assert_allclose(good["end_error"], 0.0, atol=0.01)
    bad = summary(scores(forecaster(10 * sd), two.study, [name]))
    np.testing.assert_array_equal(bad[["inside", "end_inside"]], 0.0)
    np.testing.assert_allclose(bad["end_error"], 10 * sd, rtol=0.05)
