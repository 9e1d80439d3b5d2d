"""The effective sample size is ArviZ's."""

import numpy as np
import pytest
from arviz_stats.base import array_stats

from bayescpt.decide.effective import mean_ess


def of_arviz(values):
    return array_stats.ess(values, chain_axis=-2, draw_axis=-1, method="mean")


def series(rng, rho, shape):
    out = rng.standard_normal(shape)
    for n in range(1, shape[-1]):
        out[..., n] += rho * out[..., n - 1]
    return out


@pytest.mark.parametrize("rho", [-0.9, -0.3, 0.0, 0.5, 0.95, 1.0])
@pytest.mark.parametrize("shape", [(5, 4, 500), (5, 1, 333), (40, 2, 11), (40, 3, 4), (40, 2, 7)])
def test_it_is_arviz_s(rng, rho, shape):
    values = series(rng, rho, shape)
    np.testing.assert_allclose(mean_ess(values), of_arviz(values), rtol=1e-8)
    # Of short series of 0 and 1, lags may cancel exactly: rounding then ends the sum.
    hits = (values > 0.5).astype(float)
    assert np.isclose(mean_ess(hits), of_arviz(hits), rtol=1e-8, equal_nan=True).mean() > 0.85
    smeared = hits + 0.01 * rng.standard_normal(shape)
    np.testing.assert_allclose(mean_ess(smeared), of_arviz(smeared), rtol=1e-8)


def test_chains_apart_constants_and_gaps_are_as_in_arviz(rng):
    apart = rng.standard_normal((4, 200)) + 10 * np.arange(4)[:, None]
    same = np.ones((2, 50))
    stuck = np.repeat([[0.0], [1.0]], 50, axis=1)
    gap = rng.standard_normal((2, 50))
    gap[1, 3] = np.nan
    for values in (apart, same, stuck, gap, same[:, :3]):
        np.testing.assert_allclose(mean_ess(values), of_arviz(values), rtol=1e-8)
