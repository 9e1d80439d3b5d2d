"""The law's mean and its gradient in one pass over the rows, compiled by numba.

The plain graph of `bayescpt.laws.curve.expected_loss` calls exp and log again for the gradient and
makes an array for every operation. Here the forward pass keeps the partial derivatives it has at
hand, and the vector-Jacobian product is sums over segments. The equation stays in laws/curve.py: a
test holds this to it.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt

from bayescpt.model.kernel import FAST, Differentiable, Kernel, numba_kernel, source_version
from bayescpt.model.vector_math import exp, expm1, log1p

# Arguments by segment that carry gradients; the weights follow them.
N_SEGMENT = 8
N_PARTIALS = 7
SERIES_BELOW = 1e-3
TINY = 1e-300


@numba.njit(error_model="numpy", fastmath=FAST)
def combine(weights: Any, columns: Any) -> Any:
    """Weighted sum of columns; rows inside, so that it vectorises.

    Parameters
    ----------
    weights : ndarray, shape (column,)
        Weights.
    columns : ndarray, shape (column, n)
        Columns.

    Returns
    -------
    ndarray, shape (n,)
    """
    out = np.zeros(columns.shape[1])
    for k in range(weights.shape[0]):
        w = weights[k]
        for i in range(out.shape[0]):
            out[i] += w * columns[k, i]
    return out


@numba.njit(error_model="numpy", fastmath=FAST)
def project(rows: Any, columns: Any) -> Any:
    """Inner products with columns: the transpose of `combine`.

    Parameters
    ----------
    rows : ndarray, shape (n,)
        One number a row.
    columns : ndarray, shape (column, n)
        Columns.

    Returns
    -------
    ndarray, shape (column,)
    """
    out = np.empty(columns.shape[0])
    for k in range(columns.shape[0]):
        total = 0.0
        for i in range(rows.shape[0]):
            total += rows[i] * columns[k, i]
        out[k] = total
    return out


@numba.njit(error_model="numpy", fastmath=FAST, forceinline=True)
def _growth(log_s: Any, beta: Any, left: Any) -> Any:
    """Growth (1 - exp(-beta log_s)) / beta, its derivatives by beta and by log_s.

    `left` is expm1 of minus `_exponent`: it has a loop of its own, as a long chain of operations in
    one loop leaves the processor waiting for each.
    """
    x = _exponent(log_s, beta)
    inverse = 1.0 / x
    ratio = -left * inverse
    # A blend of numbers vectorises, a branch does not.
    near = 1.0 if abs(x) < SERIES_BELOW else 0.0
    series = -0.5 + x * (1.0 / 3.0 - x * (0.125 - x / 30.0))
    slope = near * series + (1.0 - near) * (1.0 + left - ratio) * inverse
    return log_s * ratio, log_s * log_s * slope, 1.0 + left


@numba.njit(error_model="numpy", fastmath=FAST, forceinline=True)
def _exponent(log_s: Any, beta: Any) -> Any:
    """Not quite 0, where the ratio above is 1 and not 0 / 0."""
    return beta * log_s + TINY


def _forward(
    level: Any,
    base_ref: Any,
    alpha: Any,
    anneal_ref: Any,
    shift: Any,
    onset: Any,
    beta: Any,
    gamma: Any,
    keep: Any,
    weights: Any,
    basis: Any,
    log_area_start: Any,
    log_area: Any,
    shift_area: Any,
    segment: Any,
) -> Any:
    n = segment.shape[0]
    anneal = combine(weights, basis)
    mean = np.empty(n)
    partials = np.zeros((N_PARTIALS, n))
    partials[6] = anneal
    first = 0
    while first < n:
        s = segment[first]
        last = segment_end(segment, first)
        # Slices that are counted from 0, in loops over few of them: so they vectorise.
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
            shift_area[last - 1] > 0.0,
            log_area[first:last],
            shift_area[first:last],
            anneal[first:last],
            mean[first:last],
            partials[0, first:last],
            partials[1, first:last],
            partials[2, first:last],
            partials[3, first:last],
            partials[4, first:last],
            partials[5, first:last],
        )
        first = last
    return mean, partials


@numba.njit(error_model="numpy", fastmath=FAST)
def segment_end(segment: Any, first: Any) -> Any:
    """Row after the last of the segment that begins at a row.

    Parameters
    ----------
    segment : ndarray of int, shape (n,)
        Segment of each row, those of one together.
    first : int
        Row where it begins.

    Returns
    -------
    int
    """
    last = first + 1
    while last < segment.shape[0] and segment[last] == segment[first]:
        last += 1
    return last


@numba.njit(error_model="numpy", fastmath=FAST)
def law_rows(
    level: Any,
    base_ref: Any,
    alpha: Any,
    anneal_ref: Any,
    shift: Any,
    onset: Any,
    beta: Any,
    gamma: Any,
    keep: Any,
    start: Any,
    is_cpt: Any,
    log_area: Any,
    shift_area: Any,
    drop: Any,
    mean: Any,
    by_base: Any,
    by_alpha: Any,
    by_shift: Any,
    by_onset: Any,
    by_beta: Any,
    by_gamma: Any,
) -> None:
    """Expected losses of a segment's rows and their derivatives.

    Parameters
    ----------
    level, base_ref, alpha, anneal_ref, shift, onset, beta, gamma, keep : float
        Of the segment, see `bayescpt.laws.curve.expected_loss`.
    start : float
        Log area at the start.
    is_cpt : bool
        Whether there is a shift; without one its derivatives are not filled.
    log_area, shift_area, drop : ndarray, shape (n,)
        Log areas, shift areas, annealing areas.
    mean, by_base, by_alpha, by_shift, by_onset, by_beta, by_gamma : ndarray, shape (n,)
        Filled.
    """
    _base(alpha, base_ref, start, log_area, by_base, by_alpha)
    for i in range(mean.size):
        mean[i] = level + base_ref * by_base[i] - anneal_ref * drop[i]
    if is_cpt:
        _shift(
            shift, onset, beta, gamma, keep, shift_area, mean,
            by_shift, by_onset, by_beta, by_gamma,
        )  # fmt: skip


@numba.njit(error_model="numpy", fastmath=FAST)
def _base(
    alpha: Any, base_ref: Any, start: Any, log_area: Any, by_base: Any, by_alpha: Any
) -> None:
    """Base drop over its size, and its derivative by alpha."""
    e0 = exp(-alpha * start)
    for i in range(log_area.size):
        e = exp(-alpha * log_area[i])
        by_base[i] = e - e0
        by_alpha[i] = base_ref * (start * e0 - log_area[i] * e)


@numba.njit(error_model="numpy", fastmath=FAST)
def _shift(
    shift: Any,
    onset: Any,
    beta: Any,
    gamma: Any,
    keep: Any,
    area: Any,
    mean: Any,
    by_shift: Any,
    by_onset: Any,
    by_beta: Any,
    by_gamma: Any,
) -> None:
    """Add the shift to the mean; derivatives by shift, onset, beta and gamma."""
    n = area.size
    # Without replay the growth is that of Eq. 4 with the rate -gamma beta.
    rate = -gamma * beta
    log_one = log1p(onset)
    h1, k1, f1 = _growth(log_one, rate, expm1(-_exponent(log_one, rate)))
    r = 1.0 / h1
    q1 = f1 / (1.0 + onset)
    # The four outputs hold what they are made of until the last loop.
    for i in range(n):
        by_onset[i] = log1p(onset * area[i])
    if keep == 0.0:
        for i in range(n):
            by_gamma[i] = expm1(-_exponent(by_onset[i], rate))
        for i in range(n):
            h, k, f = _growth(by_onset[i], rate, by_gamma[i])
            by_shift[i] = h * r
            by_onset[i] = f
            by_beta[i] = -gamma * k
            by_gamma[i] = -beta * k
    else:
        # (w^-gamma - 1) / (gamma beta): the growth of the faded share, -gamma in the part of beta.
        fading, per_beta = 1.0 - keep, 1.0 / beta
        for i in range(n):
            by_beta[i] = fading * expm1(-beta * by_onset[i])
        for i in range(n):
            by_shift[i] = -log1p(by_beta[i])
        for i in range(n):
            by_gamma[i] = expm1(-_exponent(by_shift[i], -gamma))
        for i in range(n):
            lost = by_beta[i]
            h, k, f = _growth(by_shift[i], -gamma, by_gamma[i])
            f *= (fading + lost) / (1.0 + lost)
            by_shift[i] = h * per_beta * r
            by_beta[i] = (f * by_onset[i] - h * per_beta) * per_beta
            by_gamma[i] = -k * per_beta
            by_onset[i] = f
    dr = shift * r
    for i in range(n):
        g = by_shift[i]
        mean[i] += shift * g
        by_onset[i] = dr * (area[i] * by_onset[i] / (1.0 + onset * area[i]) - g * q1)
        by_beta[i] = dr * (by_beta[i] + g * gamma * k1)
        by_gamma[i] = dr * (by_gamma[i] + g * beta * k1)


def _backward(
    cotangent: Any,
    partials: Any,
    segment: Any,
    anneal_ref: Any,
    weights: Any,
    basis: Any,
) -> Any:
    n, n_segments = cotangent.shape[0], anneal_ref.shape[0]
    out = np.zeros((N_SEGMENT, n_segments))
    row = np.empty(n)
    for i in range(n):
        row[i] = -anneal_ref[segment[i]] * cotangent[i]
    by_weight = project(row, basis)
    first = 0
    while first < n:
        s = segment[first]
        last = segment_end(segment, first)
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
        for i in range(first, last):
            g = cotangent[i]
            s0 += g
            s1 += g * partials[0, i]
            s2 += g * partials[1, i]
            s3 -= g * partials[6, i]
            s4 += g * partials[2, i]
            s5 += g * partials[3, i]
            s6 += g * partials[4, i]
            s7 += g * partials[5, i]
        out[0, s] += s0
        out[1, s] += s1
        out[2, s] += s2
        out[3, s] += s3
        out[4, s] += s4
        out[5, s] += s5
        out[6, s] += s6
        out[7, s] += s7
        first = last
    return out, by_weight


FORWARD = numba_kernel(_forward)
BACKWARD = numba_kernel(_backward)


class CurveMean(Differentiable):
    """Expected loss of every row; `bayescpt.laws.curve.expected_loss` by segment.

    Inputs: level, base_ref, alpha, anneal_ref, shift, onset, beta, gamma, keep (segment,); weights
    (column,); basis (column, obs); log_area_start (segment,); log_area, shift_area, segment (obs,).
    Outputs: the mean (obs,) and the partial derivatives that the gradient needs (7, obs).
    """

    source, compiled = staticmethod(_forward), staticmethod(FORWARD)
    version = source_version(__file__)
    outputs = (pt.dvector, pt.dmatrix)
    # The weights too.
    differentiable = (*range(N_SEGMENT), N_SEGMENT + 1)

    def _shapes(self, shapes: list[Any]) -> list[Any]:
        return [shapes[14], (N_PARTIALS, shapes[14][0])]

    def _back(self, inputs: Any, partials: Any, cotangent: Any) -> list[Any]:
        (partials,) = partials
        weights, basis = inputs[N_SEGMENT + 1 : N_SEGMENT + 3]
        by_segment, by_weight = CurveBack()(
            cotangent, partials, inputs[-1], inputs[3], weights, basis
        )
        return [*(by_segment[k] for k in range(N_SEGMENT)), by_weight]


class CurveBack(Kernel):
    """Vector-Jacobian product of `CurveMean`: sums over the rows of each segment."""

    source, compiled = staticmethod(_backward), staticmethod(BACKWARD)
    version = source_version(__file__)
    outputs = (pt.dmatrix, pt.dvector)

    def _shapes(self, shapes: list[Any]) -> list[Any]:
        return [(N_SEGMENT, shapes[3][0]), shapes[4]]
