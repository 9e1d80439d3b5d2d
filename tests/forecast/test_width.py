"""Bands that say less than the losses that were fitted are named."""

from dataclasses import replace

import numpy as np
import pytest

import bayescpt as bc
from bayescpt.forecast import Plan, forecast
from bayescpt.forecast.forecast import forecast_blocks
from bayescpt.forecast.width import wide_bands

AT = np.array([10, 20, 40])
OBSERVED = {"general": (3.0, 3.5), "german": (2.0, 6.0)}


def curves(spread):
    """One plan on two sets, losses normal around 3.2, shape (1, 2, 2000, 3)."""
    draws = np.random.default_rng(3).standard_normal((1, 2, 2000, 1))
    return 3.2 + spread * draws + np.zeros(3)


def warned(loss, last):
    return wide_bands(loss, ["r0"], ["general", "german"], [last], AT, OBSERVED)


def test_only_a_band_wider_than_the_fitted_losses_lie_apart_is_named():
    assert not warned(curves(0.1), 40)
    (found,) = warned(curves(0.3), 40)
    assert found.startswith("plan 'r0': the 90% band of general at step 40 is 0.9")
    assert "lie within 0.5" in found
    assert len(warned(curves(3.0), 40)) == 2


def test_the_last_step_of_the_plan_is_judged():
    loss = curves(0.01)
    loss[..., 2] = curves(1.0)[..., 2]
    assert not warned(loss, 20)
    assert warned(loss, 40)
    assert not warned(loss, None)


@pytest.fixture(scope="module")
def wide(draws):
    """Draws of the priors, with effects that no study has."""
    posterior = draws.posterior.copy(deep=True)
    posterior["sigma"][:] = 50.0
    return replace(draws, posterior=posterior)


PLAN = Plan("r30", bc.schedules.wsd(2e-3, 200, 10, 40), replay_ratio=0.3, start="pt")


def test_a_forecast_carries_it_once_in_blocks_too(wide):
    (text,) = [t for t in forecast(wide, PLAN).warnings if "hardly tell" in t and "general" in t]
    assert "at step 200" in text
    parts = [part.warnings for part in forecast_blocks(wide, PLAN, "all", size=64)]
    assert [sum("hardly tell" in t and "general" in t for t in part) for part in parts] == [
        *[0] * (len(parts) - 1),
        1,
    ]
