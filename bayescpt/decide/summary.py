"""Summaries of the draws of many plans: probabilities, a risk and quantiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.conversion import LossUnits
from bayescpt.decide import risks
from bayescpt.decide.draws import Kind
from bayescpt.decide.forecaster import Screener
from bayescpt.decide.goal_levels import check_starts
from bayescpt.decide.goals import Goal, check_goal_given, margins
from bayescpt.decide.limits import check_reach, is_far
from bayescpt.decide.montecarlo import batch_effective_draws, probability_mcse
from bayescpt.decide.risks.quantile import sorted_quantiles
from bayescpt.decide.weights import normalised_weights
from bayescpt.errors import PlanError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """Computes the columns of the table of `screen` for a chunk of plans.

    Attributes
    ----------
    domains : tuple of str
        Evaluated domains.
    n_chains : int
        Number of chains.
    goal : Goal or None
        Thresholds.
    measure : RiskMeasure
        Risk that is put on the table.
    level : float
        Level of the quantile and the CVaR.
    weights : dict of str to float
        Weights of the domains in the weighted loss, summing to 1.
    probs : tuple of float
        Probabilities of the quantiles of each domain's loss.
    units : LossUnits
        Unit of the losses, and that of a goal without one.
    observed : mapping of str to sequence of float
        Lowest and highest loss of the fitted runs by domain, nats/token, where they are known.
    """

    domains: tuple[str, ...]
    n_chains: int
    goal: Goal | None
    measure: risks.RiskMeasure
    level: float
    weights: dict[str, float]
    probs: tuple[float, ...]
    units: LossUnits
    observed: Mapping[str, Sequence[float]]

    def table(
        self,
        plans: Sequence[str],
        losses: Array,
        starts: Callable[[], Array] | None = None,
    ) -> dict[str, Array]:
        """Columns of the table of `screen`.

        Parameters
        ----------
        plans : sequence of str
            Names of the plans of the chunk.
        losses : ndarray, shape (n_plans, n_domains, n_draws)
            nats/token; it is sorted in place.
        starts : callable, optional
            Returns the losses of the start checkpoints, shape (n_plans, n_domains, n_draws),
            nats/token, NaN from scratch; called where the goal needs them.

        Returns
        -------
        dict of ndarray, shape (n_plans,)
            By column.

        Raises
        ------
        PlanError
            If a loss that is needed is not a finite number.
        """
        self._check(plans, losses)
        columns: dict[str, Array] = {}
        excess = None
        if self.goal is not None:
            limits = self._limits(self.goal, plans, losses, starts, columns)
            excess = self._add_goal(self.goal, losses, limits, columns)
        if self.measure.screen_column not in columns:
            self._add_risk(losses, excess, columns)
        if self.probs:
            losses.sort(axis=-1)
            quantiles = sorted_quantiles(losses, self.probs)
            for d, domain in enumerate(self.domains):
                for k, prob in enumerate(self.probs):
                    columns[f"{domain}_q{100 * prob:g}"] = quantiles[:, d, k]
        return columns

    def _limits(
        self,
        goal: Goal,
        plans: Sequence[str],
        losses: Array,
        starts: Callable[[], Array] | None,
        columns: dict[str, Array],
    ) -> Array:
        """Return what the goal allows, shape (plans, goal domains, draws); add its median."""
        out = np.empty((len(losses), len(goal.domains), losses.shape[-1]))
        for k, (domain, limit) in enumerate(goal.limits.items()):
            d = self.domains.index(domain)
            start, seen = None, self.observed.get(domain)
            far = (
                not limit.relative
                and seen is not None
                and is_far(float(limit.nats(self.units, domain, None)), seen)
            )
            # They cost time, and a limit among the losses of the fitted runs does not need them.
            if starts is not None and (limit.relative or far):
                start = starts()[:, d]
            if limit.relative:
                check_starts(limit, domain, start, plans)
            nats = limit.nats(self.units, domain, start)
            out[:, k] = nats
            middle = np.median(nats, axis=-1) if nats.ndim else nats
            columns[f"{domain}_limit"] = np.broadcast_to(middle, len(losses))
            # Without the fitted runs, a chunk alone does not say which losses there are.
            if seen is not None:
                check_reach(limit, domain, nats, losses[:, d], start, self.units, seen)
        return out

    def _add_goal(
        self, goal: Goal, losses: Array, limits: Array, columns: dict[str, Array]
    ) -> Array:
        """Add the probabilities of the goal; return the excess over it, shape (plans, draws)."""
        at = [self.domains.index(domain) for domain in goal.domains]
        margin = margins(losses[:, at], limits)
        # As in goal_probability: the smallest margin decides the joint goal.
        margin = np.concatenate([margin.min(axis=1, keepdims=True), margin], axis=1)
        hits = margin >= 0
        by_chain = self._by_chain(hits), self._by_chain(margin)
        errors = probability_mcse(*by_chain, batch_effective_draws)
        names = ["joint", *goal.domains]
        columns |= {name: hits[:, k].mean(axis=-1) for k, name in enumerate(names)}
        columns |= {f"{name}_mcse": errors[:, k] for k, name in enumerate(names)}
        return -margin[:, 0]

    def _add_risk(self, losses: Array, excess: Array | None, columns: dict[str, Array]) -> None:
        """Add the risk and its Monte Carlo standard error."""
        if self.measure.needs_goal and excess is not None:
            judged = excess
        else:
            judged = np.zeros((len(losses), losses.shape[-1]))
            for domain, weight in self.weights.items():
                judged += weight * losses[:, self.domains.index(domain)]
        parts = self.measure.contributions(judged, self.level)
        by_chain = self._by_chain(parts), self._by_chain(judged)
        name = self.measure.screen_column
        columns[name] = parts.mean(axis=-1)
        columns[f"{name}_mcse"] = self.measure.mcse(*by_chain, batch_effective_draws)

    def _by_chain(self, values: NDArray[Any]) -> NDArray[Any]:
        return values.reshape(*values.shape[:-1], self.n_chains, -1)

    def _check(self, plans: Sequence[str], losses: Array) -> None:
        """Raise an error for NaN and infinities on the domains that are needed."""
        needed = dict.fromkeys([*self.weights, *(self.goal.domains if self.goal else [])])
        for domain in needed:
            own = losses[:, self.domains.index(domain)]
            if np.isfinite(own.sum()):
                continue
            k = int(np.flatnonzero(~np.isfinite(own).all(axis=1))[0])
            bad = int((~np.isfinite(own[k])).sum())
            if bad == own.shape[1]:
                raise PlanError(
                    f"plan {plans[k]!r} has no forecast on domain {domain!r}; leave the plan or "
                    "the domain out"
                )
            raise PlanError(
                f"plan {plans[k]!r}, domain {domain!r}: {bad} of {own.shape[1]} draws are not "
                "finite"
            )


def make_summary(
    screener: Screener,
    goal: Goal | Mapping[str, float | str] | None,
    risk: str,
    level: float,
    weights: Mapping[str, float] | None,
    probs: Sequence[float],
    kind: Kind,
) -> Summary:
    """Return a Summary with checked arguments.

    Parameters
    ----------
    screener : Screener
        What the losses come from.
    goal, risk, level, weights, probs, kind : Any
        As in `bayescpt.screen`.

    Returns
    -------
    Summary
        For losses of the screener's domains and chains.

    Raises
    ------
    PlanError
        If an argument is out of range, or a domain unknown.
    """
    measure = _screened_measure(risk)
    if kind not in get_args(Kind):
        raise PlanError(f"kind is {kind!r}; it must be 'loss' or 'mu'")
    risks.check_level(level)
    goal = None if goal is None else Goal.of(goal)
    check_goal_given(measure, goal)
    bad = [prob for prob in probs if not 0.0 <= prob <= 1.0]
    if bad:
        raise PlanError(f"probs has {bad[0]!r}; probabilities lie in 0..1")
    domains = screener.domains
    if weights is None:
        weights = dict.fromkeys(goal.domains if goal else domains, 1.0)
    for domain in (*weights, *(goal.domains if goal else ())):
        if domain not in domains:
            raise PlanError(f"unknown domain {domain!r}; the forecast knows {list(domains)}")
    shares = normalised_weights(weights)
    probs = tuple(map(float, probs))
    units = getattr(screener, "units", LossUnits())
    observed = getattr(screener, "observed", {})
    return Summary(domains, screener.n_chains, goal, measure, level, shares, probs, units, observed)


def _screened_measure(risk: str) -> risks.RiskMeasure:
    """Return a risk measure that needs no other plan than the one it judges."""
    allowed = [measure.name for measure in risks.measures() if not measure.relative]
    if risk not in risks.names():
        raise PlanError(f"risk is {risk!r}; it must be one of {allowed}")
    measure = risks.get(risk)
    if measure.relative:
        hint = f"; it ranks plans as {measure.ranks_as!r} does" if measure.ranks_as else ""
        raise PlanError(
            f"risk is {risk!r}, which compares plans with each other; to screen plans it must be "
            f"one of {allowed}{hint}"
        )
    return measure
