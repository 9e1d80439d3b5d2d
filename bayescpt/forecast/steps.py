"""Steps at which plans are forecast."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescpt.errors import PlanError
from bayescpt.laws.trajectory import Trajectory

# Steps of a forecast that names none: of all lengths of plans together, and at least of each.
DEFAULT_STEPS, FEWEST_STEPS = 200, 20


def chosen_steps(steps: ArrayLike | str | None, paths: Sequence[Trajectory]) -> NDArray[np.int64]:
    """Steps of a forecast.

    Parameters
    ----------
    steps : array_like of int, "all" or None
        Steps as a user gives them: None for about 200, evenly spaced.
    paths : sequence of Trajectory
        The plans.

    Returns
    -------
    ndarray of int
        Increasing. Those that nobody named hold the first and the last of every plan.

    Raises
    ------
    PlanError
        If they are not whole numbers, or none, or outside the plans.

    Examples
    --------
    >>> lr = np.full(1000, 1e-3)
    >>> path = Trajectory("run", "pt", lr, np.ones(1000), None, 0.0, (), None, None)
    >>> chosen_steps(None, [path])[[0, 1, -1]].tolist(), chosen_steps("all", [path]).size
    ([1, 6, 1000], 1000)
    """
    longest = max(path.n_steps for path in paths)
    first = 0 if any(path.is_cpt for path in paths) else 1
    if isinstance(steps, str) and steps == "all":
        return np.arange(first, longest + 1)
    if steps is None:
        if longest <= DEFAULT_STEPS:
            return np.arange(first, longest + 1)
        lengths = sorted({path.n_steps for path in paths})
        each = max(DEFAULT_STEPS // len(lengths), FEWEST_STEPS)
        grids = [np.linspace(first, n, min(each, n - first) + 1).round() for n in lengths]
        return np.unique(np.concatenate(grids)).astype(np.int64)
    at = np.unique(np.asarray(steps))
    if at.dtype.kind not in "iuf" or not at.size or not np.all(at == np.floor(at)):
        raise PlanError(
            f'steps must be whole numbers, at least one, or "all"; got {reprlib.repr(steps)}'
        )
    if at[0] < 0 or at[-1] > longest:
        bad = at[0] if at[0] < 0 else at[-1]
        raise PlanError(f"step {bad} is outside the range of the plans, 0..{longest}")
    return at.astype(np.int64)


def within(at: NDArray[np.int64], path: Trajectory) -> NDArray[np.bool_]:
    """Which steps a plan has; step 0 is its start checkpoint.

    Parameters
    ----------
    at : ndarray of int
        Steps.
    path : Trajectory
        The plan.

    Returns
    -------
    ndarray of bool
    """
    return (at >= (0 if path.is_cpt else 1)) & (at <= path.n_steps)
