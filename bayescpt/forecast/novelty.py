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
# a factor of two in peak LR or length, a whole anneal of the start checkpoint, half an anneal at
# the end, an LR that differs by a quarter of the peak on average.
SHARE_UNIT = 0.25
SHAPE_UNIT = 0.25
END_UNIT = 0.5
# Where the parts of a recipe stand.
PLACE, SHARES, SHAPE = slice(4), slice(4, 6), slice(6, None)
# Further off than this is just as unknown.
FARTHEST = 3.0


@dataclass(frozen=True)
class Recipe:
    """What sets a run apart.

    Attributes
    ----------
    kind : tuple of str
        Phase and target: recipes of another kind are not compared.
    at : ndarray, shape (56,)
        In units: log2 of the peak LR, log2 of the number of steps, LR of the start checkpoint and
        last LR, both over the peak (`PLACE`); square roots of the replay ratio and of the target's
        share (`SHARES`); LR over its peak along the run (`SHAPE`).
    """

    kind: tuple[str, str]
    at: Array


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
    end = float(path.lr[-1]) / peak
    replay = float(path.replay.mean())
    at = np.arange(N_SHAPE) * (path.n_steps - 1) // (N_SHAPE - 1)
    place = [np.log2(peak), np.log2(path.n_steps), start, end / END_UNIT]
    shares = np.sqrt([replay, 1.0 - replay]) / SHARE_UNIT
    shape = path.lr[at] / (peak * SHAPE_UNIT)
    return Recipe((path.phase, str(path.target)), np.concatenate([place, shares, shape]))


def novelty(mine: Recipe, others: Sequence[Recipe]) -> float:
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
    apart = np.abs(np.stack([other.at for other in known]) - mine.at)
    squares = np.sum(apart[:, PLACE] ** 2, axis=1)
    squares += apart[:, SHARES].max(axis=1) ** 2
    squares += apart[:, SHAPE].mean(axis=1) ** 2
    return min(FARTHEST, float(np.sqrt(squares.min())))
