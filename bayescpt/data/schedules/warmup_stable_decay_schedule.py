"""Warm-up, constant stage and decay (WSD)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.schedules.arguments import minimum_lr
from bayescpt.data.schedules.registry import register_alias, register_schedule
from bayescpt.data.schedules.stages import DecayType, decay, join_stages
from bayescpt.errors import ScheduleError


@register_schedule
def warmup_stable_decay(
    lr: float,
    num_training_steps: int | None = None,
    num_warmup_steps: int = 0,
    num_decay_steps: int = 0,
    num_stable_steps: int | None = None,
    min_lr: float | None = None,
    min_lr_ratio: float | None = None,
    decay_type: DecayType = "linear",
    warmup_init_lr: float = 0.0,
) -> NDArray[np.float64]:
    """Linear warm-up, a constant stage at the peak, then a decay; `wsd` is the same function.

    Transformers ``warmup_stable_decay``, Megatron ``WSD``.

    Parameters
    ----------
    lr : float
        Peak learning rate.
    num_training_steps : int, optional
        Number of updates; by default warm-up + constant stage + decay.
    num_warmup_steps : int
        Updates of warm-up.
    num_decay_steps : int
        Updates of the decay (Megatron ``lr_wsd_decay_iters``).
    num_stable_steps : int, optional
        Updates at the peak; by default all updates that warm-up and decay leave. If updates remain
        after the decay, the learning rate stays at its minimum.
    min_lr, min_lr_ratio : float, optional
        Minimum learning rate, absolute or as a fraction of `lr`; give at most one. The default
        is 0.
    decay_type : {"linear", "cosine", "1-sqrt", "exponential", "geometric"}
        Shape of the decay; "1-sqrt" is Megatron's ``minus_sqrt``. The trainers have other defaults
        (transformers "cosine", Megatron "exponential").
    warmup_init_lr : float
        Learning rate of the first update of the warm-up.

    Returns
    -------
    Schedule
        Learning rates, shape (num_training_steps,).

    Raises
    ------
    ScheduleError
        If an argument is out of range, or the stages do not fit into `num_training_steps`.

    Examples
    --------
    >>> from bayescpt.data import schedules
    >>> schedules.wsd(2e-3, 6, num_warmup_steps=1, num_decay_steps=2).lr.tolist()
    [0.0, 0.002, 0.002, 0.002, 0.002, 0.001]
    """
    if num_stable_steps is None:
        if num_training_steps is None:
            raise ScheduleError("give num_training_steps, num_stable_steps or both")
        num_stable_steps = num_training_steps - num_warmup_steps - num_decay_steps
        if num_stable_steps < 0:
            raise ScheduleError(
                f"num_warmup_steps {num_warmup_steps} + num_decay_steps {num_decay_steps} "
                f"exceed num_training_steps {num_training_steps}"
            )
    if num_training_steps is None:
        num_training_steps = num_warmup_steps + num_stable_steps + num_decay_steps
    minimum = minimum_lr(lr, min_lr, min_lr_ratio)
    tail = decay(lr, minimum, num_decay_steps, decay_type)
    return join_stages(
        lr, num_training_steps, num_warmup_steps, warmup_init_lr, num_stable_steps, tail, minimum
    )


wsd = register_alias("wsd", warmup_stable_decay)
