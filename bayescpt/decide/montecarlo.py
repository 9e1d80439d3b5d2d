"""Monte Carlo error of averages over correlated draws, on plain arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescpt.decide.effective import mean_ess

Effective = Callable[[ArrayLike], NDArray[np.float64]]


def effective_draws(values: ArrayLike) -> NDArray[np.float64]:
    """Return the number of independent draws that would average as precisely.

    Parameters
    ----------
    values : array_like, shape (..., n_chains, n_draws)
        One value per draw.

    Returns
    -------
    ndarray, shape (...)
        Effective sample size for the mean (Vehtari et al. 2021, arXiv 1903.08008), at least 1.
        Where it cannot be estimated (fewer than four draws a chain), the number of draws.
    """
    values = np.asarray(values, dtype=np.float64)
    total = values.shape[-2] * values.shape[-1]
    ess = mean_ess(values)
    return np.maximum(np.where(np.isfinite(ess), ess, total), 1.0)


def batch_effective_draws(values: ArrayLike) -> NDArray[np.float64]:
    """Return an estimate of `effective_draws` in one pass over the draws.

    Batch means (Flegal and Jones 2010, Annals of Statistics 38, 1034-1070), with batches of the
    square root of a chain's length: standard errors come out within a few percent.

    Parameters
    ----------
    values : array_like, shape (..., n_chains, n_draws)
        One value per draw.

    Returns
    -------
    ndarray, shape (...)
        At least 1, at most the number of draws.
    """
    values = np.asarray(values, dtype=np.float64)
    total, n_draws = values.shape[-2] * values.shape[-1], values.shape[-1]
    root = max(1, int(np.sqrt(n_draws)))
    # A length that divides the chain saves a copy, if one is near.
    size = next((k for k in range(root, root // 2, -1) if n_draws % k == 0), root)
    batches = np.ascontiguousarray(values[..., : n_draws // size * size])
    means = batches.reshape(*values.shape[:-2], -1, size) @ np.full(size, 1.0 / size)
    if means.shape[-1] < 4:
        return np.full(values.shape[:-2], float(total))
    between = size * means.var(axis=-1, ddof=1)
    flat = batches.reshape(*values.shape[:-2], -1)
    square = np.einsum("...i,...i->...", flat, flat) / flat.shape[-1]
    spread = np.maximum(square - means.mean(axis=-1) ** 2, 0.0)
    n = total * spread / np.where(between > 0, between, 1.0)
    return np.clip(np.where(between > 0, n, total), 1.0, total)


def mean_mcse(values: ArrayLike, effective: Effective = effective_draws) -> NDArray[np.float64]:
    """Return the Monte Carlo standard error of the mean over draws.

    Parameters
    ----------
    values : array_like, shape (..., n_chains, n_draws)
        One value per draw, in any unit.
    effective : callable
        `effective_draws` or `batch_effective_draws`.

    Returns
    -------
    ndarray, shape (...)
        sd / sqrt(effective draws), in the unit of `values`; 0 where all draws are equal.
    """
    values = np.asarray(values, dtype=np.float64)
    return np.asarray(values.std(axis=(-2, -1)) / np.sqrt(effective(values)))


def probability_mcse(
    hits: ArrayLike, margin: ArrayLike, effective: Effective = effective_draws
) -> NDArray[np.float64]:
    """Return the Monte Carlo standard error of the share of draws that hit; never 0.

    Uses the Agresti-Coull form (Agresti and Coull 1998, The American Statistician 52, 119-126):
    with n effective draws, p~ = (n p + 2) / (n + 4) and sqrt(p~ (1 - p~) / (n + 4)). Away from 0
    and 1 it is the usual sqrt(p (1 - p) / n); at 0 of n it is about 1.4 / n, so twice it is close
    to the rule of three's bound 3 / n.

    Parameters
    ----------
    hits : array_like of bool, shape (..., n_chains, n_draws)
        Whether the draw meets the goal.
    margin : array_like, shape (..., n_chains, n_draws)
        A continuous quantity of the same draws (such as threshold minus loss). Where all draws
        hit, or none, only it shows how correlated the draws are.
    effective : callable
        `effective_draws` or `batch_effective_draws`.

    Returns
    -------
    ndarray, shape (...)
        Standard error of the probability.
    """
    hits = np.asarray(hits, dtype=np.float64)
    margin = np.asarray(margin, dtype=np.float64)
    p = np.asarray(hits.mean(axis=(-2, -1)))
    saturated = np.asarray((p == 0) | (p == 1))
    total = hits.shape[-2] * hits.shape[-1]
    n = np.array(effective(hits))
    if saturated.any():
        n[saturated] = np.minimum(effective(margin[saturated]), total)
    shrunk = (n * p + 2) / (n + 4)
    return np.asarray(np.sqrt(shrunk * (1 - shrunk) / (n + 4)))
