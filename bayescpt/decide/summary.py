"""What is kept of the draws of many plans: probabilities, a risk and quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from bayescpt.decide import risk as measures
from bayescpt.decide.draws import Kind
from bayescpt.decide.goals import Goal, margins
from bayescpt.decide.montecarlo import batch_effective_draws, mean_mcse, probability_mcse
from bayescpt.decide.risk import Risk
from bayescpt.errors import PlanError
from bayescpt.forecast import Draws
from bayescpt.forecast.final import Placed


@dataclass(frozen=True)
class Summary:
    """What is kept of the draws of a chunk of plans.

    Attributes
    ----------
    domains : tuple of str
        Domains of the fit.
    chains : int
        Chains of the fit.
    goal : Goal or None
        Thresholds.
    risk : str
        Measure of the weighted loss.
    level : float
        Level of the quantile and the CVaR.
    weights : dict of str to float
        Weights of the domains, summing to 1.
    probs : tuple of float
        Probabilities of the quantiles of each domain's loss.
    """

    domains: tuple[str, ...]
    chains: int
    goal: Goal | None
    risk: Risk
    level: float
    weights: dict[str, float]
    probs: tuple[float, ...]

    def table(
        self, plans: Sequence[Placed], losses: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        """Columns of the table of `screen`.

        Parameters
        ----------
        plans : sequence of Placed
            The chunk.
        losses : ndarray, shape (plans, domains, draws)
            nats/token; it is sorted in place.

        Returns
        -------
        dict of ndarray, shape (plans,)
            By column.

        Raises
        ------
        PlanError
            If a loss that is needed is not a finite number.
        """
        self._check(plans, losses)
        out: dict[str, NDArray[np.float64]] = {}

        def _by_chain(values: NDArray[Any]) -> NDArray[Any]:
            return values.reshape(*values.shape[:-1], self.chains, -1)

        if self.goal is not None:
            at = [self.domains.index(domain) for domain in self.goal.domains]
            margin = margins(losses[:, at], np.array(list(self.goal.thresholds.values())))
            # As in goal_probability: the smallest margin decides the joint goal.
            margin = np.concatenate([margin.min(axis=1, keepdims=True), margin], axis=1)
            hits = margin >= 0
            columns = ["joint", *self.goal.domains]
            errors = probability_mcse(_by_chain(hits), _by_chain(margin), batch_effective_draws)
            for k, name in enumerate(columns):
                out[name] = hits[:, k].mean(axis=-1)
            for k, name in enumerate(columns):
                out[f"{name}_mcse"] = errors[:, k]
        if self.risk != "probability":
            weighted = sum(
                weight * losses[:, self.domains.index(domain)]
                for domain, weight in self.weights.items()
            )
            parts = measures.contributions(np.asarray(weighted), None, self.risk, self.level)
            out[self.risk] = (
                measures.quantile(weighted, self.level)
                if self.risk == "quantile"
                else measures.mean(parts)
            )
            out[f"{self.risk}_mcse"] = mean_mcse(_by_chain(parts), batch_effective_draws)
        if self.probs:
            losses.sort(axis=-1)
            levels = measures.sorted_quantiles(losses, self.probs)
            for d, domain in enumerate(self.domains):
                for k, prob in enumerate(self.probs):
                    out[f"{domain}_q{100 * prob:g}"] = levels[:, d, k]
        return out

    def _check(self, plans: Sequence[Placed], losses: NDArray[np.float64]) -> None:
        """Refuse NaN where a number is needed."""
        needed = dict.fromkeys([*self.weights, *(self.goal.domains if self.goal else [])])
        for domain in needed:
            own = losses[:, self.domains.index(domain)]
            if np.isfinite(own.sum()):
                continue
            k = int(np.flatnonzero(~np.isfinite(own).all(axis=1))[0])
            name, bad = plans[k].path.name, int((~np.isfinite(own[k])).sum())
            if bad == own.shape[1]:
                raise PlanError(
                    f"plan {name!r} has no forecast on domain {domain!r}; leave the plan or the "
                    "domain out"
                )
            raise PlanError(
                f"plan {name!r}, domain {domain!r}: {bad} of {own.shape[1]} draws are not finite"
            )


def summary(
    draws: Draws,
    goal: Goal | Mapping[str, float] | None,
    risk: Risk,
    level: float,
    weights: Mapping[str, float] | None,
    probs: Sequence[float],
    kind: Kind,
) -> Summary:
    """Summary with checked arguments.

    Parameters
    ----------
    draws : Draws
        Posterior.
    goal, risk, level, weights, probs, kind : Any
        As in `bayescpt.screen`.

    Returns
    -------
    Summary

    Raises
    ------
    PlanError
        If an argument is out of range, or a domain unknown.
    """
    allowed = [name for name in get_args(Risk) if name != "regret"]
    if risk not in allowed:
        hint = "; it ranks plans as 'mean' does" if risk == "regret" else ""
        raise PlanError(f"risk is {risk!r}; it must be one of {allowed}{hint}")
    if kind not in get_args(Kind):
        raise PlanError(f"kind is {kind!r}; it must be 'loss' or 'mu'")
    measures.check_level(level)
    goal = None if goal is None else Goal.of(goal)
    if goal is None and risk == "probability":
        raise PlanError("risk='probability' is the probability of a goal: give goal=")
    bad = [prob for prob in probs if not 0.0 <= prob <= 1.0]
    if bad:
        raise PlanError(f"probs has {bad[0]!r}; probabilities lie in 0..1")
    domains = draws.labels.domain
    if weights is None:
        weights = dict.fromkeys(goal.domains if goal else domains, 1.0)
    for domain in (*weights, *(goal.domains if goal else ())):
        if domain not in domains:
            raise PlanError(f"unknown domain {domain!r}; the forecast knows {list(domains)}")
    shares = measures.shares(weights)
    chains = int(draws.posterior.sizes["chain"])
    return Summary(domains, chains, goal, risk, level, shares, tuple(map(float, probs)))
