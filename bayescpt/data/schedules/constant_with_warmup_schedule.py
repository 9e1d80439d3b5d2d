"""A constant learning rate after a linear warm-up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.schedules.registry import register_schedule
from bayescpt.data.schedules.stages import join_stages


@register_schedule
def constant_with_warmup(
    lr: float, num_training_steps: int, num_warmup_steps: int = 0, warmup_init_lr: float = 0.0
) -> NDArray[np.float64]:
    """Linear warm-up, then a constant learning rate (transformers ``constant_with_warmup``).

    Parameters
    ----------
    lr : float
        Peak learning rate.
    num_training_steps : int
        Number of updates.
    num_warmup_steps : int
        Updates of warm-up; the next update is the first at the peak.
    warmup_init_lr : float
        Learning rate of the first update of the warm-up.

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
    >>> schedules.constant_with_warmup(2e-3, 4, num_warmup_steps=2).lr.tolist()
    [0.0, 0.001, 0.002, 0.002]
    """
    return join_stages(lr, num_training_steps, num_warmup_steps, warmup_init_lr)
