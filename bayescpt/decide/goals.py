"""Goals (loss thresholds by domain) and the probability that a plan meets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

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
    check_domains,
    inherited_warnings,
    last_steps,
    loss_draws,
    names,
)
from bayescpt.decide.montecarlo import probability_mcse
from bayescpt.errors import PlanError


@dataclass(frozen=True)
class Goal:
    """Loss thresholds by domain; met when every loss is at or below its threshold.

    Parameters
    ----------
    thresholds : mapping of str to float
        Domain to the highest loss allowed, nats/token.

    Raises
    ------
    PlanError
        If there is no threshold, or one is not a finite number.
    """

    thresholds: Mapping[str, float]

    def __post_init__(self) -> None:
        """Check the thresholds and freeze them."""
        if not self.thresholds:
            raise PlanError("the goal has no threshold; give one, such as {'general': 3.3}")
        checked: dict[str, float] = {}
        for domain, threshold in self.thresholds.items():
            try:
                value = float(threshold)
            except (TypeError, ValueError):
                value = float("nan")
            if not np.isfinite(value):
                raise PlanError(
                    f"the goal's threshold for domain {domain!r} is {threshold!r}; it must be a "
                    "finite number of nats/token"
                )
            checked[str(domain)] = value
        if "joint" in checked:
            raise PlanError("a domain called 'joint' would hide the joint probability")
        object.__setattr__(self, "thresholds", MappingProxyType(checked))

    @classmethod
    def of(cls, goal: Goal | Mapping[str, float]) -> Goal:
        """Return a Goal from a Goal or a mapping.

        Parameters
        ----------
        goal : Goal or mapping of str to float
            Thresholds by domain, nats/token.

        Returns
        -------
        Goal
            The same thresholds, checked.
        """
        return goal if isinstance(goal, cls) else cls(dict(goal))  # type: ignore[arg-type]

    @property
    def domains(self) -> list[str]:
        """Domains with a threshold, in the order given."""
        return list(self.thresholds)


def margins(losses: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance to the goal by domain; at or above 0 where it is met.

    Parameters
    ----------
    losses : ndarray, shape (n_plans, n_domains, ...)
        nats/token.
    thresholds : ndarray, shape (n_domains,)
        nats/token.

    Returns
    -------
    ndarray, shape (n_plans, n_domains, ...)
        threshold - loss, nats/token.
    """
    return thresholds.reshape(1, -1, *[1] * (losses.ndim - 2)) - losses


def best_joint_steps(values: xr.DataArray, goal: Goal) -> NDArray[np.intp]:
    """Return the step at which each plan's joint goal probability is highest.

    The step is chosen before the draw is known: it maximises the probability over draws, and is
    not the best step of each draw. Among equals it is the earliest, and where no step has any
    chance it is the plan's last.

    Parameters
    ----------
    values : xarray.DataArray
        nats/token, dims (plan, domain, step, chain, draw).
    goal : Goal
        Thresholds; its domains must be forecast by every plan.

    Returns
    -------
    ndarray of int, shape (n_plans,)
        Index into `step`.
    """
    hits = np.logical_and.reduce(
        [
            values.sel(domain=domain).values <= threshold
            for domain, threshold in goal.thresholds.items()
        ]
    )
    joint = hits.mean(axis=(2, 3))
    return np.where(joint.max(axis=1) > 0, joint.argmax(axis=1), last_steps(values))


def goal_probability(
    fc: ForecastLike | xr.Dataset,
    goal: Goal | Mapping[str, float],
    by: By = "end",
    kind: Kind = "loss",
) -> pd.DataFrame:
    """Return the probability that each plan meets a goal, jointly and by domain.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast of the plans.
    goal : Goal or mapping of str to float
        Domain to the highest loss allowed, nats/token.
    by : {"end", "best"}
        At each plan's own last forecast step, or at the one step where its joint probability is
        highest. The probability at a best step is the largest of many estimates, so it is too
        high by about its Monte Carlo error.
    kind : {"loss", "mu"}
        `loss` is what the log of a new run will show; `mu` is the expected curve.

    Returns
    -------
    pandas.DataFrame
        Indexed by plan: `joint`, one column a goal domain, `joint_mcse`, `<domain>_mcse`
        (Monte Carlo standard errors that honour the correlation between draws, never 0), and
        `best_step` with `by="best"`. `attrs` holds the goal's thresholds, `by` and
        the forecast's warnings.

    Raises
    ------
    PlanError
        If a domain is unknown, a plan does not forecast it, a threshold is not finite or `by` is
        unknown.
    """
    check_by(by)
    goal = Goal.of(goal)
    values = loss_draws(fc, kind)
    check_domains(values, goal.domains)
    index = last_steps(values) if by == "end" else best_joint_steps(values, goal)
    losses = at_steps(values.sel(domain=goal.domains), index)
    margin = margins(losses, np.array(list(goal.thresholds.values())))
    # the joint goal is met when the smallest margin is: it goes in as one more domain
    margin = np.concatenate([margin.min(axis=1, keepdims=True), margin], axis=1)
    hits = margin >= 0
    columns = ["joint", *goal.domains]
    plans = pd.Index(names(values, "plan"), name="plan")
    table = pd.DataFrame(hits.mean(axis=(2, 3)), index=plans, columns=columns)
    table[[f"{column}_mcse" for column in columns]] = probability_mcse(hits, margin)
    if by == "best":
        table["best_step"] = values["step"].values[index]
    table.attrs = {
        "goal": dict(goal.thresholds),
        "by": by,
        "warnings": inherited_warnings(fc),
    }
    return table
