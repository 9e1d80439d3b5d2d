"""Optimal and critical mixture ratios at the end of a recipe, from a fit of loss curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bayescpt.errors import PlanError
from bayescpt.forecast.final import FinalLosses, Placed, Screener
from bayescpt.forecast.plan import Plan
from bayescpt.forecast.posterior import Draws
from bayescpt.forecast.ratios import Ratio, allowed_rise, largest_share

Array = NDArray[np.float64]
# Replay ratios at which losses are computed: denser where there is little replay and the general
# loss is steep. Between them ratios are interpolated.
GRID = np.unique(np.concatenate([[0.0], np.geomspace(1e-3, 1.0, 60), np.linspace(0.0, 1.0, 101)]))
# Shares evaluated at once.
TOGETHER = 64


def critical_ratio(
    draws: Draws,
    plan: Plan,
    tolerance: float | str,
    start_loss: float | None = None,
) -> Ratio:
    """Largest target share at which the general loss rises by no more than a tolerance.

    Parameters
    ----------
    draws : Draws
        Posterior with its card and study.
    plan : Plan
        Schedule, start and target; its replay ratio does not count.
    tolerance : float or str
        Rise over the start checkpoint: nats, or a share such as ``"3%"``.
    start_loss : float, optional
        General loss of the start checkpoint, nats per token; by default as it was measured, or
        else as it was inferred.

    Returns
    -------
    Ratio
        Of the expected loss at the last step of the plan.

    Raises
    ------
    PlanError
        If the study has no general set, the card no replay term, the plan starts from scratch, or
        the tolerance is in neither form.
    """
    general = draws.study.general
    if general is None or general not in draws.labels.domain:
        raise PlanError(f"study {draws.study.name!r} has no general set with losses")
    screener = Screener(draws)
    share, placed = _placed(draws, screener, plan)
    d = screener.domains.index(general)
    start = screener.start_losses(placed[:1])[0, d] if start_loss is None else start_loss
    limit = start + allowed_rise(tolerance, start)
    found = largest_share(share, _ends(draws, placed)[d], limit)
    return replace(found, notes=_notes(found, screener, placed[0], plan))


def optimal_ratio(
    draws: Draws,
    plan: Plan,
    weights: Mapping[str, float] | None = None,
) -> Ratio:
    """Target share with the lowest weighted expected loss at the last step of a plan.

    Parameters
    ----------
    draws : Draws
        Posterior with its card and study.
    plan : Plan
        Schedule, start and target; its replay ratio does not count.
    weights : mapping of str to float, optional
        Weight of each domain's loss; by default equal over all that the plan has a forecast for.

    Returns
    -------
    Ratio

    Raises
    ------
    PlanError
        If a domain of the weights has no forecast, the weights are not above 0, the card has no
        replay term, or the plan starts from scratch.
    """
    screener = Screener(draws)
    share, placed = _placed(draws, screener, plan)
    path = placed[0].path
    shown = [domain for domain in screener.domains if draws.shows(path, domain)]
    used = dict(weights or dict.fromkeys(shown, 1.0))
    if min(used.values()) < 0 or not sum(used.values()) > 0:
        raise PlanError(f"weights = {used}: none may be below 0, and one must be above")
    unknown = [domain for domain in used if domain not in shown]
    if unknown:
        raise PlanError(
            f"unknown domain {unknown[0]!r} in weights; the plan has forecasts on "
            f"{', '.join(shown)}"
        )
    scale = np.array([used.get(domain, 0.0) for domain in screener.domains])
    ends = _ends(draws, placed)
    total = sum(weight * ends[d] for d, weight in enumerate(scale) if weight)
    found = Ratio("optimal", _lowest(share, np.asarray(total)))
    return replace(found, notes=_notes(found, screener, placed[0], plan))


def _placed(draws: Draws, screener: Screener, plan: Plan) -> tuple[Array, list[Placed]]:
    """Target shares, increasing, and the plan with each of them."""
    if not draws.card.law.needs_replay:
        raise PlanError(
            f"card {draws.card.name!r} has no replay term, so no mixture ratio can be found: fit "
            "pilots of several replay ratios"
        )
    share = 1.0 - GRID[::-1]
    # As a new run: not with the effects of a run that was fitted.
    recipes = (replace(plan, replay_ratio=1.0 - float(s), run=None) for s in share)
    placed = [screener.place(recipe) for recipe in recipes]
    if not placed[0].path.is_cpt:
        raise PlanError(
            f"plan {plan.name!r} starts from scratch, where there is no mixture to choose: give "
            "its start checkpoint"
        )
    return share, placed


def _ends(draws: Draws, placed: list[Placed]) -> Array:
    """Expected losses at the last step, shape (domains, draws, plans)."""
    evaluate = FinalLosses(draws)
    out = np.empty((len(draws.domains), draws.size, len(placed)))
    for k in range(0, len(placed), TOGETHER):
        part = evaluate(placed[k : k + TOGETHER], "mu")
        out[:, :, k : k + len(part)] = part.transpose(1, 2, 0)
    return out


def _lowest(share: Array, total: Array) -> Array:
    """Share with the lowest loss: vertex of the parabola through the lowest and its neighbours."""
    row = np.arange(len(total))
    lowest = np.argmin(total, axis=1)
    k = np.clip(lowest, 1, share.size - 2)
    x0, x1, x2 = share[k - 1], share[k], share[k + 1]
    y0, y1, y2 = total[row, k - 1], total[row, k], total[row, k + 1]
    left, right = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
    bend = (right - left) / (x2 - x0)
    vertex = (x0 + x1) / 2 - left / (2 * np.where(bend > 0, bend, 1.0))
    inside = (bend > 0) & (lowest == k)
    return np.where(inside, np.clip(vertex, x0, x2), share[lowest])


def _notes(ratio: Ratio, screener: Screener, placed: Placed, plan: Plan) -> tuple[str, ...]:
    """Where the plan, or the ratio, leaves the range of the fitted runs."""
    fitted = screener.ranges["cpt"]
    notes = [f"plan {plan.name!r}: {text}" for text in fitted.outside_schedule(placed.path)]
    low, high = fitted.replay
    out = float(np.mean((ratio.replay_ratio < low - 1e-9) | (ratio.replay_ratio > high + 1e-9)))
    if out > 0:
        notes.append(
            f"with probability {out:.2f} the replay ratio lies outside the fitted {low:g} to "
            f"{high:g}, where the law extrapolates"
        )
    return tuple(notes)
