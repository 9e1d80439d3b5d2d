"""Scores of predictive draws: coverage, sharpness and error; standard errors clustered by run."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bayescpt.errors import PlanError
from bayescpt.linalg import triangle

Array = NDArray[np.float64]

LEVELS = (0.5, 0.8, 0.9, 0.95)
MSCE_LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
BAND = 0.9
QUANTILES = tuple(
    sorted(
        {round((1 - level) / 2, 4) for level in MSCE_LEVELS}
        | {round((1 + level) / 2, 4) for level in MSCE_LEVELS}
        | {0.5}
    )
)
HORIZONS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)


def quantile_column(level: float) -> str:
    """Column name of a quantile.

    Parameters
    ----------
    level : float
        One of `QUANTILES`.

    Returns
    -------
    str
        Such as ``q0.05``.
    """
    return f"q{round(level, 4):g}"


def crps(draws: ArrayLike, observed: ArrayLike) -> Array:
    """Continuous ranked probability score from draws.

    ``E|X - y| - E|X - X'| / 2``, the second mean over distinct pairs ("fair", the same as the
    probability-weighted-moments estimator: Zamo and Naveau 2018, Mathematical Geosciences 50),
    so its expectation does not depend on the number of draws. Needs one sort and one copy.

    Parameters
    ----------
    draws : array_like, shape (n_draws, ...)
        At least two draws.
    observed : array_like, shape (...)
        Observed values.

    Returns
    -------
    ndarray, shape (...)
        In the unit of the draws; lower is better.
    """
    ordered = np.sort(np.asarray(draws, dtype=np.float64), axis=0)
    n = len(ordered)
    weights = (2.0 * np.arange(n) - n + 1.0) / (n * (n - 1.0))
    half_spread = np.tensordot(weights, ordered, axes=1)
    ordered -= np.asarray(observed, dtype=np.float64)
    np.abs(ordered, out=ordered)
    return np.asarray(ordered.mean(axis=0) - half_spread)


def energy_score(draws: ArrayLike, observed: ArrayLike, max_draws: int = 300) -> Array:
    """Energy score: the CRPS of a joint forecast of several quantities.

    ``E||X - y|| - E||X - X'|| / 2`` (Gneiting and Raftery 2007, JASA 102), the second mean over
    distinct pairs. Pairs are formed one shift of the draws at a time, so memory use stays at a
    few times that of the draws.

    Parameters
    ----------
    draws : array_like, shape (n_draws, ..., n_quantities)
        At least two joint draws.
    observed : array_like, shape (..., n_quantities)
        Observed values.
    max_draws : int
        Number of evenly spaced draws used, as the cost is quadratic.

    Returns
    -------
    ndarray, shape (...)
        In the unit of the draws; lower is better.
    """
    values = thin(np.asarray(draws, dtype=np.float64), max_draws)
    n = len(values)
    to_truth = np.linalg.norm(values - np.asarray(observed, dtype=np.float64), axis=-1).mean(axis=0)
    between = np.zeros_like(to_truth)
    for shift in range(1, n):
        # Each unordered pair once: draws `shift` apart.
        between += np.linalg.norm(values[shift:] - values[:-shift], axis=-1).sum(axis=0)
    return np.asarray(to_truth - between / (n * (n - 1.0)))


def one_step_log_score(draws: ArrayLike, observed: ArrayLike) -> Array:
    """Log score of every value of a curve given the preceding ones.

    The forecast's joint distribution is taken as normal with the mean and covariance of the draws
    (the score of Dawid and Sebastiani 1999, Annals of Statistics 27, which is proper); the variance
    of a value given k others is a residual variance, with n - 1 - k degrees of freedom. A method
    whose error is shared by a whole run is thus penalised once, not at every row.

    Parameters
    ----------
    draws : array_like, shape (n_draws, n)
        Joint predictive draws of one curve, in its order.
    observed : array_like, shape (n,)
        Observed values.

    Returns
    -------
    ndarray, shape (n,)
        Log densities of losses in nats/token; higher is better. NaN where there are fewer than two
        draws per preceding value, and where the draws do not vary.
    """
    values = np.asarray(draws, dtype=np.float64)
    n_draws, n = values.shape
    out = np.full(n, np.nan)
    known = min(n, n_draws // 2)
    mean = values[:, :known].mean(axis=0)
    error = np.asarray(observed, dtype=np.float64)[:known] - mean
    # Cholesky factor of (n - 1) times the covariance, without forming the product.
    root = triangle(values[:, :known] - mean).T
    if not np.all(np.abs(np.diagonal(root)) > 1e-12 * np.abs(mean)):
        return out
    innovation = np.empty(known)
    for k in range(known):
        innovation[k] = (error[k] - root[k, :k] @ innovation[:k]) / root[k, k]
    freedom = n_draws - 1.0 - np.arange(known)
    variance = np.diagonal(root) ** 2 / freedom
    out[:known] = -0.5 * (np.log(2.0 * np.pi * variance) + innovation**2 * freedom)
    return out


def interval_score(lower: ArrayLike, upper: ArrayLike, observed: ArrayLike, level: float) -> Array:
    """Interval score: width plus a penalty for values outside.

    ``(u - l) + 2 / a [(l - y)+ + (y - u)+]`` with a = 1 - level (Gneiting and Raftery 2007).

    Parameters
    ----------
    lower, upper : array_like, shape (...)
        Bounds of the central interval.
    observed : array_like, shape (...)
        Observed values.
    level : float
        Probability of the interval.

    Returns
    -------
    ndarray, shape (...)
        In the unit of the bounds; lower is better.
    """
    low, high, truth = (np.asarray(v, dtype=np.float64) for v in (lower, upper, observed))
    outside = np.maximum(low - truth, 0.0) + np.maximum(truth - high, 0.0)
    return np.asarray(high - low + 2.0 / (1.0 - level) * outside)


def thin(draws: Array, n: int) -> Array:
    """Evenly spaced draws.

    Parameters
    ----------
    draws : ndarray, shape (n_draws, ...)
        Draws, chain after chain.
    n : int
        Maximum number of draws to keep.

    Returns
    -------
    ndarray, shape (min(n, n_draws), ...)
        The draws kept, in their order.
    """
    if len(draws) <= n:
        return draws
    return draws[np.linspace(0, len(draws) - 1, n).round().astype(int)]


def predictive_columns(rows: pd.DataFrame, draws: Array) -> pd.DataFrame:
    """Table of a forecast with the observed losses.

    Parameters
    ----------
    rows : DataFrame
        Columns step, domain and observed of one run, in nats/token; other columns are kept.
    draws : ndarray, shape (n_draws, n_rows)
        Predictive draws for the same rows, joint over rows; nats/token.

    Returns
    -------
    DataFrame
        `rows` with mean, median, the quantiles, pit (share of draws below the observed loss,
        uniform for a calibrated forecast), crps, log_score (`one_step_log_score` along the
        curve of each domain), and energy: the joint energy score of all domains at the step,
        repeated on each of them (NaN if there is only one).
    """
    observed = rows["observed"].to_numpy(np.float64)
    bounds = np.quantile(draws, QUANTILES, axis=0)
    added = {"mean": draws.mean(axis=0), "median": bounds[QUANTILES.index(0.5)]}
    added |= {quantile_column(q): bound for q, bound in zip(QUANTILES, bounds, strict=True)}
    added["pit"] = ((draws < observed).mean(axis=0) + (draws <= observed).mean(axis=0)) / 2
    added["crps"] = crps(draws, observed)
    added["log_score"] = _log_score_by_curve(rows, draws, observed)
    added["energy"] = _energy_by_step(rows, draws, observed)
    return rows.assign(**added)


def _log_score_by_curve(rows: pd.DataFrame, draws: Array, observed: Array) -> Array:
    out = np.empty(len(rows))
    step = rows["step"].to_numpy()
    for domain in rows["domain"].unique():
        curve = np.flatnonzero((rows["domain"] == domain).to_numpy())
        curve = curve[np.argsort(step[curve], kind="stable")]
        out[curve] = one_step_log_score(draws[:, curve], observed[curve])
    return out


def _energy_by_step(rows: pd.DataFrame, draws: Array, observed: Array) -> Array:
    """Energy score over the domains of each step, shape (n_rows,)."""
    out = np.full(len(rows), np.nan)
    place = np.arange(len(rows))
    together = pd.Series(place).groupby(rows["step"].to_numpy()).agg(tuple)
    for size in together.map(len).unique():
        if size < 2:
            continue
        index = np.array([members for members in together if len(members) == size])
        out[index] = energy_score(draws[:, index], observed[index])[:, None]
    return out


def check_after(after: float) -> None:
    """Check the initial fraction of runs that is not scored.

    Parameters
    ----------
    after : float
        The fraction.

    Raises
    ------
    PlanError
        If it is not from 0 to less than 1, so that nothing would be scored.

    Examples
    --------
    >>> check_after(10)
    Traceback (most recent call last):
        ...
    bayescpt.errors.PlanError: after is 10: give a share of each run, from 0 to less than 1
    """
    if not 0.0 <= after < 1.0:
        raise PlanError(f"after is {after:g}: give a share of each run, from 0 to less than 1")


def score_table(
    table: pd.DataFrame, by: str | Sequence[str] | None = None, after: float = 0.0
) -> pd.DataFrame:
    """Scores of a table of forecasts.

    Parameters
    ----------
    table : DataFrame
        Table of a backtest: run, fraction, horizon, step, final, observed and the columns of
        `predictive_columns`; rows marked as shared are excluded.
    by : str or sequence of str, optional
        Columns to group by, such as ``domain``, ``phase``, ``run``, ``cutoff``; ``horizon`` is
        binned as a fraction of the run's length. By default all rows together.
    after : float
        Rows in this initial fraction of the run are excluded.

    Returns
    -------
    DataFrame
        One row per group: rows, runs, coverage_50 .. coverage_95, msce (mean over `MSCE_LEVELS` of
        (coverage - level)^2), crps, interval_score and width_90 (of the 90% band), mae (of the
        median), bias (mean of median - observed), energy, finals_inside (share of final rows of
        runs within the 90% band) and log_score (one step ahead; higher is better). Each has its
        standard error, clustered by run (jackknife for msce), in a column ``_se``; NaN with one
        run. If rows are shared, there is also mae_all_rows: the mae over all forecast rows of the
        group, including shared rows and those of the initial fraction, as in published errors of
        whole curves.

    Raises
    ------
    PlanError
        If `after` is not from 0 to less than 1.
    """
    check_after(after)
    used = table["fraction"] > after
    shared = table["shared"].to_numpy(bool) if "shared" in table else np.zeros(len(table), bool)
    used &= ~shared
    points = _pointwise(table)
    if by is None:
        row = _summary(points[used])
        if shared.any():
            row |= _all_rows(points)
        return pd.DataFrame([row])
    keys = [by] if isinstance(by, str) else list(by)
    labels = [
        (_horizon_bins(table) if key == "horizon" else table[key]).rename(key) for key in keys
    ]
    rows = {}
    for name, group in points.groupby(labels, observed=True, sort=True):
        if used[group.index].any():
            rows[name] = _summary(group[used[group.index]])
            if shared.any():
                rows[name] |= _all_rows(group)
    index = pd.MultiIndex.from_tuples(list(rows), names=keys)
    out = pd.DataFrame(list(rows.values()), index=index)
    return out.reset_index()


def _horizon_bins(table: pd.DataFrame) -> pd.Series:
    """Steps ahead of the last known one, as a fraction of the run's length, in named bins."""
    share = table["horizon"] * table["fraction"] / table["step"]
    names = [f"{a:.0%}-{b:.0%}" for a, b in itertools.pairwise(HORIZONS)]
    return pd.cut(share.clip(upper=1.0), HORIZONS, labels=names)


