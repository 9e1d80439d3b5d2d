"""Compare plans under a risk measure, draw by draw, and choose one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

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
    units_attrs,
)
from bayescpt.decide.goal_levels import goal_limits, levels_by_plan
from bayescpt.decide.goals import (
    Goal,
    best_joint_steps,
    check_goal_given,
    goal_excess,
)
from bayescpt.decide.montecarlo import mean_mcse
from bayescpt.decide.risks.regret import probability_best
from bayescpt.decide.weights import normalised_weights
from bayescpt.errors import PlanError

# Two risks closer than this many Monte Carlo standard errors are reported as equal.
INDISTINGUISHABLE_MCSE = 2.0
# Differences below the rounding error of a sum of losses, in nats/token.
ROUNDING = 1e-12
# A chosen plan that meets the goal with at most this probability is chosen with a warning.
HOPELESS = 0.01

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
    rule : str
        How that measure came about, and what it says, in words.
    level : float
        Level of the quantile and the CVaR.
    by : str
        Step at which plans were judged: `end` or `best`.
    weights : mapping of str to float
        Weight of each domain in the weighted loss; they sum to 1.
    goal : Goal or None
        The goal, if there was one.
    goal_probability : float or None
        Probability that the chosen plan meets the goal; None without a goal or a choice. Where it
        is `HOPELESS` or less, a warning says so.
    contrasts : pandas.DataFrame
        Each plan minus the chosen one, taken draw by draw; indexed by plan. `mean`, `lower` and
        `upper` (central 90%) of the difference in weighted loss (nats/token), `prob_better`
        (probability that the plan's weighted loss is below the chosen one's), `risk` (difference
        in the chosen risk) and `mcse` (its Monte Carlo standard error). Empty if `best` is None.
    warnings : list of str
        Reasons for caution in reading the choice.
    units : str or None
        Unit of the losses; None where it is not known.
    levels : mapping of str to mapping of str to float
        The loss that the goal allows, by domain and plan, nats/token; empty without a goal.
    attrs : mapping of str to Any
        Units of the forecast, as in its dataset.
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
    rule: str = ""
    goal_probability: float | None = None
    levels: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hopeless(self) -> bool:
        """Whether the chosen plan misses the goal with probability .99 or more."""
        return self.goal_probability is not None and self.goal_probability <= HOPELESS

    def _repr_html_(self) -> str:
        chosen = "no plan is eligible" if self.best is None else f"chosen: {self.best}"
        facts = {"risk": self.risk, "goal": self.goal, "unit": self.units}
        return html_block(
            chosen, facts, {"plans": self.table, "minus the chosen": self.contrasts}, self.warnings
        )


def compare(
    fc: ForecastLike | xr.Dataset,
    goal: Goal | Mapping[str, float | str] | None = None,
    risk: str | None = None,
    level: float = 0.9,
    weights: Mapping[str, float] | None = None,
    by: By = "end",
    min_probability: float | None = None,
    kind: Kind = "loss",
    prefer: Collection[str] = (),
) -> Decision:
    """Compare plans on the same draws and choose the one with the best risk.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast of the plans.
    goal : Goal or mapping of str to float or str, optional
        The highest loss allowed by domain, in any form that `Goal` takes.
    risk : str, optional
        Name of a registered risk measure: ``mean``, ``quantile`` or ``cvar`` of the weighted loss,
        ``probability`` of the joint goal, or expected ``regret`` (which ranks as the mean does).
        By default ``probability`` with a goal, else ``mean``.
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
    prefer : collection of str
        Simpler plans: the best of them is chosen unless another plan is better by more than Monte
        Carlo error.

    Returns
    -------
    Decision
        Table, choice, contrasts and warnings. Ties go to the plan nearest to the goal, then to the
        one named first.

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
    goal = None if goal is None else Goal.of(goal)
    measure, rule = ranking(goal, risk)
    risks.check_level(level)
    check_by(by)
    check_goal_given(measure, goal, min_probability)

    values = loss_draws(fc, kind)
    warnings = inherited_warnings(fc)
    shares = _weights(values, goal, weights, warnings)
    needed = list(dict.fromkeys([*shares, *(goal.domains if goal else [])]))
    check_domains(values, needed)
    limits = None if goal is None else goal_limits(fc, goal, kind)
    values = values.sel(domain=needed)
    scale = np.array([shares.get(domain, 0.0) for domain in needed])
    if by == "end":
        index, unknown_ends = end_steps(values, fc)
        warnings += unknown_ends
    else:
        index = _best_steps(values, goal, limits, scale)

    losses = at_steps(values, index)
    weighted = np.einsum("d,pdcn->pcn", scale, losses)
    excess = None
    if goal is not None and limits is not None:
        goal_domains = [needed.index(domain) for domain in goal.domains]
        excess = goal_excess(losses[:, goal_domains], limits)
    judged = excess if measure.needs_goal and excess is not None else weighted
    contributions = _by_draw(measure, judged, level)

    table = _risk_table(names(values, "plan"), weighted, excess, level)
    table["mcse"] = measure.mcse(contributions, judged)
    table["eligible"] = True
    if min_probability is not None and excess is not None:
        table["eligible"] = (excess <= 0).mean(axis=(1, 2)) >= min_probability
    if by == "best":
        table["best_step"] = values["step"].values[index]

    best, chance = None, None
    contrasts = pd.DataFrame()
    chances = None
    if excess is not None:
        chances = pd.Series((excess <= 0).mean(axis=(1, 2)), index=table.index)
    if table["eligible"].any():
        best = _best(table, measure, excess)
        contrasts = _contrasts(table[measure.column], weighted, contributions, best)
        simpler = _simpler(table, contrasts, best, prefer)
        if simpler.any():
            best = _best(table.assign(eligible=simpler), measure, excess)
            contrasts = _contrasts(table[measure.column], weighted, contributions, best)
        chance = None if chances is None else float(chances[best])
    warnings += _cautions(table, best, measure.name, contrasts, chances, min_probability)
    attrs = units_attrs(fc)
    levels = {}
    if goal is not None and limits is not None:
        levels = levels_by_plan(goal, names(values, "plan"), limits)
    return Decision(
        table, best, measure.name, level, by, shares, goal, contrasts, warnings,
        attrs["units"], rule, chance, levels, attrs,
    )  # fmt: skip


