"""A quantile of the loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from bayescpt.decide.risks.base import Array, RiskMeasure
from bayescpt.decide.risks.registry import register


@register
class Quantile(RiskMeasure):
    """The loss that is exceeded with probability 1 - level."""

    name = "quantile"
    position = 20
    uses_level = True

    def label(self, level: float) -> str:  # numpydoc ignore=PR01
        """Level and kind."""
        return f"{level:.0%} quantile"

    def contributions(self, losses: Array, level: float = 0.9) -> Array:
        """Return the influence form q + (level - 1{loss <= q}) / f(q) of the quantile q.

        The density f(q) comes from a difference of quantiles (Serfling 1980, Approximation
        Theorems of Mathematical Statistics, 2.5).

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
        half_width = min(losses.shape[-1] ** (-1 / 3), level, 1 - level) / 2
        ordered = np.sort(losses, axis=-1)
        ends = sorted_quantiles(ordered, [level, level - half_width, level + half_width])
        q, low, high = ends[..., 0, None], ends[..., 1, None], ends[..., 2, None]
        below = losses <= q
        # The share of draws below, which is level only to 1 / n_draws: the average is exactly q.
        share = below.mean(axis=-1, keepdims=True)
        return np.asarray(q + (share - below) * (high - low) / (2 * half_width))

    def definition(  # numpydoc ignore=PR01
        self, losses: Sequence[Sequence[float]], plan: int, level: float
    ) -> float:
        """Interpolation between two sorted draws."""
        ordered = sorted(losses[plan])
        rank = level * (len(ordered) - 1)
        below = int(rank)
        if below == len(ordered) - 1:
            return ordered[-1]
        return ordered[below] + (rank - below) * (ordered[below + 1] - ordered[below])


def quantile(losses: ArrayLike, level: float = 0.9) -> Array:
    """Return the loss that is exceeded with probability 1 - level.

    Parameters
    ----------
    losses : array_like, shape (..., n_draws)
        nats/token.
    level : float
        Probability level, strictly between 0 and 1; at 0.9, one draw in ten is worse.

    Returns
    -------
    ndarray, shape (...)
        nats/token, interpolated as by ``numpy.quantile``.

    Raises
    ------
    PlanError
        If `level` is out of range.

    Examples
    --------
    >>> from bayescpt.decide import quantile
    >>> print(quantile([3.0, 3.25, 3.5], level=0.75))
    3.375
    """
    return Quantile().value(losses, level)


def sorted_quantiles(values: Array, probs: Sequence[float]) -> Array:
    """Return quantiles of sorted values, as ``numpy.quantile`` defines them, in less time.

    Parameters
    ----------
    values : ndarray, shape (..., n_draws)
        In ascending order along the last axis.
    probs : sequence of float
        Probability levels, 0 to 1.

    Returns
    -------
    ndarray, shape (..., n_probs)
        In the unit of `values`; NaN where a value is NaN.
    """
    last = values.shape[-1] - 1
    rank = np.asarray(probs, dtype=np.float64) * last
    below = np.minimum(rank.astype(np.intp), max(last - 1, 0))
    low, high = values[..., below], values[..., np.minimum(below + 1, last)]
    quantiles = low + (rank - below) * (high - low)
    # NaN sorts to the end.
    return np.where(np.isnan(values[..., -1:]), np.nan, quantiles)
