"""The losses that a goal allows each plan, draw by draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescpt.data.conversion import LossUnits
from bayescpt.decide.draws import (
    ForecastLike,
    Kind,
    check_domains,
    last_steps,
    loss_draws,
    names,
    observed_losses,
    start_losses,
    units_attrs,
)
from bayescpt.decide.limits import Limit, check_reach
from bayescpt.errors import PlanError

if TYPE_CHECKING:
    from bayescpt.decide.goals import Goal

Array = NDArray[np.float64]


def goal_limits(fc: ForecastLike | xr.Dataset, goal: Goal, kind: Kind = "loss") -> Array:
    """Return the losses that a goal allows each plan, draw by draw.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast of the plans.
    goal : Goal
        Limits; each plan must forecast their domains.
    kind : {"loss", "mu"}
        Losses that the limits are held against, to find slips of the unit.

    Returns
    -------
    ndarray, shape (n_plans, n_domains, n_chains, n_draws)
        nats/token; the domains in the order of the goal. They vary between plans where a limit is
        relative, and between draws where the start checkpoint was not measured.

    Raises
    ------
    PlanError
        If a domain is unknown, a limit is relative and a plan has no start checkpoint, or a limit
        is far outside all losses.
    """
    values = loss_draws(fc, kind)
    check_domains(values, goal.domains)
    units, observed = LossUnits.of(units_attrs(fc)), observed_losses(fc)
    last = last_steps(values)
    n_plans, _, _, *draws = values.shape
    out = np.empty((n_plans, len(goal.domains), *draws))
    for d, (domain, limit) in enumerate(goal.limits.items()):
        start = start_losses(fc, domain, values)
        if limit.relative:
            check_starts(limit, domain, start, names(values, "plan"))
        out[:, d] = limit.nats(units, domain, start)
        own = values.sel(domain=domain).values[np.arange(n_plans), last]
        check_reach(limit, domain, out[:, d], own, start, units, observed.get(domain, ()))
    return out


def goal_levels(
    fc: ForecastLike | xr.Dataset, goal: Goal, kind: Kind = "loss"
) -> dict[str, dict[str, float]]:
    """Return what a goal means for each plan.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast of the plans.
    goal : Goal
        Limits.
    kind : {"loss", "mu"}
        As in `goal_limits`.

    Returns
    -------
    dict of str to dict of str to float
        By domain and plan, nats/token: the median over draws, which differ where the start
        checkpoint was not measured.

    Raises
    ------
    PlanError
        As in `goal_limits`.
    """
    return levels_by_plan(goal, names(loss_draws(fc, kind), "plan"), goal_limits(fc, goal, kind))


def levels_by_plan(goal: Goal, plans: list[str], limits: Array) -> dict[str, dict[str, float]]:
    """Return the median of the limits over draws.

    Parameters
    ----------
    goal : Goal
        Limits.
    plans : list of str
        Names of the plans.
    limits : ndarray, shape (n_plans, n_domains, ...)
        From `goal_limits`.

    Returns
    -------
    dict of str to dict of str to float
        By domain and plan, nats/token.
    """
    middle = np.median(limits.reshape(*limits.shape[:2], -1), axis=2)
    return {
        domain: dict(zip(plans, map(float, middle[:, d]), strict=True))
        for d, domain in enumerate(goal.domains)
    }


def check_starts(limit: Limit, domain: str, start: Array | None, plans: Sequence[str]) -> None:
    """Raise an error if a limit is relative to a start checkpoint that is not there.

    Parameters
    ----------
    limit : Limit
        A relative limit.
    domain : str
        Its domain.
    start : ndarray, shape (n_plans, ...), or None
        Losses of the start checkpoints, nats/token; NaN from scratch.
    plans : sequence of str
        Names of the plans.

    Raises
    ------
    PlanError
        If the losses are not known, or a plan starts from scratch.
    """
    where = f"goal {domain} = {limit.given} is relative to the start checkpoint"
    if start is None:
        raise PlanError(
            f"{where}, whose loss this forecast does not hold; forecast with this version, or give "
            "a loss"
        )
    for plan, own in zip(plans, start, strict=True):
        if np.isnan(own).any():
            raise PlanError(f"{where}, but plan {plan!r} starts from scratch; give a loss")
