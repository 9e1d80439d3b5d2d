"""Search a space of recipes for the one with the best risk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.decide.compare import Decision, compare
from bayescpt.decide.goals import Goal, goal_probability
from bayescpt.decide.risk import Risk
from bayescpt.decide.screen import screen
from bayescpt.decide.space import Space
from bayescpt.errors import PlanError, ScheduleError
from bayescpt.forecast import Plan, forecast
from bayescpt.forecast.ranges import fitted_ranges

if TYPE_CHECKING:
    from bayescpt.inference import Fit

# Of what a round tries, those around which the next round looks.
PARENTS = 8
ROUNDS = 3
# A next round looks at this part of each axis.
SHRINK = 0.3
# Closer to an end of a range than this part of it: the best may lie beyond.
EDGE = 0.02


@dataclass(frozen=True, eq=False)
class Optimum:
    """The best recipe found, and the ones next to it.

    Attributes
    ----------
    plan : Plan or None
        The recipe with the best risk; None if none is eligible.
    table : pandas.DataFrame
        The best recipes, best first, indexed by plan: with a goal the columns of
        `goal_probability`; then the columns of `Decision.table`, and ``outside``, where the
        recipe leaves the range of the pilot runs.
    decision : Decision
        Comparison of these recipes, with the contrasts to the chosen one.
    plans : list of Plan
        These recipes, in the order of the table.
    tried : pandas.DataFrame
        Every recipe tried, from `screen`, best first.
    warnings : list of str
        What a reader of the choice has to know.
    """

    plan: Plan | None
    table: pd.DataFrame
    decision: Decision
    plans: list[Plan]
    tried: pd.DataFrame
    warnings: list[str] = field(default_factory=list)


def optimise(
    fit: Fit,
    space: Space | Mapping[str, Any],
    goal: Goal | Mapping[str, float] | None = None,
    risk: Risk | None = None,
    level: float = 0.9,
    weights: Mapping[str, float] | None = None,
    min_probability: float | None = None,
    n_plans: int = 1024,
    top: int = 10,
    extrapolate: bool = False,
    seed: int = 0,
    allow_failed: bool = False,
) -> Optimum:
    """Search a space of recipes for the one with the best risk at its last step.

    A space of few recipes is tried as a whole; of others a scrambled Sobol sequence, then, in
    three rounds of half as many recipes, the neighbourhoods of the best. The best of many
    estimates is too good by chance: the finalists are judged anew with other noise, and ranked by
    that.

    Unless `extrapolate` is set, the space is clipped to the range of the pilot runs in peak LR,
    replay ratio and number of steps, and what was left out is noted: outside, the law's faults
    choose the recipe (under it, a higher peak always seems to help).

    Parameters
    ----------
    fit : Fit
        Fit of the pilot runs.
    space : Space or mapping of str to Any
        What may vary; see `Space`. Without ``start``, the fit's only start checkpoint.
    goal : Goal or mapping of str to float, optional
        Domain to the highest loss allowed, nats/token.
    risk : {"mean", "quantile", "cvar", "probability"}, optional
        What the recipe shall be best at; by default ``probability`` with a goal, else ``mean``.
    level : float
        Level of the quantile and the CVaR.
    weights : mapping of str to float, optional
        Weight of each domain's loss, as in `compare`.
    min_probability : float, optional
        Recipes with a lower joint goal probability are not eligible.
    n_plans : int
        Recipes of the first round, at least 8.
    top : int
        Finalists, at least 1.
    extrapolate : bool
        Search outside the range of the pilot runs too.
    seed : int
        Seed of the search and the noise.
    allow_failed : bool
        Go on although a convergence check of the fit failed.

    Returns
    -------
    Optimum

    Raises
    ------
    ConvergenceError
        If a check of the fit failed and `allow_failed` is not set.
    PlanError
        If the space is empty or lies outside the range of the pilot runs, no recipe of it can be
        made, or an argument is out of range.
    """
    if n_plans < 8 or top < 1:
        raise PlanError(f"n_plans = {n_plans}, top = {top}; they are at least 8 and 1")
    draws = fit.draws(allow_failed)
    goal = None if goal is None else Goal.of(goal)
    measure: Risk = risk or ("mean" if goal is None else "probability")
    if min_probability is not None and (goal is None or not 0 <= min_probability <= 1):
        raise PlanError(f"min_probability = {min_probability!r} needs a goal, and lies in 0..1")
    searched = Space.of(space)
    notes: list[str] = []
    if not any(axis.name == "start" for axis in searched.axes):
        searched = searched.starting_from(draws.labels.checkpoint)
    if not extrapolate:
        cpt = fitted_ranges(draws).get("cpt")
        if cpt is not None:
            searched, notes = searched.within(cpt)

    recipes: dict[str, Plan] = {}
    points: dict[str, dict[str, float]] = {}
    tables: list[pd.DataFrame] = []
    refused: list[ScheduleError] = []
    rng = np.random.default_rng([seed, 0x5EA7C4])

    def _new(places: NDArray[np.float64]) -> Iterator[Plan]:
        for row in places:
            place = dict(zip([axis.name for axis in searched.varied], row, strict=True))
            try:
                plan = searched.plan(searched.point(place))
            except ScheduleError as error:
                refused.append(error)
                continue
            if plan.name not in recipes:
                recipes[plan.name], points[plan.name] = plan, place
                yield plan

    def _judge(places: NDArray[np.float64]) -> None:
        fresh = list(_new(places))
        if fresh:
            tables.append(
                screen(
                    fit, fresh, goal, measure, level, weights,
                    probs=(0.5,), seed=seed, allow_failed=allow_failed,
                )
            )  # fmt: skip

    whole = searched.size is not None and searched.size <= n_plans
    _judge(_grid(searched) if whole else _spread(len(searched.varied), n_plans, rng))
    if not tables:
        raise PlanError(f"no recipe of the space can be made: {refused[0]}")
    width = 1.0
    for _ in range(0 if whole else ROUNDS):
        width *= SHRINK
        ranked = _ranked(pd.concat(tables), goal, measure, min_probability)
        centres = np.array([list(points[name].values()) for name in ranked.index[:PARENTS]])
        moves = _spread(centres.shape[1], n_plans // 2, rng) - 0.5
        _judge(np.clip(centres[np.arange(len(moves)) % len(centres)] + width * moves, 0.0, 1.0))

    tried = _ranked(pd.concat(tables), goal, measure, min_probability)
    finalists = [recipes[name] for name in tried.index[:top]]
    ends = sorted({plan.schedule.n_steps for plan in finalists})
    made = forecast(draws, finalists, ends, seed + 1)
    made.failed_checks.extend(tried.attrs.get("failed_checks", []))
    decision = compare(made, goal, measure, level, weights, "end", min_probability)
    table = decision.table.join(tried["outside"])
    if goal is not None:
        table = goal_probability(made, goal).join(table.drop(columns="goal_probability"))
    order = _order(table, goal, measure)
    notes += decision.warnings
    if refused:
        notes.append(f"{len(refused)} recipes of the space cannot be made, such as: {refused[0]}")
    if decision.best is not None and not whole:
        notes += _edges(searched, points[decision.best], decision.best)
    return Optimum(
        plan=None if decision.best is None else recipes[decision.best],
        table=table.loc[order],
        decision=decision,
        plans=[recipes[name] for name in order],
        tried=tried,
        warnings=notes,
    )


def _grid(space: Space) -> NDArray[np.float64]:
    """Every recipe of a space of lists, the replay ratio changing fastest."""
    axes = [(np.arange(len(axis.values)) + 0.5) / len(axis.values) for axis in space.varied]
    if not axes:
        return np.zeros((1, 0))
    names = [axis.name for axis in space.varied]
    grid = np.stack([part.ravel() for part in np.meshgrid(*axes, indexing="ij")], axis=-1)
    if "replay_ratio" in names:  # Neighbours then share the schedule's areas.
        k = names.index("replay_ratio")
        grid = grid[np.lexsort([grid[:, k], *np.delete(grid, k, axis=1).T])]
    return grid


def _spread(n_axes: int, number: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Places that fill the unit cube evenly."""
    from scipy.stats import qmc  # a second to import

    sobol = qmc.Sobol(n_axes, rng=rng)
    # A Sobol sequence is balanced at powers of 2 only.
    return np.asarray(sobol.random_base2(int(np.ceil(np.log2(number))))[:number])


