"""Stacking weights of several forecasts of held-out runs, with a prior of a stated strength."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# Strength of the prior on the weights, in runs, split evenly among the cards.
PRIOR_RUNS = 2.0
BOOTSTRAPS = 400
# Iterations end when no weight moves by more than this, or at their largest number.
_SAME, _MOST = 1e-9, 5_000


def run_densities(log_density: ArrayLike, runs: Sequence[str]) -> tuple[list[str], Array, Array]:
    """Arrange log densities by run.

    Parameters
    ----------
    log_density : array_like, shape (n_losses, n_cards)
        Log predictive density of each held-out loss.
    runs : sequence of str, length n_losses
        Run of each loss.

    Returns
    -------
    names : list of str
        Runs, in their order.
    relative : ndarray, shape (n_runs, most, n_cards)
        Densities relative to the highest of a loss, padded with 1.
    share : ndarray, shape (n_runs, most)
        Weight of each loss in its run; sums to 1 for each run, 0 where padded.
    """
    values = np.asarray(log_density, dtype=np.float64)
    labels = np.asarray(runs)
    names = list(dict.fromkeys(map(str, runs)))
    most = max(int((labels == name).sum()) for name in names)
    relative = np.ones((len(names), most, values.shape[1]))
    share = np.zeros((len(names), most))
    for r, name in enumerate(names):
        own = values[labels == name]
        relative[r, : len(own)] = np.exp(own - own.max(axis=1, keepdims=True))
        share[r, : len(own)] = 1.0 / len(own)
    return names, relative, share


def stacking_weights(
    relative: Array, share: Array, counts: ArrayLike | None = None, prior: float = PRIOR_RUNS
) -> Array:
    """Weights with the highest log score of the mixture on held-out runs, plus a prior.

    Stacking of predictive distributions (Yao, Vehtari, Simpson and Gelman 2018, Bayesian Analysis
    13, arXiv 1704.02030) where what is left out is a run. The losses of one run are not independent
    of each other: the mean over them counts, as one observation. The prior is a Dirichlet
    distribution with concentration ``1 + prior / K`` for K cards, worth `prior` runs that are
    divided evenly. With R runs no weight is therefore below ``prior / K / (R + prior)`` or above
    ``(R + prior / K) / (R + prior)``, however well a card did on them. The objective is concave,
    and maximised by expectation-maximisation; cards with the same densities get the same weight.

    Parameters
    ----------
    relative, share : ndarray
        From `run_densities`.
    counts : array_like, shape (..., n_runs), optional
        How often each run counts; by default once.
    prior : float
        Strength of the prior, runs.

    Returns
    -------
    ndarray, shape (..., n_cards)
        Sum to 1.

    Examples
    --------
    >>> scores = np.log([[0.9, 0.1], [0.8, 0.3], [0.7, 0.2]])
    >>> _, relative, share = run_densities(scores, ["a", "b", "c"])
    >>> stacking_weights(relative, share).round(2).tolist()
    [0.75, 0.25]
    """
    n_runs, _, n_cards = relative.shape
    times = np.ones(n_runs) if counts is None else np.asarray(counts, dtype=np.float64)
    total = times.sum(axis=-1, keepdims=True) + prior
    weights = np.full((*times.shape[:-1], n_cards), 1.0 / n_cards)
    for _ in range(_MOST):
        mixture = np.einsum("rpk,...k->...rp", relative, weights)
        taken = np.einsum("...rp,rpk->...rk", share / mixture, relative) * weights[..., None, :]
        before, weights = (
            weights,
            ((np.einsum("...r,...rk->...k", times, taken) + prior / n_cards) / total),
        )
        if np.abs(weights - before).max() < _SAME:
            break
    return weights


def without_each_run(relative: Array, share: Array, prior: float = PRIOR_RUNS) -> Array:
    """Weights without each run in turn.

    Parameters
    ----------
    relative, share : ndarray
        From `run_densities`.
    prior : float
        Strength of the prior, runs.

    Returns
    -------
    ndarray, shape (n_runs, n_cards)
    """
    return stacking_weights(relative, share, 1.0 - np.eye(len(relative)), prior)


def bootstrap_weights(
    relative: Array, share: Array, seed: int, prior: float = PRIOR_RUNS, n: int = BOOTSTRAPS
) -> Array:
    """Weights of runs that are drawn again with replacement.

    Parameters
    ----------
    relative, share : ndarray
        From `run_densities`.
    seed : int
        Seed.
    prior : float
        Strength of the prior, runs.
    n : int
        Number of bootstrap samples.

    Returns
    -------
    ndarray, shape (n, n_cards)
        Their standard deviation is the standard error of the weights.
    """
    n_runs = len(relative)
    rng = np.random.default_rng([seed, 0x57AC])
    counts = rng.multinomial(n_runs, np.full(n_runs, 1.0 / n_runs), size=n)
    return stacking_weights(relative, share, counts, prior)
