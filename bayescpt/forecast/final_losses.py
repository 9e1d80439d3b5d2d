"""Forecasts of final losses from posterior draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.conversion import LossUnits
from bayescpt.forecast.final_plans import FinalDraws, FinalRecipe, complete_plan
from bayescpt.forecast.forecast import Forecast, distinct_plans, forecast_dataset
from bayescpt.forecast.noise import plan_rng
from bayescpt.forecast.plan import Plan
from bayescpt.forecast.possible import possible
from bayescpt.forecast.ranges import FittedRange

Array = NDArray[np.float64]


def forecast_final(
    draws: FinalDraws,
    plans: Sequence[Plan] | Plan,
    seed: int = 0,
    extrapolate: bool = False,
) -> Forecast:
    """Forecast the final losses of plans; all share the parameter draws.

    Parameters
    ----------
    draws : FinalDraws
        Posterior with its card and study.
    plans : Plan or sequence of Plan
        Recipes with distinct names.
    seed : int
        Seed of the noise.
    extrapolate : bool
        Also take plans absurdly far from the fitted runs.

    Returns
    -------
    Forecast
        At the last step of each plan, 1 for a plan without a schedule; NaN elsewhere.

    Raises
    ------
    PlanError
        If there is no plan, two share a name, or one does not match the study.
    """
    recipes = distinct_plans(plans)
    known = [complete_plan(plan, draws, extrapolate) for plan in recipes]
    ends = np.array([plan.schedule.n_steps for plan in recipes])
    steps = np.unique(ends)
    mu, loss = (final_losses(draws, known, kind, seed) for kind in ("mu", "loss"))
    found = [finding.text for finding in draws.study.findings()]
    outside = [
        f"plan {recipe.plan.name!r}: {text}; the forecast extrapolates"
        for recipe in known
        for text in recipe.outside
    ]
    at = np.searchsorted(steps, ends)
    arrays = {"mu": _at_ends(mu, at, steps.size), "loss": _at_ends(loss, at, steps.size)}
    dataset = forecast_dataset(
        draws.posterior,
        {**arrays, "start_loss": start_losses(draws, known)},
        {
            "plan": [plan.name for plan in recipes],
            "domain": list(draws.rows.labels.domain),
            "step": steps,
        },
        draws.study.units.attrs(),
        fitted_losses(draws),
    )
    return Forecast(dataset, recipes, [*found, *outside], study_name=draws.study.name)


def final_losses(
    draws: FinalDraws, recipes: Sequence[FinalRecipe], kind: str = "loss", seed: int = 0
) -> Array:
    """Final losses of plans.

    Parameters
    ----------
    draws : FinalDraws
        Posterior with its card and study.
    recipes : sequence of FinalRecipe
        Completed plans.
    kind : str
        ``loss``, what a new run will show, or ``mu``, the expected loss.
    seed : int
        Seed of the noise, and of effects of bases that were not fitted.

    Returns
    -------
    ndarray, shape (plans, domains, draws)
        nats per token; NaN on a set that no run like the plan was evaluated on.
    """
    rows, study = draws.rows, draws.study
    out = np.full((len(recipes), len(rows.labels.domain), draws.size), np.nan)
    for k, recipe in enumerate(recipes):
        rng = plan_rng(seed, recipe.plan.name)
        for d, domain in enumerate(rows.labels.domain):
            noise = rng.standard_normal(draws.size)
            label = recipe.set_of(rows, domain, study)
            if label is None:
                continue
            x = recipe.points(rows, domain, label, study)
            value = draws.card.law.loss(draws.parameters(label), x)[:, 0]
            value = value + draws.base_effect(recipe.base, label, seed)
            if kind == "loss":
                at = rows.labels.set.index(label)
                value = value + noise * np.hypot(draws.values["sigma"][:, at], rows.rounding[at])
            out[k, d] = value
    return possible(out)


def start_losses(draws: FinalDraws, recipes: Sequence[FinalRecipe]) -> Array:
    """Measured losses of the start checkpoints of plans.

    Parameters
    ----------
    draws : FinalDraws
        Posterior with its study.
    recipes : sequence of FinalRecipe
        Completed plans.

    Returns
    -------
    ndarray, shape (plans, domains, draws)
        nats per token; NaN where none was measured.
    """
    domains = draws.rows.labels.domain
    out = np.full((len(recipes), len(domains), draws.size), np.nan)
    for k, recipe in enumerate(recipes):
        for d, domain in enumerate(domains):
            if recipe.start is not None and recipe.start in draws.study:
                found = draws.study.checkpoint_loss(recipe.start, domain)
                out[k, d] = np.nan if found is None else found
    return out


def fitted_losses(draws: FinalDraws) -> dict[str, list[float]]:
    """Lowest and highest loss of the fitted runs by domain.

    Parameters
    ----------
    draws : FinalDraws
        Posterior with its study.

    Returns
    -------
    dict of str to list of float
        nats per token.
    """
    grouped = draws.rows.table.groupby("domain")["loss"]
    return {str(d): [float(v.min()), float(v.max())] for d, v in grouped}


def _at_ends(values: Array, at: NDArray[np.int64], n_steps: int) -> Array:
    """Final losses at the steps of their plans, NaN elsewhere."""
    whole = np.full((*values.shape, n_steps), np.nan)
    for k, step in enumerate(at):
        whole[k, ..., step] = values[k]
    return whole


class FinalScreener:
    """Evaluates many plans; see `bayescpt.decide.forecaster.Screener`.

    Parameters
    ----------
    draws : FinalDraws
        Posterior with its card and study.
    extrapolate : bool
        Also take plans absurdly far from the fitted runs.

    Attributes
    ----------
    ranges : mapping of str to FittedRange
        Empty: there are no schedules.
    """

    def __init__(self, draws: FinalDraws, extrapolate: bool = False) -> None:
        self._draws, self._extrapolate = draws, extrapolate
        self.ranges: Mapping[str, FittedRange] = {}

    @property
    def domains(self) -> tuple[str, ...]:
        """Evaluated domains."""
        return self._draws.rows.labels.domain

    @property
    def n_chains(self) -> int:
        """Number of chains."""
        return int(self._draws.posterior.sizes["chain"])

    @property
    def n_draws(self) -> int:
        """Number of draws over all chains."""
        return self._draws.size

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Start checkpoints of the fitted runs."""
        study = self._draws.study
        parents = (study.run(name).parent for name in self._draws.rows.labels.run)
        return tuple(dict.fromkeys(parent for parent in parents if parent is not None))

    @property
    def units(self) -> LossUnits:
        """Units of the losses."""
        return self._draws.study.units

    @property
    def observed(self) -> dict[str, list[float]]:
        """Lowest and highest loss of the fitted runs by domain."""
        return fitted_losses(self._draws)

    def place(self, plan: Plan) -> FinalRecipe:
        """Complete a plan.

        Parameters
        ----------
        plan : Plan
            Recipe.

        Returns
        -------
        FinalRecipe

        Raises
        ------
        PlanError
            If the plan does not match the study.
        """
        return complete_plan(plan, self._draws, self._extrapolate)

    def start_losses(self, placed: Sequence[FinalRecipe], seed: int = 0) -> Array:
        """Losses of the start checkpoints of plans.

        Parameters
        ----------
        placed : sequence of FinalRecipe
            Completed plans.
        seed : int
            Not used: they were measured, or are unknown.

        Returns
        -------
        ndarray, shape (plans, domains, draws)
        """
        return start_losses(self._draws, placed)

    def evaluator(self, seed: int = 0) -> Any:
        """Return a function of completed plans and ``kind``.

        Parameters
        ----------
        seed : int
            Seed of the noise.

        Returns
        -------
        callable
            See `final_losses`.
        """

        def _evaluate(plans: Sequence[FinalRecipe], kind: str = "loss") -> Array:
            return final_losses(self._draws, plans, kind, seed)

        return _evaluate
