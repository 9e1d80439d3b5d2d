"""Risk measures of a loss known only through draws: plain array functions.

Lower loss is better everywhere. Draws stand on the last axis. Each measure that is not itself an
average comes with the values whose average it is (its contributions), so that Monte Carlo errors
and draw-by-draw contrasts are taken in the same way for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescpt.errors import PlanError

Risk = Literal["mean", "quantile", "cvar", "probability", "regret"]


def check_level(level: float) -> float:
    """Return a probability level strictly between 0 and 1.

    Parameters
    ----------
    level : float
        Probability level.

    Returns
    -------
    float
        The same level.

    Raises
    ------
    PlanError
        If it is not strictly between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise PlanError(f"level is {level!r}; it must lie strictly between 0 and 1, such as 0.9")
    return float(level)


def mean(losses: ArrayLike) -> NDArray[np.float64]:
    """Return the expected loss.

    Parameters
    ----------
    losses : array_like, shape (..., n_draws)
        nats/token.

    Returns
    -------
    ndarray, shape (...)
        nats/token.
    """
    return np.asarray(np.mean(np.asarray(losses, dtype=np.float64), axis=-1))


def quantile(losses: ArrayLike, level: float = 0.9) -> NDArray[np.float64]:
    """Return the loss that is exceeded with probability 1 - level.

    Parameters
    ----------
    losses : array_like, shape (..., n_draws)
        nats/token.
    level : float
        Probability level, strictly between 0 and 1; 0.9 looks at the bad end.

    Returns
    -------
    ndarray, shape (...)
        nats/token.

    Raises
    ------
    PlanError
        If `level` is out of range.
    """
    values = np.asarray(losses, dtype=np.float64)
    return sorted_quantiles(np.sort(values, axis=-1), [check_level(level)])[..., 0]


def sorted_quantiles(values: NDArray[np.float64], probs: Sequence[float]) -> NDArray[np.float64]:
    """Return quantiles of rising values, as ``numpy.quantile`` defines them, but sooner.

    Parameters
    ----------
    values : ndarray, shape (..., n_draws)
        Rising along the last axis.
    probs : sequence of float
        Probability levels, 0 to 1.

    Returns
    -------
    ndarray, shape (..., n_probs)
        In the unit of `values`; NaN where a value is NaN.
    """
    last = values.shape[-1] - 1
    at = np.asarray(probs, dtype=np.float64) * last
    below = np.minimum(at.astype(np.intp), max(last - 1, 0))
    low, high = values[..., below], values[..., np.minimum(below + 1, last)]
    found = low + (at - below) * (high - low)
    return np.where(np.isnan(values[..., -1:]), np.nan, found)


def quantile_contributions(losses: ArrayLike, level: float = 0.9) -> NDArray[np.float64]:
    """Return values whose average is the quantile to first order.

    The influence form q + (level - 1{loss <= q}) / f(q), with the density f(q) from a difference
    of quantiles (Serfling 1980, Approximation Theorems of Mathematical Statistics, 2.5).

    Parameters
    ----------
    losses : array_like, shape (..., n_draws)
        nats/token.
    level : float
        Probability level, strictly between 0 and 1.

    Returns
    -------
    ndarray, shape (..., n_draws)
        nats/token; its standard error is that of the quantile.

    Raises
    ------
    PlanError
        If `level` is out of range.
    """
    values = np.asarray(losses, dtype=np.float64)
    q = quantile(values, level)[..., None]
    half_width = min(values.shape[-1] ** (-1 / 3), level, 1 - level) / 2
    ordered = np.sort(values, axis=-1)
    ends = sorted_quantiles(ordered, [level - half_width, level + half_width])
    low, high = ends[..., 0], ends[..., 1]
    inverse_density = ((high - low) / (2 * half_width))[..., None]
    return np.asarray(q + (level - (values <= q)) * inverse_density)


def cvar(losses: ArrayLike, level: float = 0.9) -> NDArray[np.float64]:
    """Return the mean of the worst share 1 - level of the losses.

    Conditional value at risk: min over q of q + E[max(loss - q, 0)] / (1 - level), reached at
    the quantile (Rockafellar and Uryasev 2000, Journal of Risk 2, 21-41).

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
    """
    return mean(cvar_contributions(losses, level))


