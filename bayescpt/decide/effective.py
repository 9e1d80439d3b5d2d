"""Effective sample size of a mean, on plain arrays.

ArviZ has the same function, but takes seconds to import, and decisions need nothing else of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def mean_ess(values: Array) -> Array:
    """Return the effective sample size for the mean of each series.

    Vehtari et al. 2021, arXiv 1903.08008: chains split in halves, autocorrelation over all of
    them, Geyer's initial monotone sequence. Equal to ``arviz_stats.ess(method="mean")``.

    Parameters
    ----------
    values : ndarray, shape (..., n_chains, n_draws)
        One value per draw.

    Returns
    -------
    ndarray, shape (...)
        NaN with fewer than four draws a chain or a value that is not finite.
    """
    if values.shape[-1] < 4:
        return np.full(values.shape[:-2], np.nan)
    half = values.shape[-1] // 2
    split = np.concatenate([values[..., :half], values[..., -half:]], axis=-2)
    total = split.shape[-2] * half
    constant = np.ptp(split, axis=(-2, -1)) < np.finfo(float).resolution
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = _autocorrelation(split)
        ess = total / np.maximum(_time(correlation), 1.0 / np.log10(total))
    ess = np.where(np.isfinite(values).all(axis=(-2, -1)), ess, np.nan)
    return np.where(constant, float(total), ess)


def _autocorrelation(split: Array) -> Array:
    """Return the autocorrelation by lag, shape (..., n), counting the variance between chains."""
    n = split.shape[-1]
    mean = split.mean(axis=-1, keepdims=True)
    # Zero-padded to twice the length, against wrap-around; a power of two is fast.
    spectrum = np.fft.rfft(split - mean, n=1 << (2 * n - 1).bit_length())
    covariance = np.fft.irfft(np.abs(spectrum) ** 2)[..., :n].mean(axis=-2) / n
    within = covariance[..., :1] * n / (n - 1.0)
    both = covariance[..., :1] + mean.var(axis=-2, ddof=1)
    rho = 1.0 - (within - covariance) / both
    rho[..., 0] = 1.0
    return rho


def _time(rho: Array) -> Array:
    """Return the autocorrelation time by Geyer's initial monotone sequence of pairs of lags."""
    n_pairs = max(0, (rho.shape[-1] - 3) // 2) + 1
    even, odd = rho[..., : 2 * n_pairs : 2], rho[..., 1 : 2 * n_pairs : 2]
    pairs = even + odd
    ends = pairs <= 0
    last = np.where(ends.any(axis=-1), ends.argmax(axis=-1), n_pairs - 1)[..., None]
    before = np.arange(n_pairs) < last
    falling = np.where(before, np.minimum.accumulate(pairs, axis=-1), 0.0).sum(axis=-1)
    here, whole = (np.take_along_axis(x, last, axis=-1)[..., 0] for x in (even, pairs))
    # Of the pair that ends the sequence, the even lag counts if it is positive.
    return -1.0 + 2.0 * falling + np.where((here > 0) | (whole >= 0), here, 0.0)
