"""A constant learning rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.schedules.registry import register_schedule
from bayescpt.data.schedules.stages import join_stages


@register_schedule
def constant(lr: float, num_training_steps: int) -> NDArray[np.float64]:
    """Constant learning rate (transformers and Megatron ``constant``).

    Parameters
    ----------
    lr : float
        Learning rate.
    num_training_steps : int
        Number of updates.

    Returns
    -------
    Schedule
        Learning rates, shape (num_training_steps,).

    Raises
    ------
    ScheduleError
        If an argument is out of range.

    Examples
    --------
    >>> from bayescpt.data import schedules
    >>> schedules.constant(3e-4, 3).lr.tolist()
    [0.0003, 0.0003, 0.0003]
    """
    return join_stages(lr, num_training_steps)
