"""The infinite schedule of Ibrahim et al. (arXiv 2403.08763)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.schedules.arguments import check_count, minimum_lr
from bayescpt.data.schedules.registry import register_schedule
from bayescpt.data.schedules.stages import decay, join_stages, progress
from bayescpt.errors import ScheduleError


@register_schedule
def infinite(
    lr: float,
    num_training_steps: int,
    num_warmup_steps: int,
    num_cooldown_steps: int,
    constant_lr: float,
    num_decay_steps: int = 0,
    min_lr: float | None = None,
    min_lr_ratio: float | None = None,
    cooldown_type: Literal["cosine", "inverse_sqrt"] = "cosine",
    timescale: float = 10.0,
    warmup_init_lr: float = 0.0,
) -> NDArray[np.float64]:
    """Warm-up, cooldown to a constant stage of any length, then a geometric decay.

    Section 7.4 of Ibrahim et al. (arXiv 2403.08763). The final decay multiplies `constant_lr` by
    ``(min_lr / constant_lr) ** p`` at progress p.

    Parameters
    ----------
    lr : float
        Peak learning rate.
    num_training_steps : int
        Number of updates; the constant stage takes those that the other stages leave.
    num_warmup_steps, num_cooldown_steps : int
        Updates of warm-up and cooldown.
    constant_lr : float
        Learning rate of the constant stage.
    num_decay_steps : int
        Updates of the final decay.
    min_lr, min_lr_ratio : float, optional
        Final learning rate, absolute or as a fraction of `lr`. If there is a final decay, one of
        the two is required and must be above 0.
    cooldown_type : {"cosine", "inverse_sqrt"}
        Shape of the cooldown.
    timescale : float
        Steepness of the inverse-square-root cooldown, h(p) = 1/sqrt(1 + timescale p) - 1.
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
    >>> schedules.infinite(2e-3, 6, 1, 2, constant_lr=1e-3).lr.round(5).tolist()
    [0.0, 0.002, 0.0015, 0.001, 0.001, 0.001]
    """
    if not 0 < constant_lr <= lr:
        raise ScheduleError(f"constant_lr is {constant_lr}; expected above 0, at most lr {lr}")
    stable = num_training_steps - num_warmup_steps - num_cooldown_steps - num_decay_steps
    if stable < 0:
        raise ScheduleError(
            f"num_warmup_steps {num_warmup_steps} + num_cooldown_steps {num_cooldown_steps} + "
            f"num_decay_steps {num_decay_steps} exceed num_training_steps {num_training_steps}"
        )
    check_count("num_cooldown_steps", num_cooldown_steps)
    if cooldown_type == "cosine":
        cooldown = decay(lr, constant_lr, num_cooldown_steps, "cosine")
    elif cooldown_type == "inverse_sqrt":
        if not 0 < timescale < np.inf:
            raise ScheduleError(f"timescale is {timescale}; expected a finite number above 0")
        fallen = 1.0 - 1.0 / np.sqrt(1.0 + timescale * progress(num_cooldown_steps))
        cooldown = lr + (constant_lr - lr) * fallen / (1.0 - 1.0 / np.sqrt(1.0 + timescale))
    else:
        raise ScheduleError(f"unknown cooldown_type {cooldown_type!r}; known: cosine, inverse_sqrt")
    minimum = minimum_lr(lr, min_lr, min_lr_ratio)
    final_decay = decay(constant_lr, minimum, num_decay_steps, "geometric")
    tail = np.concatenate([cooldown, np.full(stable, constant_lr), final_decay])
    return join_stages(lr, num_training_steps, num_warmup_steps, warmup_init_lr, 0, tail, minimum)
