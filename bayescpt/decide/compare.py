"""Compare plans under a risk measure, draw by draw, and choose one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayescpt.data.html import html_block
from bayescpt.decide import risks
from bayescpt.decide.draws import (
    By,
    ForecastLike,
    Kind,
    at_steps,
    check_by,
    check_domains,
    end_steps,
    inherited_warnings,
    loss_draws,
    missing_domains,
    names,
)
from bayescpt.decide.goals import Goal, best_joint_steps, check_goal_given, goal_excess
from bayescpt.decide.montecarlo import mean_mcse
from bayescpt.decide.risks.regret import probability_best
from bayescpt.decide.weights import normalised_weights
from bayescpt.errors import PlanError

# Two risks closer than this many Monte Carlo standard errors are reported as equal.
INDISTINGUISHABLE_MCSE = 2.0
# Differences below the rounding error of a sum of losses, in nats/token.
ROUNDING = 1e-12

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Decision:
    """A table of plans with their risks, and the chosen plan.

    Attributes
    ----------
    table : pandas.DataFrame
        Indexed by plan. A column for each registered risk measure, of the weighted loss:
        `mean`, `quantile`, `cvar` and `expected_regret` (nats/token, lower is better; regret is
        against all plans, eligible or not) and, with a goal, `goal_probability`. Then
        `prob_best`, the probability of the lowest loss of all, `mcse`, the Monte Carlo standard
        error of the chosen risk, `eligible` and, with `by="best"`, `best_step`.
    best : str or None
        The eligible plan with the best risk; None if no plan is eligible.
    risk : str
        Risk measure that it was chosen by.
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
        Reasons for caution in reading the choice.
    units : str or None
        Unit of the losses, as in a study's ``loss_unit``; None where it is not known.
    """

    table: pd.DataFrame
    best: str | None
    risk: str
    level: float
    by: By
    weights: Mapping[str, float]
    goal: Goal | None
    contrasts: pd.DataFrame
    warnings: list[str]
    units: str | None = None

    def _repr_html_(self) -> str:
        chosen = "no plan is eligible" if self.best is None else f"chosen: {self.best}"
        facts = {"risk": self.risk, "goal": self.goal, "unit": self.units}
        return html_block(
            chosen, facts, {"plans": self.table, "minus the chosen": self.contrasts}, self.warnings
        )


def compare(
    fc: ForecastLike | xr.Dataset,
    goal: Goal | Mapping[str, float] | None = None,
    risk: str = "mean",
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
    risk : str
        Name of a registered risk measure: ``mean``, ``quantile`` or ``cvar`` of the weighted loss,
        ``probability`` of the joint goal, or expected ``regret`` (which ranks as the mean does).
        `bayescpt.decide.risks.RiskMeasure` says how to add another.
    level : float
        Level of the measures that have one (the quantile and the CVaR); 0.9 looks at the worst
        tenth.
    weights : mapping of str to float, optional
        Weight of each domain's loss, scaled to sum to 1. By default equal over the goal's domains;
        without a goal, equal over the domains that every plan forecasts.
    by : {"end", "best"}
        `end` judges each plan at the last step of its own schedule, which must be among the
        forecast steps. (A dataset alone does not say where plans end: they are then judged at
        their last forecast step, with a warning.) `best` judges it at one step among those
        forecast: that of its highest joint goal probability or, without a goal, of its lowest mean
        weighted loss. A coarse grid of steps may miss a better one.
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
        the goal or of the weights, the forecast does not reach the end of a plan that is judged
        there, or `risk` or `min_probability` needs a goal and there is none.

    Examples
    --------
    >>> import numpy as np, xarray as xr, bayescpt as bc
    >>> steady, gamble = [2.9, 2.9, 3.0, 3.0], [2.5, 2.6, 2.7, 3.6]
    >>> losses = np.stack([steady, gamble], axis=1).reshape(1, 4, 2, 1, 1)
    >>> dataset = xr.Dataset(
    ...     {"loss": (("chain", "draw", "plan", "domain", "step"), losses)},
    ...     coords={"plan": ["steady", "gamble"], "domain": ["german"], "step": [500]},
    ... )
    >>> schedule = bc.schedules.constant(1e-3, 500)
    >>> fc = bc.Forecast(dataset, [bc.Plan("steady", schedule), bc.Plan("gamble", schedule)])
    >>> [bc.compare(fc, risk=risk).best for risk in ("mean", "cvar")]
    ['gamble', 'steady']
    """
    measure = risks.get(risk)
    risks.check_level(level)
    check_by(by)
    goal = None if goal is None else Goal.of(goal)
    check_goal_given(measure, goal, min_probability)

    values = loss_draws(fc, kind)
    warnings = inherited_warnings(fc)
    shares = _weights(values, goal, weights, warnings)
    needed = list(dict.fromkeys([*shares, *(goal.domains if goal else [])]))
    check_domains(values, needed)
    values = values.sel(domain=needed)
    scale = np.array([shares.get(domain, 0.0) for domain in needed])
    if by == "end":
        index, unknown_ends = end_steps(values, fc)
        warnings += unknown_ends
    else:
        index = _best_steps(values, goal, scale)

    losses = at_steps(values, index)
    weighted = np.einsum("d,pdcn->pcn", scale, losses)
    excess = None
    if goal is not None:
        thresholds = np.array(list(goal.thresholds.values()))
        goal_domains = [needed.index(domain) for domain in goal.domains]
        excess = goal_excess(losses[:, goal_domains], thresholds)
    judged = excess if measure.needs_goal and excess is not None else weighted
    contributions = _by_draw(measure, judged, level)

    table = _risk_table(names(values, "plan"), weighted, excess, level)
    table["mcse"] = measure.mcse(contributions, judged)
    table["eligible"] = True
    if min_probability is not None and excess is not None:
        table["eligible"] = (excess <= 0).mean(axis=(1, 2)) >= min_probability
    if by == "best":
        table["best_step"] = values["step"].values[index]

    best, contrasts = None, pd.DataFrame()
    eligible = table["eligible"].to_numpy(dtype=bool)
    if eligible.any():
        order = -table[measure.column] if measure.higher_is_better else table[measure.column]
        best = str(order[eligible].idxmin())
        contrasts = _contrasts(table[measure.column], weighted, contributions, best)
        warnings += _ties(contrasts[eligible], best, risk)
    elif excess is not None:
        chances = pd.Series((excess <= 0).mean(axis=(1, 2)), index=table.index)
        warnings.append(
            f"no plan reaches the goal with probability {min_probability}: none is chosen; the "
            f"likeliest is {chances.idxmax()!r} with {chances.max():.3f}"
        )
    unit = values.attrs.get("units")
    return Decision(table, best, risk, level, by, shares, goal, contrasts, warnings, unit)


