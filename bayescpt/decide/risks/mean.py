"""The expected loss."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from bayescpt.decide.risks.base import Array, RiskMeasure
from bayescpt.decide.risks.registry import register


@register
class Mean(RiskMeasure):
    """The expected loss."""

    name = "mean"
    position = 10

    def contributions(self, losses: Array, level: float = 0.9) -> Array:  # numpydoc ignore=PR01
        """The losses themselves."""
        return losses

    def definition(  # numpydoc ignore=PR01
        self, losses: Sequence[Sequence[float]], plan: int, level: float
    ) -> float:
        """Sum of the draws over their number."""
        return sum(losses[plan]) / len(losses[plan])


def mean(losses: ArrayLike) -> Array:
    """Return the expected loss.

    Parameters
    ----------
    losses : array_like, shape (..., n_draws)
        nats/token.

    Returns
    -------
    ndarray, shape (...)
        nats/token.

    Examples
    --------
    >>> from bayescpt.decide import mean
    >>> print(mean([3.0, 3.5]))
    3.25
    """
    return Mean().value(losses)
