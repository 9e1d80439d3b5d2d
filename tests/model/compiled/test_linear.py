"""Products of the bases and sums over rows, against NumPy."""

import numpy as np
import pytest

from bayescpt.model.compiled.lanes import WIDTH
from bayescpt.model.compiled.linear import combine, place_sums, project, segment_sums

RNG = np.random.default_rng(9)
SIZES = [1, WIDTH - 1, WIDTH, 4 * WIDTH, 4 * WIDTH + 1, 9 * WIDTH + 3]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("columns", [1, 3, 4, 5])
def test_products_with_columns_of_any_number_and_length(size, columns):
    basis, weights = RNG.standard_normal((columns, size)), RNG.standard_normal(columns)
    rows = RNG.standard_normal(size)
    np.testing.assert_allclose(combine(weights, basis), weights @ basis, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(project(rows, basis), basis @ rows, rtol=1e-12, atol=1e-12)


def test_columns_and_rows_with_gaps():
    basis, rows = RNG.standard_normal((60, 3)).T, RNG.standard_normal((60, 2))[:, 0]
    weights = RNG.standard_normal(3)
    np.testing.assert_allclose(combine(weights, basis), weights @ basis, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(project(rows, basis), basis @ rows, rtol=1e-12, atol=1e-12)


def test_sums_over_the_rows_of_each_segment_and_place():
    first, place = np.array([0, 1, 20]), np.r_[np.arange(20), np.arange(5)]
    cotangent, partials = RNG.standard_normal((25, 2))[:, 0], RNG.standard_normal((3, 25))
    found = segment_sums(cotangent, partials, first)
    expected = np.add.reduceat(np.vstack([partials, np.ones(25)]) * cotangent, first, axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    by_place = place_sums(cotangent, place, np.zeros((2, 22)))
    np.testing.assert_allclose(by_place, np.bincount(place, cotangent, 22), rtol=1e-12)
