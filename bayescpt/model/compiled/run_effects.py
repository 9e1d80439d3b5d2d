"""Log density of curves with effects of whole runs, which are marginalised in closed form.

A curve's residuals are ``r = U b + e``: columns U, shape (n, effects), of effects b with standard
deviations t, and independent noise e of scale s. So r is normal with covariance
``S = diag(s^2) + U diag(t^2) U^T``, whose inverse and determinant need only matrices of the size of
the effects (Woodbury's identity).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt

from bayescpt.model.compiled.kernel import Differentiable

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


def density(residual: Any, scale: Any, sizes: Any, columns: Any, first: Any) -> Any:
    """Log density of all curves, and its partial derivatives.

    Parameters
    ----------
    residual, scale : ndarray, shape (n,)
        Residuals and the scale of their noise, nats.
    sizes : ndarray, shape (effects, curves)
        Standard deviations of the effects, nats.
    columns : ndarray, shape (effects, n)
        What an effect of 1 nat does to the loss.
    first : ndarray of int, shape (curves,)
        First row of each curve, increasing.

    Returns
    -------
    density : ndarray, shape (1,)
    by_residual, by_scale : ndarray, shape (n,)
    by_size : ndarray, shape (effects, curves)
    """
    n, size, n_curves = residual.shape[0], columns.shape[0], first.shape[0]
    total = np.zeros(1)
    by_residual, by_scale, by_size = np.empty(n), np.empty(n), np.empty((size, n_curves))
    gram, pull, weighted = np.empty((size, size)), np.empty(size), np.empty((size, size))
    for c in range(n_curves):
        begin, end = first[c], first[c + 1] if c + 1 < n_curves else n
        gram[:], pull[:] = 0.0, 0.0
        square, logs = 0.0, 0.0
        for i in range(begin, end):
            weight = 1.0 / (scale[i] * scale[i])
            square += weight * residual[i] * residual[i]
            logs += np.log(scale[i])
            for k in range(size):
                one = weight * columns[k, i]
                pull[k] += one * residual[i]
                for j in range(k + 1):
                    gram[k, j] += one * columns[j, i]
        for k in range(size):
            for j in range(k):
                gram[j, k] = gram[k, j]
        for k in range(size):
            for j in range(size):
                weighted[k, j] = sizes[k, c] * gram[k, j] * sizes[j, c]
            weighted[k, k] += 1.0
        inverse, log_root = _inverse(weighted)
        # Covariance of the effects given the curve, and their mean.
        for k in range(size):
            for j in range(size):
                inverse[k, j] *= sizes[k, c] * sizes[j, c]
        mean = np.zeros(size)
        for k in range(size):
            for j in range(size):
                mean[k] += inverse[k, j] * pull[j]
            square -= mean[k] * pull[k]
        total[0] -= 0.5 * square + logs + log_root + (end - begin) * HALF_LOG_2PI
        for i in range(begin, end):
            weight = 1.0 / (scale[i] * scale[i])
            rest, spread = residual[i], 0.0
            for k in range(size):
                rest -= columns[k, i] * mean[k]
                for j in range(size):
                    spread += columns[k, i] * inverse[k, j] * columns[j, i]
            by_residual[i] = -weight * rest
            by_scale[i] = (weight * (rest * rest + spread) - 1.0) / scale[i]
        for k in range(size):
            # Inner products of a column with S^-1 r, and with S^-1 times itself.
            along, own = pull[k], gram[k, k]
            for j in range(size):
                along -= gram[k, j] * mean[j]
                for m in range(size):
                    own -= gram[k, j] * inverse[j, m] * gram[m, k]
            by_size[k, c] = sizes[k, c] * (along * along - own)
    return total, by_residual, by_scale, by_size


class EffectsDensity(Differentiable):
    """Log density of curves with marginalised effects of runs, see `density`."""

    text, function = Path(__file__).read_text(encoding="utf-8"), staticmethod(density)
    outputs = (pt.dvector, pt.dvector, pt.dvector, pt.dmatrix)
    differentiable = (0, 1, 2)

    def _shapes(self, shapes: list[Any]) -> list[Any]:
        return [(1,), shapes[0], shapes[0], shapes[2]]

    def _back(self, inputs: Any, partials: Any, cotangent: Any) -> list[Any]:
        return [cotangent[0] * partial for partial in partials]


def effects_density(residual: Any, scale: Any, sizes: Any, columns: Any, first: Any) -> Any:
    """Log density of curves with marginalised effects of runs.

    Parameters
    ----------
    residual, scale : TensorVariable, shape (n,)
        Residuals and the scale of their noise, nats.
    sizes : TensorVariable, shape (effects, curves)
        Standard deviations of the effects, nats.
    columns : TensorVariable, shape (effects, n)
        What an effect of 1 nat does to the loss.
    first : TensorVariable, shape (curves,)
        First row of each curve.

    Returns
    -------
    TensorVariable, shape ()
    """
    total, *_ = EffectsDensity()(residual, scale, sizes, columns, first)
    return total[0]
