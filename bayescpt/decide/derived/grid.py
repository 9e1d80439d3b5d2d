"""A grid of recipes, and the optimum of a loss on it, draw by draw."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.decide.derived.family import Family
from bayescpt.errors import PlanError, ScheduleError
from bayescpt.forecast import Plan

Array = NDArray[np.float64]
# Recipes of a grid over all settings, and most and fewest points of one of them.
GRID, MOST, FEWEST = 1024, 41, 5


@dataclass(frozen=True)
class Grid:
    """Recipes on a grid.

    Attributes
    ----------
    values : dict of str to list
        Values of each setting; the last setting varies fastest.
    plans : list of Plan
        Recipes with a valid schedule.
    cells : ndarray of int, shape (n_plans, n_settings)
        Place of each recipe along each setting.
    invalid : list of ScheduleError
        What is wrong with the others.
    """

    values: dict[str, list[Any]]
    plans: list[Plan]
    cells: NDArray[np.intp]
    invalid: list[ScheduleError]

    @property
    def names(self) -> list[str]:
        """Settings that vary."""
        return list(self.values)

    def place(self, name: str) -> NDArray[np.intp]:
        """Place of each recipe along a setting.

        Parameters
        ----------
        name : str
            Setting.

        Returns
        -------
        ndarray of int, shape (n_plans,)
        """
        return self.cells[:, self.names.index(name)]

    def optimum(self, index: NDArray[np.intp], losses: Array) -> pd.DataFrame:
        """Settings with the lowest loss in each draw, between the points of the grid.

        Along each setting that is a number, the vertex of the parabola through the lowest recipe
        and its two neighbours, on the scale of the grid; the recipe itself at an end of the
        setting, or where a neighbour has no valid schedule.

        Parameters
        ----------
        index : ndarray of int, shape (n_draws,)
            Recipe with the lowest loss.
        losses : ndarray, shape (n_plans, n_draws)
            Losses of all recipes.

        Returns
        -------
        pandas.DataFrame
            A column per setting, a row per draw.
        """
        whole = np.full([len(values) for values in self.values.values()], -1)
        whole[tuple(self.cells.T)] = np.arange(len(self.plans))
        out = {}
        for axis, (name, values) in enumerate(self.values.items()):
            at = self.cells[index]
            found: Any = [values[k] for k in at[:, axis]]
            if len(values) > 2 and all(isinstance(value, int | float) for value in values):
                found = _refined(np.asarray(values, float), at, axis, whole, losses)
            out[name] = found
        return pd.DataFrame(out)


def _refined(
    values: Array, at: NDArray[np.intp], axis: int, whole: NDArray[np.intp], losses: Array
) -> Array:
    """Optimum along one setting, by draw."""
    draw = np.arange(len(at))
    k = np.clip(at[:, axis], 1, values.size - 2)
    near = []
    for step in (-1, 0, 1):
        cell = at.copy()
        cell[:, axis] = k + step
        near.append(whole[tuple(cell.T)])
    inside = (at[:, axis] == k) & (np.min(near, axis=0) >= 0)
    # Lengths and peaks are spaced evenly in the logarithm.
    log = values[0] > 0 and np.ptp(np.diff(np.log(values))) < np.ptp(np.diff(values))
    x = np.log(values) if log else values
    y0, y1, y2 = (losses[np.maximum(plan, 0), draw] for plan in near)
    left, right = (y1 - y0) / (x[k] - x[k - 1]), (y2 - y1) / (x[k + 1] - x[k])
    bend = (right - left) / (x[k + 1] - x[k - 1])
    inside &= bend > 0
    vertex = (x[k - 1] + x[k]) / 2 - left / (2 * np.where(inside, bend, 1.0))
    vertex = np.clip(vertex, x[k - 1], x[k + 1])
    # An optimum at a point of the grid is that point to the last digit.
    return np.where(inside, np.exp(vertex) if log else vertex, values[at[:, axis]])


def make_grid(family: Family, names: list[str], points: int | None = None) -> Grid:
    """Grid over some settings of a family, the others in the middle.

    Parameters
    ----------
    family : Family
        Recipes.
    names : list of str
        Settings.
    points : int, optional
        Points of each range; by default as many as give about `GRID` recipes, `FEWEST` to `MOST`.

    Returns
    -------
    Grid

    Raises
    ------
    PlanError
        If `points` is below 2, or no recipe has a valid schedule.
    """
    axes = [axis for axis in family.space.axes if axis.name in names]
    if points is None:
        listed = int(np.prod([len(axis.values) for axis in axes if axis.values] or [1]))
        n_ranges = sum(not axis.values for axis in axes)
        room = int((GRID / listed) ** (1 / n_ranges)) if n_ranges else FEWEST
        points = min(max(room, FEWEST), MOST)
    if points < 2:
        raise PlanError(f"points = {points}: give at least 2")
    # The replay ratio varies fastest: plans that differ in it alone share the schedule's areas.
    order = sorted((axis.name for axis in axes), key=lambda name: name == "replay_ratio")
    values = {name: family.values(name, points) for name in order}
    plans, cells, invalid = [], [], []
    for cell in product(*(range(len(of_one)) for of_one in values.values())):
        point = {name: values[name][k] for name, k in zip(order, cell, strict=True)}
        try:
            plans += family.plans([point])
        except ScheduleError as error:
            invalid.append(error)
            continue
        cells.append(cell)
    if not plans:
        raise PlanError(f"no recipe of the space has a valid schedule: {invalid[0]}")
    return Grid(values, plans, np.array(cells, dtype=np.intp), invalid)
