"""Search a space of recipes for the one with the best risk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data.html import html_block
from bayescpt.decide import risks
from bayescpt.decide.compare import Decision, compare, ranking
from bayescpt.decide.forecaster import Forecaster, Screener, open_screener
from bayescpt.decide.goals import Goal, check_goal_given, goal_probability
from bayescpt.decide.pieces import used
from bayescpt.decide.screen import screen
from bayescpt.decide.space import Space
from bayescpt.errors import PlanError, ScheduleError
from bayescpt.forecast import Plan
from bayescpt.random_seed import takes_seed

# The next round searches around this many of the best recipes.
PARENTS = 8
ROUNDS = 3
# Each round searches neighbourhoods of this share of the previous round's width.
SHRINK = 0.3
# A best recipe this close to an end of a range (as a share of its width) is reported.
EDGE = 0.02


@dataclass(frozen=True, eq=False)
class Optimum:
    """The best recipe of a space, and the runners-up.

    Attributes
    ----------
    plan : Plan or None
        The recipe with the best risk, a constant replay ratio where no curriculum is better; None
        if none is eligible.
    table : pandas.DataFrame
        The best recipes, best first, indexed by plan: with a goal the columns of
        `goal_probability`; then the columns of `Decision.table`, and ``outside``, where the
        recipe leaves the range of the pilot runs.
    decision : Decision
        Comparison of these recipes, with the contrasts to the chosen one.
    plans : list of Plan
        These recipes, in the order of the table.
    tried : pandas.DataFrame
        Every recipe evaluated, from `screen`, best first.
    warnings : list of str
        Reasons for caution in reading the choice.
    settings : mapping of str to Any
        Settings in the space of the first recipe of the table, such as ``decay_share``.
    """

    plan: Plan | None
    table: pd.DataFrame
    decision: Decision
    plans: list[Plan]
    tried: pd.DataFrame
    warnings: list[str] = field(default_factory=list)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        best = "no recipe is eligible" if self.plan is None else f"best recipe: {self.plan.name}"
        facts = {"tried": len(self.tried), "risk": self.decision.risk}
        return html_block(best, facts, {"best recipes": self.table}, self.warnings)


@takes_seed
def optimise(
    fit: Forecaster,
    space: Space | Mapping[str, Any],
    goal: Goal | Mapping[str, float | str] | None = None,
    risk: str | None = None,
    level: float = 0.9,
    weights: Mapping[str, float] | None = None,
    min_probability: float | None = None,
    n_plans: int = 1024,
    top: int = 10,
    extrapolate: bool = False,
    random_seed: int = 0,
    allow_failed: bool = False,
) -> Optimum:
    """Search a space of recipes for the one with the best risk at its last step.

    A space of at most `n_plans` recipes is evaluated in full. Otherwise a scrambled Sobol sequence
    is evaluated first, then, in three rounds of half as many recipes, the neighbourhoods of the
    best. The best of many noisy estimates is biased: the finalists are evaluated again with
    independent noise, and ranked by the new estimates.

    In a space with curricula (``replay_pieces``, see `Space`) the best recipe of a constant replay
    ratio is among the finalists, and is chosen unless a curriculum is better by more than Monte
    Carlo error. Losses at the last step depend on the order of replay as the law has it;
    where no pilot had a curriculum, ``outside`` says so and bands are wider.

    Unless `extrapolate` is set, the space is clipped to the range of the pilot runs in peak LR,
    replay ratio and number of steps, with a warning on what was left out: outside it, errors of
    the law would choose the recipe (under the law, a higher peak LR always helps).

    Parameters
    ----------
    fit : Forecaster
        Fit of the pilot runs, or anything else that forecasts, such as an ensemble of fits.
    space : Space or mapping of str to Any
        Settings that may vary; see `Space`. Without ``start``, the fit's only start checkpoint.
    goal : Goal or mapping of str to float or str, optional
        The highest loss allowed by domain, in any form that `Goal` takes.
    risk : str, optional
        Name of a registered risk measure, as in `compare`; by default ``probability`` with a goal,
        else ``mean``. ``regret`` is searched by the mean, which ranks recipes in the same order.
    level : float
        Level of the measures that have one (the quantile and the CVaR).
    weights : mapping of str to float, optional
        Weight of each domain's loss, as in `compare`.
    min_probability : float, optional
        Recipes with a lower joint goal probability are not eligible.
    n_plans : int
        Number of recipes of the first round, at least 8.
    top : int
        Number of finalists, at least 1; one more where none of them has a constant replay ratio.
    extrapolate : bool
        Search outside the range of the pilot runs too.
    random_seed : int
        Seed of the search and the noise; also accepted as ``seed``.
    allow_failed : bool
        Go on even if a convergence check of the fit failed.

    Returns
    -------
    Optimum
        Best recipe, finalists and every recipe evaluated.

    Raises
    ------
    ConvergenceError
        If a check of the fit failed and `allow_failed` is not set.
    PlanError
        If the space is empty or lies outside the range of the pilot runs, none of its recipes has
        a valid schedule, or an argument is out of range.

    Examples
    --------
    >>> import bayescpt as bc
    >>> fit = bc.load_fit("fit.nc")  # doctest: +SKIP
    >>> space = bc.Space(
    ...     schedule="wsd", lr=2e-3, num_training_steps=1000, decay_share=(0.1, 0.6),
    ...     replay_ratio=(0.1, 0.5),
    ... )  # fmt: skip
    >>> optimum = bc.optimise(fit, space, goal={"german": 3.0})  # doctest: +SKIP
    >>> optimum.plan, optimum.table  # doctest: +SKIP
    """
    if n_plans < 8 or top < 1:
        raise PlanError(f"n_plans = {n_plans}, top = {top}; they must be at least 8 and 1")
    goal = None if goal is None else Goal.of(goal)
    measure, rule = ranking(goal, risk)
    check_goal_given(measure, goal, min_probability)
    # A relative measure cannot be screened.
    screened = risks.get(measure.ranks_as) if measure.ranks_as else measure
    screener = open_screener(fit, allow_failed)
    clipped, warnings = _searched_space(screener, space, extrapolate)

    def _screen(plans: list[Plan]) -> pd.DataFrame:
        return screen(
            fit, plans, goal, screened.name, level, weights,
            probs=(0.5,), random_seed=random_seed, allow_failed=allow_failed,
            extrapolate=extrapolate,
        )  # fmt: skip

    search = _Search(
        clipped, _screen, lambda table: _ranked(table, goal, screened, min_probability)
    )
    search.run(n_plans, np.random.default_rng([random_seed, 0x5EA7C4]))
    tried = search.tried
    # Beside the best recipes the best of a constant replay ratio, which curricula are held to.
    constant = [name for name in tried.index if _is_constant(search.plans[name])]
    names = list(dict.fromkeys([*tried.index[:top], *constant[:1]]))
    finalists = [search.plans[name] for name in names]
    ends = sorted({plan.schedule.n_steps for plan in finalists})
    # Left out where it is not asked for: what forecasts need not know of it.
    far = (True,) if extrapolate else ()
    forecast = fit.forecast(finalists, ends, random_seed + 1, allow_failed, *far)
    decision = compare(
        forecast, goal, measure.name, level, weights, "end", min_probability, prefer=constant
    )
    decision = replace(decision, rule=rule)
    order = _order(decision, measure)
    table = decision.table.join(tried["outside"])
    if goal is not None:
        # The same as its joint probability, which comes with those of the domains.
        table = table.drop(columns="goal_probability", errors="ignore")
        table = goal_probability(forecast, goal).join(table)
    warnings += decision.warnings
    if search.invalid:
        warnings.append(
            f"{len(search.invalid)} recipes of the space have no valid schedule, such as: "
            f"{search.invalid[0]}"
        )
    if decision.best is not None and not search.is_exhaustive(n_plans):
        warnings += _edges(clipped, search.places[decision.best], decision.best)
    return Optimum(
        plan=None if decision.best is None else search.plans[decision.best],
        table=table.loc[order],
        decision=decision,
        plans=[search.plans[name] for name in order],
        tried=tried,
        warnings=warnings,
        settings=clipped.point(search.places[order[0]]),
    )


def _searched_space(
    screener: Screener, space: Space | Mapping[str, Any], extrapolate: bool
) -> tuple[Space, list[str]]:
    """Return the space with a start, inside the range of the pilot runs, and what was left out."""
    searched = Space.of(space)
    if not any(axis.name == "start" for axis in searched.axes):
        searched = searched.starting_from(screener.checkpoints)
    # Without a start checkpoint, recipes are pre-training from scratch.
    fitted = screener.ranges.get("cpt" if screener.checkpoints else "pt")
    if extrapolate or fitted is None:
        return searched, []
    return searched.within(fitted)


class _Search:
    """The recipes evaluated so far.

    Parameters
    ----------
    space : Space
        Searched space.
    screen : callable
        Table of `bayescpt.screen` of some plans.
    rank : callable
        The same rows, best first.
    """

    def __init__(
        self,
        space: Space,
        screen: Callable[[list[Plan]], pd.DataFrame],
        rank: Callable[[pd.DataFrame], pd.DataFrame],
    ) -> None:
        self.space = space
        self.plans: dict[str, Plan] = {}
        self.places: dict[str, dict[str, float]] = {}
        self.invalid: list[ScheduleError] = []
        self._screen, self._rank = screen, rank
        self._tables: list[pd.DataFrame] = []

    @property
    def tried(self) -> pd.DataFrame:
        """Every recipe evaluated, best first."""
        return self._rank(pd.concat(self._tables))

    def is_exhaustive(self, n_plans: int) -> bool:
        """Whether all recipes of the space are evaluated."""
        return self.space.size is not None and self.space.size <= n_plans

    def run(self, n_plans: int, rng: np.random.Generator) -> None:
        """Evaluate the whole space or, where it is too large, search it in rounds."""
        exhaustive = self.is_exhaustive(n_plans)
        n_axes = len(self.space.varied)
        self._evaluate(_grid(self.space) if exhaustive else _spread(n_axes, n_plans, rng))
        if not self._tables:
            raise PlanError(f"no recipe of the space has a valid schedule: {self.invalid[0]}")
        width = 1.0
        for _ in range(0 if exhaustive else ROUNDS):
            width *= SHRINK
            parents = [self.places[name] for name in self.tried.index[:PARENTS]]
            centres = np.array([list(place.values()) for place in parents])
            moves = _spread(n_axes, n_plans // 2, rng) - 0.5
            children = centres[np.arange(len(moves)) % len(centres)] + width * moves
            self._evaluate(np.clip(children, 0.0, 1.0))

    def _evaluate(self, places: NDArray[np.float64]) -> None:
        """Screen the recipes at places of the unit cube that are not evaluated yet."""
        fresh = []
        for row in places:
            axes = [axis.name for axis in self.space.varied]
            place = dict(zip(axes, map(float, row), strict=True))
            try:
                plan = self.space.plan(self.space.point(place))
            except ScheduleError as error:
                self.invalid.append(error)
                continue
            if plan.name not in self.plans:
                self.plans[plan.name], self.places[plan.name] = plan, place
                fresh.append(plan)
        if fresh:
            self._tables.append(self._screen(fresh))


def _grid(space: Space) -> NDArray[np.float64]:
    """Return the place of every recipe of a space of lists, the replay ratio varying fastest."""
    axes = [(np.arange(len(axis.values)) + 0.5) / len(axis.values) for axis in space.varied]
    if not axes:
        return np.zeros((1, 0))
    names = [axis.name for axis in space.varied]
    grid = np.stack([part.ravel() for part in np.meshgrid(*axes, indexing="ij")], axis=-1)
    if "replay_ratio" in names:  # Consecutive plans then share the schedule's areas.
        k = names.index("replay_ratio")
        grid = grid[np.lexsort([grid[:, k], *np.delete(grid, k, axis=1).T])]
    return grid


def _spread(n_axes: int, number: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return places that fill the unit cube evenly."""
    from scipy.stats import qmc  # a second to import

    sobol = qmc.Sobol(n_axes, rng=rng)
    # A Sobol sequence is balanced at powers of 2 only.
    return np.asarray(sobol.random_base2(int(np.ceil(np.log2(number))))[:number])


