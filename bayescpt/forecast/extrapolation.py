"""Extrapolation distance from the fitted runs to a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from bayescpt.laws.trajectory import Trajectory

Array = NDArray[np.float64]

# Number of points at which schedules and curricula are compared.
N_SHAPE = 50
# One unit of distance: .25 in the square root of a share (replay 0 to .06, or .25 to .56), a factor
# of two in peak LR (or length, in pre-training), a factor of four in model size, a full anneal of
# the start checkpoint, half an anneal at the end, or a mean LR difference of a quarter of the peak.
# The length of a CPT run does not count: its drift grows with the logarithm of its area already,
# and bands of plans four times as long as four pilots of the fleet held 94-95% without it and were
# 15% narrower.
SHARE_UNIT = 0.25
SHAPE_UNIT = 0.25
END_UNIT = 0.5
SIZE_UNIT = np.log(4.0)
# Cap: recipes farther away than this are treated as equally unknown.
FARTHEST = 3.0


@dataclass(frozen=True)
class Recipe:
    """Features of a run that the extrapolation distance compares.

    Attributes
    ----------
    kind : tuple of str
        Phase and target; only recipes of the same kind are compared.
    place : ndarray, shape (5,)
        In units of distance: log2 of the peak LR, log2 of the number of steps (0 in CPT), the LR of
        the start checkpoint and the last LR, both relative to the peak, and the logarithm of the
        model size, NaN if unknown.
    shares : ndarray, shape (2,)
        In units: square roots of the mean replay ratio and of the mean share of the target.
    course : ndarray, shape (2, 50)
        In units: deviation of the square roots along the run from `shares`; 0 for a constant ratio.
    shape : ndarray, shape (50,)
        In units: LR relative to its peak along the run.
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
    length = 0.0 if trajectory.is_cpt else np.log2(trajectory.n_steps)
    at = np.arange(N_SHAPE) * (trajectory.n_steps - 1) // (N_SHAPE - 1)
    mean, replay = float(trajectory.replay.mean()), trajectory.replay[at]
    shares = np.sqrt([mean, 1.0 - mean]) / SHARE_UNIT
    size = np.nan if trajectory.n_params is None else np.log(trajectory.n_params) / SIZE_UNIT
    along = np.sqrt(np.stack([replay, 1.0 - replay])) / SHARE_UNIT
    return Recipe(
        (trajectory.phase, str(trajectory.target)),
        np.array([np.log2(peak), length, start, lr[-1] / peak / END_UNIT, size]),
        shares,
        along - shares[:, None],
        lr[at] / (peak * SHAPE_UNIT),
    )


@dataclass(frozen=True)
class Recipes:
    """Recipes of one kind, fields as of `Recipe` with an axis for them in front.

    Attributes
    ----------
    place : ndarray, shape (recipes, 5)
        In units of distance, as the others.
    shares : ndarray, shape (recipes, 2)
    course : ndarray, shape (recipes, 2, 50)
    shape : ndarray, shape (recipes, 50)
    """

    place: Array
    shares: Array
    course: Array
    shape: Array

    @classmethod
    def of_kind(cls, recipes: Iterable[Recipe], kind: tuple[str, str]) -> Recipes | None:
        """Those of some recipes that are of a kind, together.

        Parameters
        ----------
        recipes : iterable of Recipe
            Recipes of any kind.
        kind : tuple of str
            Phase and target.

        Returns
        -------
        Recipes or None
            None if there are none.
        """
        known = [one for one in recipes if one.kind == kind]
        return cls.of(known) if known else None

    @classmethod
    def of(cls, recipes: Sequence[Recipe]) -> Recipes:
        """Recipes together.

        Parameters
        ----------
        recipes : sequence of Recipe
            At least one.

        Returns
        -------
        Recipes
        """
        names = [field.name for field in fields(cls)]
        return cls(*(np.stack([getattr(one, name) for one in recipes]) for name in names))


def extrapolation_distance(mine: Recipe, others: Sequence[Recipe]) -> float:
    """Distance from a recipe to the nearest of others.

    Parameters
    ----------
    mine : Recipe
        The recipe.
    others : sequence of Recipe
        Recipes of the fitted runs; those of another phase or target are ignored.

    Returns
    -------
    float
        Between 0 (a repeat with another seed) and 3.
    """
    return nearest(mine, Recipes.of_kind(others, mine.kind))


def nearest(mine: Recipe, others: Recipes | None) -> float:
    """Distance from a recipe to the nearest of others of its kind.

    Parameters
    ----------
    mine : Recipe
        The recipe.
    others : Recipes or None
        The others; None if there are none.

    Returns
    -------
    float
        As of `extrapolation_distance`.
    """
    return FARTHEST if others is None else min(FARTHEST, float(distances(mine, others).min()))


def distances(mine: Recipe, others: Recipes) -> Array:
    """Distances from a recipe to others of its kind.

    Parameters
    ----------
    mine : Recipe
        The recipe.
    others : Recipes
        Recipes of the same kind.

    Returns
    -------
    ndarray, shape (others,)
        0 for a repeat with another seed.
    """
    # Clipped: relative to a peak of 0, the LR of the start checkpoint has no finite square.
    place = np.clip(others.place - mine.place, -FARTHEST, FARTHEST)
    shares = np.abs(others.shares - mine.shares)
    course = others.course - mine.course
    shape = np.abs(others.shape - mine.shape)
    squares = np.nansum(place**2, axis=1)
    squares += shares.max(axis=1) ** 2
    # A separate term: a curriculum is farther from a constant ratio than its mean ratio is.
    squares += (course**2).mean(axis=2).max(axis=1)
    squares += shape.mean(axis=1) ** 2
    return np.asarray(np.sqrt(squares))
