"""Areas under a learning-rate schedule: the inputs of the scaling laws.

Forward area S1(t) = sum_{i<=t} eta_i and annealing area S2(t) = sum_{i<=t} m_i with
m_i = decay m_{i-1} + (eta_{i-1} - eta_i), m_0 = 0 (Tissue et al., arXiv 2408.11029; the same in
Wang et al., arXiv 2505.07796). Both are in units of learning rate times steps.

S2 depends on the decay through the memory length 1/(1 - decay), in steps, and is a smooth function
of its logarithm. S2 is therefore computed exactly at a few Chebyshev nodes and interpolated by a
polynomial at any other memory length: a fixed matrix times a short vector of weights, which a
sampler can differentiate. With 40 nodes the error is below 1e-6 of the largest S2 for memory
lengths of 5 to 5,000 steps (of 2 to 5,000, if S2 / memory length is interpolated); with 16 nodes it
is 1e-2.
"""

from __future__ import annotations

from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescpt.data.chebyshev import chebyshev_nodes, chebyshev_weights

Array = NDArray[np.float64]

# Number of steps whose drops are relaxed together.
BLOCK = 256
# Share of a drop that no longer counts.
NEGLIGIBLE = 1e-30
# exp(-100) = 4e-44 is negligible for any drop.
MAX_EXPONENT = 100.0


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

    Examples
    --------
    >>> from bayescpt.data.areas import forward_area
    >>> forward_area([1.0, 1.0, 0.5]).tolist()
    [0.0, 1.0, 2.0, 2.5]
    """
    return np.concatenate([[0.0], np.cumsum(np.asarray(lr, dtype=np.float64))])


def annealing_area(lr: ArrayLike, decay: float, previous_lr: float | None = None) -> Array:
    """Annealing area S2 at every step.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        Learning rate of each update.
    decay : float
        Decay factor lambda, at least 0 and below 1; 0.999 in both papers.
    previous_lr : float, optional
        Learning rate before the first update; by default ``lr[0]``. With it, a warm-up that starts
        from another learning rate counts as the rise or drop that it is.

    Returns
    -------
    ndarray, shape (n_steps + 1,)
        S2 at steps 0..n_steps, in learning rate x steps; 0 at step 0.

    Examples
    --------
    >>> from bayescpt.data.areas import annealing_area
    >>> annealing_area([1.0, 1.0, 0.5], decay=0.999)[-1].item()
    0.5
    """
    rates = np.asarray(lr, dtype=np.float64)
    before = rates[0] if previous_lr is None else previous_lr
    drops = -np.diff(rates, prepend=before)
    return np.concatenate([[0.0], np.cumsum(_momentum(drops, decay))])


def _momentum(drops: Array, decay: float) -> Array:
    """m_i = decay m_{i-1} + drops_i, computed by repeated doubling of the number of terms.

    It takes at most log2(n) passes over the array. SciPy's filter is as fast, but takes seconds to
    import.
    """
    momentum = drops.copy()
    terms = 1
    # What is left of a drop by then is below the rounding error of any sum.
    while terms < momentum.size and decay**terms > NEGLIGIBLE:
        momentum[terms:] += decay**terms * momentum[:-terms]
        terms *= 2
    return momentum


def relaxation_basis(
    lr: ArrayLike,
    rates: ArrayLike,
    previous_lr: float | None = None,
    steps: ArrayLike | None = None,
    clock: str | Array = "area",
    drops: ArrayLike | None = None,
) -> Array:
    """Sum of learning-rate drops, each relaxed exponentially in the forward area since it.

    Column j is ``sum_{k<=t} (eta_{k-1} - eta_k) (1 - exp(-rates_j S_k(t)))`` with
    ``S_k(t) = sum_{i=k..t} eta_i``, or with the number of steps in place of S_k. This is the loss
    reduction of Luo et al. (arXiv 2503.12811) with exponentials for their kernel G; a mixture of
    exponentials gives their power form.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        Learning rate of each update.
    rates : array_like, shape (J,)
        Relaxation rates, in 1 / (learning rate x steps), or in 1 / steps for ``clock="steps"``.
    previous_lr : float, optional
        Learning rate before the first update, as in `annealing_area`.
    steps : array_like of int, optional
        Steps to return, 0..n_steps; by default all.
    clock : {"area", "steps"} or ndarray, shape (n_steps,)
        Whether drops relax in the forward area or in the number of steps; or what each update adds
        to a clock of another kind.
    drops : array_like, shape (n_steps,), optional
        What relaxes; by default the drops of the learning rate.

    Returns
    -------
    ndarray, shape (len(steps), J)
        Relaxed drops, in their unit, that of the learning rate.

    Examples
    --------
    >>> from bayescpt.data.areas import relaxation_basis
    >>> relaxation_basis([1.0, 1.0, 0.5], rates=[1e9])[-1].tolist()  # relaxed at once
    [0.5]
    """
    eta, speed = np.asarray(lr, dtype=np.float64), np.asarray(rates, dtype=np.float64)
    if drops is None:
        drops = -np.diff(eta, prepend=eta[0] if previous_lr is None else previous_lr)
    fallen = np.asarray(drops, dtype=np.float64)
    keep = np.arange(eta.size + 1) if steps is None else np.asarray(steps, dtype=np.int64)
    if isinstance(clock, str):
        clock = eta if clock == "area" else np.ones(eta.size)
    elapsed = np.concatenate([[0.0], np.cumsum(clock)])
    total = np.concatenate([[0.0], np.cumsum(fallen)])
    # `pending` is the part of the drops that has not relaxed yet. From one returned step to the
    # next it decays, and the drops in between are added. Blocks of steps keep the exponentials in
    # the processor's cache.
    last = int(keep.max(initial=0))
    edges = np.append(np.arange(0, last, BLOCK), last)
    at = np.unique(np.concatenate([keep, edges]))
    pending = np.zeros((at.size, speed.size))
    for low, high in pairwise(edges.tolist()):
        if not fallen[low:high].any():
            continue
        first, end = np.searchsorted(at, [low, high])
        stops = at[first : end + 1]
        since = np.repeat(elapsed[stops[1:]], np.diff(stops)) - elapsed[low:high]
        added = fallen[low:high, None] * _exp_decay(since, speed)
        np.add.reduceat(added, stops[:-1] - low, axis=0, out=pending[first + 1 : end + 1])
    for k, factor in enumerate(_exp_decay(np.diff(elapsed[at]), speed), 1):
        pending[k] += factor * pending[k - 1]
    return (total[at, None] - pending)[np.searchsorted(at, keep)]


def _exp_decay(elapsed: Array, rates: Array) -> Array:
    """exp(-elapsed rate), bounded below: subnormal numbers would be a hundred times slower."""
    exponent = np.multiply.outer(elapsed, rates)
    np.minimum(exponent, MAX_EXPONENT, out=exponent)
    np.negative(exponent, out=exponent)
    return np.asarray(np.exp(exponent, out=exponent))


def memory_nodes(n_nodes: int = 40, memory_range: tuple[float, float] = (5.0, 5000.0)) -> Array:
    """Chebyshev nodes of the logarithm of the memory length.

    Parameters
    ----------
    n_nodes : int
        Number of nodes J.
    memory_range : (float, float)
        Shortest and longest memory length 1/(1 - decay) to interpolate, in steps.

    Returns
    -------
    ndarray, shape (n_nodes,)
        Memory lengths in steps, in ascending order, inside the range.

    Examples
    --------
    >>> from bayescpt.data.areas import memory_nodes
    >>> memory_nodes(2, memory_range=(10.0, 1000.0)).round(1).tolist()
    [19.6, 509.5]
    """
    return np.exp(chebyshev_nodes(n_nodes, *np.log(memory_range)))


def annealing_basis(
    lr: ArrayLike,
    nodes: ArrayLike,
    previous_lr: float | None = None,
    steps: ArrayLike | None = None,
) -> Array:
    """Annealing area S2 at each node of the memory length.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        Learning rate of each update.
    nodes : array_like, shape (J,)
        Memory lengths in steps, from `memory_nodes`.
    previous_lr : float, optional
        Learning rate before the first update, as in `annealing_area`.
    steps : array_like of int, optional
        Steps to return, 0..n_steps; by default all.

    Returns
    -------
    ndarray, shape (len(steps), J)
        S2 in learning rate x steps. ``annealing_basis(...) @ memory_weights(memory, nodes)`` is S2
        at another memory length.

    Examples
    --------
    >>> from bayescpt.data.areas import annealing_area, annealing_basis, memory_nodes
    >>> from bayescpt.data.areas import memory_weights
    >>> lr, nodes = [1.0] * 50 + [0.5] * 50, memory_nodes()
    >>> area = annealing_basis(lr, nodes, steps=[100]) @ memory_weights(100.0, nodes)
    >>> abs(float(area[0]) - float(annealing_area(lr, decay=0.99)[100])) < 1e-5
    True
    """
    keep = slice(None) if steps is None else np.asarray(steps, dtype=np.int64)
    columns = [
        annealing_area(lr, 1.0 - 1.0 / memory, previous_lr)[keep]
        for memory in np.asarray(nodes, dtype=np.float64)
    ]
    return np.stack(columns, axis=-1)


def memory_weights(memory: Any, nodes: ArrayLike, xp: ModuleType = np) -> Any:
    """Weights of the nodes for the interpolation at a memory length.

    Parameters
    ----------
    memory : float, array or PyTensor variable, shape (...)
        Memory length in steps; values outside the range of the nodes are set to its ends.
    nodes : array_like, shape (J,)
        Memory lengths in steps, from `memory_nodes`.
    xp : module
        Module with ``log``, ``cos``, ``arccos`` and ``clip``: numpy, or pytensor.tensor for a
        symbolic memory length.

    Returns
    -------
    array of the kind of `memory`, shape (..., J)
        Weights of the columns of `annealing_basis`; they sum to 1.
    """
    return chebyshev_weights(xp.log(memory), np.log(np.asarray(nodes, dtype=np.float64)), xp)


def count_warmup_at_peak(lr: ArrayLike) -> Array:
    """Learning rates with the initial warm-up replaced by its peak.

    This is the convention in the code of Tissue et al.; others use the learning rates unchanged.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        Learning rate of each update.

    Returns
    -------
    ndarray, shape (n_steps,)
        Learning rates that start with the peak that the warm-up reaches.

    Examples
    --------
    >>> from bayescpt.data.areas import count_warmup_at_peak
    >>> count_warmup_at_peak([0.0, 0.5, 1.0, 1.0, 0.5]).tolist()
    [1.0, 1.0, 1.0, 1.0, 0.5]
    """
    rates = np.array(lr, dtype=np.float64)
    peak = warmup_steps(rates)
    rates[:peak] = rates[peak]
    return rates


def warmup_steps(lr: ArrayLike) -> int:
    """Number of updates before the learning rate stops increasing.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        Learning rate of each update.

    Returns
    -------
    int
        Number of updates; ``n_steps - 1`` if the learning rate increases to the end.

    Examples
    --------
    >>> from bayescpt.data.areas import warmup_steps
    >>> warmup_steps([0.0, 0.5, 1.0, 1.0, 0.5])
    2
    """
    stops = np.flatnonzero(np.diff(lr) <= 0)
    return int(stops[0]) if stops.size else np.size(lr) - 1


def warmup_end(lr: ArrayLike) -> int:
    """Number of steps of an initial warm-up, which laws of pre-training curves leave out.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        Learning rate of each update.

    Returns
    -------
    int
        `warmup_steps`, but 0 if the learning rate increases to the end, because no step would
        remain.

    Examples
    --------
    >>> from bayescpt.data.areas import warmup_end
    >>> warmup_end([0.0, 0.5, 1.0, 1.0, 0.5]), warmup_end([0.0, 0.5, 1.0])
    (2, 0)
    """
    steps = warmup_steps(lr)
    return steps if steps < np.size(lr) - 1 else 0
