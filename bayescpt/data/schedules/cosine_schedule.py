"""A cosine decay after a linear warm-up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.schedules.arguments import decay_length, minimum_lr
from bayescpt.data.schedules.registry import register_schedule
from bayescpt.data.schedules.stages import decay, join_stages


@register_schedule
def cosine(
    lr: float,
    num_training_steps: int,
    num_warmup_steps: int = 0,
    num_decay_steps: int | None = None,
    min_lr: float | None = None,
    min_lr_ratio: float | None = None,
    warmup_init_lr: float = 0.0,
) -> NDArray[np.float64]:
    """Linear warm-up, then half a cosine.

    Transformers ``cosine`` and ``cosine_with_min_lr``, Megatron ``cosine``.

    Parameters
    ----------
    lr : float
        Peak learning rate.
    num_training_steps : int
        Number of updates.
    num_warmup_steps : int
        Updates of warm-up.
    num_decay_steps : int, optional
        Updates from the end of the warm-up to the minimum, at which the learning rate then stays;
        by default all updates after the warm-up.
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
    >>> schedules.cosine(2e-3, 6, num_warmup_steps=2, min_lr_ratio=0.1).lr.round(5).tolist()
    [0.0, 0.001, 0.002, 0.00174, 0.0011, 0.00046]
    """
    minimum = minimum_lr(lr, min_lr, min_lr_ratio)
    n_decay = decay_length(num_training_steps, num_warmup_steps, num_decay_steps)
    tail = decay(lr, minimum, n_decay, "cosine")
    return join_stages(lr, num_training_steps, num_warmup_steps, warmup_init_lr, 0, tail, minimum)