def _pointwise(table: pd.DataFrame) -> pd.DataFrame:
    """Pointwise scores to be averaged: one column per score, one row per forecast."""
    observed = table["observed"].to_numpy(np.float64)

    def bounds(level: float) -> tuple[Array, Array]:
        low, high = (quantile_column(q) for q in ((1 - level) / 2, (1 + level) / 2))
        return table[low].to_numpy(np.float64), table[high].to_numpy(np.float64)

    out: dict[str, Array] = {}
    for level in MSCE_LEVELS:
        low, high = bounds(level)
        out[_coverage(level)] = ((low <= observed) & (observed <= high)).astype(float)
    low, high = bounds(BAND)
    error = table["median"].to_numpy(np.float64) - observed
    out["crps"] = table["crps"].to_numpy(np.float64)
    out["interval_score"] = interval_score(low, high, observed, BAND)
    out["width_90"] = high - low
    out["mae"] = np.abs(error)
    out["bias"] = error
    out["energy"] = table["energy"].to_numpy(np.float64)
    out["log_score"] = table["log_score"].to_numpy(np.float64)
    out["finals_inside"] = np.where(table["final"], out[_coverage(BAND)], np.nan)
    return pd.DataFrame(out, index=table.index).assign(run=table["run"])


def _coverage(level: float) -> str:
    return f"coverage_{level * 100:g}"


