"""The probability of meeting a goal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayescpt.decide.montecarlo import Effective, effective_draws, probability_mcse
from bayescpt.decide.risks.base import Array, RiskMeasure
from bayescpt.decide.risks.registry import register


@register
class Probability(RiskMeasure):
    """The probability that every domain of the goal is at or below its threshold."""

    name = "probability"
    position = 40
    needs_goal = True
    higher_is_better = True

    @property
    def column(self) -> str:
        """Its column in `Decision.table`."""
        return "goal_probability"

    @property
    def screen_column(self) -> str:
        """Its column in the table of `screen`, which has it for every goal."""
        return "joint"

    def label(self, level: float) -> str:  # numpydoc ignore=PR01
        """Probability of the goal."""
        return "P(goal)"

    def contributions(self, losses: Array, level: float = 0.9) -> Array:
        """Return 1 where the goal is met, else 0.

        Parameters
        ----------
        losses : ndarray, shape (..., n_draws)
            Largest excess of a domain's loss over its threshold, nats/token.
        level : float
            Not used.

        Returns
        -------
        ndarray, shape (..., n_draws)
            0 or 1.
        """
        return np.asarray(losses <= 0, dtype=np.float64)

    def definition(  # numpydoc ignore=PR01
        self, losses: Sequence[Sequence[float]], plan: int, level: float
    ) -> float:
        """Share of the draws that meet the goal."""
        return sum(1 for excess in losses[plan] if excess <= 0) / len(losses[plan])

    def mcse(
        self, contributions: Array, losses: Array, effective: Effective = effective_draws
    ) -> Array:
        """Return the Monte Carlo standard error of the probability; never 0.

        Parameters
        ----------
        contributions : ndarray, shape (..., n_chains, n_draws)
            0 or 1.
        losses : ndarray, shape (..., n_chains, n_draws)
            Excesses over the goal, nats/token.
        effective : callable
            Estimator of the effective sample size.

        Returns
        -------
        ndarray, shape (...)
            A probability.
        """
        return probability_mcse(contributions, losses, effective)
