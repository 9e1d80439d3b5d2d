"""Joint goal probability against the closed form of a bivariate normal."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.stats import multivariate_normal, norm

import bayescpt as bc
from bayescpt.forecast import forecast

CHAINS, DRAWS = 4, 10_000
MEAN, SD, RHO = np.array([3.0, 2.5]), np.array([0.04, 0.07]), 0.6
GOALS = [(3.0, 2.5), (2.97, 2.53), (3.05, 2.42), (2.96, 2.44), (3.1, 2.48)]


@pytest.fixture(scope="module")
def plan():
    return bc.Plan("flat", bc.schedules.constant(2e-3, 200), 0.25, start="pt")


@pytest.fixture(scope="module")
def fc(make_draws, plan):
    """Forecast of a law whose only moving part is a bivariate normal start level.

    All other terms are one constant a domain, and the noise is independent with a known width, so
    the final losses are bivariate normal: the levels' covariance plus the noise on its diagonal.
    """
    small = make_draws("", draws=1)
    rng = np.random.default_rng(11)
    unit = rng.standard_normal((CHAINS, DRAWS, 2))
    unit[..., 1] = RHO * unit[..., 0] + np.sqrt(1 - RHO**2) * unit[..., 1]
    one = small.posterior.isel(chain=0, draw=0, drop=True)
    posterior = one.expand_dims(chain=range(CHAINS), draw=range(DRAWS)).copy(deep=True)
    posterior["shift_ref"][:] = 0.0
    posterior["base_ref"][:] = 0.0
    posterior["anneal_ref"][:] = 0.0
    posterior["sigma"][:] = 0.02
    level = MEAN + SD * unit
    posterior["start_level"] = xr.DataArray(
        level, dims=("chain", "draw", "level"), coords={"level": posterior["level"]}
    )
    return forecast(replace(small, posterior=posterior), plan, [200])


@pytest.fixture(scope="module")
def covariance():
    levels = np.outer(SD, SD) * np.array([[1.0, RHO], [RHO, 1.0]])
    return levels + 0.02**2 * np.eye(2)


@pytest.mark.parametrize("goal", GOALS)
def test_joint_probability_is_the_closed_form_s(fc, covariance, goal):
    table = bc.goal_probability(fc, dict(zip(["general", "target"], goal, strict=True)))
    exact = multivariate_normal.cdf(goal, MEAN, covariance)
    assert abs(table.loc["flat", "joint"] - exact) < 4 * table.loc["flat", "joint_mcse"]
    assert table.loc["flat", "joint_mcse"] < 0.01


@pytest.mark.parametrize("goal", GOALS)
def test_probability_by_domain_is_the_closed_form_s(fc, covariance, goal):
    table = bc.goal_probability(fc, dict(zip(["general", "target"], goal, strict=True)))
    for k, domain in enumerate(("general", "target")):
        exact = norm.cdf(goal[k], MEAN[k], np.sqrt(covariance[k, k]))
        assert abs(table.loc["flat", domain] - exact) < 4 * table.loc["flat", f"{domain}_mcse"]


def test_expected_curves_leave_the_noise_out(fc, covariance):
    """Negative controls: a joint that ignores the correlation, and one that ignores the noise."""
    goal = (3.0, 2.5)
    thresholds = dict(zip(["general", "target"], goal, strict=True))
    loss = bc.goal_probability(fc, thresholds).loc["flat"]
    mu = bc.goal_probability(fc, thresholds, kind="mu").loc["flat"]
    without = np.outer(SD, SD) * np.array([[1.0, RHO], [RHO, 1.0]])
    exact = multivariate_normal.cdf(goal, MEAN, without)
    assert abs(mu["joint"] - exact) < 4 * mu["joint_mcse"]
    assert abs(loss["joint"] - exact) > 3 * loss["joint_mcse"]
    assert abs(loss["joint"] - loss["general"] * loss["target"]) > 3 * loss["joint_mcse"]
