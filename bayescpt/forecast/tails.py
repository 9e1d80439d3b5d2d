"""Tails of equal-tailed intervals."""

from __future__ import annotations

from bayescpt.errors import PlanError


def equal_tails(prob: float) -> tuple[float, float]:
    """Probabilities at the ends of an equal-tailed interval.

    Parameters
    ----------
    prob : float
        Probability of the interval, between 0 and 1.

    Returns
    -------
    lower, upper : float

    Raises
    ------
    PlanError
        If `prob` is not between 0 and 1.

    Examples
    --------
    >>> [round(tail, 3) for tail in equal_tails(0.9)]
    [0.05, 0.95]
    """
    if not 0 < prob < 1:
        raise PlanError(f"prob = {prob!r}: give a probability between 0 and 1, such as 0.9")
    tail = (1.0 - prob) / 2.0
    return tail, 1.0 - tail
