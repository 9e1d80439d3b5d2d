"""Expected losses at the ends of many plans, and their rises over the start checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.decide.forecaster import Forecaster, open_screener
from bayescpt.errors import PlanError
from bayescpt.forecast import Plan

Array = NDArray[np.float64]
# Plans evaluated at once.
TOGETHER = 64


class Ends:
    """Expected losses at the last steps of plans under a fit.

    Parameters
    ----------
    fit : Forecaster
        Fit of loss curves, or anything else that forecasts and has a `study`.
    allow_failed : bool
        Go on even if a convergence check of the fit failed.
    extrapolate : bool
        Also take plans absurdly far from the pilots.
    seed : int
        Seed of the levels of start checkpoints that were not fitted: the same for all plans.

    Raises
    ------
    ConvergenceError
        If a check of the fit failed and `allow_failed` is not set.
    PlanError
        If the fit has no study or is of final losses.
    """

    def __init__(
        self, fit: Forecaster, allow_failed: bool = False, extrapolate: bool = False, seed: int = 0
    ) -> None:
        self.screener: Any = open_screener(fit, allow_failed, extrapolate)
        self.study: Any = getattr(fit, "study", None)
        if self.study is None:
            raise PlanError(f"a {type(fit).__name__} has no study, so its pilots are not known")
        if "cpt" not in self.screener.ranges:
            raise PlanError(
                f"study {self.study.name!r} has no continual pre-training run with learning rates: "
                "these quantities are about recipes of such runs (fits of final losses have "
                "critical_ratio and optimal_ratio)"
            )
        self._evaluate = self.screener.evaluator(seed)
        self._seed = seed

    @property
    def fitted(self) -> Any:
        """Range of the fitted runs of continual pre-training."""
        return self.screener.ranges["cpt"]

    def by_chain(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values by draw as values by chain and draw.

        Parameters
        ----------
        values : ndarray, shape (..., n_chains * n_draws)
            Values.

        Returns
        -------
        ndarray, shape (..., n_chains, n_draws)
        """
        return values.reshape(*values.shape[:-1], self.screener.n_chains, -1)

    def index(self, domain: str) -> int:
        """Position of a domain.

        Parameters
        ----------
        domain : str
            Name.

        Returns
        -------
        int

        Raises
        ------
        PlanError
            If no fitted run was evaluated on it.
        """
        if domain not in self.screener.domains:
            known = ", ".join(self.screener.domains)
            raise PlanError(f"unknown domain {domain!r}; the fit knows {known}")
        return int(self.screener.domains.index(domain))

    @property
    def general(self) -> int:
        """Position of the general set.

        Returns
        -------
        int

        Raises
        ------
        PlanError
            If the study has none with losses.
        """
        name = self.study.general
        if name is None or name not in self.screener.domains:
            raise PlanError(f"study {self.study.name!r} has no general set with losses")
        return self.index(name)

    def target(self, domain: str | None) -> str:
        """Name of the target domain of a recipe.

        Parameters
        ----------
        domain : str or None
            As the recipe gives it.

        Returns
        -------
        str

        Raises
        ------
        PlanError
            If it is not given and the study has several.
        """
        if domain is not None:
            return domain
        targets = tuple(self.study.targets)
        if len(targets) != 1:
            raise PlanError(f"give the target: domain is one of {', '.join(targets)}")
        return str(targets[0])

    def outside(self, plan: Plan) -> list[str]:
        """Ways in which a plan leaves the range of the fitted runs.

        Parameters
        ----------
        plan : Plan
            Recipe.

        Returns
        -------
        list of str
        """
        return list(self.screener.place(plan).outside)

    def losses(self, plans: Sequence[Plan]) -> Array:
        """Expected losses at the last steps.

        Parameters
        ----------
        plans : sequence of Plan
            Recipes.

        Returns
        -------
        ndarray, shape (n_plans, n_domains, n_draws)
            nats/token; NaN on a domain that a plan has no forecast for.
        """
        return np.concatenate([part for _, part in self.stream(plans)])

    def logged(self, plans: Sequence[Plan]) -> Array:
        """Losses that the logs of new runs would show at the last steps.

        Parameters
        ----------
        plans : sequence of Plan
            Recipes with distinct names: each run has errors of its own.

        Returns
        -------
        ndarray, shape (n_plans, n_domains, n_draws)
            nats/token; NaN on a domain that a plan has no forecast for.
        """
        placed = [self.screener.place(replace(plan, run=None)) for plan in plans]
        return self._evaluate(placed, "loss").copy()

    def stream(self, plans: Sequence[Plan]) -> Iterator[tuple[int, Array]]:
        """Expected losses, some plans at a time.

        Parameters
        ----------
        plans : sequence of Plan
            Recipes.

        Yields
        ------
        first : int
            Position of the first plan of this part.
        losses : ndarray, shape (n, n_domains, n_draws)
            nats/token.
        """
        for k in range(0, len(plans), TOGETHER):
            # One name for all: they share the draws of what was not fitted.
            placed = [self.screener.place(_named(plan)) for plan in plans[k : k + TOGETHER]]
            yield k, self._evaluate(placed, "mu").copy()

    def starts(self, plans: Sequence[Plan]) -> Array:
        """Losses of the start checkpoints.

        Parameters
        ----------
        plans : sequence of Plan
            Recipes.

        Returns
        -------
        ndarray, shape (n_plans, n_domains, n_draws)
            nats/token: as measured, else as inferred.

        Raises
        ------
        PlanError
            If the forecaster does not know them.
        """
        if not hasattr(self.screener, "start_losses"):
            raise PlanError("the losses of start checkpoints are not known to this forecaster")
        placed = [self.screener.place(_named(plan)) for plan in plans]
        return np.asarray(self.screener.start_losses(placed, self._seed))

    def rises(self, plans: Sequence[Plan], domain: int) -> Array:
        """Rises of the expected loss over the start checkpoint, at the last steps.

        Parameters
        ----------
        plans : sequence of Plan
            Recipes.
        domain : int
            Position of the domain.

        Returns
        -------
        ndarray, shape (n_plans, n_draws)
            nats/token.
        """
        known: dict[str | None, Array] = {}
        out = []
        for k, part in self.stream(plans):
            for plan, losses in zip(plans[k : k + TOGETHER], part, strict=True):
                if plan.start not in known:
                    known[plan.start] = self.starts([plan])[0, domain]
                out.append(losses[domain] - known[plan.start])
        return np.stack(out)


def _named(plan: Plan) -> Plan:
    return replace(plan, name="recipe", run=None)
