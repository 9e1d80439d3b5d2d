"""The law's mean and its gradient in one pass over the rows, compiled by numba.

The plain graph of `bayescpt.laws.curve.expected_loss` calls exp and log again for the gradient and
makes an array for every operation. Here sixteen rows at a time stay in registers, with the partial
derivatives that are at hand, and the vector-Jacobian product is sums over segments. The equation
stays in laws/curve.py: a test holds this to it.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt

from bayescpt.model.kernel import Differentiable, Kernel, numba_kernel, source_version
from bayescpt.model.lanes import WIDTH, below, load, spread, store, total
from bayescpt.model.vector_math import exp, expm1, log1p_inverse

# Arguments by segment that carry gradients; the weights follow them.
N_SEGMENT = 8
N_PARTIALS = 7
SERIES_BELOW = 1e-3
TINY = 1e-300
INLINED: dict[str, Any] = {"error_model": "numpy", "forceinline": True}


@numba.njit(error_model="numpy")
def combine(weights: Any, columns: Any) -> Any:
    """Weighted sum of columns.

    Parameters
    ----------
    weights : ndarray, shape (column,)
        Weights.
    columns : ndarray, shape (column, n)
        Columns, contiguous.

    Returns
    -------
    ndarray, shape (n,)
    """
    n, columns = columns.shape[1], np.ascontiguousarray(columns)
    out = np.empty(n)
    # Four sums that do not wait for each other.
    for i in range(0, n, 4 * WIDTH):
        a = b = c = d = spread(0.0)
        for k in range(weights.shape[0]):
            w, at = weights[k], k * n + i
            a += w * load(columns, at, n - i)
            b += w * load(columns, at + WIDTH, n - i - WIDTH)
            c += w * load(columns, at + 2 * WIDTH, n - i - 2 * WIDTH)
            d += w * load(columns, at + 3 * WIDTH, n - i - 3 * WIDTH)
        store(out, i, a, n - i)
        store(out, i + WIDTH, b, n - i - WIDTH)
        store(out, i + 2 * WIDTH, c, n - i - 2 * WIDTH)
        store(out, i + 3 * WIDTH, d, n - i - 3 * WIDTH)
    return out


@numba.njit(error_model="numpy")
def project(rows: Any, columns: Any) -> Any:
    """Inner products with columns: the transpose of `combine`.

    Parameters
    ----------
    rows : ndarray, shape (n,)
        One number a row.
    columns : ndarray, shape (column, n)
        Columns, contiguous.

    Returns
    -------
    ndarray, shape (column,)
    """
    n, rows, columns = rows.shape[0], np.ascontiguousarray(rows), np.ascontiguousarray(columns)
    size = columns.shape[0]
    out = np.empty(size)
    # Four columns at a time, so that each row is read once for four; a last one may be read again.
    for k in range(0, size, 4):
        a = b = c = d = spread(0.0)
        at = k * n
        more = min(k + 1, size - 1) * n, min(k + 2, size - 1) * n, min(k + 3, size - 1) * n
        for i in range(0, n, WIDTH):
            row = load(rows, i, n - i)
            a += row * load(columns, at + i, n - i)
            b += row * load(columns, more[0] + i, n - i)
            c += row * load(columns, more[1] + i, n - i)
            d += row * load(columns, more[2] + i, n - i)
        for j, found in enumerate((a, b, c, d)):
            if k + j < size:
                out[k + j] = total(found)
    return out


@numba.njit(**INLINED)
def _growth(log_s: Any, beta: Any) -> Any:
    """Growth (1 - exp(-beta log_s)) / beta, its derivatives by beta and by log_s."""
    # Not quite 0, where the ratio is 1 and not 0 / 0.
    x = beta * log_s + TINY
    left = expm1(-x)
    inverse = 1.0 / x
    ratio = -left * inverse
    series = -0.5 + x * (1.0 / 3.0 - x * (0.125 - x * (1.0 / 30.0)))
    away = (1.0 + left - ratio) * inverse
    slope = below(below(x, spread(0.0), -x, x), spread(SERIES_BELOW), series, away)
    return log_s * ratio, log_s * log_s * slope, 1.0 + left


@numba.njit(**INLINED)
def base_rows(base_ref: Any, alpha: Any, start: Any, log_area: Any) -> Any:
    """Base drop over its size, and the drop's derivative by alpha.

    Parameters
    ----------
    base_ref, alpha : lanes
        See `bayescpt.laws.base.base_drop`.
    start, log_area : lanes
        Log areas, at the start and at the rows.

    Returns
    -------
    by_base, by_alpha : lanes
    """
    before, here = exp(-alpha * start), exp(-alpha * log_area)
    return here - before, base_ref * (start * before - log_area * here)


@numba.njit(**INLINED)
def shift_reference(onset: Any, beta: Any, gamma: Any) -> Any:
    """One over the growth at the reference area without replay, its slopes by onset and beta.

    Parameters
    ----------
    onset, beta, gamma : lanes
        See `bayescpt.laws.shift.shift_growth`.

    Returns
    -------
    inverse, by_onset, by_rate : lanes
        The slopes are over the growth; by_rate is that by the rate -gamma beta.
    """
    log_one, inverse_one = log1p_inverse(onset)
    # Without replay the growth is that of Eq. 4 with the rate -gamma beta.
    grown, by_rate, by_log = _growth(log_one, -gamma * beta)
    return 1.0 / grown, by_log * inverse_one, by_rate


@numba.njit(**INLINED)
def shift_rows(
    shift: Any, onset: Any, beta: Any, gamma: Any, keep: Any, kept: Any, reference: Any, area: Any
) -> Any:
    """Growth of the shift, and the shift's derivatives by onset, beta and gamma.

    Parameters
    ----------
    shift, onset, beta, gamma, keep : lanes
        See `bayescpt.laws.curve.expected_loss`.
    kept : bool
        Whether `keep` is not 0.
    reference : tuple of lanes
        From `shift_reference`.
    area : lanes
        Shift areas.

    Returns
    -------
    by_shift, by_onset, by_beta, by_gamma : lanes
    """
    inverse, one_by_onset, one_by_rate = reference
    log_s, inverse_s = log1p_inverse(onset * area)
    if kept:
        # (w^-gamma - 1) / (gamma beta): the growth of the faded share, -gamma in the part of beta.
        fading, per_beta = 1.0 - keep, 1.0 / beta
        lost = fading * expm1(-beta * log_s)
        fallen, inverse_lost = log1p_inverse(lost)
        grown, by_rate, by_log = _growth(-fallen, -gamma)
        by_log = by_log * (fading + lost) * inverse_lost
        grown = grown * per_beta
        by_beta = (by_log * log_s - grown) * per_beta
        by_gamma = -by_rate * per_beta
    else:
        grown, by_rate, by_log = _growth(log_s, -gamma * beta)
        by_beta = -gamma * by_rate
        by_gamma = -beta * by_rate
    size, by_shift = shift * inverse, grown * inverse
    return (
        by_shift,
        size * (area * by_log * inverse_s - by_shift * one_by_onset),
        size * (by_beta + by_shift * gamma * one_by_rate),
        size * (by_gamma + by_shift * beta * one_by_rate),
    )


@numba.njit(**INLINED)
def segment_rows(first: Any, s: Any, n: Any) -> Any:
    """First row of a segment, and the row after its last.

    Parameters
    ----------
    first : ndarray of int, shape (segment,)
        First rows, rising.
    s : int
        Segment.
    n : int
        Number of rows.

    Returns
    -------
    begin, end : int
    """
    return first[s], first[s + 1] if s + 1 < first.shape[0] else n


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
    first: Any,
    place: Any,
) -> Any:
    n = place.shape[0]
    anneal = combine(weights, basis)[place]
    mean = np.empty(n)
    partials = np.zeros((N_PARTIALS, n))
    partials[6] = anneal
    for s in range(first.shape[0]):
        begin, end = segment_rows(first, s, n)
        is_cpt, kept = shift_area[end - 1] > 0.0, keep[s] != 0.0
        size, rate, start = spread(base_ref[s]), spread(alpha[s]), spread(log_area_start[s])
        moved, speed, bend = spread(shift[s]), spread(onset[s]), spread(beta[s])
        share, own = spread(gamma[s]), spread(keep[s])
        reference = (spread(0.0), spread(0.0), spread(0.0))
        if is_cpt:
            reference = shift_reference(speed, bend, share)
        for i in range(begin, end, WIDTH):
            count = end - i
            by_base, by_alpha = base_rows(size, rate, start, load(log_area, i, count))
            expected = level[s] + size * by_base - anneal_ref[s] * load(anneal, i, count)
            store(partials, i, by_base, count)
            store(partials, n + i, by_alpha, count)
            if is_cpt:
                by_shift, by_onset, by_beta, by_gamma = shift_rows(
                    moved, speed, bend, share, own, kept, reference, load(shift_area, i, count)
                )
                expected = expected + moved * by_shift
                store(partials, 2 * n + i, by_shift, count)
                store(partials, 3 * n + i, by_onset, count)
                store(partials, 4 * n + i, by_beta, count)
                store(partials, 5 * n + i, by_gamma, count)
            store(mean, i, expected, count)
    return mean, partials


def _backward(
    cotangent: Any,
    partials: Any,
    first: Any,
    place: Any,
    anneal_ref: Any,
    basis: Any,
) -> Any:
    n, cotangent = cotangent.shape[0], np.ascontiguousarray(cotangent)
    out = np.empty((N_SEGMENT, anneal_ref.shape[0]))
    by_anneal = np.zeros(basis.shape[1])
    for s in range(first.shape[0]):
        begin, end = segment_rows(first, s, n)
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = spread(0.0)
        for i in range(begin, end, WIDTH):
            count = end - i
            g = load(cotangent, i, count)
            s0 += g
            s1 += g * load(partials, i, count)
            s2 += g * load(partials, n + i, count)
            s3 -= g * load(partials, 6 * n + i, count)
            s4 += g * load(partials, 2 * n + i, count)
            s5 += g * load(partials, 3 * n + i, count)
            s6 += g * load(partials, 4 * n + i, count)
            s7 += g * load(partials, 5 * n + i, count)
            at = place[begin] - begin + i
            store(by_anneal, at, load(by_anneal, at, count) - anneal_ref[s] * g, count)
        for k, found in enumerate((s0, s1, s2, s3, s4, s5, s6, s7)):
            out[k, s] = total(found)
    return out, project(by_anneal, basis)


FORWARD = numba_kernel(_forward)
BACKWARD = numba_kernel(_backward)


class CurveMean(Differentiable):
    """Expected loss of every row; `bayescpt.laws.curve.expected_loss` by segment.

    Inputs: level, base_ref, alpha, anneal_ref, shift, onset, beta, gamma, keep (segment,); weights
    (column,); basis (column, place); log_area_start (segment,); log_area, shift_area (obs,); first
    row (segment,); place (obs,), consecutive along a segment.
    Outputs: the mean (obs,) and the partial derivatives that the gradient needs (7, obs).
    """

    source, compiled = staticmethod(_forward), staticmethod(FORWARD)
    version = source_version(__file__)
    outputs = (pt.dvector, pt.dmatrix)
    # The weights too.
    differentiable = (*range(N_SEGMENT), N_SEGMENT + 1)

    def _shapes(self, shapes: list[Any]) -> list[Any]:
        return [shapes[-1], (N_PARTIALS, shapes[-1][0])]

    def _back(self, inputs: Any, partials: Any, cotangent: Any) -> list[Any]:
        (partials,) = partials
        *_, first, place = inputs
        anneal_ref, basis = inputs[3], inputs[N_SEGMENT + 2]
        by_segment, by_weight = CurveBack()(cotangent, partials, first, place, anneal_ref, basis)
        return [*(by_segment[k] for k in range(N_SEGMENT)), by_weight]


class CurveBack(Kernel):
    """Vector-Jacobian product of `CurveMean`: sums over the rows of each segment."""

    source, compiled = staticmethod(_backward), staticmethod(BACKWARD)
    version = source_version(__file__)
    outputs = (pt.dmatrix, pt.dvector)

    def _shapes(self, shapes: list[Any]) -> list[Any]:
        return [(N_SEGMENT, shapes[4][0]), (shapes[5][0],)]
