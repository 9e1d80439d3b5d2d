"""Compare plans under a risk measure, draw by draw, and choose one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayescpt.decide import risk as measures
from bayescpt.decide.draws import (
    By,
    ForecastLike,
    Kind,
    at_steps,
    check_by,
    check_domains,
    inherited_warnings,
    last_steps,
    loss_draws,
    missing_domains,
    names,
)
from bayescpt.decide.goals import Goal, best_joint_steps, margins
from bayescpt.decide.montecarlo import mean_mcse, probability_mcse
from bayescpt.decide.risk import Risk
from bayescpt.errors import PlanError

# two risks closer than this many Monte Carlo standard errors are not told apart
INDISTINGUISHABLE_MCSE = 2.0
# below the rounding of a sum of losses, in nats/token
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Decision:
    """A table of plans with their risks, and the chosen one.

    Attributes
    ----------
    table : pandas.DataFrame
        Indexed by plan. `mean`, `quantile`, `cvar` and `expected_regret` of the weighted loss
        (nats/token, lower is better; regret is against all plans, eligible or not), `prob_best`,
        `goal_probability` (with a goal), `mcse` (of the chosen risk), `eligible` and `best_step`
        (with `by="best"`).
    best : str or None
        The eligible plan with the best risk; None if no plan is eligible.
    risk : str
        Measure that chose.
    level : float
        Level of the quantile and the CVaR.
    by : str
        Step at which plans were judged: `end` or `best`.
    weights : mapping of str to float
        Weight of each domain in the weighted loss; they sum to 1.
    goal : Goal or None
        Thresholds, if there were any.
    contrasts : pandas.DataFrame
        Each plan minus the chosen one, taken draw by draw; indexed by plan. `mean`, `lower` and
        `upper` (central 90%) of the difference in weighted loss (nats/token), `prob_better`
        (probability that the plan's weighted loss is below the chosen one's), `risk` (difference
        in the chosen risk) and `mcse` (its Monte Carlo standard error). Empty if `best` is None.
    warnings : list of str
        What a reader of the choice has to know.
    """

    table: pd.DataFrame
    best: str | None
    risk: Risk
    level: float
    by: By
    weights: Mapping[str, float]
    goal: Goal | None
    contrasts: pd.DataFrame
    warnings: list[str]


def compare(
    fc: ForecastLike | xr.Dataset,
    goal: Goal | Mapping[str, float] | None = None,
    risk: Risk = "mean",
    level: float = 0.9,
    weights: Mapping[str, float] | None = None,
    by: By = "end",
    min_probability: float | None = None,
    kind: Kind = "loss",
) -> Decision:
    """Compare plans on the same draws and choose the one with the best risk.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast of the plans.
    goal : Goal or mapping of str to float, optional
        Domain to the highest loss allowed, nats/token.
    risk : {"mean", "quantile", "cvar", "probability", "regret"}
        What the chosen plan is best at: the mean, a quantile or the CVaR of the weighted loss, the
        joint goal probability, or the expected regret (which ranks as the mean does).
    level : float
        Level of the quantile and the CVaR; 0.9 looks at the worst tenth.
    weights : mapping of str to float, optional
        Weight of each domain's loss, scaled to sum to 1. By default equal over the goal's domains;
        without a goal, equal over the domains that every plan forecasts.
    by : {"end", "best"}
        At each plan's own last forecast step, or at one best step a plan: that of its highest
        joint goal probability or, without a goal, of its lowest mean weighted loss.
    min_probability : float, optional
        Plans with a lower joint goal probability are not eligible.
    kind : {"loss", "mu"}
        `loss` is what the log of a new run will show; `mu` is the expected curve.

    Returns
    -------
    Decision
        Table, choice, contrasts and warnings. Ties go to the plan named first.

    Raises
    ------
    PlanError
        If an argument is out of range, a domain is unknown, a plan does not forecast a domain of
        the goal or of the weights, or `risk="probability"` or `min_probability` comes without a
        goal.
    """
    if risk not in get_args(Risk):
        raise PlanError(f"risk is {risk!r}; it must be one of {list(get_args(Risk))}")
    measures.check_level(level)
    check_by(by)
    goal = None if goal is None else Goal.of(goal)
    if goal is None and risk == "probability":
        raise PlanError("risk='probability' is the probability of a goal: give goal=")
    if min_probability is not None:
        if goal is None:
            raise PlanError("min_probability is a probability of a goal: give goal=")
        if not 0.0 <= min_probability <= 1.0:
            raise PlanError(f"min_probability is {min_probability!r}; it must lie in 0..1")

    values = loss_draws(fc, kind)
    plans = names(values, "plan")
    notes = inherited_warnings(fc)
    shares = _weights(values, goal, weights, notes)
    needed = list(dict.fromkeys([*shares, *(goal.domains if goal else [])]))
    check_domains(values, needed)
    values = values.sel(domain=needed)
    scale = np.array([shares.get(domain, 0.0) for domain in needed])

    index = _steps(values, goal, scale, by)
    losses = at_steps(values, index)
    weighted = np.einsum("d,pdcn->pcn", scale, losses)
    flat = weighted.reshape(len(plans), -1)

    table = pd.DataFrame(index=pd.Index(plans, name="plan"))
    table["mean"] = measures.mean(flat)
    table["quantile"] = measures.quantile(flat, level)
    table["cvar"] = measures.cvar(flat, level)
    table["prob_best"] = measures.probability_best(flat)
    table["expected_regret"] = measures.expected_regret(flat)
    eligible = np.ones(len(plans), dtype=bool)
    hits = margin = None
    if goal is not None:
        at = [needed.index(domain) for domain in goal.domains]
        thresholds = np.array(list(goal.thresholds.values()))
        margin = margins(losses[:, at], thresholds).min(axis=1)
        hits = margin >= 0
        table["goal_probability"] = hits.mean(axis=(1, 2))
        if min_probability is not None:
            eligible = table["goal_probability"].to_numpy() >= min_probability

    contributions = measures.contributions(flat, hits, risk, level).reshape(weighted.shape)
    if risk == "probability" and hits is not None and margin is not None:
        table["mcse"] = probability_mcse(hits, margin)
    else:
        table["mcse"] = mean_mcse(contributions)
    table["eligible"] = eligible
    if by == "best":
        table["best_step"] = values["step"].values[index]

    column = {"probability": "goal_probability", "regret": "expected_regret"}.get(risk, risk)
    lower_is_better = -table[column] if risk == "probability" else table[column]
    best = None
    contrasts = pd.DataFrame()
    if eligible.any():
        best = str(lower_is_better[eligible].idxmin())
        contrasts = _contrasts(table, column, weighted, contributions, plans.index(best))
        notes += _flatness(contrasts[eligible], best, risk)
    else:
        likeliest = table["goal_probability"].idxmax()
        notes.append(
            f"no plan reaches the goal with probability {min_probability}: none is chosen; the "
            f"likeliest is {likeliest!r} with {table['goal_probability'].max():.3f}"
        )
    return Decision(table, best, risk, level, by, shares, goal, contrasts, notes)


def _weights(
    values: xr.DataArray,
    goal: Goal | None,
    weights: Mapping[str, float] | None,
    notes: list[str],
) -> dict[str, float]:
    """Return the weight of each domain, summing to 1; add a note on domains left out."""
    if weights is None:
        if goal is not None:
            domains = goal.domains
        else:
            gaps = {gap for gone in missing_domains(values).values() for gap in gone}
            domains = [name for name in names(values, "domain") if name not in gaps]
            if not domains:
                raise PlanError("no domain is forecast by every plan: give weights= or a goal")
            if gaps:
                notes.append(
                    f"domains that not every plan forecasts have no weight: {sorted(gaps)}"
                )
        return dict.fromkeys(domains, 1.0 / len(domains))
    return measures.shares(weights)


def _steps(
    values: xr.DataArray, goal: Goal | None, scale: NDArray[np.float64], by: By
) -> NDArray[np.intp]:
    """Return the index of the step at which each plan is judged."""
    if by == "end":
        return last_steps(values)
    if goal is not None:
        return best_joint_steps(values, goal)
    means = np.einsum("d,pds->ps", scale, values.values.mean(axis=(3, 4)))
    return np.argmin(np.where(np.isnan(means), np.inf, means), axis=1)


def _contrasts(
    table: pd.DataFrame,
    column: str,
    weighted: NDArray[np.float64],
    contributions: NDArray[np.float64],
    chosen: int,
) -> pd.DataFrame:
    """Return the table of each plan minus the chosen one, draw by draw."""
    difference = weighted - weighted[chosen]
    lower, upper = np.quantile(difference, [0.05, 0.95], axis=(1, 2))
    return pd.DataFrame(
        {
            "mean": difference.mean(axis=(1, 2)),
            "lower": lower,
            "upper": upper,
            "prob_better": (difference < 0).mean(axis=(1, 2)),
            "risk": table[column] - table[column].iloc[chosen],
            "mcse": mean_mcse(contributions - contributions[chosen]),
        },
        index=table.index,
    )


def _flatness(contrasts: pd.DataFrame, best: str, risk: Risk) -> list[str]:
    """Return a warning about plans whose risk is that of the best within Monte Carlo error."""
    others = contrasts.drop(index=best)
    limit = INDISTINGUISHABLE_MCSE * others["mcse"] + ROUNDING
    close = others.index[others["risk"].abs() <= limit]
    if close.empty:
        return []
    if len(close) == len(others):
        note = (
            f"the risk {risk!r} is flat: every eligible plan equals {best!r} within Monte Carlo "
            "error, so the choice says nothing; more draws or another risk may tell them apart"
        )
        return [note]
    return [f"equal to {best!r} in {risk!r} within Monte Carlo error: {list(close)}"]
