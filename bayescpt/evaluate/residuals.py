"""Forecast errors by part of the schedule."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescpt.evaluate.backtest import Backtest
from bayescpt.evaluate.score import cluster_mean, quantile_column


def residuals_by_phase(backtest: Backtest, after: float = 0.0) -> pd.DataFrame:
    """Forecast errors by domain and part of the schedule.

    Parameters
    ----------
    backtest : Backtest
        Forecasts of held-out rows.
    after : float
        Rows in this initial fraction of a run are excluded.

    Returns
    -------
    DataFrame
        One row per (method,) domain and phase: rows, runs, bias (mean of observed - median, with
        its standard error clustered by run in bias_se), between (standard deviation of the mean
        errors of runs: errors that last a whole run), within (root mean square of the errors about
        the mean of their run) and spread (mean standard deviation of the normal distribution with
        the forecast's 50% band). Nats.
    """
    table = backtest.table
    used = table[~table["shared"] & (table["fraction"] > after)]
    keys = [*(["method"] if "method" in used else []), "domain", "phase"]
    # The 50% band of a normal is +-.6745 standard deviations.
    low, high = (used[quantile_column(q)] for q in (0.25, 0.75))
    points = used.assign(
        error=used["observed"] - used["median"], spread=(high - low) / (2 * 0.6744898)
    )
    rows = {}
    for name, group in points.groupby(keys, observed=True, sort=True):
        bias, error = cluster_mean(group["error"].to_numpy(), group["run"].to_numpy())
        means = group.groupby("run")["error"].transform("mean")
        by_run = group.groupby("run")["error"].mean()
        rows[name] = {
            "rows": len(group),
            "runs": len(by_run),
            "bias": bias,
            "bias_se": error,
            "between": float(by_run.std(ddof=1)) if len(by_run) > 1 else np.nan,
            "within": float(np.sqrt(np.mean((group["error"] - means) ** 2))),
            "spread": float(group["spread"].mean()),
        }
    index = pd.MultiIndex.from_tuples(list(rows), names=keys)
    return pd.DataFrame(list(rows.values()), index=index).reset_index()
