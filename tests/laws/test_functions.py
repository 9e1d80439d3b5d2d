import numpy as np
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy import special

from bayescpt.laws.functions import expm1_ratio, log_gamma, select


def test_is_continuous_where_the_series_begins():
    x = np.array([-1e-3, 1e-3])
    for side in (x * (1 - 1e-9), x, x * (1 + 1e-9)):
        np.testing.assert_allclose(expm1_ratio(side), np.expm1(side) / side, rtol=1e-15)
    assert expm1_ratio(np.array(0.0)) == 1.0


def test_selects_by_one_condition_and_by_many(everywhere):
    yes, no = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    for condition in (True, 1, 1.0, np.float64(1.0), np.True_):
        assert select(condition, yes, no) is yes
    for condition in (False, 0, 0.0, np.float64(0.0), np.False_):
        assert select(condition, yes, no) is no
    np.testing.assert_array_equal(select(np.array([True, False]), yes, no), [1.0, 4.0])
    out = everywhere(select, {"yes": yes, "no": no}, {"condition": [0.0, 1.0, 1.0]})
    for values in out.values():
        np.testing.assert_array_equal(values, [[3.0, 1.0, 1.0], [4.0, 2.0, 2.0]])


def test_log_gamma_is_that_of_scipy():
    x = np.array([0.1, 1.0, 2.5, 400.0])
    np.testing.assert_array_equal(log_gamma(x), special.gammaln(x))
    np.testing.assert_array_equal(log_gamma(xr.DataArray(x, dims="x")), special.gammaln(x))
    found = log_gamma(pt.as_tensor(x), pt).eval(mode="FAST_COMPILE")
    assert found == pytest.approx(special.gammaln(x), rel=1e-14)
