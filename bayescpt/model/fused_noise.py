"""Normal log density of the rows and its gradient in one pass, compiled by numba.

The plain graph is `bayescpt.model.likelihood.row_sigma` and ``pm.Normal``; a test holds this to it.
Its exp and log are calls, one number at a time, which take as long as all of the law's.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt

from bayescpt.model.kernel import FAST, Differentiable, Kernel, numba_kernel, source_version
from bayescpt.model.vector_math import exp, log

# Of the mean, sigma, early and early_width.
N_PARTIALS = 4
HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


def _forward(
    loss: Any,
    mean: Any,
    sigma: Any,
    early: Any,
    early_width: Any,
    fraction: Any,
    segment: Any,
) -> Any:
    n = loss.shape[0]
    density = np.empty(n)
    partials = np.empty((N_PARTIALS, n))
    first = 0
    while first < n:
        s = segment[first]
        last = first + 1
        while last < n and segment[last] == s:
            last += 1
        _rows(
            sigma[s],
            early[s],
            early_width[s],
            loss[first:last],
            mean[first:last],
            fraction[first:last],
            density[first:last],
            partials[0, first:last],
            partials[1, first:last],
            partials[2, first:last],
            partials[3, first:last],
        )
        first = last
    return density, partials


@numba.njit(error_model="numpy", fastmath=FAST)
def _rows(
    sigma: Any,
    early: Any,
    early_width: Any,
    loss: Any,
    mean: Any,
    fraction: Any,
    density: Any,
    by_mean: Any,
    by_sigma: Any,
    by_early: Any,
    by_width: Any,
) -> None:
    """Log density of a segment and its derivatives."""
    rate = 1.0 / early_width
    if early > 0.0:
        for i in range(loss.size):
            by_early[i] = exp(-fraction[i] * rate)
    else:
        by_early[:] = 0.0
    for i in range(loss.size):
        bump = by_early[i]
        more = 1.0 + early * bump
        scale = sigma * more
        inverse = 1.0 / scale
        z = (loss[i] - mean[i]) * inverse
        density[i] = -0.5 * z * z - log(scale) - HALF_LOG_2PI
        by_scale = (z * z - 1.0) * inverse
        by_mean[i] = z * inverse
        by_sigma[i] = by_scale * more
        by_early[i] = by_scale * sigma * bump
        by_width[i] = by_early[i] * early * fraction[i] * rate * rate


def _backward(cotangent: Any, partials: Any, segment: Any, sigma: Any) -> Any:
    n, n_segments = cotangent.shape[0], sigma.shape[0]
    by_mean = np.empty(n)
    out = np.zeros((N_PARTIALS - 1, n_segments))
    first = 0
    while first < n:
        s = segment[first]
        last = first + 1
        while last < n and segment[last] == s:
            last += 1
        s0 = s1 = s2 = 0.0
        for i in range(first, last):
            g = cotangent[i]
            by_mean[i] = g * partials[0, i]
            s0 += g * partials[1, i]
            s1 += g * partials[2, i]
            s2 += g * partials[3, i]
        out[0, s] += s0
        out[1, s] += s1
        out[2, s] += s2
        first = last
    return by_mean, out


class RowDensity(Differentiable):
    """Log density of every row.

    Inputs: loss, mean (obs,); sigma, early, early_width (segment,); fraction, segment (obs,).
    Outputs: the log density (obs,) and the partial derivatives that the gradient needs (4, obs).
    """

    source, compiled = staticmethod(_forward), staticmethod(numba_kernel(_forward))
    version = source_version(__file__)
    outputs = (pt.dvector, pt.dmatrix)
    # The loss and what has a partial derivative.
    differentiable = tuple(range(1 + N_PARTIALS))

    def _shapes(self, shapes: list[Any]) -> list[Any]:
        return [shapes[0], (N_PARTIALS, shapes[0][0])]

    def _back(self, inputs: Any, partials: Any, cotangent: Any) -> list[Any]:
        by_mean, by_segment = RowDensityBack()(cotangent, partials, inputs[-1], inputs[2])
        return [-by_mean, by_mean, *(by_segment[k] for k in range(N_PARTIALS - 1))]


class RowDensityBack(Kernel):
    """Vector-Jacobian product of `RowDensity`: sums over the rows of each segment."""

    source, compiled = staticmethod(_backward), staticmethod(numba_kernel(_backward))
    version = source_version(__file__)
    outputs = (pt.dvector, pt.dmatrix)

    def _shapes(self, shapes: list[Any]) -> list[Any]:
        return [shapes[0], (N_PARTIALS - 1, shapes[3][0])]
