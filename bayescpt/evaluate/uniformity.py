"""Uniformity tests of ranks: chi-square, and simultaneous bands for the empirical CDF."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]

# Number of simulated sets of uniform ranks for the null distribution of the band.
_N_NULL = 4000


def chi_square_p(ranks: ArrayLike, n_ranks: int, n_bins: int | None = None) -> float:
    """P-value of a chi-square test that ranks are uniform on 0..n_ranks.

    Parameters
    ----------
    ranks : array_like of int, shape (n,)
        Ranks.
    n_ranks : int
        Largest rank.
    n_bins : int, optional
        Number of bins, as equal as integer ranks allow; by default at most 20, with 10
        ranks or more each.

    Returns
    -------
    float
        P-value; 1 if there are too few ranks for two bins.
    """
    values = np.asarray(ranks, dtype=np.int64)
    bins = min(20, values.size // 10, n_ranks + 1) if n_bins is None else n_bins
    if bins < 2:
        return 1.0
    bin_of = np.arange(n_ranks + 1) * bins // (n_ranks + 1)
    expected = np.bincount(bin_of) * values.size / (n_ranks + 1)
    observed = np.bincount(bin_of[values], minlength=bins)
    return float(stats.chisquare(observed, expected).pvalue)


def band_p(ranks: ArrayLike, n_ranks: int) -> float:
    """P-value of the largest deviation of the ranks' empirical CDF from uniform.

    The statistic of the simultaneous confidence bands of Säilynoja, Bürkner and Vehtari (2022,
    Statistics and Computing 32, arXiv 2103.10522): the smallest pointwise binomial tail over all
    ranks; its null distribution is simulated.

    Parameters
    ----------
    ranks : array_like of int, shape (n,)
        Ranks.
    n_ranks : int
        Largest rank.

    Returns
    -------
    float
        P-value, at least 1 / 4001.
    """
    values = np.asarray(ranks, dtype=np.int64)
    statistic = _smallest_tail(values[None, :], n_ranks)[0]
    null = _null(values.size, n_ranks)
    return float((1 + np.sum(null <= statistic)) / (1 + null.size))


def ecdf_band(n: int, n_ranks: int, prob: float = 0.95) -> tuple[Array, Array, Array]:
    """Simultaneous band of the empirical CDF of uniform ranks, that of the test of `band_p`.

    Parameters
    ----------
    n : int
        Number of ranks.
    n_ranks : int
        Largest rank.
    prob : float
        Probability that the whole empirical CDF lies inside.

    Returns
    -------
    share : ndarray, shape (n_ranks,)
        Uniform CDF at the ranks 0 to ``n_ranks - 1``.
    low, high : ndarray, shape (n_ranks,)
        Ends of the band, shares of the ranks.

    Examples
    --------
    >>> share, low, high = ecdf_band(200, 9)
    >>> bool((low < share).all() and (share < high).all())
    True
    """
    tail = float(np.quantile(_null(n, n_ranks), 1.0 - prob))
    share = np.arange(1, n_ranks + 1) / (n_ranks + 1)
    low, high = (stats.binom.ppf(q, n, share) / n for q in (tail / 2, 1.0 - tail / 2))
    return share, np.asarray(low), np.asarray(high)


@lru_cache(maxsize=16)
def _null(n: int, n_ranks: int) -> Array:
    rng = np.random.default_rng(20220722)
    return _smallest_tail(rng.integers(0, n_ranks + 1, (_N_NULL, n)), n_ranks)


def _smallest_tail(ranks: NDArray[np.int64], n_ranks: int) -> Array:
    """Smallest two-sided pointwise tail of each set of ranks; `ranks` has shape (sets, n)."""
    sets, n = ranks.shape
    cells = np.arange(sets)[:, None] * (n_ranks + 1) + ranks
    counts = np.bincount(cells.ravel(), minlength=sets * (n_ranks + 1)).reshape(sets, -1)
    below = np.cumsum(counts, axis=1)[:, :-1]
    share = np.arange(1, n_ranks + 1) / (n_ranks + 1)
    cdf = np.asarray(stats.binom.cdf(np.arange(-1, n + 1)[:, None], n, share[None, :]))
    column = np.arange(n_ranks)
    tails = np.minimum(cdf[below + 1, column], 1.0 - cdf[below, column])
    return np.asarray(2.0 * tails.min(axis=1))
