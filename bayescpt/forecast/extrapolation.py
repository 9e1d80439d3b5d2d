"""Extrapolation distance: how unlike the fitted runs a recipe is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayescpt.laws.trajectory import Trajectory

Array = NDArray[np.float64]

# Points at which two schedules, and two curricula, are compared.
N_SHAPE = 50
# What counts as one unit: a quarter in the square root of a share (replay 0 to .06, or .25 to .56),
# a factor of two in peak LR or length, a whole anneal of the start checkpoint, half an anneal at
# the end, an LR that differs by a quarter of the peak on average.
SHARE_UNIT = 0.25
SHAPE_UNIT = 0.25
END_UNIT = 0.5
# Further off than this is just as unknown.
FARTHEST = 3.0


@dataclass(frozen=True)
class Recipe:
    """What sets a run apart.

    Attributes
    ----------
    kind : tuple of str
        Phase and target: recipes of another kind are not compared.
    place : ndarray, shape (4,)
        In units: log2 of the peak LR, log2 of the number of steps, LR of the start checkpoint and
        last LR, both over the peak.
    shares : ndarray, shape (2,)
        In units: square roots of the mean replay ratio and of the target's mean share.
    course : ndarray, shape (2, 50)
        In units: how far the square roots along the run are from those; 0 for a constant ratio.
    shape : ndarray, shape (50,)
        In units: LR over its peak along the run.
    """

    kind: tuple[str, str]
    place: Array
    shares: Array
    course: Array
    shape: Array


def recipe(trajectory: Trajectory) -> Recipe:
    """Recipe of a trajectory.

    Parameters
    ----------
    trajectory : Trajectory
        The trajectory.

    Returns
    -------
    Recipe
    """
    lr = trajectory.lr
    peak = max(float(lr.max()), 1e-300)
    start = (trajectory.start_lr or 0.0) / peak if trajectory.is_cpt else 0.0
    at = np.arange(N_SHAPE) * (trajectory.n_steps - 1) // (N_SHAPE - 1)
    mean, replay = float(trajectory.replay.mean()), trajectory.replay[at]
    shares = np.sqrt([mean, 1.0 - mean]) / SHARE_UNIT
    along = np.sqrt(np.stack([replay, 1.0 - replay])) / SHARE_UNIT
    return Recipe(
        (trajectory.phase, str(trajectory.target)),
        np.array([np.log2(peak), np.log2(trajectory.n_steps), start, lr[-1] / peak / END_UNIT]),
        shares,
        along - shares[:, None],
        lr[at] / (peak * SHAPE_UNIT),
    )


def extrapolation_distance(mine: Recipe, others: Sequence[Recipe]) -> float:
    """Distance to the nearest of other recipes, in units of a marked difference.

    Parameters
    ----------
    mine : Recipe
        The recipe.
    others : sequence of Recipe
        Those of the fitted runs; of another phase or target they do not count.

    Returns
    -------
    float
        From 0, a repeat with another seed, to 3.
    """
    known = [other for other in others if other.kind == mine.kind]
    if not known:
        return FARTHEST
    place = np.stack([other.place for other in known]) - mine.place
    shares = np.abs(np.stack([other.shares for other in known]) - mine.shares)
    course = np.stack([other.course for other in known]) - mine.course
    shape = np.abs(np.stack([other.shape for other in known]) - mine.shape)
    squares = np.sum(place**2, axis=1)
    squares += shares.max(axis=1) ** 2
    # On its own, so that a curriculum is further from a constant ratio than its mean is.
    squares += (course**2).mean(axis=2).max(axis=1)
    squares += shape.mean(axis=1) ** 2
    return min(FARTHEST, float(np.sqrt(squares.min())))
