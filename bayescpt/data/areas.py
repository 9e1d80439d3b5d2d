"""Areas under a schedule: what the scaling laws see of the learning rates.

Forward area S1(t) = sum_{i<=t} eta_i and annealing area S2(t) = sum_{i<=t} m_i with
m_i = decay m_{i-1} + (eta_{i-1} - eta_i), m_0 = 0 (Tissue et al., arXiv 2408.11029; the same in
Wang et al., arXiv 2505.07796). Both are in units of learning rate times steps.

S2 depends on the decay only through the memory length 1/(1 - decay) in steps, and smoothly in its
logarithm. So S2 at a few Chebyshev nodes, each computed exactly once, gives S2 at any memory by a
polynomial: a product of a fixed matrix and a short vector of weights, which a sampler can
differentiate. 40 nodes keep the error below 1e-6 of the largest S2 for memories of 5 to 5,000 steps
(or of 2 to 5,000, when S2 / memory is what is interpolated); 16 nodes would leave 1e-2.
"""

from __future__ import annotations

from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_NEARLY_1 = 1.0 - 1e-12
# Steps whose relaxed drops are computed at a time.
BLOCK = 256
# exp(-100) = 4e-44 is nothing beside any drop.
NOTHING_LEFT = 100.0


def forward_area(lr: ArrayLike) -> Array:
    """Forward area S1 at every step.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        Learning rate of each update.

    Returns
    -------
    ndarray, shape (n_steps + 1,)
        S1 at steps 0..n_steps, in learning rate x steps; 0 at step 0.
    """
    return np.concatenate([[0.0], np.cumsum(np.asarray(lr, dtype=np.float64))])


def annealing_area(lr: ArrayLike, decay: float, previous_lr: float | None = None) -> Array:
    """Annealing area S2 at every step, by its recursion.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        Learning rate of each update.
    decay : float
        The lambda of the papers, 0 to 1 (excluded); .999 in both.
    previous_lr : float, optional
        Learning rate before the first update; a re-warm-up from it counts with its true sign.
        By default ``lr[0]``, so that the first update adds no increment.

    Returns
    -------
    ndarray, shape (n_steps + 1,)
        S2 at steps 0..n_steps, in learning rate x steps; 0 at step 0.
    """
    rates = np.asarray(lr, dtype=np.float64)
    before = rates[0] if previous_lr is None else previous_lr
    drops = -np.diff(rates, prepend=before)
    return np.concatenate([[0.0], np.cumsum(_momentum(drops, decay))])


def _momentum(drops: Array, decay: float) -> Array:
    """m_i = decay m_{i-1} + drops_i, by doubling the number of terms that each m_i holds.

    log2(n) passes over the array; scipy's filter is as fast, and seconds to import.
    """
    momentum = drops.copy()
    terms = 1
    while terms < momentum.size:
        momentum[terms:] += decay**terms * momentum[:-terms]
        terms *= 2
    return momentum


def relaxation_basis(
    lr: ArrayLike,
    rates: ArrayLike,
    previous_lr: float | None = None,
    steps: ArrayLike | None = None,
    clock: str = "area",
) -> Array:
    """LR drops, each relaxed by the forward area since: the annealing area of a kernel in LR sum.

    Column j is ``sum_{k<=t} (eta_{k-1} - eta_k) (1 - exp(-rates_j S_k(t)))`` with
    ``S_k(t) = sum_{i=k..t} eta_i`` (Luo et al., arXiv 2503.12811, with exponentials for its kernel
    G; mixtures of them give the power form), or with the number of steps in place of S_k.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        Learning rate of each update.
    rates : array_like, shape (J,)
        Rates, 1 / (learning rate x steps), or 1 / steps.
    previous_lr : float, optional
        Learning rate before the first update, as in `annealing_area`.
    steps : array_like of int, optional
        Steps to keep, 0..n_steps; by default all.
    clock : str
        What relaxes a drop: ``area`` or ``steps``.

    Returns
    -------
    ndarray, shape (len(steps), J)
        In units of learning rate.
    """
    eta, speed = np.asarray(lr, dtype=np.float64), np.asarray(rates, dtype=np.float64)
    before = eta[0] if previous_lr is None else previous_lr
    drops = -np.diff(eta, prepend=before)
    keep = np.arange(eta.size + 1) if steps is None else np.asarray(steps, dtype=np.int64)
    elapsed = np.concatenate([[0.0], np.cumsum(eta if clock == "area" else np.ones(eta.size))])
    done = np.concatenate([[0.0], np.cumsum(drops)])
    # From one wanted step to the next what was pending fades, and the drops between join it; in
    # blocks, whose exponentials stay in the cache.
    last = int(keep.max(initial=0))
    edges = np.append(np.arange(0, last, BLOCK), last)
    at = np.unique(np.concatenate([keep, edges]))
    pending = np.zeros((at.size, speed.size))
    for low, high in pairwise(edges.tolist()):
        if not drops[low:high].any():
            continue
        first, end = np.searchsorted(at, [low, high])
        stops = at[first : end + 1]
        since = np.repeat(elapsed[stops[1:]], np.diff(stops)) - elapsed[low:high]
        joining = drops[low:high, None] * _fading(since, speed)
        np.add.reduceat(joining, stops[:-1] - low, axis=0, out=pending[first + 1 : end + 1])
    for k, fade in enumerate(_fading(np.diff(elapsed[at]), speed), 1):
        pending[k] += fade * pending[k - 1]
    return (done[at, None] - pending)[np.searchsorted(at, keep)]