def ranking(goal: Goal | None, risk: str | None) -> tuple[risks.RiskMeasure, str]:
    """Return the measure that plans are ranked by, and why it is that one.

    Parameters
    ----------
    goal : Goal or None
        The goal, if there is one.
    risk : str or None
        Name of a measure, if the user gave one.

    Returns
    -------
    measure : RiskMeasure
        The one named; else the probability of the goal or, without a goal, the mean.
    rule : str
        In words.

    Raises
    ------
    PlanError
        If there is no measure of that name.
    """
    if risk is not None:
        return risks.get(risk), f"{risk}, as asked"
    if goal is None:
        return risks.get("mean"), "mean, as neither a goal nor a risk is given"
    return risks.get("probability"), "probability of the goal, as no risk is given"


def _best(table: pd.DataFrame, measure: risks.RiskMeasure, excess: Array | None) -> str:
    """Return the eligible plan of the best risk; among equal ones the nearest to the goal."""
    eligible = table[table["eligible"]]
    risk = eligible[measure.column]
    tied = risk.index[risk == (risk.max() if measure.higher_is_better else risk.min())]
    if excess is None or not measure.needs_goal:
        return str(tied[0])
    mean_excess = pd.Series(excess.mean(axis=(1, 2)), index=table.index)
    return str(mean_excess[tied].idxmin())


def _simpler(
    table: pd.DataFrame, contrasts: pd.DataFrame, best: str, prefer: Collection[str]
) -> NDArray[np.bool_]:
    """Which preferred plans equal the best in risk within Monte Carlo error, unless it is one."""
    tied = contrasts["risk"].abs() <= INDISTINGUISHABLE_MCSE * contrasts["mcse"] + ROUNDING
    wanted = table.index.isin([] if best in prefer else [*prefer])
    return np.asarray(table["eligible"].to_numpy(dtype=bool) & tied.to_numpy() & wanted)


def _cautions(
    table: pd.DataFrame,
    best: str | None,
    risk: str,
    contrasts: pd.DataFrame,
    chances: pd.Series | None,
    min_probability: float | None,
) -> list[str]:
    """Return reasons for caution in reading the choice."""
    if best is not None:
        out = _ties(contrasts[table["eligible"].to_numpy(dtype=bool)], best, risk)
        return out if chances is None else [*out, *_hopeless(chances, best)]
    if chances is None:
        return []
    return [
        f"no plan reaches the goal with probability {min_probability}: none is chosen; the "
        f"likeliest is {chances.idxmax()!r} with {chances.max():.3f}"
    ]


def _hopeless(chances: pd.Series, best: str) -> list[str]:
    """Return a warning where the chosen plan hardly ever meets the goal."""
    if chances[best] > HOPELESS:
        return []
    text = f"the chosen plan {best!r} meets the goal with probability {chances[best]:.3f}"
    if chances.max() > HOPELESS:
        return [f"{text}; {chances.idxmax()!r} meets it with {chances.max():.3f}"]
    return [f"{text}, and no plan with more than {HOPELESS:g}: the goal is out of reach of them"]


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


def _best_steps(
    values: xr.DataArray, goal: Goal | None, limits: Array | None, scale: Array
) -> NDArray[np.intp]:
    """Return the index of each plan's best step among those forecast."""
    if goal is not None and limits is not None:
        return best_joint_steps(values, goal, limits)
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