def _summary(points: pd.DataFrame) -> dict[str, float]:
    runs = points["run"].to_numpy()
    out: dict[str, float] = {"rows": len(points), "runs": len(set(runs))}
    shown = [_coverage(level) for level in LEVELS]
    rest = [name for name in map(str, points) if not name.startswith(("coverage", "run"))]
    for name in (*shown, "msce", *rest):
        if name == "msce":
            out[name], out[f"{name}_se"] = _msce(points, runs)
        else:
            out[name], out[f"{name}_se"] = cluster_mean(points[name].to_numpy(np.float64), runs)
    return out


def _all_rows(points: pd.DataFrame) -> dict[str, float]:
    """Mean absolute error over all rows, with its standard error."""
    mean, error = cluster_mean(points["mae"].to_numpy(np.float64), points["run"].to_numpy())
    return {"mae_all_rows": mean, "mae_all_rows_se": error}


def cluster_mean(values: Array, clusters: NDArray[np.generic]) -> tuple[float, float]:
    """Mean and its cluster-robust standard error.

    ``sqrt(G / (G - 1) sum_g (sum_{i in g} (x_i - mean))^2) / n``, the sandwich estimator of a
    mean with G clusters (Liang and Zeger 1986, Biometrika 73).

    Parameters
    ----------
    values : ndarray, shape (n,)
        Values; NaN are ignored.
    clusters : ndarray, shape (n,)
        Cluster of each value.

    Returns
    -------
    mean : float
        NaN if there is no value.
    standard_error : float
        NaN with fewer than two clusters.
    """
    known = ~np.isnan(values)
    if not known.any():
        return np.nan, np.nan
    kept = values[known]
    names, index = np.unique(clusters[known], return_inverse=True)
    mean = float(kept.mean())
    if len(names) < 2:
        return mean, np.nan
    sums = np.bincount(index, weights=kept - mean)
    return mean, float(np.sqrt(len(names) / (len(names) - 1) * np.sum(sums**2)) / len(kept))


def _msce(points: pd.DataFrame, runs: NDArray[np.generic]) -> tuple[float, float]:
    """Mean squared calibration error, and its jackknife standard error over runs."""
    hits = points[[_coverage(level) for level in MSCE_LEVELS]].to_numpy(np.float64)
    names, index = np.unique(runs, return_inverse=True)
    sums = np.stack([np.bincount(index, weights=column) for column in hits.T], axis=1)
    sizes = np.bincount(index)[:, None]
    levels = np.array(MSCE_LEVELS)
    value = float(np.mean((hits.mean(axis=0) - levels) ** 2))
    if len(names) < 2:
        return value, np.nan
    without = (sums.sum(axis=0) - sums) / (len(hits) - sizes)
    replicates = ((without - levels) ** 2).mean(axis=1)
    spread = float(np.sum((replicates - replicates.mean()) ** 2))
    return value, float(np.sqrt((len(names) - 1) / len(names) * spread))