def _ranked(
    table: pd.DataFrame,
    goal: Goal | None,
    measure: risks.RiskMeasure,
    min_probability: float | None,
) -> pd.DataFrame:
    """Return the rows of a table of `screen`, the eligible and best first."""
    keys: list[NDArray[np.float64]] = []
    if min_probability is not None:
        keys.append(np.maximum(min_probability - table["joint"].to_numpy(), 0.0))
    risk = table[measure.screen_column].to_numpy()
    keys.append(-risk if measure.higher_is_better else risk)
    if goal is not None:
        # Where all probabilities are 0, how far the medians are above the goal gives a direction;
        over = [
            table[f"{domain}_q50"].to_numpy() - table[f"{domain}_limit"].to_numpy()
            for domain in goal.domains
        ]
        keys.append(np.maximum(over, 0.0).sum(axis=0))
        # where all are 1, how far they are below it.
        keys.append(np.sum(over, axis=0))
    return table.iloc[np.lexsort(keys[::-1])]


def _is_constant(plan: Plan) -> bool:
    """Whether the replay ratio of a recipe of a space is one number, or none."""
    return not isinstance(plan.replay_ratio, np.ndarray)


def _order(decision: Decision, measure: risks.RiskMeasure) -> list[str]:
    """Return the names of the finalists: the chosen one, then the eligible and best first."""
    table = decision.table
    risk = table[measure.column].to_numpy()
    best_first = -risk if measure.higher_is_better else risk
    order = np.lexsort([best_first, ~table["eligible"].to_numpy(bool)])
    names = [str(name) for name in table.index[order]]
    return names if decision.best is None else list(dict.fromkeys([decision.best, *names]))


def _edges(space: Space, place: Mapping[str, float], best: str) -> list[str]:
    """Return a warning if the best recipe lies at an end of a range."""
    point = space.point(place)
    ends = [
        f"{axis.name} {point[axis.name]:g}"
        for axis in space.varied
        if not axis.values and used(axis.name, point) and not EDGE < place[axis.name] < 1 - EDGE
    ]
    if not ends:
        return []
    return [
        f"{best!r} lies at an end of the searched space ({', '.join(ends)}): a better recipe may "
        "lie outside it"
    ]
