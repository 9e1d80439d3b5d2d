"""Sixteen doubles at a time, against NumPy."""

import numba
import numpy as np
import pytest

from bayescpt.model.compiled.lanes import WIDTH, below, first_lanes, load, spread, store, total

RNG = np.random.default_rng(7)


def over(function):
    """A function of two lanes over two arrays."""

    @numba.njit(error_model="numpy")
    def loop(x, y):
        out = np.full(x.size, 7.0)
        for i in range(0, x.size, WIDTH):
            count = x.size - i
            store(out, i, function(load(x, i, count), load(y, i, count)), count)
        return out

    return loop


@numba.njit(error_model="numpy")
def arithmetic(x, y):
    out = -x * 2.0 - 3.0 / (y + 4.0) + x / y
    out += x
    out -= 0.5
    out *= y
    return out


@pytest.mark.parametrize("size", [1, WIDTH - 1, WIDTH, 2 * WIDTH + 3])
def test_arithmetic_is_that_of_numpy_for_any_length(size):
    x, y = RNG.standard_normal(size), RNG.uniform(0.5, 2.0, size)
    expected = (-2.0 * x - 3.0 / (y + 4.0) + x / y + x - 0.5) * y
    np.testing.assert_allclose(over(arithmetic)(x, y), expected, rtol=1e-12, atol=1e-14)


def test_what_is_not_a_number_is_below_nothing():
    @numba.njit
    def clipped(x, limit):
        return below(x, limit, limit, x)

    x = np.array([-1.0, 0.5, np.nan, np.inf, -np.inf])
    np.testing.assert_array_equal(over(clipped)(x, np.zeros(5)), [0.0, 0.5, np.nan, np.inf, 0.0])


def test_a_store_leaves_alone_what_comes_after_and_a_load_reads_zeros_there():
    @numba.njit
    def copied(x, out, count):
        store(out, 1, load(x, 2, count), WIDTH)
        store(out, 1 + WIDTH, spread(5.0), count)

    x, out = np.arange(2.0 * WIDTH), np.full(2 * WIDTH + 1, -1.0)
    copied(x, out, 3)
    np.testing.assert_array_equal(out[1 : 1 + WIDTH], [2.0, 3.0, 4.0, *np.zeros(WIDTH - 3)])
    np.testing.assert_array_equal(out[1 + WIDTH : 4 + WIDTH], 5.0)
    np.testing.assert_array_equal(out[[0, *range(4 + WIDTH, 2 * WIDTH + 1)]], -1.0)


def test_rows_of_a_matrix_are_reached_by_their_place_in_its_flat_order():
    @numba.njit
    def second(matrix):
        return total(load(matrix, matrix.shape[1], matrix.shape[1]))

    matrix = RNG.standard_normal((3, WIDTH - 2))
    assert second(matrix) == pytest.approx(matrix[1].sum(), rel=1e-12)


def test_an_array_with_gaps_is_refused():
    with pytest.raises(numba.TypingError, match="load"):
        over(arithmetic)(np.ones(2 * WIDTH)[::2], np.ones(WIDTH))


@pytest.mark.parametrize("count", [-3, 0, 1, WIDTH - 1, WIDTH, 99])
def test_the_first_lanes(count):
    @numba.njit
    def summed(count):
        return total(first_lanes(count, spread(1.0), spread(100.0)))

    kept = min(max(count, 0), WIDTH)
    assert summed(count) == kept + 100.0 * (WIDTH - kept)
