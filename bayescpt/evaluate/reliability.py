"""Calibration of goal probabilities: forecast probabilities against outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.errors import PlanError
from bayescpt.evaluate.backtest import Backtest
from bayescpt.evaluate.score import cluster_mean

Array = NDArray[np.float64]

JOINT = "joint"
# Thresholds, as quantiles of the observed final losses of the held-out runs.
LEVELS = tuple(round(0.1 * k, 1) for k in range(1, 10))
# With more domains than this, joint goals use the same quantile on all domains.
_MOST_CROSSED = 3


@dataclass(frozen=True, eq=False)
class GoalCalibration:
    """Forecast goal probabilities and their outcomes.

    Attributes
    ----------
    forecasts : DataFrame
        One row per split and goal: split, run, cutoff, domain (or ``joint``), goal (number of the
        threshold or combination of thresholds), probability, met (0 or 1) and climatology (share of
        the other runs that met the goal; NaN if there are none).
    n_bins : int
        Number of probability bins of equal width.
    """

    forecasts: pd.DataFrame = field(repr=False)
    n_bins: int = 10

    def table(self) -> pd.DataFrame:
        """Score the probabilities, by domain and jointly.

        Returns
        -------
        DataFrame
            Index: domain, ``joint`` last. Columns: forecasts, runs, brier (mean squared error of
            the probability) and climatology_brier (that of the climatology), each with its standard
            error clustered by run in a column ``_se``, skill (1 minus their ratio), and ece
            (expected calibration error: mean over forecasts of the gap between the mean probability
            of the bin and the share met).
        """
        rows = {}
        for domain, part in self.forecasts.groupby("domain", sort=False):
            met, runs = part["met"].to_numpy(np.float64), part["run"].to_numpy()
            brier, error = cluster_mean((part["probability"].to_numpy() - met) ** 2, runs)
            base, base_error = cluster_mean((part["climatology"].to_numpy() - met) ** 2, runs)
            bins = _bins(part, self.n_bins)
            gaps = (bins["probability"] - bins["met"]).abs() * bins["forecasts"]
            rows[domain] = {
                "forecasts": len(part),
                "runs": part["run"].nunique(),
                "brier": brier,
                "brier_se": error,
                "climatology_brier": base,
                "climatology_brier_se": base_error,
                "skill": 1.0 - brier / base if base else np.nan,
                "ece": float(gaps.sum() / len(part)),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("domain")

    def reliability(self) -> pd.DataFrame:
        """Reliability table: probability against share met, by probability bin.

        Returns
        -------
        DataFrame
            One row per domain and non-empty bin: domain, lower, upper, forecasts, runs, probability
            (mean) and met (share, with its standard error clustered by run in met_se).
        """
        parts = [
            _bins(part, self.n_bins).assign(domain=domain)
            for domain, part in self.forecasts.groupby("domain", sort=False)
        ]
        out = pd.concat(parts, ignore_index=True)
        return out[["domain", *(name for name in out if name != "domain")]]


def goal_calibration(
    backtest: Backtest, levels: Sequence[float] = LEVELS, n_bins: int = 10
) -> GoalCalibration:
    """Compare forecast probabilities of final loss goals with outcomes in a backtest.

    A goal is a final loss at or below a threshold; thresholds are quantiles of the observed final
    losses of the held-out runs. A joint goal has a threshold on every domain; all combinations of
    thresholds are used. In a backtest by pilots, each target has thresholds of its own, and a
    target of which a single run was held out has none.

    Parameters
    ----------
    backtest : Backtest
        Forecasts of held-out runs by one method.
    levels : sequence of float
        Quantiles, each strictly between 0 and 1.
    n_bins : int
        Number of bins for the reliability table and the expected calibration error.

    Returns
    -------
    GoalCalibration
        Brier scores, calibration error and reliability table.

    Raises
    ------
    PlanError
        If a level is out of range, there are several methods, or the final losses of fewer than two
        runs were held out.

    Examples
    --------
    >>> import bayescpt as bc
    >>> result = bc.backtest(bc.load_example("cpt_micro"))  # doctest: +SKIP
    >>> goals = bc.goal_calibration(result)  # doctest: +SKIP
    >>> goals.table()[["brier", "skill", "ece"]]  # doctest: +SKIP
    """
    finals = backtest.finals
    if finals.empty:
        raise PlanError("no final loss was held out: there are no goals to evaluate")
    if finals["run"].nunique() < 2:
        raise PlanError(
            "only one run was held out; its final loss alone defines no goals to evaluate"
        )
    if "method" in finals and finals["method"].nunique() > 1:
        raise PlanError("the backtest contains several methods; evaluate one at a time")
    if not levels or not all(0.0 < level < 1.0 for level in levels):
        raise PlanError(f"levels are {tuple(levels)}; each must be strictly between 0 and 1")
    by_target = (
        [part for _, part in finals.groupby("target", sort=False)] if "target" in finals else []
    )
    several = [part for part in by_target if part["run"].nunique() > 1]
    if by_target and not several:
        raise PlanError(
            "only one run of each target was held out; its final loss alone defines no goals to "
            "evaluate"
        )
    parts = [_forecasts(part, levels) for part in several or [finals]]
    return GoalCalibration(pd.concat(parts, ignore_index=True), n_bins)


def _forecasts(finals: pd.DataFrame, levels: Sequence[float]) -> pd.DataFrame:
    """Rows of `GoalCalibration.forecasts` for goals at quantiles of some final losses."""
    ends = finals.drop_duplicates(["run", "domain"]).groupby("domain", sort=False)["observed"]
    by_level = {str(domain): np.quantile(losses, levels) for domain, losses in ends}
    splits = _ends(finals)
    parts = [_outcomes(splits, {domain: values}, domain) for domain, values in by_level.items()]
    if len(by_level) > 1:
        parts.append(_outcomes(splits, _combined(by_level), JOINT))
    return pd.concat(parts, ignore_index=True)


def _combined(by_level: dict[str, Array]) -> dict[str, Array]:
    """All combinations of thresholds, or, with many domains, those of equal level."""
    if len(by_level) > _MOST_CROSSED:
        return by_level
    crossed = np.meshgrid(*by_level.values(), indexing="ij")
    return {domain: values.ravel() for domain, values in zip(by_level, crossed, strict=True)}


@dataclass(frozen=True)
class _End:
    """Final losses of one run, forecast and observed, by domain."""

    split: str
    run: str
    cutoff: float
    drawn: dict[str, Array]
    observed: dict[str, float]


def _ends(finals: pd.DataFrame) -> list[_End]:
    """Final losses of all splits; draws at the same position are joint."""
    out: dict[tuple[str, str], _End] = {}
    ordered = finals.sort_values("draw", kind="stable")
    for key, part in ordered.groupby(["split", "run", "domain"], sort=False, observed=True):
        split, run, domain = map(str, key)
        cutoff = float(part["cutoff"].iloc[0])
        end = out.setdefault((split, run), _End(split, run, cutoff, {}, {}))
        end.drawn[domain] = part["loss"].to_numpy(np.float64)
        end.observed[domain] = float(part["observed"].iloc[0])
    return list(out.values())


def _outcomes(ends: Sequence[_End], goals: dict[str, Array], label: str) -> pd.DataFrame:
    """Rows of `GoalCalibration.forecasts`; `goals` has one threshold per domain and goal."""
    n_goals = len(next(iter(goals.values())))
    parts, outcomes = [], {}
    for end in ends:
        if not set(goals) <= set(end.drawn):
            continue
        below: NDArray[np.bool_] = np.array(True)
        met = np.ones(n_goals, dtype=bool)
        for domain, limit in goals.items():
            below = below & (end.drawn[domain][:, None] <= limit)
            met &= end.observed[domain] <= limit
        outcomes[end.run] = met
        parts.append(
            pd.DataFrame(
                {
                    "split": end.split,
                    "run": end.run,
                    "cutoff": end.cutoff,
                    "domain": label,
                    "goal": np.arange(n_goals),
                    "probability": below.mean(axis=0),
                    "met": met.astype(int),
                }
            )
        )
    if not parts:
        raise PlanError(f"no run has held-out final losses on all of {', '.join(goals)}")
    total = np.sum(list(outcomes.values()), axis=0)
    others = len(outcomes) - 1
    for part in parts:
        rest = total - outcomes[part["run"].iloc[0]]
        part["climatology"] = rest / others if others else np.nan
    return pd.concat(parts, ignore_index=True)


def _bins(part: pd.DataFrame, n_bins: int) -> pd.DataFrame:
    """Forecasts of one domain by bin of the probability."""
    probability = part["probability"].to_numpy(np.float64)
    number = np.minimum((probability * n_bins).astype(int), n_bins - 1)
    rows = []
    for at, group in part.groupby(number):
        share, error = cluster_mean(group["met"].to_numpy(np.float64), group["run"].to_numpy())
        rows.append(
            {
                "lower": int(str(at)) / n_bins,
                "upper": (int(str(at)) + 1) / n_bins,
                "forecasts": len(group),
                "runs": group["run"].nunique(),
                "probability": group["probability"].mean(),
                "met": share,
                "met_se": error,
            }
        )
    return pd.DataFrame(rows)