def cvar_contributions(losses: ArrayLike, level: float = 0.9) -> NDArray[np.float64]:
    """Return values whose average is the CVaR: q + max(loss - q, 0) / (1 - level).

    Parameters
    ----------
    losses : array_like, shape (..., n_draws)
        nats/token.
    level : float
        Probability level, strictly between 0 and 1.

    Returns
    -------
    ndarray, shape (..., n_draws)
        nats/token; its standard error is that of the CVaR, because the error of q is of second
        order at the minimum.

    Raises
    ------
    PlanError
        If `level` is out of range.
    """
    values = np.asarray(losses, dtype=np.float64)
    # an order statistic: between two of them the worst share of the draws is split exactly
    n = values.shape[-1]
    # 0.7 * 10 is a little above 7
    k = min(max(int(np.ceil(n * check_level(level) - 1e-9)) - 1, 0), n - 1)
    q = np.partition(values, k, axis=-1)[..., k, None]
    return np.asarray(q + np.maximum(values - q, 0.0) / (1 - level))


def best_shares(losses: ArrayLike) -> NDArray[np.float64]:
    """Return each plan's share of being the best, draw by draw.

    Parameters
    ----------
    losses : array_like, shape (n_plans, n_draws)
        nats/token, plans compared within the same draw.

    Returns
    -------
    ndarray, shape (n_plans, n_draws)
        1 for the plan with the lowest loss, divided equally among ties, else 0.
    """
    values = np.asarray(losses, dtype=np.float64)
    best = values == values.min(axis=0)
    return np.asarray(best / best.sum(axis=0))


def probability_best(losses: ArrayLike) -> NDArray[np.float64]:
    """Return the probability that each plan has the lowest loss of all.

    Parameters
    ----------
    losses : array_like, shape (n_plans, n_draws)
        nats/token, plans compared within the same draw.

    Returns
    -------
    ndarray, shape (n_plans,)
        Probabilities that sum to 1.
    """
    return mean(best_shares(losses))


def regret(losses: ArrayLike) -> NDArray[np.float64]:
    """Return, draw by draw, how much worse each plan is than the best plan of that draw.

    Parameters
    ----------
    losses : array_like, shape (n_plans, n_draws)
        nats/token, plans compared within the same draw.

    Returns
    -------
    ndarray, shape (n_plans, n_draws)
        nats/token, at least 0.
    """
    values = np.asarray(losses, dtype=np.float64)
    return np.asarray(values - values.min(axis=0))


def expected_regret(losses: ArrayLike) -> NDArray[np.float64]:
    """Return the loss given up on average by choosing a plan now instead of knowing the draw.

    It ranks plans exactly as the mean does; its size is what perfect knowledge would be worth.

    Parameters
    ----------
    losses : array_like, shape (n_plans, n_draws)
        nats/token, plans compared within the same draw.

    Returns
    -------
    ndarray, shape (n_plans,)
        nats/token.
    """
    return mean(regret(losses))


def contributions(
    losses: NDArray[np.float64], hits: NDArray[np.bool_] | None, risk: Risk, level: float
) -> NDArray[np.float64]:
    """Return values whose average over draws is the risk.

    Parameters
    ----------
    losses : ndarray, shape (n_plans, n_draws)
        Weighted losses, nats/token.
    hits : ndarray of bool, shape (n_plans, ...), or None
        Whether the draw meets the goal; needed for ``probability``.
    risk : {"mean", "quantile", "cvar", "probability", "regret"}
        The measure.
    level : float
        Level of the quantile and the CVaR.

    Returns
    -------
    ndarray, shape (n_plans, n_draws)
        nats/token, or probabilities.
    """
    if risk == "probability" and hits is not None:
        return hits.reshape(losses.shape).astype(np.float64)
    if risk == "quantile":
        return quantile_contributions(losses, level)
    if risk == "cvar":
        return cvar_contributions(losses, level)
    if risk == "regret":
        return regret(losses)
    return losses


def shares(weights: Mapping[str, float]) -> dict[str, float]:
    """Return weights of domains scaled to sum to 1.

    Parameters
    ----------
    weights : mapping of str to float
        Weight of each domain's loss.

    Returns
    -------
    dict of str to float
        The same domains.

    Raises
    ------
    PlanError
        If one is negative or not finite, or none is positive.
    """
    for domain, weight in weights.items():
        if not (np.isfinite(weight) and weight >= 0):
            raise PlanError(
                f"the weight of domain {domain!r} is {weight!r}; it must be finite and not negative"
            )
    total = float(sum(weights.values()))
    if total == 0:
        raise PlanError("the weights are empty or all zero; at least one must be positive")
    return {domain: weight / total for domain, weight in weights.items()}
