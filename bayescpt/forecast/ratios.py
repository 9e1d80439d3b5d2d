"""Optimal and critical mixture ratios, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.errors import PlanError
from bayescpt.forecast.final_losses import start_losses
from bayescpt.forecast.final_plans import (
    FinalDraws,
    FinalRecipe,
    complete_plan,
    make_points,
    mixture,
)
from bayescpt.forecast.plan import Plan
from bayescpt.forecast.tails import equal_tails

Array = NDArray[np.float64]
# Replay ratios at which losses are compared: no replay, then even steps of its logarithm, since the
# general loss is steepest there, and even steps of itself.
GRID = np.unique(np.concatenate([[0.0], np.geomspace(1e-4, 1.0, 400), np.linspace(0.0, 1.0, 401)]))
# Least share of target data for a fixed amount of it: below, budgets are hundreds of times larger.
LEAST_SHARE = 0.005


@dataclass(frozen=True, repr=False)
class Ratio:
    """Share of target data in the mixture, by draw.

    Attributes
    ----------
    kind : str
        ``critical`` or ``optimal``.
    target_share : ndarray, shape (draws,)
        The share, 0 to 1; 0 in draws in which no share meets the tolerance.
    possible : float
        Probability that any share meets the tolerance; 1 for an optimal share.
    notes : tuple of str
        Ways in which it leaves the range of the fitted runs.

    Examples
    --------
    >>> ratio = Ratio("critical", np.linspace(0.8, 1.0, 101))
    >>> ratio
    Ratio(critical: target share 0.900, 90% interval 0.810 to 0.990)
    >>> [round(value, 3) for value in ratio.interval(0.5)]
    [0.85, 0.95]
    """

    kind: str
    target_share: Array
    possible: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def replay_ratio(self) -> Array:
        """The replay ratio by draw: what is left beside the target share."""
        return 1.0 - self.target_share

    @property
    def median(self) -> float:
        """Median of the target share."""
        return float(np.median(self.target_share))

    def interval(self, prob: float = 0.9) -> tuple[float, float]:
        """Equal-tailed interval of the target share.

        Parameters
        ----------
        prob : float
            Its probability, between 0 and 1.

        Returns
        -------
        lower, upper : float

        Raises
        ------
        PlanError
            If `prob` is not between 0 and 1.
        """
        low, high = np.quantile(self.target_share, equal_tails(prob))
        return float(low), float(high)

    def __repr__(self) -> str:
        """Kind, median and interval."""
        low, high = self.interval(0.9)
        unsure = "" if self.possible == 1.0 else f"; none with probability {1 - self.possible:.2f}"
        return (
            f"Ratio({self.kind}: target share {self.median:.3f}, 90% interval {low:.3f} to "
            f"{high:.3f}{unsure})"
        )


def critical_ratio(
    draws: FinalDraws,
    plan: Plan,
    tolerance: float | str,
    start_loss: float | None = None,
    seed: int = 0,
) -> Ratio:
    """Largest target share at which the general loss rises by no more than a tolerance.

    Parameters
    ----------
    draws : FinalDraws
        Posterior with its card and study.
    plan : Plan
        Size, tokens, LR and start; its replay ratio does not count.
    tolerance : float or str
        Rise over the start checkpoint: nats, or a share such as ``"3%"``.
    start_loss : float, optional
        General loss of the start checkpoint, nats per token; by default as it was measured.
    seed : int
        Seed of effects of bases that were not fitted.

    Returns
    -------
    Ratio

    Raises
    ------
    PlanError
        If the study has no general set, the start loss is unknown, or the tolerance is in neither
        form.
    """
    general = draws.study.general
    if general is None or general not in draws.rows.labels.domain:
        raise PlanError(f"study {draws.study.name!r} has no general set with losses")
    recipe = complete_plan(replace(plan, replay_ratio=0.5, shares=None), draws)
    if start_loss is None:
        start_loss = float(
            start_losses(draws, [recipe])[0, draws.rows.labels.domain.index(general), 0]
        )
    if not np.isfinite(start_loss) or start_loss <= 0:
        raise PlanError(
            f"the loss of the start checkpoint on {general!r} is not known: give start_loss=..., "
            "or its base as a run with a loss"
        )
    limit = start_loss + allowed_rise(tolerance, start_loss)
    share = 1.0 - GRID[::-1]  # target shares 0 to 1
    losses = _losses(draws, recipe, general, share, seed)
    return largest_share(share, losses, limit)


def optimal_ratio(
    draws: FinalDraws,
    plan: Plan,
    weights: Mapping[str, float] | None = None,
    target_tokens: float | None = None,
    seed: int = 0,
) -> Ratio:
    """Target share with the lowest weighted expected loss.

    Parameters
    ----------
    draws : FinalDraws
        Posterior with its card and study.
    plan : Plan
        Size, tokens, LR and start; its replay ratio does not count.
    weights : mapping of str to float, optional
        Weight of each set's loss; equal by default.
    target_tokens : float, optional
        Tokens of target data that there are: the run then has ``target_tokens / share`` tokens, in
        place of those of the plan. By default, only the target's loss counts there.
    seed : int
        Seed of effects of bases that were not fitted.

    Returns
    -------
    Ratio

    Raises
    ------
    PlanError
        If a set of the weights is unknown, or the weights or the tokens are not above 0.
    """
    recipe = complete_plan(replace(plan, replay_ratio=0.5, shares=None), draws)
    share = 1.0 - GRID[::-1]
    tokens: Any = None
    if target_tokens is not None:
        if not target_tokens > 0:
            raise PlanError(f"target_tokens = {target_tokens!r}: give a number above 0")
        share = share[share >= LEAST_SHARE]
        tokens = target_tokens / share
    used = dict(weights or ({} if tokens is None else {str(recipe.target): 1.0}))
    used = used or dict.fromkeys(draws.rows.labels.domain, 1.0)
    if min(used.values()) < 0 or not sum(used.values()) > 0:
        raise PlanError(f"weights = {used}: none may be below 0, and one must be above")
    total = np.zeros((draws.size, share.size))
    for domain, weight in used.items():
        if domain not in draws.rows.labels.domain:
            known = ", ".join(draws.rows.labels.domain)
            raise PlanError(f"unknown set {domain!r} in weights; sets are {known}")
        total += weight * _losses(draws, recipe, domain, share, seed, tokens)
    return Ratio("optimal", share[np.argmin(total, axis=1)])


def allowed_rise(tolerance: float | str, start_loss: float | Array) -> Any:
    """Nats that a tolerance allows.

    Parameters
    ----------
    tolerance : float or str
        Nats, or a share of the start loss such as ``"3%"``.
    start_loss : float or ndarray, shape (draws,)
        Loss of the start checkpoint, nats.

    Returns
    -------
    float or ndarray, shape (draws,)

    Raises
    ------
    PlanError
        If it is in neither form, or below 0.
    """
    text = str(tolerance).strip().removeprefix("+")
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = float("nan")
    if not (np.isfinite(value) and value >= 0):
        raise PlanError(f"tolerance = {tolerance!r}: give nats, such as 0.05, or a share, as '3%'")
    return value / 100.0 * start_loss if text.endswith("%") else value


def _losses(
    draws: FinalDraws,
    recipe: FinalRecipe,
    domain: str,
    share: Array,
    seed: int,
    tokens: Any = None,
) -> Array:
    """Expected losses of a set at target shares, shape (draws, shares)."""
    rows, study = draws.rows, draws.study
    label = recipe.set_of(rows, domain, study)
    if label is None:
        raise PlanError(f"no fitted run of target {recipe.target!r} was evaluated on {domain!r}")
    own = {"replay": 1.0 - share, "target": share}.get(rows.own_share[domain])
    if own is None:
        raise PlanError(f"set {domain!r} responds to shares of sources, not to a replay ratio")
    sources = rows.labels.source
    at = [
        mixture(replace(recipe, replay=1.0 - float(one)), sources, study) if sources else []
        for one in share
    ]
    amount = recipe.tokens if tokens is None else tokens
    x = make_points(
        rows, label, recipe.n_params, amount, recipe.lr, own,
        np.array(at).reshape(share.size, len(sources)),
    )  # fmt: skip
    value = draws.card.law.loss(draws.parameters(label), x)
    value = np.broadcast_to(value, (draws.size, share.size))
    return np.asarray(value + draws.base_effect(recipe.base, label, seed)[:, None])


def largest_share(share: Array, losses: Array, limit: float | Array) -> Ratio:
    """Largest share with a loss within the limit, by linear interpolation between shares.

    Parameters
    ----------
    share : ndarray, shape (shares,)
        Target shares, increasing.
    losses : ndarray, shape (draws, shares)
        General loss, nats.
    limit : float or ndarray, shape (draws,)
        Highest loss allowed, nats.

    Returns
    -------
    Ratio
    """
    limit = np.broadcast_to(limit, len(losses))
    within = losses <= limit[:, None]
    last = share.size - 1 - np.argmax(within[:, ::-1], axis=1)
    some, whole = within.any(axis=1), within[:, -1]
    k = np.minimum(last, share.size - 2)
    row = np.arange(len(losses))
    low, high = losses[row, k], losses[row, k + 1]
    inside = np.clip((limit - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    found = share[k] + inside * (share[k + 1] - share[k])
    return Ratio(
        "critical",
        np.where(some, np.where(whole, 1.0, found), 0.0),
        float(some.mean()),
    )
