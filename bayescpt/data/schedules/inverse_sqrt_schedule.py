"""An inverse-square-root decay after a linear warm-up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.schedules.arguments import decay_length, minimum_lr
from bayescpt.data.schedules.registry import register_schedule
from bayescpt.data.schedules.stages import join_stages
from bayescpt.errors import ScheduleError

# What transformers takes where there is no warm-up.
DEFAULT_TIMESCALE = 10_000


@register_schedule
def inverse_sqrt(
    lr: float,
    num_training_steps: int,
    num_warmup_steps: int = 0,
    timescale: int | None = None,
    min_lr: float | None = None,
    min_lr_ratio: float | None = None,
    warmup_init_lr: float = 0.0,
) -> NDArray[np.float64]:
    """Linear warm-up, then decay as one over the square root of the step.

    Transformers ``inverse_sqrt``; Megatron ``inverse-square-root`` if there is a warm-up.

    Parameters
    ----------
    lr : float
        Peak learning rate.
    num_training_steps : int
        Number of updates.
    num_warmup_steps : int
        Updates of warm-up.
    timescale : int, optional
        Steps after which the learning rate has fallen by a factor of sqrt(2); by default
        `num_warmup_steps`, or 10,000 without a warm-up.
    min_lr, min_lr_ratio : float, optional
        Minimum learning rate, absolute or as a fraction of `lr`; give at most one. The default
        is 0.
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
    >>> schedules.inverse_sqrt(2e-3, 5, num_warmup_steps=1).lr.round(5).tolist()
    [0.0, 0.002, 0.00141, 0.00115, 0.001]
    """
    scale = timescale if timescale is not None else (num_warmup_steps or DEFAULT_TIMESCALE)
    if scale <= 0:
        raise ScheduleError(f"timescale is {scale}; expected a positive number of steps")
    minimum = minimum_lr(lr, min_lr, min_lr_ratio)
    n_decay = decay_length(num_training_steps, num_warmup_steps, None)
    tail = np.maximum(minimum, lr / np.sqrt((np.arange(n_decay) + scale) / scale))
    return join_stages(lr, num_training_steps, num_warmup_steps, warmup_init_lr, 0, tail, minimum)
