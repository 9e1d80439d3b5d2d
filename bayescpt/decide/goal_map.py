"""Probability of a goal over two settings of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data import Study
from bayescpt.data.phases import schedule_phase
from bayescpt.decide.forecaster import Forecaster, open_screener
from bayescpt.decide.goals import Goal
from bayescpt.decide.pieces import PIECES
from bayescpt.decide.screen import screen
from bayescpt.decide.space import Space
from bayescpt.errors import PlanError, ScheduleError
from bayescpt.forecast import Plan
from bayescpt.random_seed import takes_seed

Array = NDArray[np.float64]

# Points of a range, unless another number is asked for.
POINTS = 15
# Settings that maps are of first.
FIRST = ("replay_ratio", "decay_share", "num_decay_steps", "lr")


@dataclass(frozen=True, eq=False)
class GoalMap:
    """Probability of meeting a goal, over two settings of a recipe.

    Attributes
    ----------
    x, y : str
        The two settings, such as ``replay_ratio`` and ``decay_share``.
    x_values : ndarray, shape (nx,)
        Values of the first.
    y_values : ndarray, shape (ny,)
        Values of the second.
    probability : ndarray, shape (ny, nx)
        Joint probability of the goal at the last step; NaN where no schedule is valid.
    mcse : ndarray, shape (ny, nx)
        Its Monte Carlo standard error.
    outside : ndarray of bool, shape (ny, nx)
        Whether the recipe leaves the range of the fitted runs.
    fixed : mapping of str to Any
        All other settings.
    goal : Goal
        The goal.
    pilots : pandas.DataFrame
        Columns x and y: the fitted runs of continual pre-training, by name, where both settings
        are known of them; their other settings may differ.
    """

    x: str
    y: str
    x_values: Array
    y_values: Array
    probability: Array
    mcse: Array
    outside: NDArray[np.bool_]
    fixed: Mapping[str, Any]
    goal: Goal
    pilots: pd.DataFrame = field(repr=False)


@takes_seed
def goal_map(
    fit: Forecaster,
    space: Space | Mapping[str, Any],
    goal: Goal | Mapping[str, float | str],
    x: str = "replay_ratio",
    y: str = "decay_share",
    at: Mapping[str, Any] | None = None,
    points: int = POINTS,
    random_seed: int = 0,
    allow_failed: bool = False,
    extrapolate: bool = False,
) -> GoalMap:
    """Compute the probability of a goal over two settings of a recipe.

    Parameters
    ----------
    fit : Forecaster
        Fit of the pilot runs. Pilots are marked if it has a `study`.
    space : Space or mapping of str to Any
        Settings, as in `optimise`: `x` and `y` must vary. Without ``start``, the fit's only start
        checkpoint.
    goal : Goal or mapping of str to float or str
        The highest loss allowed by domain, in any form that `Goal` takes.
    x, y : str
        The two settings.
    at : mapping of str to Any, optional
        Values of other settings that vary in the space, such as `Optimum.settings`.
    points : int
        Number of values of each setting that is a range, at least 2.
    random_seed : int
        Seed of the noise, the same for all recipes; also accepted as ``seed``.
    allow_failed : bool
        Go on even if a convergence check of the fit failed.
    extrapolate : bool
        Also take recipes absurdly far from the pilots.

    Returns
    -------
    GoalMap
        Draw it with `bayescpt.plot.goal_map`.

    Raises
    ------
    ConvergenceError
        If a check of the fit failed and `allow_failed` is not set.
    PlanError
        If `x` or `y` does not vary in the space, another setting varies and `at` does not say its
        value, or no recipe has a valid schedule.

    Examples
    --------
    >>> import bayescpt as bc
    >>> space = bc.Space(
    ...     schedule="wsd", lr=2e-3, num_training_steps=1000, num_warmup_steps=30,
    ...     decay_share=(0.05, 0.6), replay_ratio=(0.0, 0.5), start="pt_r0",
    ... )  # fmt: skip
    >>> fit = bc.load_fit("fit.nc")  # doctest: +SKIP
    >>> bc.goal_map(fit, space, {"german": 3.0}).probability.shape  # doctest: +SKIP
    (15, 15)
    """
    space, goal = Space.of(space), Goal.of(goal)
    screener = open_screener(fit, allow_failed, extrapolate)
    if not any(axis.name == "start" for axis in space.axes):
        space = space.starting_from(screener.checkpoints)
    places, fixed = _places(space, x, y, dict(at or {}), points)
    plans: dict[tuple[int, int], Plan] = {}
    invalid: list[ScheduleError] = []
    # The replay ratio varies fastest where it is on the horizontal axis: such plans share areas.
    for j, value_y in enumerate(places[y]):
        for i, value_x in enumerate(places[x]):
            point = fixed | {x: value_x, y: value_y}
            try:
                plan = space.plan(point)
            except ScheduleError as error:
                invalid.append(error)
                continue
            plans[j, i] = replace(plan, name=f"{j},{i}")
    if not plans:
        raise PlanError(f"no recipe of the map has a valid schedule: {invalid[0]}")
    table = screen(
        fit, plans.values(), goal, "probability", probs=(), random_seed=random_seed,
        allow_failed=allow_failed, extrapolate=extrapolate,
    )  # fmt: skip
    shape = len(places[y]), len(places[x])
    probability, mcse = np.full(shape, np.nan), np.full(shape, np.nan)
    outside = np.zeros(shape, dtype=bool)
    at_cell = tuple(np.array(list(plans)).T)
    probability[at_cell], mcse[at_cell] = table["joint"], table["joint_mcse"]
    outside[at_cell] = table["outside"] != ""
    return GoalMap(
        x, y, places[x], places[y], probability, mcse, outside, fixed, goal,
        pilot_settings(getattr(fit, "study", None), (x, y)),
    )  # fmt: skip


def map_settings(space: Space) -> list[tuple[str, str]]:
    """Pairs of settings over which maps of a space are worth drawing.

    Parameters
    ----------
    space : Space
        Settings.

    Returns
    -------
    list of (str, str)
        The replay ratio with each other number that varies, the length of the decay and the peak
        LR first; where the replay ratio does not vary, the first number with each other one. At
        most three; empty where fewer than two numbers vary.

    Examples
    --------
    >>> space = Space(
    ...     schedule="wsd", lr=(1e-3, 4e-3), num_training_steps=500, decay_share=[0.1, 0.3],
    ...     replay_ratio=(0.1, 0.5),
    ... )  # fmt: skip
    >>> map_settings(space)
    [('replay_ratio', 'decay_share'), ('replay_ratio', 'lr')]
    """
    numbers = [
        axis.name
        for axis in space.varied
        if axis.name != PIECES and all(isinstance(value, int | float) for value in axis.values)
    ]
    if not numbers:
        return []
    numbers.sort(key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    return [(numbers[0], other) for other in numbers[1:4]]


def pilot_settings(study: Study | None, settings: tuple[str, str]) -> pd.DataFrame:
    """Two settings of the runs of continual pre-training of a study.

    Parameters
    ----------
    study : Study or None
        The study; None for what is fitted to none.
    settings : tuple of two str
        Of ``replay_ratio``, ``lr`` (the peak), ``num_training_steps``, ``decay_share`` and
        ``num_decay_steps`` (the final part of the schedule in which the LR falls).

    Returns
    -------
    pandas.DataFrame
        Columns x and y, indexed by run; runs of which a setting is not known are left out.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> made = pilot_settings(load_example("cpt_micro"), ("replay_ratio", "decay_share"))
    >>> made.loc["de_r10_wsd"].to_dict()
    {'x': 0.1, 'y': 0.2}
    """
    rows = {}
    for name in () if study is None else study.cpt_runs:
        run = study.run(name) if study is not None else None
        if run is None or run.schedule is None:
            continue
        lr = np.asarray(run.schedule.lr, dtype=float)
        phases = schedule_phase(lr, np.arange(1, lr.size + 1))
        still = np.flatnonzero(phases != "decay")
        decay = lr.size - 1 - (int(still[-1]) if still.size else -1)
        ratio = np.unique(np.asarray(run.replay_ratio, dtype=float))
        known = {
            "replay_ratio": float(ratio[0]) if ratio.size == 1 else np.nan,
            "lr": float(lr.max()),
            "num_training_steps": float(lr.size),
            "decay_share": decay / lr.size,
            "num_decay_steps": float(decay),
        }
        rows[name] = [known.get(setting, np.nan) for setting in settings]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["x", "y"], dtype=float).dropna()


def _places(
    space: Space, x: str, y: str, at: dict[str, Any], points: int
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Values of the two settings, and of all others."""
    varied = {axis.name: axis for axis in space.varied}
    if x == y or points < 2:
        raise PlanError(
            f"x = {x!r}, y = {y!r}, points = {points}: give two settings, 2 points or more"
        )
    for name in (x, y):
        if name not in varied:
            raise PlanError(f"{name!r} does not vary in the space; what varies is {[*varied]}")
    places = {}
    for name in (x, y):
        axis = varied[name]
        values = axis.values or [axis.at(u) for u in np.linspace(0.0, 1.0, points)]
        try:
            # Numbers of updates stay whole.
            places[name] = np.unique(np.asarray(values) + 0)
        except (TypeError, ValueError):
            raise PlanError(f"{name!r} has values that are no numbers: {axis.values}") from None
    fixed = {name: value for name, value in space.point({}).items() if name not in (x, y)}
    for name in fixed:
        if name in at:
            fixed[name] = at[name]
        elif name in varied:
            raise PlanError(f"{name!r} varies in the space too; give its value in at=")
    return places, fixed
