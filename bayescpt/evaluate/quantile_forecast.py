"""Forecasts held as quantiles: their densities, and their mixture, from tables of backtests.

Between two quantiles a forecast is taken as normal: the normal score of the probability is linear
in the loss, beyond the outermost quantiles too. A normal forecast is reproduced exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from bayescpt.evaluate.score import QUANTILES, quantile_column

Array = NDArray[np.float64]

COLUMNS = [quantile_column(level) for level in QUANTILES]
SCORES = ndtri(np.array(QUANTILES))
# Normal scores of the grid on which a CRPS is integrated, per card.
_GRID = np.linspace(-5.0, 5.0, 161)
# Halvings of the interval that holds a quantile of a mixture.
_HALVINGS = 50
# Quantiles that coincide are held apart by this share of the loss.
_APART = 1e-12


def table_quantiles(table: pd.DataFrame) -> Array:
    """Quantiles of the forecasts of a backtest.

    Parameters
    ----------
    table : DataFrame
        Table of a backtest.

    Returns
    -------
    ndarray, shape (n_rows, n_quantiles)
        Strictly increasing.
    """
    values = np.maximum.accumulate(table[COLUMNS].to_numpy(np.float64), axis=1)
    scale = np.abs(values).max(axis=1, keepdims=True)
    return np.asarray(values + _APART * scale * np.arange(values.shape[1]))


def normal_scores(quantiles: Array, losses: Array) -> tuple[Array, Array]:
    """Normal scores of losses under forecasts.

    Parameters
    ----------
    quantiles : ndarray, shape (n_rows, n_quantiles)
        From `table_quantiles`.
    losses : ndarray, shape (n_rows, ...)
        Losses of each row.

    Returns
    -------
    score, slope : ndarray, shape (n_rows, ...)
        The score, whose normal distribution function is the probability of a lower loss, and its
        derivative by the loss.
    """
    rows = np.arange(len(quantiles)).reshape(-1, *[1] * (losses.ndim - 1))
    last = quantiles.shape[1] - 1
    # One comparison per quantile holds no array of rows x losses x quantiles.
    above = np.zeros(losses.shape, dtype=np.int64)
    for column in quantiles.T:
        above += losses > column.reshape(rows.shape)
    right = np.clip(above, 1, last)
    low, high = quantiles[rows, right - 1], quantiles[rows, right]
    slope = (SCORES[right] - SCORES[right - 1]) / (high - low)
    return np.asarray(SCORES[right - 1] + (losses - low) * slope), np.asarray(slope)


def log_density(table: pd.DataFrame) -> Array:
    """Log predictive density of each observed loss by itself.

    Parameters
    ----------
    table : DataFrame
        Table of a backtest.

    Returns
    -------
    ndarray, shape (n_rows,)
        Of losses in nats/token; higher is better.
    """
    score, slope = normal_scores(table_quantiles(table), table["observed"].to_numpy(np.float64))
    return np.asarray(np.log(slope) - 0.5 * (score**2 + np.log(2.0 * np.pi)))


def mixture(tables: Sequence[pd.DataFrame], weights: Array) -> pd.DataFrame:
    """Mixture of forecasts of the same rows, scored as a backtest scores draws.

    Parameters
    ----------
    tables : sequence of DataFrame
        Tables of backtests with the same rows, in the same order.
    weights : ndarray, shape (n_rows, n_tables) or (n_tables,)
        Weights of the forecasts.

    Returns
    -------
    DataFrame
        The first table with the columns of the mixture: mean, median, the quantiles, pit and crps.
        Scores that need joint draws, log_score (one step ahead) and energy, are NaN.
    """
    first = tables[0]
    held = [table_quantiles(table) for table in tables]
    share = np.broadcast_to(weights, (len(first), len(tables)))
    observed = first["observed"].to_numpy(np.float64)
    means = np.stack([table["mean"].to_numpy(np.float64) for table in tables], axis=1)
    added = {"mean": (share * means).sum(axis=1)}
    added |= dict(zip(COLUMNS, _quantiles(held, share).T, strict=True))
    added["median"] = added[quantile_column(0.5)]
    added["pit"] = _below(held, share, observed[:, None])[:, 0]
    added["crps"] = _crps(held, share, observed)
    unknown = {name: np.nan for name in ("log_score", "energy") if name in first}
    return first.assign(**added, **unknown)


def _below(held: Sequence[Array], share: Array, losses: Array) -> Array:
    """Probability of lower losses, shape (n_rows, n)."""
    out = np.zeros(losses.shape)
    for k, quantiles in enumerate(held):
        out += share[:, k, None] * ndtr(normal_scores(quantiles, losses)[0])
    return out


def _at(quantiles: Array, scores: Array) -> Array:
    """Losses with some normal scores, shape (n_rows, n)."""
    right = np.clip(np.searchsorted(SCORES, scores), 1, len(SCORES) - 1)
    low, high = quantiles[:, right - 1], quantiles[:, right]
    part = (scores - SCORES[right - 1]) / (SCORES[right] - SCORES[right - 1])
    return np.asarray(low + part * (high - low))


def _quantiles(held: Sequence[Array], share: Array) -> Array:
    """Quantiles of the mixture, between those of its parts; by bisection."""
    parts = np.stack(held)
    low, high = parts.min(axis=0), parts.max(axis=0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        under = _below(held, share, middle) < np.array(QUANTILES)
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return np.asarray((low + high) / 2.0)


def _crps(held: Sequence[Array], share: Array, observed: Array) -> Array:
    """CRPS as the integral of the squared difference of distribution functions."""
    grid = np.concatenate([*(_at(q, _GRID) for q in held), observed[:, None]], axis=1)
    grid.sort(axis=1)
    below = _below(held, share, grid)
    # Within an interval between grid points the observed distribution function is constant.
    right = grid[:, 1:] > observed[:, None]
    squared = [np.where(right, 1.0 - side, side) ** 2 for side in (below[:, :-1], below[:, 1:])]
    return np.asarray((np.diff(grid, axis=1) * (squared[0] + squared[1]) / 2.0).sum(axis=1))
