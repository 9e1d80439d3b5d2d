"""Steps at which plans of several lengths are evaluated together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.plan import Plan

# Of all plans together, more or less.
MOST_STEPS = 400


def step_grid(plans: Sequence[Plan], points: int) -> NDArray[np.int64]:
    """Evenly spaced steps of every plan, with the last step of each.

    Step 0, the start checkpoint, is excluded: its loss was measured.

    Parameters
    ----------
    plans : sequence of Plan
        Recipes.
    points : int
        Approximate number of steps of a plan; fewer where plans have many different lengths.

    Returns
    -------
    ndarray of int
        Those of all plans; a long plan is evaluated at those of a short one too.
    """
    lengths = {plan.schedule.n_steps for plan in plans}
    each = max(min(points, max(MOST_STEPS // len(lengths), 20)), 1)
    return np.unique(np.concatenate([plan_steps(length, each) for length in lengths]))


def plan_steps(n_steps: int, points: int) -> NDArray[np.int64]:
    """Evenly spaced steps of a plan, the last among them.

    Parameters
    ----------
    n_steps : int
        Number of steps of the plan.
    points : int
        Number of steps, at most.

    Returns
    -------
    ndarray of int
    """
    points = min(points, n_steps)
    return np.unique(np.linspace(0, n_steps, points + 1)[1:].round().astype(np.int64).clip(1))
