"""Expected regret, and the probability of being the best: plans compared draw by draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from bayescpt.decide.risks.base import Array, RiskMeasure
from bayescpt.decide.risks.registry import register


@register
class Regret(RiskMeasure):
    """The expected difference to the plan that is best in the same draw.

    It ranks plans as the mean does. Its size is the value of perfect information: what knowing
    the draw before choosing would save.
    """

    name = "regret"
    position = 50
    relative = True
    ranks_as = "mean"

    @property
    def column(self) -> str:
        """Its column in `Decision.table`."""
        return "expected_regret"

    def contributions(self, losses: Array, level: float = 0.9) -> Array:
        """Return how much worse each plan is than the best plan of the same draw.

        Parameters
        ----------
        losses : ndarray, shape (n_plans, n_draws)
            nats/token.
        level : float
            Not used.

        Returns
        -------
        ndarray, shape (n_plans, n_draws)
            nats/token, at least 0.
        """
        return np.asarray(losses - losses.min(axis=0))

    def definition(  # numpydoc ignore=PR01
        self, losses: Sequence[Sequence[float]], plan: int, level: float
    ) -> float:
        """Mean difference to the best plan of each draw."""
        total = 0.0
        for draw, loss in enumerate(losses[plan]):
            total += loss - min(other[draw] for other in losses)
        return total / len(losses[plan])


def expected_regret(losses: ArrayLike) -> Array:
    """Return the expected difference to the plan that is best in the same draw.

    It ranks plans as the mean does. Its size is the value of perfect information: what knowing
    the draw before choosing would save.

    Parameters
    ----------
    losses : array_like, shape (n_plans, n_draws)
        nats/token, the same draws for every plan.

    Returns
    -------
    ndarray, shape (n_plans,)
        nats/token.

    Examples
    --------
    >>> from bayescpt.decide import expected_regret
    >>> expected_regret([[3.0, 3.5], [3.25, 3.25]]).tolist()
    [0.125, 0.125]
    """
    return Regret().value(losses)


def probability_best(losses: ArrayLike) -> Array:
    """Return the probability that each plan has the lowest loss of all.

    Parameters
    ----------
    losses : array_like, shape (n_plans, n_draws)
        nats/token, the same draws for every plan.

    Returns
    -------
    ndarray, shape (n_plans,)
        Probabilities that sum to 1; plans that tie in a draw share it equally.

    Examples
    --------
    >>> from bayescpt.decide import probability_best
    >>> probability_best([[3.0, 3.5, 3.0], [3.25, 3.25, 3.5]]).round(3).tolist()
    [0.667, 0.333]
    """
    draws = np.asarray(losses, dtype=np.float64)
    best = draws == draws.min(axis=0)
    return np.asarray((best / best.sum(axis=0)).mean(axis=-1))