def _fading(elapsed: Array, rates: Array) -> Array:
    """exp(-elapsed rate); denormal numbers would take a hundred times as long."""
    exponent = np.multiply.outer(elapsed, rates)
    np.minimum(exponent, NOTHING_LEFT, out=exponent)
    np.negative(exponent, out=exponent)
    return np.asarray(np.exp(exponent, out=exponent))


def memory_nodes(n_nodes: int = 40, memory_range: tuple[float, float] = (5.0, 5000.0)) -> Array:
    """Chebyshev nodes in the logarithm of the memory length.

    Parameters
    ----------
    n_nodes : int
        Number of nodes J.
    memory_range : (float, float)
        Shortest and longest memory length 1/(1 - decay), in steps, that will be asked for.

    Returns
    -------
    ndarray, shape (n_nodes,)
        Memory lengths in steps, rising, inside the range.
    """
    low, high = np.log(memory_range)
    angles = np.pi * (2.0 * np.arange(n_nodes) + 1.0) / (2.0 * n_nodes)
    return np.exp((low + high) / 2.0 - (high - low) / 2.0 * np.cos(angles))


def annealing_basis(
    lr: ArrayLike,
    nodes: ArrayLike,
    previous_lr: float | None = None,
    steps: ArrayLike | None = None,
) -> Array:
    """Annealing area at each node of the memory length.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        Learning rate of each update.
    nodes : array_like, shape (J,)
        Memory lengths in steps, from `memory_nodes`.
    previous_lr : float, optional
        Learning rate before the first update, as in `annealing_area`.
    steps : array_like of int, optional
        Steps to keep, 0..n_steps; by default all.

    Returns
    -------
    ndarray, shape (len(steps), J)
        S2 in learning rate x steps. ``annealing_basis(...) @ memory_weights(memory, nodes)`` is S2
        at that memory.
    """
    keep = slice(None) if steps is None else np.asarray(steps, dtype=np.int64)
    columns = [
        annealing_area(lr, 1.0 - 1.0 / memory, previous_lr)[keep]
        for memory in np.asarray(nodes, dtype=np.float64)
    ]
    return np.stack(columns, axis=-1)


def memory_weights(memory: Any, nodes: ArrayLike, xp: ModuleType = np) -> Any:
    """Weights that interpolate between the nodes of the memory length.

    Polynomial through Chebyshev nodes x_j = cos((j + 1/2) pi / J) as a cosine series: with
    x = cos(theta), w_j = (1 + 2 sum_{k=1..J-1} cos(k theta_j) cos(k theta)) / J. J cosines and a
    fixed matrix, where Lagrange's form takes J^2 factors.

    Parameters
    ----------
    memory : float, array or PyTensor variable, shape (...)
        Memory length in steps, inside the range of the nodes; beyond, the end of the range counts.
    nodes : array_like, shape (J,)
        Memory lengths in steps, from `memory_nodes`.
    xp : module
        Where ``log``, ``cos``, ``arccos`` and ``clip`` come from: numpy, or pytensor.tensor for a
        symbolic memory.

    Returns
    -------
    array of the kind of `memory`, shape (..., J)
        Weights of the columns of `annealing_basis`, or of the same scaled; they sum to 1.
    """
    x = np.log(np.asarray(nodes, dtype=np.float64))
    orders = np.arange(x.size)
    # `memory_nodes` rises, its angles fall.
    angles = np.pi * (orders[::-1] + 0.5) / x.size
    series = np.where(orders[:, None] == 0, 1.0, 2.0) * np.cos(np.outer(orders, angles)) / x.size
    center = (x[0] + x[-1]) / 2.0
    reach = (x[-1] - x[0]) / (2.0 * np.cos(angles[-1])) if x.size > 1 else np.inf
    # At +-1 the derivative of arccos is infinite.
    place = xp.clip((xp.log(memory) - center) / reach, -_NEARLY_1, _NEARLY_1)
    cosines = xp.cos(xp.arccos(place)[..., None] * orders)
    return (cosines[..., None] * series).sum(axis=-2)


def count_warmup_at_peak(lr: ArrayLike) -> Array:
    """Learning rates with the leading warm-up replaced by its peak.

    The convention of Tissue et al.'s code; the other one is to take the learning rates as they are.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        Learning rate of each update.

    Returns
    -------
    ndarray, shape (n_steps,)
        The same, but the rise that the schedule starts with is at the height it reaches.
    """
    rates = np.array(lr, dtype=np.float64)
    peak = warmup_steps(rates)
    rates[:peak] = rates[peak]
    return rates


def warmup_steps(lr: ArrayLike) -> int:
    """Updates before the first at which the LR has stopped rising.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        Learning rate of each update.

    Returns
    -------
    int
        n_steps - 1 where it rises to the end.
    """
    stops = np.flatnonzero(np.diff(lr) <= 0)
    return int(stops[0]) if stops.size else np.size(lr) - 1


def warmup_end(lr: ArrayLike) -> int:
    """Steps that a law of trained curves leaves out: those of a leading warm-up.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        Learning rate of each update.

    Returns
    -------
    int
        `warmup_steps`, but 0 where the LR rises to the end: nothing else would be left.
    """
    steps = warmup_steps(lr)
    return steps if steps < np.size(lr) - 1 else 0
