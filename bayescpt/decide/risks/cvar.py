"""Conditional value at risk: the mean of the worst losses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from bayescpt.decide.risks.base import Array, RiskMeasure
from bayescpt.decide.risks.registry import register


@register
class CVaR(RiskMeasure):
    """The mean of the worst share 1 - level of the losses."""

    name = "cvar"
    position = 30
    uses_level = True

    def label(self, level: float) -> str:  # numpydoc ignore=PR01
        """Share of the draws that is averaged."""
        return f"worst {1 - level:.0%}"

    def contributions(self, losses: Array, level: float = 0.9) -> Array:
        """Return q + max(loss - q, 0) / (1 - level), with q the quantile at the level.

        The CVaR is the minimum over q of the mean of this, reached at the quantile (Rockafellar
        and Uryasev 2000, Journal of Risk 2, 21-41). At a minimum the error of q is of second
        order, so the standard error of the mean is that of the CVaR.

        Parameters
        ----------
        losses : ndarray, shape (..., n_draws)
            nats/token.
        level : float
            Probability level, strictly between 0 and 1.

        Returns
        -------
        ndarray, shape (..., n_draws)
            nats/token.
        """
        # An order statistic, not an interpolated quantile: the share of the draws is then exact.
        n = losses.shape[-1]
        # In floating point 0.7 * 10 is a little above 7.
        k = min(max(int(np.ceil(n * level - 1e-9)) - 1, 0), n - 1)
        q = np.partition(losses, k, axis=-1)[..., k, None]
        return np.asarray(q + np.maximum(losses - q, 0.0) / (1 - level))

    def definition(  # numpydoc ignore=PR01
        self, losses: Sequence[Sequence[float]], plan: int, level: float
    ) -> float:
        """Mean of the worst draws, the last of them in part."""
        share = remaining = len(losses[plan]) * (1 - level)
        total = 0.0
        for loss in sorted(losses[plan], reverse=True):
            weight = min(remaining, 1.0)
            total += weight * loss
            remaining -= weight
        return total / share


def cvar(losses: ArrayLike, level: float = 0.9) -> Array:
    """Return the mean of the worst share 1 - level of the losses (conditional value at risk).

    Parameters
    ----------
    losses : array_like, shape (..., n_draws)
        nats/token.
    level : float
        Probability level, strictly between 0 and 1; 0.9 averages the worst tenth.

    Returns
    -------
    ndarray, shape (...)
        nats/token.

    Raises
    ------
    PlanError
        If `level` is out of range.

    Examples
    --------
    >>> from bayescpt.decide import cvar
    >>> print(cvar([3.0, 3.0, 3.25, 3.75], level=0.5))
    3.5
    """
    return CVaR().value(losses, level)
