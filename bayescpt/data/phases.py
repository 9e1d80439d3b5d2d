"""Part of the schedule that a step belongs to."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Equal learning rates stored as float32 may differ by a relative 6e-8.
_SAME = 1e-6
PHASES = ("warm-up", "stable", "decay")


def schedule_phase(lr: ArrayLike, steps: ArrayLike) -> NDArray[np.str_]:
    """Part of the schedule at chosen steps.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        Learning rate of each update.
    steps : array_like of int, shape (n,)
        Steps, 0..n_steps; step 0 counts as the first update.

    Returns
    -------
    ndarray of str, shape (n,)
        ``warm-up`` where the LR rises, ``decay`` where it is below its running maximum and does not
        rise, ``stable`` elsewhere.
    """
    rates = np.asarray(lr, dtype=np.float64)
    rises = np.diff(rates) > _SAME * rates.max()
    # The first update belongs to the warm-up that the second continues.
    rising = np.concatenate([rises[:1], rises]) if rates.size > 1 else np.zeros(1, dtype=bool)
    below = rates < (1.0 - _SAME) * np.maximum.accumulate(rates)
    phase = np.where(rising, PHASES[0], np.where(below, PHASES[2], PHASES[1]))
    return phase[np.maximum(np.asarray(steps, dtype=np.int64), 1) - 1]
