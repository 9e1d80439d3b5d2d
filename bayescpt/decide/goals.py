"""Goals (the highest loss allowed by domain) and the probability that a plan meets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayescpt.decide.draws import (
    By,
    ForecastLike,
    Kind,
    at_steps,
    check_by,
    end_steps,
    inherited_warnings,
    last_steps,
    loss_draws,
    names,
    units_attrs,
)
from bayescpt.decide.goal_levels import goal_limits, levels_by_plan
from bayescpt.decide.limits import Limit, read_limit
from bayescpt.decide.montecarlo import probability_mcse
from bayescpt.decide.risks import RiskMeasure
from bayescpt.errors import PlanError

Array = NDArray[np.float64]


@dataclass(frozen=True, init=False)
class Goal:
    """The highest loss allowed by domain; met when every loss is at or below it.

    Parameters
    ----------
    thresholds : mapping of str to float or str, optional
        By domain, for names that are no Python names. A number is a loss in the unit of the study
        (nats per token, unless its ``loss_unit`` is another). Text may be a rise over the start
        checkpoint of each plan, ``"+0.05"`` or ``"+2%"`` (``"-0.2"`` and ``"-10%"`` for a fall),
        or name its unit: ``"ppl:8.1"``, ``"bpb:0.61"``, ``"bpt:3.1"``, ``"nats:2.1"``.
    **domains : float or str
        The same by keyword.

    Raises
    ------
    PlanError
        If there is no limit, or one is in none of these forms.

    Examples
    --------
    >>> import bayescpt as bc
    >>> bc.Goal(general="+2%", german="+0.05").domains
    ['general', 'german']
    >>> bc.Goal({"general": 3.3, "code": "ppl:8.1"}).thresholds["code"]
    'ppl:8.1'
    """

    limits: Mapping[str, Limit]

    def __init__(
        self, thresholds: Mapping[str, float | str] | None = None, /, **domains: float | str
    ) -> None:
        """Read the limits and freeze them."""
        given = {**({} if thresholds is None else thresholds), **domains}
        if not given:
            raise PlanError("the goal has no threshold; give one, such as {'general': 3.3}")
        limits = {str(domain): read_limit(str(domain), value) for domain, value in given.items()}
        if "joint" in limits:
            raise PlanError("a domain called 'joint' would hide the joint probability")
        object.__setattr__(self, "limits", MappingProxyType(limits))

    @classmethod
    def of(cls, goal: Goal | Mapping[str, float | str]) -> Goal:
        """Return a Goal from a Goal or a mapping.

        Parameters
        ----------
        goal : Goal or mapping of str to float or str
            Limits by domain.

        Returns
        -------
        Goal
            The same limits, checked.

        Raises
        ------
        PlanError
            If there is no limit, or one is in none of the forms that `Goal` takes.
        """
        return goal if isinstance(goal, cls) else cls(dict(goal))  # type: ignore[arg-type]

    @property
    def domains(self) -> list[str]:
        """Domains with a limit, in the order given."""
        return list(self.limits)

    @property
    def thresholds(self) -> Mapping[str, float | str]:
        """Limits by domain, as they were given."""
        given = {domain: limit.given for domain, limit in self.limits.items()}
        return MappingProxyType(given)

    @property
    def relative(self) -> list[str]:
        """Domains whose limit is a rise over the start checkpoint."""
        return [domain for domain, limit in self.limits.items() if limit.relative]


def margins(losses: Array, limits: Array) -> Array:
    """Return the distance to the goal by domain; at or above 0 where it is met.

    Parameters
    ----------
    losses : ndarray, shape (n_plans, n_domains, ...)
        nats/token.
    limits : ndarray, shape (n_plans, n_domains, ...)
        nats/token, from `goal_limits`.

    Returns
    -------
    ndarray, shape (n_plans, n_domains, ...)
        limit - loss, nats/token.
    """
    return limits - losses


def goal_excess(losses: Array, limits: Array) -> Array:
    """Return the largest excess of a domain's loss over its limit.

    Parameters
    ----------
    losses : ndarray, shape (n_plans, n_domains, ...)
        nats/token.
    limits : ndarray, shape (n_plans, n_domains, ...)
        nats/token, from `goal_limits`.

    Returns
    -------
    ndarray, shape (n_plans, ...)
        nats/token; at or below 0 where the whole goal is met.
    """
    return np.asarray(-margins(losses, limits).min(axis=1))


def check_goal_given(
    measure: RiskMeasure, goal: Goal | None, min_probability: float | None = None
) -> None:
    """Check that there is a goal where one is needed.

    Parameters
    ----------
    measure : RiskMeasure
        Risk that plans are judged by.
    goal : Goal or None
        Thresholds.
    min_probability : float or None
        Lowest joint goal probability of an eligible plan.

    Raises
    ------
    PlanError
        If the measure or `min_probability` needs a goal and there is none, or `min_probability` is
        outside 0..1.
    """
    if measure.needs_goal and goal is None:
        raise PlanError(f"risk={measure.name!r} judges a goal: give goal=")
    if min_probability is None:
        return
    if goal is None:
        raise PlanError(
            f"min_probability = {min_probability!r} is the probability of a goal: give goal="
        )
    if not 0.0 <= min_probability <= 1.0:
        raise PlanError(f"min_probability is {min_probability!r}; it must lie in 0..1")


def best_joint_steps(values: xr.DataArray, goal: Goal, limits: Array) -> NDArray[np.intp]:
    """Return the forecast step at which each plan's joint goal probability is highest.

    It is one step per plan, which maximises the probability over all draws, and not the best step
    of each draw. Among equal steps it is the earliest; where every probability is 0 it is the
    plan's last forecast step.

    Parameters
    ----------
    values : xarray.DataArray
        nats/token, dims (plan, domain, step, chain, draw).
    goal : Goal
        Limits; its domains must be forecast by every plan.
    limits : ndarray, shape (n_plans, n_domains, n_chains, n_draws)
        nats/token, from `goal_limits`.

    Returns
    -------
    ndarray of int, shape (n_plans,)
        Index into `step`.
    """
    hits = np.logical_and.reduce(
        [
            values.sel(domain=domain).values <= limits[:, d, None]
            for d, domain in enumerate(goal.domains)
        ]
    )
    joint = hits.mean(axis=(2, 3))
    return np.where(joint.max(axis=1) > 0, joint.argmax(axis=1), last_steps(values))


def goal_probability(
    fc: ForecastLike | xr.Dataset,
    goal: Goal | Mapping[str, float | str],
    by: By = "end",
    kind: Kind = "loss",
) -> pd.DataFrame:
    """Return the probability that each plan meets a goal, jointly and by domain.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast of the plans.
    goal : Goal or mapping of str to float or str
        The highest loss allowed by domain, in any form that `Goal` takes.
    by : {"end", "best"}
        `end` judges each plan at the last step of its own schedule, which must be among the
        forecast steps. (A dataset alone does not say where plans end: they are then judged at
        their last forecast step, with a warning.) `best` judges it at the one step, among those
        forecast, where its joint probability is highest: a coarse grid of steps may miss a better
        one, and since that probability is the largest of many estimates it is biased upwards by
        about its Monte Carlo error.
    kind : {"loss", "mu"}
        `loss` is what the log of a new run will show; `mu` is the expected curve.

    Returns
    -------
    pandas.DataFrame
        Indexed by plan: `joint`, one column per goal domain, `joint_mcse`, `<domain>_mcse`
        (Monte Carlo standard errors that account for the correlation between draws, never 0), and
        `best_step` with `by="best"`. `attrs` holds the goal as it was given, the `levels` it means
        by domain and plan (nats/token), `by` and the forecast's warnings.

    Raises
    ------
    PlanError
        If a domain is unknown, a plan does not forecast it, the forecast does not reach the end of
        a plan that is judged there, `by` is unknown, or a limit of the goal is far outside all
        losses, of unknown form, or relative to a start checkpoint that a plan does not have.

    Examples
    --------
    >>> import numpy as np, xarray as xr, bayescpt as bc
    >>> losses = np.array([2.80, 2.90, 3.00, 3.10]).reshape(1, 4, 1, 1, 1)
    >>> dataset = xr.Dataset(
    ...     {"loss": (("chain", "draw", "plan", "domain", "step"), losses)},
    ...     coords={"plan": ["short"], "domain": ["german"], "step": [500]},
    ... )
    >>> fc = bc.Forecast(dataset, [bc.Plan("short", bc.schedules.constant(1e-3, 500))])
    >>> print(bc.goal_probability(fc, {"german": 2.95}).loc["short", "joint"])
    0.5
    """
    check_by(by)
    goal = Goal.of(goal)
    values = loss_draws(fc, kind)
    limits = goal_limits(fc, goal, kind)
    warnings = inherited_warnings(fc)
    if by == "end":
        index, unknown_ends = end_steps(values, fc)
        warnings += unknown_ends
    else:
        index = best_joint_steps(values, goal, limits)
    margin = margins(at_steps(values.sel(domain=goal.domains), index), limits)
    # The joint goal is met when the smallest margin is: it is treated as one more domain.
    margin = np.concatenate([margin.min(axis=1, keepdims=True), margin], axis=1)
    hits = margin >= 0
    columns = ["joint", *goal.domains]
    plans = pd.Index(names(values, "plan"), name="plan")
    table = pd.DataFrame(hits.mean(axis=(2, 3)), index=plans, columns=columns)
    table[[f"{column}_mcse" for column in columns]] = probability_mcse(hits, margin)
    if by == "best":
        table["best_step"] = values["step"].values[index]
    attrs: dict[Any, Any] = units_attrs(fc)
    table.attrs = attrs | {
        "units": values.attrs.get("units"),
        "goal": dict(goal.thresholds),
        "levels": levels_by_plan(goal, list(plans), limits),
        "by": by,
        "warnings": warnings,
    }
    return table
