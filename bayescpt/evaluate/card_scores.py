"""Scores and stacking weights of cards, from their backtests on the same held-out runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.evaluate.backtest import Backtest
from bayescpt.evaluate.quantile_forecast import log_density, mixture
from bayescpt.evaluate.score import cluster_mean, score_table
from bayescpt.evaluate.side_by_side import side_by_side
from bayescpt.evaluate.stacking import (
    PRIOR_RUNS,
    bootstrap_weights,
    run_densities,
    stacking_weights,
    without_each_run,
)

Array = NDArray[np.float64]

# Losses of a curve that the log score takes, evenly spaced: more would tell the same again.
POINTS = 8


@dataclass(frozen=True, eq=False)
class CardScores:
    """Scores of cards on the same held-out runs.

    Attributes
    ----------
    table : DataFrame
        See `bayescpt.evaluate.CardComparison`.
    stacked : pandas.Series
        Scores of the mixture.
    by_run : DataFrame
        Log score of each run (index) under each card.
    same : list of tuple of str
        Groups of cards whose forecasts are the same.
    """

    table: pd.DataFrame
    stacked: pd.Series
    by_run: pd.DataFrame
    same: list[tuple[str, ...]]


def card_scores(
    backtests: Mapping[str, Backtest], after: float, seed: int, prior: float = PRIOR_RUNS
) -> CardScores:
    """Score and weigh cards.

    Parameters
    ----------
    backtests : mapping of str to Backtest
        Backtests by run, by label of the card.
    after : float
        Rows in this initial fraction of a run are excluded.
    seed : int
        Seed of the bootstrap.
    prior : float
        Strength of the prior on the weights, runs.

    Returns
    -------
    CardScores

    Raises
    ------
    PlanError
        If there is no row that all cards forecast.
    """
    joined = side_by_side(backtests).table
    every = [part.reset_index(drop=True) for _, part in joined.groupby("method", observed=False)]
    keep = (every[0]["fraction"] > after).to_numpy() & ~every[0]["shared"].to_numpy(bool)
    labels, tables = list(backtests), [part[keep].reset_index(drop=True) for part in every]
    runs = tables[0]["run"].astype(str).to_numpy()
    kept = thinned(tables[0])
    density = np.stack([log_density(table.iloc[kept]) for table in tables], axis=1)
    names, relative, share = run_densities(density, runs[kept])
    by_run = pd.DataFrame(density, columns=labels).groupby(runs[kept], sort=False).mean()
    weights = stacking_weights(relative, share, prior=prior)
    spread = bootstrap_weights(relative, share, seed, prior).std(axis=0, ddof=1)
    best = labels[int(np.argmax(by_run.mean().to_numpy()))]
    rows = {}
    for k, label in enumerate(labels):
        log_score, log_score_se = _mean(by_run[label])
        behind, behind_se = _mean(by_run[best] - by_run[label])
        rows[label] = {
            **_scored(tables[k]), "log_score": log_score, "log_score_se": log_score_se,
            "behind": behind, "behind_se": behind_se,
            "weight": weights[k], "weight_se": spread[k],
            "failed": int((backtests[label].fits["failed_checks"] != "").sum()),
        }  # fmt: skip
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("card")
    without = without_each_run(relative, share, prior)
    return CardScores(
        table.sort_values("log_score", ascending=False, kind="stable"),
        _stacked(tables, labels, without[[names.index(run) for run in runs]], kept),
        by_run,
        _same(density, labels),
    )


def thinned(table: pd.DataFrame) -> NDArray[np.int64]:
    """Rows of a table of forecasts that the log score takes.

    Parameters
    ----------
    table : DataFrame
        Columns run, domain and step.

    Returns
    -------
    ndarray of int
        At most `POINTS` of each curve, evenly spaced over its rows, the last among them.
    """
    out = []
    step = table["step"].to_numpy()
    for found in table.groupby(["run", "domain"], sort=False).indices.values():
        rows = np.asarray(found, dtype=np.int64)
        ordered = rows[np.argsort(step[rows], kind="stable")]
        n = ordered.size
        at = np.linspace(0, n, min(POINTS, n) + 1)[1:].round().astype(np.int64) - 1
        out.append(ordered[at])
    return np.sort(np.concatenate(out))


def _scored(table: pd.DataFrame) -> dict[str, float]:
    scores = score_table(table).iloc[0]
    names = ("runs", "rows", "crps", "crps_se", "coverage_90", "coverage_90_se")
    return {name: scores[name] for name in names}


def _mean(values: pd.Series) -> tuple[float, float]:
    """Mean over runs and its standard error; NaN with one run."""
    return cluster_mean(values.to_numpy(np.float64), np.arange(len(values)))


def _stacked(
    tables: list[pd.DataFrame], labels: list[str], weights: Array, kept: NDArray[np.int64]
) -> pd.Series:
    """Scores of the mixture; the weights of each row do not know its run."""
    mixed = mixture(tables, weights)
    runs = mixed["run"].to_numpy()
    crps = [table["crps"].to_numpy(np.float64) for table in tables]
    best = int(np.argmin([values.mean() for values in crps]))
    behind, behind_se = cluster_mean(mixed["crps"].to_numpy(np.float64) - crps[best], runs)
    density = np.stack([log_density(table.iloc[kept]) for table in tables], axis=1)
    total = np.log((weights[kept] * np.exp(density - density.max(axis=1, keepdims=True))).sum(1))
    total += density.max(axis=1)
    by_run = pd.Series(total).groupby(runs[kept], sort=False).mean()
    log_score, log_score_se = _mean(by_run)
    return pd.Series(
        {
            **_scored(mixed), "log_score": log_score, "log_score_se": log_score_se,
            "best": labels[best], "crps_behind": behind, "crps_behind_se": behind_se,
        },
        name="stacked", dtype=object,
    )  # fmt: skip


def _same(density: Array, labels: list[str]) -> list[tuple[str, ...]]:
    """Groups of two and more cards with the same densities."""
    groups: dict[bytes, list[str]] = {}
    for column, label in zip(density.T, labels, strict=True):
        groups.setdefault(np.ascontiguousarray(column).tobytes(), []).append(label)
    return [tuple(group) for group in groups.values() if len(group) > 1]
