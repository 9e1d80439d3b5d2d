"""Monte Carlo error of averages over correlated draws, on plain arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def effective_draws(values: ArrayLike) -> NDArray[np.float64]:
    """Return the number of independent draws that would average as precisely.

    Parameters
    ----------
    values : array_like, shape (..., n_chains, n_draws)
        One value a draw.

    Returns
    -------
    ndarray, shape (...)
        Effective sample size for the mean (Vehtari et al. 2021, arXiv 1903.08008), at least 1.
        Where it cannot be estimated (fewer than four draws a chain), the number of draws.
    """
    from arviz_stats.base import (
        array_stats,
    )  # seconds to import, so not at module level

    values = np.asarray(values, dtype=np.float64)
    total = values.shape[-2] * values.shape[-1]
    ess = np.asarray(array_stats.ess(values, chain_axis=-2, draw_axis=-1, method="mean"))
    return np.maximum(np.where(np.isfinite(ess), ess, total), 1.0)


def mean_mcse(values: ArrayLike) -> NDArray[np.float64]:
    """Return the Monte Carlo standard error of the mean over draws.

    Parameters
    ----------
    values : array_like, shape (..., n_chains, n_draws)
        One value a draw, in any unit.

    Returns
    -------
    ndarray, shape (...)
        sd / sqrt(effective draws), in the unit of `values`; 0 where all draws are equal.
    """
    values = np.asarray(values, dtype=np.float64)
    return np.asarray(values.std(axis=(-2, -1)) / np.sqrt(effective_draws(values)))


def probability_mcse(hits: ArrayLike, margin: ArrayLike) -> NDArray[np.float64]:
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
        hit, or none, only it can tell how correlated the draws are.

    Returns
    -------
    ndarray, shape (...)
        Standard error of the probability.
    """
    hits = np.asarray(hits, dtype=np.float64)
    margin = np.asarray(margin, dtype=np.float64)
    p = hits.mean(axis=(-2, -1))
    saturated = (p == 0) | (p == 1)
    total = hits.shape[-2] * hits.shape[-1]
    n = np.where(saturated, np.minimum(effective_draws(margin), total), effective_draws(hits))
    shrunk = (n * p + 2) / (n + 4)
    return np.asarray(np.sqrt(shrunk * (1 - shrunk) / (n + 4)))
