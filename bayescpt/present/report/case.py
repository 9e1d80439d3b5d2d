"""What a report is about: a fit, plans and a goal, with all that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescpt.data.conversion import LossUnits
from bayescpt.data.units import unit_name
from bayescpt.decide import Decision, Goal, compare, goal_probability
from bayescpt.decide.apart import alike, probability_lower
from bayescpt.decide.costs import Rates, plan_costs
from bayescpt.decide.draws import loss_draws, missing_domains, names
from bayescpt.decide.front import pareto_front
from bayescpt.decide.limits import limit_labels
from bayescpt.decide.shown import in_shown_unit
from bayescpt.errors import PlanError
from bayescpt.forecast import Draws, Forecast, Plan
from bayescpt.forecast.novelty import Novelty, novelties
from bayescpt.forecast.step_grid import step_grid
from bayescpt.inference import Fit
from bayescpt.inference.before_after import prior_posterior_table

# Steps of a curve in a figure.
POINTS = 100
# A page about more plans could not be read; `bayescpt optimise` and `screen` are for many.
MOST_PLANS = 40


@dataclass(frozen=True)
class Options:
    """How plans are judged.

    Attributes
    ----------
    risk, level, weights, min_probability : Any
        As in `bayescpt.compare`.
    seed : int
        Seed of the simulated noise.
    allow_failed, extrapolate : bool
        As in `Fit.forecast`.
    """

    risk: str | None = None
    level: float = 0.9
    weights: Mapping[str, float] | None = None
    min_probability: float | None = None
    seed: int = 0
    allow_failed: bool = False
    extrapolate: bool = False


@dataclass(frozen=True)
class Case:
    """A fit, plans and a goal, and what they say.

    Attributes
    ----------
    fit : Fit
        The fit.
    ends : Forecast
        Forecast of the plans at their last steps; decisions are made on it.
    curves : Forecast
        Forecast of the plans along their whole length.
    decision : Decision
        Comparison of the plans, losses in nats.
    chances : pandas.DataFrame or None
        Table of `goal_probability`; None without a goal.
    rates : Rates
        What tokens cost.
    options : Options
        How the plans were judged.
    """

    fit: Fit
    ends: Forecast
    curves: Forecast
    decision: Decision
    chances: pd.DataFrame | None
    rates: Rates
    options: Options

    @property
    def plans(self) -> list[Plan]:
        """The plans, with the start checkpoints that they left out."""
        return self.ends.plans

    @cached_property
    def shown(self) -> Decision:
        """The decision in the unit of the user."""
        return in_shown_unit(self.decision)[0]

    @cached_property
    def units(self) -> LossUnits:
        """Units of the losses."""
        return LossUnits.of(self.ends.dataset.attrs)

    @property
    def unit(self) -> str:
        """Name of the unit that losses are shown in."""
        return unit_name(self.units.shown)

    @cached_property
    def limits(self) -> dict[str, str]:
        """The goal by domain, with what it means; empty without a goal."""
        decision = self.decision
        if decision.goal is None:
            return {}
        return limit_labels(decision.goal.thresholds, decision.levels, decision.attrs)

    @property
    def weights(self) -> str:
        """Weights of the domains in the weighted loss."""
        shares = self.decision.weights
        if len(shares) == 1:
            return f"on {next(iter(shares))}"
        return " + ".join(f"{value:.3g} {domain}" for domain, value in shares.items())

    @property
    def weighted_unit(self) -> str:
        """Name of the unit of the weighted loss."""
        return unit_name(self.shown.units)

    def joint(self, plan: str, column: str = "joint") -> tuple[float, float]:
        """Probability that a plan meets the goal.

        Parameters
        ----------
        plan : str
            Name of the plan.
        column : str
            ``joint``, or a domain of the goal.

        Returns
        -------
        probability, mcse : float
            With its Monte Carlo standard error; NaN without a goal.
        """
        if self.chances is None:
            return np.nan, np.nan
        row = self.chances.loc[plan].to_dict()
        return float(row[column]), float(row[f"{column}_mcse"])

    def last_band(self, plan: Plan, domain: str) -> tuple[float, float, float]:
        """Last loss of a plan.

        Parameters
        ----------
        plan : Plan
            The plan.
        domain : str
            Evaluated domain.

        Returns
        -------
        lower, median, upper : float
            90% band and median in the unit shown; NaN where the plan does not forecast the domain.
        """
        at = self._bands.sel(plan=plan.name, domain=domain, step=plan.schedule.n_steps)
        low, middle, high = (
            float(self.units.show(at[name], domain)) for name in ("lower", "median", "upper")
        )
        return low, middle, high

    @cached_property
    def _bands(self) -> xr.Dataset:
        return self.ends.interval(0.9)

    @cached_property
    def domains(self) -> list[str]:
        """Domains that every plan forecasts."""
        values = loss_draws(self.ends)
        gone = {domain for gaps in missing_domains(values).values() for domain in gaps}
        return [domain for domain in names(values, "domain") if domain not in gone]

    @cached_property
    def pair(self) -> tuple[str, str] | None:
        """General and target domain, or else the first two; None where there are no two."""
        targets = {plan.domain for plan in self.plans if plan.domain is not None}
        targets |= set(self.fit.study.targets) if not targets else set()
        wanted = [self.fit.study.general, *sorted(targets)]
        found = [domain for domain in wanted if domain in self.domains]
        found += [domain for domain in self.domains if domain not in found]
        return (str(found[0]), str(found[1])) if len(found) > 1 else None

    @cached_property
    def front(self) -> pd.DataFrame | None:
        """Table of the Pareto front of `pair`; None where there is none to draw."""
        if self.pair is None or len(self.plans) < 2:
            return None
        return pareto_front(self.ends, self.pair)

    @cached_property
    def lower(self) -> pd.DataFrame:
        """Probability that one plan's weighted loss is below another's."""
        return probability_lower(self.ends, self.decision.weights)

    @cached_property
    def alike(self) -> list[tuple[str, str, float]]:
        """Plans that cannot be told apart, in pairs."""
        return alike(self.lower)

    @cached_property
    def costs(self) -> pd.DataFrame:
        """What the plans cost."""
        return plan_costs(self.plans, self.fit.study, self.rates)

    @cached_property
    def draws(self) -> Draws:
        """Draws of the fit; of an ensemble, those of its leading fit."""
        return self.fit.leading.draws(allow_failed=True)

    @cached_property
    def novelty(self) -> list[Novelty]:
        """How far each plan reaches outside the fitted runs."""
        return novelties(self.draws, self.plans)

    @cached_property
    def before_after(self) -> pd.DataFrame:
        """Table of prior and posterior intervals."""
        return prior_posterior_table(self.fit)

    @cached_property
    def findings(self) -> list[str]:
        """What in the study is likely wrong."""
        return [found.text for found in self.fit.study.findings()]


def make_case(
    fit: Fit,
    plans: Sequence[Plan] | Plan,
    goal: Goal | Mapping[str, float | str] | None,
    rates: Rates | Mapping[str, Any] | None,
    options: Options,
) -> Case:
    """Forecast and compare plans.

    Parameters
    ----------
    fit : Fit
        The fit.
    plans : Plan or sequence of Plan
        Recipes.
    goal : Goal or mapping or None
        Highest loss allowed per domain.
    rates : Rates or mapping or None
        What tokens cost.
    options : Options
        How plans are judged.

    Returns
    -------
    Case

    Raises
    ------
    ConvergenceError
        If a check failed and the options do not allow it.
    PlanError
        If there are more than `MOST_PLANS` plans, or one of them, the goal or a rate is invalid.
    """
    recipes = [plans] if isinstance(plans, Plan) else list(plans)
    if not recipes:
        raise PlanError("no plan to report on")
    if len(recipes) > MOST_PLANS:
        raise PlanError(
            f"{len(recipes)} plans are too many for a page; report on {MOST_PLANS} at most, such "
            "as the best of `compare`, `screen` or `optimise`"
        )
    checked = Rates.of(rates)
    how: dict[str, Any] = {
        "random_seed": options.seed,
        "allow_failed": options.allow_failed,
        "extrapolate": options.extrapolate,
    }
    ends = fit.forecast(recipes, steps=step_grid(recipes, 1), **how)
    decision = compare(
        ends,
        goal=goal,
        risk=options.risk,
        level=options.level,
        weights=options.weights,
        min_probability=options.min_probability,
    )
    chances = None if decision.goal is None else goal_probability(ends, decision.goal)
    curves = fit.forecast(recipes, steps=step_grid(recipes, POINTS), **how)
    return Case(fit, ends, curves, decision, chances, checked, options)
