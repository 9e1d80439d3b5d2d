"""Plain arithmetic in place of the C library's exp and log."""

import numba
import numpy as np
import pytest

from bayescpt.model.compiled import vector_math
from bayescpt.model.compiled.lanes import WIDTH, load, store

RNG = np.random.default_rng(5)
TINY = RNG.choice([-1.0, 1.0], 4000) * 10.0 ** RNG.uniform(-300, -1, 4000)
POINTS = {
    "exp": np.r_[RNG.uniform(-707.0, 708.0, 4000), TINY, 0.0, -0.0],
    "expm1": np.r_[RNG.uniform(-50.0, 700.0, 4000), TINY, 0.0],
    "log": np.r_[np.exp(RNG.uniform(-700.0, 700.0, 4000)), 1.0 + RNG.normal(0, 1e-3, 4000), 1.0],
    "log1p": np.r_[np.exp(RNG.uniform(-50.0, 700.0, 4000)), RNG.uniform(-0.999, 1.0, 4000), TINY],
}


@numba.njit
def log1p(x):
    return vector_math.log1p_inverse(x)[0]


@numba.njit
def inverse(x):
    return vector_math.log1p_inverse(x)[1]


def over(name):
    """The function over an array whose length need not be a multiple of the lanes."""
    function = {"log1p": log1p, "inverse": inverse}.get(name) or getattr(vector_math, name)

    @numba.njit(error_model="numpy")
    def loop(x):
        out = np.empty_like(x)
        for i in range(0, x.size, WIDTH):
            store(out, i, function(load(x, i, x.size - i)), x.size - i)
        return out

    return loop


@pytest.mark.parametrize("name", list(POINTS))
def test_within_2_units_in_the_last_place(name):
    x = POINTS[name]
    expected = getattr(np, name)(x)
    assert np.max(np.abs(over(name)(x) - expected) / np.spacing(np.abs(expected))) <= 2.0


def test_the_inverse_that_comes_with_log1p():
    x = POINTS["log1p"]
    np.testing.assert_allclose(over("inverse")(x), 1.0 / (1.0 + x), rtol=1e-15)


def test_what_is_not_a_number_stays_so_and_the_ends_stand_for_what_lies_beyond():
    for name in POINTS:
        assert np.isnan(over(name)(np.array([np.nan]))[0])
    assert over("log")(np.array([np.inf]))[0] == np.inf
    far, ends = np.array([-1e4, -np.inf, 1e4, np.inf]), np.array([-708.0, -708.0, 709.0, 709.0])
    np.testing.assert_array_equal(over("exp")(far), over("exp")(ends))


def test_logarithms_of_what_has_none_are_those_of_numpy():
    x = np.array([0.0, -0.0, -1e-300, -1.0, -np.inf])
    np.testing.assert_array_equal(over("log")(x), [-np.inf, -np.inf, np.nan, np.nan, np.nan])
