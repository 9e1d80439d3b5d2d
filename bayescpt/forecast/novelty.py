"""How far outside the fitted runs each plan reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bayescpt.forecast.extrapolation import FARTHEST, extrapolation_distance, recipe
from bayescpt.forecast.plan import Plan, Starts
from bayescpt.forecast.posterior import Draws
from bayescpt.forecast.ranges import fitted_ranges, identity_notes


@dataclass(frozen=True)
class Novelty:
    """What is new about a plan, compared with the fitted runs.

    Attributes
    ----------
    plan : str
        Name of the plan.
    distance : float
        Extrapolation distance to the nearest fitted run other than itself, 0 (a repeat) to 3 (as
        far as it counts); see `bayescpt.forecast.extrapolation`.
    nearest : str or None
        The nearest fitted run; None if none has its phase and target.
    outside : tuple of str
        Where its recipe leaves the range of the fitted runs, a clause each.
    notes : tuple of str
        What else to know, such as a start checkpoint whose loss was not measured.
    is_fitted : bool
        Whether it is the recipe of a fitted run itself.
    """

    plan: str
    distance: float
    nearest: str | None
    outside: tuple[str, ...]
    notes: tuple[str, ...]
    is_fitted: bool


def novelties(draws: Draws, plans: Sequence[Plan]) -> list[Novelty]:
    """What is new about each plan.

    Parameters
    ----------
    draws : Draws
        Posterior with the fitted study.
    plans : sequence of Plan
        Recipes.

    Returns
    -------
    list of Novelty
        In the order of the plans. The clauses are those in the warnings of a forecast.

    Raises
    ------
    PlanError
        If a plan does not match the study.
    """
    starts = Starts(draws.study, draws.rows.refs.warmup, draws.card)
    ranges = fitted_ranges(draws)
    out = []
    for plan in plans:
        path = starts.trajectory(starts.complete(plan))
        mine, itself = recipe(path), path.run if draws.is_fitted(path) else None
        far = {
            name: extrapolation_distance(mine, [other])
            for name, other in draws.recipes.items()
            if name != itself and other.kind == mine.kind
        }
        if path.phase in ranges:
            outside = ranges[path.phase].outside(path)
        else:
            outside = [f"no fitted run has its phase ({path.phase})"]
        out.append(
            Novelty(
                plan.name,
                min(far.values(), default=FARTHEST),
                min(far, key=far.__getitem__) if far else None,
                tuple(outside),
                tuple(identity_notes(draws, path)),
                itself is not None,
            )
        )
    return out
