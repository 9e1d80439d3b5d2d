"""Log density of all rows and its gradient in one pass, compiled by numba.

For the law of `bayescpt.laws.curve.expected_loss` with independent normal noise (`row_sigma` and
``pm.Normal`` in `bayescpt.model.likelihood`); a test holds this to both. A density that is only
summed needs no array by row: each segment's rows stay in the cache from the law's exp to the sums
of the gradient, and one log of a product does for many rows.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt

from bayescpt.model import fused
from bayescpt.model.fused import combine, law_rows, project, segment_end
from bayescpt.model.kernel import FAST, Differentiable, numba_kernel, source_version
from bayescpt.model.vector_math import exp

# Arguments by segment that have a gradient: eight of the law, three of the noise.
N_SEGMENT = 11
# Rows are worked on in multiples of this, as the rest of a vector loop runs one by one. Inflations
# of so many rows are multiplied before the log: below 1e19 the product stays in range.
LANES = 16
HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


def _forward(
    level: Any,
    base_ref: Any,
    alpha: Any,
    anneal_ref: Any,
    shift: Any,
    onset: Any,
    beta: Any,
    gamma: Any,
    sigma: Any,
    early: Any,
    early_width: Any,
    weights: Any,
    keep: Any,
    mix: Any,
    basis: Any,
    log_area_start: Any,
    log_area: Any,
    shift_area: Any,
    fraction: Any,
    loss: Any,
    segment: Any,
) -> Any:
    n = segment.shape[0]
    out = np.zeros((N_SEGMENT, level.shape[0]))
    anneal, by_anneal = combine(project(weights, mix), basis), np.empty(n)
    total = -HALF_LOG_2PI * n
    work = np.empty((11, _longest(segment) + LANES))
    first = 0
    while first < n:
        s = segment[first]
        last = segment_end(segment, first)
        size = last - first
        # Beyond the segment stand rows of the next: computed and not used.
        end = min(first + (size + LANES - 1) // LANES * LANES, n)
        # Rows of a contiguous array are known to be contiguous, which vector loops need.
        m = end - first
        mean, by_mean, bump, more, beyond = (
            work[0, :m], work[1, :m], work[2, :m], work[3, :m], work[4, :m]
        )  # fmt: skip
        by_base, by_alpha = work[5, :m], work[6, :m]
        by_shift, by_onset, by_beta, by_gamma = work[7, :m], work[8, :m], work[9, :m], work[10, :m]
        drop = anneal[first:end]
        is_cpt = shift_area[last - 1] > 0.0
        law_rows(
            level[s],
            base_ref[s],
            alpha[s],
            anneal_ref[s],
            shift[s],
            onset[s],
            beta[s],
            gamma[s],
            keep[s],
            log_area_start[s],
            is_cpt,
            log_area[first:end],
            shift_area[first:end],
            drop,
            mean,
            by_base,
            by_alpha,
            by_shift,
            by_onset,
            by_beta,
            by_gamma,
        )
        density, s8, s9, s10 = _noise(
            sigma[s], early[s], early_width[s], loss[first:end], fraction[first:end], size, mean,
            bump, more, beyond, by_mean,
        )  # fmt: skip
        total += density
        out[8, s] += s8
        out[9, s] += s9
        out[10, s] += s10
        # By the mean it is 0 beyond the segment.
        s0 = s1 = s2 = s3 = 0.0
        for i in range(m):
            g = by_mean[i]
            s0 += g
            s1 += g * by_base[i]
            s2 += g * by_alpha[i]
            s3 -= g * drop[i]
        out[0, s] += s0
        out[1, s] += s1
        out[2, s] += s2
        out[3, s] += s3
        if is_cpt:
            s4 = s5 = s6 = s7 = 0.0
            for i in range(m):
                g = by_mean[i]
                s4 += g * by_shift[i]
                s5 += g * by_onset[i]
                s6 += g * by_beta[i]
                s7 += g * by_gamma[i]
            out[4, s] += s4
            out[5, s] += s5
            out[6, s] += s6
            out[7, s] += s7
        by_anneal[first:last] = -anneal_ref[s] * by_mean[:size]
        first = last
    return np.array([total]), out, combine(project(by_anneal, basis), mix)


@numba.njit(error_model="numpy", fastmath=FAST)
def _longest(segment: Any) -> Any:
    """Rows of the longest segment."""
    longest = first = 0
    while first < segment.shape[0]:
        last = segment_end(segment, first)
        longest, first = max(longest, last - first), last
    return longest


@numba.njit(error_model="numpy", fastmath=FAST)
def _noise(
    sigma: Any,
    early: Any,
    early_width: Any,
    loss: Any,
    fraction: Any,
    size: Any,
    mean: Any,
    bump: Any,
    more: Any,
    beyond: Any,
    by_mean: Any,
) -> Any:
    """Density of a segment, derivatives by sigma, early and its width; by the mean in place."""
    rate, inverse = 1.0 / early_width, 1.0 / sigma
    if early > 0.0:
        for i in range(mean.size):
            bump[i] = exp(-fraction[i] * rate)
    else:
        bump[:] = 0.0
    for i in range(mean.size):
        more[i] = 1.0 + early * bump[i]
        inflated = 1.0 / more[i]
        over = inverse * inflated
        z = (loss[i] - mean[i]) * over
        by_mean[i] = z * over
        beyond[i] = z * z - 1.0
        bump[i] *= inflated
    by_mean[size:], beyond[size:], more[size:] = 0.0, 0.0, 1.0
    by_sigma = by_early = by_rate = 0.0
    for i in range(mean.size):
        by_sigma += beyond[i]
        at = beyond[i] * bump[i]
        by_early += at
        by_rate += at * fraction[i]
    density = -0.5 * (by_sigma + size) - size * np.log(sigma)
    if early > 0.0:
        for start in range(0, mean.size, LANES):
            product = 1.0
            for i in range(start, min(start + LANES, mean.size)):
                product *= more[i]
            density -= np.log(product)
    return density, by_sigma * inverse, by_early, by_rate * early * rate * rate


class CurveDensity(Differentiable):
    """Log density of the losses: expected losses by segment and independent normal noise.

    Inputs: level, base_ref, alpha, anneal_ref, shift, onset, beta, gamma, sigma, early, early_width
    (segment,); weights (node,); keep (segment,); mix (column, node); basis (column, obs);
    log_area_start (segment,); log_area, shift_area, fraction, loss, segment (obs,).
    Outputs: the density (1,), its gradient by segment (11, segment) and by weight (node,).
    """

    source, compiled = staticmethod(_forward), staticmethod(numba_kernel(_forward))
    version = source_version(__file__, fused.__file__)
    outputs = (pt.dvector, pt.dmatrix, pt.dvector)
    # The weights too.
    differentiable = tuple(range(N_SEGMENT + 1))

    def _shapes(self, shapes: list[Any]) -> list[Any]:
        return [(1,), (N_SEGMENT, shapes[0][0]), shapes[N_SEGMENT]]

    def _back(self, inputs: Any, partials: Any, cotangent: Any) -> list[Any]:
        by_segment, by_weight = partials
        scale = cotangent[0]
        return [*(scale * by_segment[k] for k in range(N_SEGMENT)), scale * by_weight]
