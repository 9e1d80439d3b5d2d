"""Log density of curves with effects of whole runs, which are marginalised in closed form.

A curve's residuals are ``r = U b + e``: columns U, shape (n, effects), of effects b with standard
deviation t, and independent noise e of scale s. So r is normal with covariance
``S = diag(s^2) + t^2 U U^T``, whose inverse and determinant need only matrices of the size of
the effects (Woodbury's identity).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt

from bayescpt.model.compiled.kernel import Differentiable
from bayescpt.model.compiled.lanes import WIDTH, load, spread, store, total

HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


@numba.njit(error_model="numpy")
def _inverse(matrix: Any) -> Any:
    """Inverse of a small positive definite matrix and half the log of its determinant."""
    size = matrix.shape[0]
    half, inverse = np.zeros((size, size)), np.zeros((size, size))
    log_root = 0.0
    for i in range(size):
        for j in range(i + 1):
            value = matrix[i, j]
            for k in range(j):
                value -= half[i, k] * half[j, k]
            half[i, j] = np.sqrt(value) if i == j else value / half[j, j]
        log_root += np.log(half[i, i])
    # Rows of the inverse of the Cholesky factor, then their products.
    for i in range(size):
        for j in range(i + 1):
            value = 1.0 if i == j else 0.0
            for k in range(j, i):
                value -= half[i, k] * inverse[k, j]
            inverse[i, j] = value / half[i, i]
    out = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            for k in range(max(i, j), size):
                out[i, j] += inverse[k, i] * inverse[k, j]
    return out, log_root


@numba.njit(error_model="numpy")
def _product(weight: Any, columns: Any, k: Any, j: Any, begin: Any, end: Any) -> Any:
    """Weighted inner product of two columns over the rows of a curve."""
    n, sums = weight.shape[0], spread(0.0)
    for i in range(begin, end, WIDTH):
        count = end - i
        one, other = load(columns, k * n + i, count), load(columns, j * n + i, count)
        sums += load(weight, i, count) * one * other
    return total(sums)


@numba.njit(error_model="numpy")
def _by_row(
    residual: Any, scale: Any, weight: Any, columns: Any, mean: Any, inverse: Any, begin: Any,
    end: Any, by_residual: Any, by_scale: Any,
) -> None:  # fmt: skip
    """Partial derivatives with respect to the residuals and scales of a curve."""
    n, size = residual.shape[0], mean.shape[0]
    for i in range(begin, end, WIDTH):
        count = end - i
        rest, shared = load(residual, i, count), spread(0.0)
        for k in range(size):
            column = load(columns, k * n + i, count)
            rest -= mean[k] * column
            along = inverse[k, k] * column
            for j in range(k):
                along += 2.0 * inverse[k, j] * load(columns, j * n + i, count)
            shared += along * column
        own = load(weight, i, count)
        store(by_residual, i, -own * rest, count)
        store(by_scale, i, (own * (rest * rest + shared) - 1.0) / load(scale, i, count), count)


def density(residual: Any, scale: Any, size: Any, columns: Any, first: Any) -> Any:
    """Log density of all curves, and its partial derivatives.

    Parameters
    ----------
    residual, scale : ndarray, shape (n,)
        Residuals and the scale of their noise, nats; contiguous.
    size : ndarray, shape (curves,)
        Standard deviation of the effects of each curve, nats.
    columns : ndarray, shape (effects, n)
        What an effect of 1 nat does to the loss; contiguous.
    first : ndarray of int, shape (curves,)
        First row of each curve, increasing.

    Returns
    -------
    density : ndarray, shape (1,)
    by_residual, by_scale : ndarray, shape (n,)
    by_size : ndarray, shape (curves,)
    """
    n, n_effects, n_curves = residual.shape[0], columns.shape[0], first.shape[0]
    residual, scale = np.ascontiguousarray(residual), np.ascontiguousarray(scale)
    columns = np.ascontiguousarray(columns)
    by_residual, by_scale, by_size = np.empty(n), np.empty(n), np.empty(n_curves)
    gram, pull = np.empty((n_effects, n_effects)), np.empty(n_effects)
    weighted, mean = np.empty((n_effects, n_effects)), np.empty(n_effects)
    weight, value = 1.0 / (scale * scale), -HALF_LOG_2PI * n - np.log(scale).sum()
    pulled = weight * residual
    value -= 0.5 * (pulled * residual).sum()
    for c in range(n_curves):
        begin, end = first[c], first[c + 1] if c + 1 < n_curves else n
        square = size[c] * size[c]
        for k in range(n_effects):
            pull[k] = 0.0
            for i in range(begin, end):
                pull[k] += columns[k, i] * pulled[i]
            for j in range(k + 1):
                gram[k, j] = _product(weight, columns, k, j, begin, end)
                gram[j, k] = gram[k, j]
        weighted[:] = square * gram
        for k in range(n_effects):
            weighted[k, k] += 1.0
        inverse, log_root = _inverse(weighted)
        # Covariance of the effects given the curve, and their mean.
        inverse *= square
        slope = 0.0
        for k in range(n_effects):
            mean[k] = 0.0
            for j in range(n_effects):
                mean[k] += inverse[k, j] * pull[j]
        for k in range(n_effects):
            value += 0.5 * mean[k] * pull[k]
            # Inner products of a column with S^-1 r, and with S^-1 times itself.
            along, own = pull[k], gram[k, k]
            for j in range(n_effects):
                along -= gram[k, j] * mean[j]
                for m in range(n_effects):
                    own -= gram[k, j] * inverse[j, m] * gram[m, k]
            slope += along * along - own
        value -= log_root
        by_size[c] = size[c] * slope
        _by_row(
            residual, scale, weight, columns, mean, inverse, begin, end, by_residual, by_scale
        )  # fmt: skip
    return np.array([value]), by_residual, by_scale, by_size


class EffectsDensity(Differentiable):
    """Log density of curves with marginalised effects of runs, see `density`."""

    text, function = Path(__file__).read_text(encoding="utf-8"), staticmethod(density)
    outputs = (pt.dvector, pt.dvector, pt.dvector, pt.dvector)
    differentiable = (0, 1, 2)

    def _shapes(self, shapes: list[Any]) -> list[Any]:
        return [(1,), shapes[0], shapes[0], shapes[2]]

    def _back(self, inputs: Any, partials: Any, cotangent: Any) -> list[Any]:
        return [cotangent[0] * partial for partial in partials]


def effects_density(residual: Any, scale: Any, size: Any, columns: Any, first: Any) -> Any:
    """Log density of curves with marginalised effects of runs.

    Parameters
    ----------
    residual, scale : TensorVariable, shape (n,)
        Residuals and the scale of their noise, nats.
    size : TensorVariable, shape (curves,)
        Standard deviation of the effects of each curve, nats.
    columns : TensorVariable, shape (effects, n)
        What an effect of 1 nat does to the loss.
    first : TensorVariable, shape (curves,)
        First row of each curve.

    Returns
    -------
    TensorVariable, shape ()
    """
    density, *_ = EffectsDensity()(residual, scale, size, columns, first)
    return density[0]