def _ranked(
    table: pd.DataFrame, goal: Goal | None, risk: Risk, min_probability: float | None
) -> pd.DataFrame:
    """Recipes, the eligible and best first."""
    keys: dict[str, NDArray[np.float64]] = {}
    if min_probability is not None:
        keys["short"] = np.maximum(min_probability - table["joint"].to_numpy(), 0.0)
    keys["risk"] = -table["joint"].to_numpy() if risk == "probability" else table[risk].to_numpy()
    if goal is not None:
        # Where no recipe has a chance, how much the medians miss the goal still leads there.
        over = [
            table[f"{domain}_q50"].to_numpy() - threshold
            for domain, threshold in goal.thresholds.items()
        ]
        keys["over"] = np.maximum(over, 0.0).sum(axis=0)
        # And where all are sure, how far the medians stay below it.
        keys["spare"] = np.sum(over, axis=0)
    order = np.lexsort(list(keys.values())[::-1])
    return table.iloc[order]


def _order(table: pd.DataFrame, goal: Goal | None, risk: Risk) -> list[str]:
    """Names of the finalists, the eligible and best first."""
    by = -table["joint"] if goal is not None and risk == "probability" else table[risk]
    order = np.lexsort([by.to_numpy(), ~table["eligible"].to_numpy(bool)])
    return [str(name) for name in table.index[order]]


def _edges(space: Space, place: Mapping[str, float], best: str) -> list[str]:
    """Say where the best recipe lies at an end of a range."""
    ends = [
        f"{axis.name} {space.point(place)[axis.name]:g}"
        for axis in space.varied
        if not axis.values and not EDGE < place[axis.name] < 1 - EDGE
    ]
    if not ends:
        return []
    return [
        f"{best!r} lies at an end of what was searched ({', '.join(ends)}): a better recipe may "
        "lie beyond"
    ]