def _weights(
    values: xr.DataArray,
    goal: Goal | None,
    weights: Mapping[str, float] | None,
    warnings: list[str],
) -> dict[str, float]:
    """Return the weight of each domain, summing to 1; append a warning on domains left out."""
    if weights is not None:
        return normalised_weights(weights)
    if goal is not None:
        domains = goal.domains
    else:
        gaps = {domain for missing in missing_domains(values).values() for domain in missing}
        domains = [name for name in names(values, "domain") if name not in gaps]
        if not domains:
            raise PlanError("no domain is forecast by every plan: give weights= or a goal")
        if gaps:
            warnings.append(f"domains that not every plan forecasts have no weight: {sorted(gaps)}")
    return dict.fromkeys(domains, 1.0 / len(domains))


def _best_steps(values: xr.DataArray, goal: Goal | None, scale: Array) -> NDArray[np.intp]:
    """Return the index of each plan's best step among those forecast."""
    if goal is not None:
        return best_joint_steps(values, goal)
    means = np.einsum("d,pds->ps", scale, values.values.mean(axis=(3, 4)))
    return np.argmin(np.where(np.isnan(means), np.inf, means), axis=1)


def _by_draw(measure: risks.RiskMeasure, losses: Array, level: float) -> Array:
    """Return the contributions to a measure, shape (n_plans, n_chains, n_draws)."""
    return measure.contributions(losses.reshape(len(losses), -1), level).reshape(losses.shape)


def _risk_table(
    plans: list[str], weighted: Array, excess: Array | None, level: float
) -> pd.DataFrame:
    """Return every registered measure of each plan; those of the goal only where there is one."""
    table = pd.DataFrame(index=pd.Index(plans, name="plan"))
    draws = weighted.reshape(len(plans), -1)
    measures = risks.measures()
    own = [measure for measure in measures if not (measure.relative or measure.needs_goal)]
    relative = [measure for measure in measures if measure.relative and not measure.needs_goal]
    for measure in own:
        table[measure.column] = measure.value(draws, level)
    table["prob_best"] = probability_best(draws)
    for measure in relative:
        table[measure.column] = measure.value(draws, level)
    if excess is not None:
        for measure in measures:
            if measure.needs_goal:
                table[measure.column] = measure.value(excess.reshape(len(plans), -1), level)
    return table


def _contrasts(risk: pd.Series, weighted: Array, contributions: Array, best: str) -> pd.DataFrame:
    """Return the table of each plan minus the best one, draw by draw."""
    chosen = risk.index.get_loc(best)
    difference = weighted - weighted[chosen]
    lower, upper = np.quantile(difference, [0.05, 0.95], axis=(1, 2))
    return pd.DataFrame(
        {
            "mean": difference.mean(axis=(1, 2)),
            "lower": lower,
            "upper": upper,
            "prob_better": (difference < 0).mean(axis=(1, 2)),
            "risk": risk - risk.iloc[chosen],
            "mcse": mean_mcse(contributions - contributions[chosen]),
        },
        index=risk.index,
    )


def _ties(contrasts: pd.DataFrame, best: str, risk: str) -> list[str]:
    """Return a warning on plans whose risk equals that of the best within Monte Carlo error."""
    others = contrasts.drop(index=best)
    limit = INDISTINGUISHABLE_MCSE * others["mcse"] + ROUNDING
    tied = others.index[others["risk"].abs() <= limit]
    if tied.empty:
        return []
    if len(tied) == len(others):
        note = (
            f"the risk {risk!r} is flat: every eligible plan equals {best!r} within Monte Carlo "
            "error, so the choice is arbitrary; more draws or another risk may separate them"
        )
        return [note]
    return [f"equal to {best!r} in {risk!r} within Monte Carlo error: {list(tied)}"]
