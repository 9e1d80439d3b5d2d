"""The paper's law, Eq. 4 with the exponential replay response, fitted by robust least squares.

Wang et al., arXiv 2505.07796, Eq. 4 and 8, fitted as in Tissue et al., arXiv 2408.11029: one fit
per domain, lambda = .999, the sum of Huber losses (delta 1e-3) of log residuals, L-BFGS-B from
many starts.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear, minimize

from bayescpt.data.areas import annealing_area, forward_area
from bayescpt.laws.trajectory import run_trajectory

if TYPE_CHECKING:
    from bayescpt.data import Study

Array = NDArray[np.float64]

DECAY = 0.999
DELTA = 1e-3
NAMES = ("L0", "A", "C1", "C2", "B", "alpha", "log_E", "beta", "a", "a2")
_LINEAR = 5
LOWER = np.array([0, 0, 0, 0, -np.inf, 1e-3, np.log(1e-3), 1e-4, 1e-2, -5.0])
UPPER = np.array([np.inf, np.inf, np.inf, np.inf, np.inf, 5.0, np.log(1e6), 20.0, 50.0, 5.0])
# Grid of starts: alpha, E, beta, a; the first five symbols follow by least squares.
_GRID = ((0.3, 0.7), (10.0, 1000.0), (0.1, 0.5), (1.0, 5.0))
FLOOR = 1e-3
# Iterations for all starts, number of best starts kept, and iterations for those.
_SCOUT, _KEPT, _ITERATIONS = 100, 3, 1000


@dataclass(frozen=True)
class Areas:
    """Inputs of the law at some rows, each of shape (n,).

    Attributes
    ----------
    s1 : ndarray
        Forward area of all phases, LR x steps.
    s1_cpt : ndarray
        Forward area of the CPT phase; 0 in pre-training.
    s2_pt, s2_cpt : ndarray
        Annealing areas of each phase; in CPT, `s2_pt` is the value at the start.
    replay : ndarray
        LR-weighted mean replay ratio up to the step.
    """

    s1: Array
    s1_cpt: Array
    s2_pt: Array
    s2_cpt: Array
    replay: Array


def run_areas(study: Study, name: str, steps: NDArray[np.int64]) -> Areas:
    """Areas of a run at chosen steps.

    Parameters
    ----------
    study : Study
        Study with the run and its ancestors.
    name : str
        Name of the run.
    steps : ndarray of int, shape (n,)
        Steps of the run.

    Returns
    -------
    Areas
        Warm-up counts with its true LR, re-warm-up with its sign.
    """
    path = run_trajectory(study, name)
    area = forward_area(path.lr)
    anneal = annealing_area(path.lr, DECAY, path.start_lr)[steps]
    total = path.start_area + area[steps]
    none = np.zeros(len(steps))
    if path.phase == "pt":
        return Areas(total, none, anneal, none, none)
    before = np.concatenate([study.lrs[parent] for parent in study.lineage(str(path.start))])
    s2_pt = np.full(len(steps), annealing_area(before, DECAY)[-1])
    spent = np.concatenate([[0.0], np.cumsum(path.replay * path.lr)])
    replay = np.where(area > 0, spent / np.where(area > 0, area, 1.0), path.replay[0])[steps]
    return Areas(total, area[steps], s2_pt, anneal, replay)


def curve(values: Array, areas: Areas) -> tuple[Array, Array]:
    """Loss under the law, and its gradient.

    ``L0 + A S1^-alpha - C1 S2pt - C2 exp(a2 r) S2cpt
    + B (1 - (1 + E S1cpt)^-beta) (1 - exp(-a (1 - r)))``.

    Parameters
    ----------
    values : ndarray, shape (10,)
        Values in the order of `NAMES`.
    areas : Areas
        Areas of n rows.

    Returns
    -------
    loss : ndarray, shape (n,)
        Nats/token.
    gradient : ndarray, shape (10, n)
        Derivative by each value.
    """
    linear = values[:_LINEAR]
    log_e, beta, a = values[6:9]
    basis = _linear_basis(values, areas)
    log_s = np.log1p(np.exp(log_e) * areas.s1_cpt)
    left = np.exp(-beta * log_s)
    response = -np.expm1(-a * (1.0 - areas.replay))
    gradient = np.empty((len(NAMES), len(areas.s1)))
    gradient[:_LINEAR] = basis
    big_a, c2, b = linear[1], linear[3], linear[4]
    gradient[5] = -big_a * basis[1] * np.log(areas.s1)
    onset = np.exp(log_e) * areas.s1_cpt
    gradient[6] = b * response * left * beta * onset / (1.0 + onset)
    gradient[7] = b * response * left * log_s
    gradient[8] = b * (1.0 - left) * (1.0 - areas.replay) * np.exp(-a * (1.0 - areas.replay))
    gradient[9] = c2 * basis[3] * areas.replay
    # einsum rather than @: BLAS threads cost more than such small sums.
    return np.einsum("k,kn->n", linear, basis), gradient


def _linear_basis(values: Array, areas: Areas) -> Array:
    """Factors of L0, A, C1, C2 and B, shape (5, n)."""
    alpha, log_e, beta, a, a2 = values[_LINEAR:]
    shift = -np.expm1(-beta * np.log1p(np.exp(log_e) * areas.s1_cpt))
    return np.stack(
        [
            np.ones_like(areas.s1),
            areas.s1**-alpha,
            -areas.s2_pt,
            -np.exp(a2 * areas.replay) * areas.s2_cpt,
            -shift * np.expm1(-a * (1.0 - areas.replay)),
        ]
    )


def fit_law(
    areas: Areas, loss: Array, weights: Array | None = None, starts: Sequence[Array] | None = None
) -> Array:
    """Best-fitting symbols of the law.

    Parameters
    ----------
    areas : Areas
        Areas of n rows.
    loss : ndarray, shape (n,)
        Observed losses, nats/token.
    weights : ndarray, shape (n,), optional
        Weight of each row.
    starts : sequence of ndarray, shape (10,), optional
        Initial values; by default a grid of 16.

    Returns
    -------
    ndarray, shape (10,)
        Values in the order of `NAMES`, at the best optimum.
    """
    count = np.ones(len(loss)) if weights is None else weights
    lower, upper = _bounds(areas)
    log_loss = np.log(loss)

    def _objective(values: Array) -> tuple[float, Array]:
        fitted, gradient = curve(values, areas)
        positive = np.maximum(fitted, FLOOR)
        # In units of delta^2, a scale that suits the stopping rules.
        z = (log_loss - np.log(positive)) / DELTA
        size = np.abs(z)
        cost = np.where(size <= 1.0, 0.5 * z**2, size - 0.5)
        slope = -np.clip(z, -1.0, 1.0) / (DELTA * positive)
        return float((count * cost).sum()), np.einsum("kn,n->k", gradient, count * slope)

    def _descend(start: Array, iterations: int) -> tuple[float, Array]:
        result = minimize(
            _objective,
            np.clip(start, lower, upper),
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(lower, upper, strict=True)),
            options={"maxiter": iterations},
        )
        return float(result.fun), np.asarray(result.x)

    if starts is None:
        scouted = [_descend(start, _SCOUT) for start in _starts(areas, loss, count, lower, upper)]
        starts = [values for _, values in sorted(scouted, key=lambda pair: pair[0])[:_KEPT]]
    return min((_descend(start, _ITERATIONS) for start in starts), key=lambda pair: pair[0])[1]


def _bounds(areas: Areas) -> tuple[Array, Array]:
    """Bounds of the values; unidentified ones are fixed at an arbitrary value."""
    lower, upper = LOWER.copy(), UPPER.copy()
    fixed: dict[str, float] = {}
    in_cpt = areas.s1_cpt > 0
    if not in_cpt.any():
        fixed |= {"C2": 0.0, "B": 0.0, "log_E": 0.0, "beta": 1.0}
    if np.unique(areas.replay[in_cpt]).size < 2:
        fixed |= {"a": 1.0, "a2": 0.0}
    for name, value in fixed.items():
        lower[NAMES.index(name)] = upper[NAMES.index(name)] = value
    return lower, upper


def _starts(areas: Areas, loss: Array, count: Array, lower: Array, upper: Array) -> list[Array]:
    starts = {}
    for alpha, e, beta, a in itertools.product(*_GRID):
        rest = np.clip([alpha, np.log(e), beta, a, 0.0], lower[_LINEAR:], upper[_LINEAR:])
        if tuple(rest) in starts:
            continue
        values = np.concatenate([np.zeros(_LINEAR), rest])
        basis = _linear_basis(values, areas) * np.sqrt(count)
        # lsq_linear requires lower < upper, even for fixed values.
        top = np.where(upper[:_LINEAR] > lower[:_LINEAR], upper[:_LINEAR], 1e-12)
        solved = lsq_linear(basis.T, loss * np.sqrt(count), (lower[:_LINEAR], top))
        values[:_LINEAR] = solved.x
        starts[tuple(rest)] = values
    return list(starts.values())
