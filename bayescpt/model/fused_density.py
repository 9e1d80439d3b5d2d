"""Log density of all rows and its gradient in one pass, compiled by numba.

For the law of `bayescpt.laws.curve.expected_loss` with independent normal noise (`row_sigma` and
``pm.Normal`` in `bayescpt.model.likelihood`); a test holds this to both. A density that is only
summed needs no array by row: sixteen rows at a time stay in registers from the law's exp to the
sums of the gradient, and one log of a product does for many rows.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt

from bayescpt.model import fused
from bayescpt.model.fused import (
    INLINED,
    base_rows,
    combine,
    project,
    segment_rows,
    shift_reference,
    shift_rows,
)
from bayescpt.model.kernel import Differentiable, numba_kernel, source_version
from bayescpt.model.lanes import WIDTH, first_lanes, load, spread, store, total
from bayescpt.model.vector_math import exp, log

# Arguments by segment that have a gradient: eight of the law, three of the noise.
N_SEGMENT = 11
# Inflations of so many rows are multiplied before the log: below 1e19 the product stays in range.
FACTORS = 16
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
    fraction_done: Any,
    loss: Any,
    first: Any,
    place: Any,
) -> Any:
    n = loss.shape[0]
    out = np.zeros((N_SEGMENT, level.shape[0]))
    anneal, by_anneal = combine(project(weights, mix), basis), np.zeros(basis.shape[1])
    density = -HALF_LOG_2PI * n
    for s in range(first.shape[0]):
        begin, end = segment_rows(first, s, n)
        shared = place[begin] - begin
        is_cpt, kept, inflated = shift_area[end - 1] > 0.0, keep[s] != 0.0, early[s] > 0.0
        size, rate, start = spread(base_ref[s]), spread(alpha[s]), spread(log_area_start[s])
        moved, speed, bend = spread(shift[s]), spread(onset[s]), spread(beta[s])
        share, own = spread(gamma[s]), spread(keep[s])
        reference = (spread(0.0), spread(0.0), spread(0.0))
        if is_cpt:
            reference = shift_reference(speed, bend, share)
        inverse, fading = 1.0 / sigma[s], 1.0 / early_width[s]
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = s10 = spread(0.0)
        product, factors, logs = spread(1.0), 0, spread(0.0)
        for i in range(begin, end, WIDTH):
            count = end - i
            by_base, by_alpha = base_rows(size, rate, start, load(log_area, i, count))
            drop = load(anneal, shared + i, count)
            mean = level[s] + size * by_base - anneal_ref[s] * drop
            if is_cpt:
                by_shift, by_onset, by_beta, by_gamma = shift_rows(
                    moved, speed, bend, share, own, kept, reference, load(shift_area, i, count)
                )
                mean = mean + moved * by_shift
            residual = load(loss, i, count) - mean
            if inflated:
                fraction = load(fraction_done, i, count)
                bump, more, over, z = _early_rows(residual, fraction, early[s], fading, inverse)
            else:
                over = spread(inverse)
                z = residual * over
            # Lanes after the last row of the segment count for nothing.
            g = first_lanes(count, z * over, spread(0.0))
            beyond = first_lanes(count, z * z - 1.0, spread(0.0))
            s0 += g
            s1 += g * by_base
            s2 += g * by_alpha
            s3 -= g * drop
            s8 += beyond
            if is_cpt:
                s4 += g * by_shift
                s5 += g * by_onset
                s6 += g * by_beta
                s7 += g * by_gamma
            if inflated:
                s9 += beyond * bump
                s10 += beyond * bump * fraction
                product *= first_lanes(count, more, spread(1.0))
                factors += 1
                if factors % FACTORS == 0:
                    logs, product = logs + log(product), spread(1.0)
            before = load(by_anneal, shared + i, count)
            store(by_anneal, shared + i, before - anneal_ref[s] * g, count)
        by_sigma, rows = total(s8), end - begin
        density -= 0.5 * (by_sigma + rows) + rows * np.log(sigma[s])
        if inflated:
            density -= total(logs + log(product))
            out[9, s] = total(s9)
            out[10, s] = total(s10) * early[s] * fading * fading
        for k, found in enumerate((s0, s1, s2, s3)):
            out[k, s] = total(found)
        if is_cpt:
            for k, found in enumerate((s4, s5, s6, s7)):
                out[4 + k, s] = total(found)
        out[8, s] = by_sigma * inverse
    return np.array([density]), out, combine(project(by_anneal, basis), mix)


@numba.njit(**INLINED)
def _early_rows(residual: Any, fraction: Any, early: Any, fading: Any, inverse: Any) -> Any:
    """Slope of the log scale by `early`, inflation, one over the scale, standardised residual."""
    bump = exp(-fading * fraction)
    more = 1.0 + early * bump
    inflated = 1.0 / more
    over = inverse * inflated
    return bump * inflated, more, over, residual * over


class CurveDensity(Differentiable):
    """Log density of the losses: expected losses by segment and independent normal noise.

    Inputs: level, base_ref, alpha, anneal_ref, shift, onset, beta, gamma, sigma, early, early_width
    (segment,); weights (node,); keep (segment,); mix (column, node); basis (column, place);
    log_area_start (segment,); log_area, shift_area, fraction, loss (obs,); first row (segment,);
    place (obs,), consecutive along a segment.
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
