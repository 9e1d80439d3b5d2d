"""How unlike the fitted runs a recipe is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayescpt.laws.features import Path

Array = NDArray[np.float64]

# Points at which two schedules' shapes are compared.
N_SHAPE = 50
# What counts as one unit: a quarter in the square root of a share (replay 0 to .06, or .25 to .56),
# a factor of two in peak LR or length, a whole anneal of the start checkpoint, an LR that differs
# by a quarter of the peak on average.
SHARE_UNIT = 0.25
SHAPE_UNIT = 0.25
# Further off than this is just as unknown.
FARTHEST = 3.0


@dataclass(frozen=True)
class Recipe:
    """What sets a run apart.

    Attributes
    ----------
    kind : tuple of str
        Phase and target: recipes of another kind are not compared.
    place : ndarray, shape (3,)
        log2 of the peak LR, log2 of the number of steps, LR of the start checkpoint over the peak.
    shares : ndarray, shape (2,)
        Square roots of the replay ratio and of the target's share.
    shape : ndarray, shape (50,)
        LR over its peak along the run.
    """

    kind: tuple[str, str]
    place: Array
    shares: Array
    shape: Array


def recipe(path: Path) -> Recipe:
    """Recipe of a path.

    Parameters
    ----------
    path : Path
        The trajectory.

    Returns
    -------
    Recipe
    """
    peak = max(float(path.lr.max()), 1e-300)
    start = (path.start_lr or 0.0) / peak if path.phase == "cpt" else 0.0
    replay = float(path.replay.mean())
    at = np.linspace(0, path.n_steps - 1, N_SHAPE).astype(np.int64)
    return Recipe(
        kind=(path.phase, str(path.target)),
        place=np.array([np.log2(peak), np.log2(path.n_steps), start]),
        shares=np.sqrt([replay, 1.0 - replay]),
        shape=path.lr[at] / peak,
    )


def distance(one: Recipe, other: Recipe) -> float:
    """Distance of two recipes, in units of a marked difference.

    Parameters
    ----------
    one, other : Recipe
        Of the same kind.

    Returns
    -------
    float
        0 for a repeat with another seed.
    """
    share = np.abs(one.shares - other.shares).max() / SHARE_UNIT
    shape = np.abs(one.shape - other.shape).mean() / SHAPE_UNIT
    return float(np.sqrt(np.sum((one.place - other.place) ** 2) + share**2 + shape**2))


def novelty(mine: Recipe, others: Sequence[Recipe]) -> float:
    """Distance to the nearest of other recipes.

    Parameters
    ----------
    mine : Recipe
        The recipe.
    others : sequence of Recipe
        Those of the fitted runs.

    Returns
    -------
    float
        From 0 to 3.
    """
    near = [distance(mine, other) for other in others if other.kind == mine.kind]
    return min([FARTHEST, *near])
