"""A schedule from logged learning rates."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescpt.data.schedule import Schedule


def from_array(lr: ArrayLike, name: str = "array") -> Schedule:
    """Make a schedule from an array of learning rates, such as those in a training log.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        ``lr[i]`` is the learning rate of update ``i + 1``. Many training logs write the learning
        rate of the next update next to a step: check the first value.
    name : str
        Name of the schedule.

    Returns
    -------
    Schedule
        The schedule.

    Raises
    ------
    ScheduleError
        If a learning rate is negative, NaN or infinite, or `lr` is empty or not one-dimensional.

    Examples
    --------
    >>> from bayescpt.data import schedules
    >>> schedules.from_array([1e-3, 1e-3, 5e-4], name="logged")
    Schedule('logged': 3 steps, peak 0.001, final 0.0005)
    """
    return Schedule(cast("NDArray[np.float64]", lr), name)
