"""Stages of a schedule: linear warm-up, constant stage and decay, joined into one array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.schedules.arguments import check_count, check_learning_rate
from bayescpt.errors import ScheduleError

Array = NDArray[np.float64]
DecayType = Literal["linear", "cosine", "1-sqrt", "exponential", "geometric"]

# Fraction of (start - end) that remains at progress p in 0..1. The geometric decay is a function of
# start and end themselves.
_REMAINING: dict[str, Callable[[Array], Array]] = {
    "linear": lambda p: 1.0 - p,
    "cosine": lambda p: 0.5 * (1.0 + np.cos(np.pi * p)),
    "1-sqrt": lambda p: 1.0 - np.sqrt(p),
    "exponential": lambda p: 2.0 * 0.5**p - 1.0,
}
DECAY_TYPES = (*_REMAINING, "geometric")


def progress(n_steps: int) -> Array:
    """Progress through a stage at each of its updates.

    Parameters
    ----------
    n_steps : int
        Number of updates.

    Returns
    -------
    ndarray, shape (n_steps,)
        0, 1/n, ..., (n - 1)/n.
    """
    return np.arange(n_steps) / max(n_steps, 1)


def remaining(p: Array, decay_type: str) -> Array:
    """Fraction of the way from start to end that is left at some progress through a decay.

    Parameters
    ----------
    p : ndarray
        Progress, 0 to 1.
    decay_type : str
        One of `DECAY_TYPES` but "geometric", whose fraction depends on start and end.

    Returns
    -------
    ndarray
        1 at progress 0, and 0 at progress 1.

    Examples
    --------
    >>> import numpy as np
    >>> from bayescpt.data.schedules.stages import remaining
    >>> remaining(np.array([0.0, 0.25, 1.0]), "1-sqrt").tolist()
    [1.0, 0.5, 0.0]
    """
    return _REMAINING[decay_type](p)


def decay(start: float, end: float, n_steps: int, decay_type: str) -> Array:
    """Learning rates from `start`, which reach `end` one update after the last.

    Parameters
    ----------
    start : float
        Learning rate of the first update.
    end : float
        Learning rate of the update that follows the decay.
    n_steps : int
        Number of updates.
    decay_type : str
        One of `DECAY_TYPES`.

    Returns
    -------
    ndarray, shape (n_steps,)
        Learning rates.

    Raises
    ------
    ScheduleError
        If an argument is out of range, or the type is unknown.

    Examples
    --------
    >>> from bayescpt.data.schedules.stages import decay
    >>> decay(1.0, 0.0, 4, "linear").tolist()
    [1.0, 0.75, 0.5, 0.25]
    """
    check_count("num_decay_steps", n_steps)
    check_learning_rate("start", start)
    check_learning_rate("end", end)
    if decay_type == "geometric":
        if n_steps and min(start, end) <= 0:
            raise ScheduleError(
                f"a geometric decay from {start} to {end} needs both above 0: give min_lr"
            )
        return start * (end / start) ** progress(n_steps) if n_steps else np.empty(0)
    if decay_type not in _REMAINING:
        raise ScheduleError(f"unknown decay_type {decay_type!r}; known: {', '.join(DECAY_TYPES)}")
    return end + (start - end) * remaining(progress(n_steps), decay_type)


def join_stages(
    lr: float,
    num_training_steps: int,
    num_warmup_steps: int = 0,
    warmup_init_lr: float = 0.0,
    num_stable_steps: int | None = None,
    tail: Array | None = None,
    min_lr: float = 0.0,
) -> Array:
    """Join a linear warm-up, a constant stage at the peak and the learning rates after it.

    Parameters
    ----------
    lr : float
        Peak learning rate.
    num_training_steps : int
        Number of updates; what goes beyond them is cut off.
    num_warmup_steps : int
        Updates of warm-up.
    warmup_init_lr : float
        Learning rate of the first update of the warm-up.
    num_stable_steps : int, optional
        Updates at the peak; by default all after the warm-up.
    tail : ndarray, optional
        Learning rates after the constant stage.
    min_lr : float
        Learning rate of the updates after the tail.

    Returns
    -------
    ndarray, shape (num_training_steps,)
        Learning rates.

    Raises
    ------
    ScheduleError
        If an argument is out of range.

    Examples
    --------
    >>> from bayescpt.data.schedules.stages import join_stages
    >>> join_stages(4.0, 6, num_warmup_steps=4).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 4.0]
    """
    check_learning_rate("lr", lr)
    check_learning_rate("warmup_init_lr", warmup_init_lr)
    check_count("num_training_steps", num_training_steps)
    check_count("num_warmup_steps", num_warmup_steps)
    if num_stable_steps is not None:
        check_count("num_stable_steps", num_stable_steps)
    total, warmup = num_training_steps, num_warmup_steps
    if warmup > total:
        raise ScheduleError(f"num_warmup_steps {warmup} exceeds num_training_steps {total}")
    rates = np.full(total, min_lr, dtype=np.float64)
    rates[:warmup] = warmup_init_lr + (lr - warmup_init_lr) * progress(warmup)
    end = total if num_stable_steps is None else min(warmup + num_stable_steps, total)
    rates[warmup:end] = lr
    if tail is not None:
        last = min(end + tail.size, total)
        rates[end:last] = tail[: last - end]
    return rates
