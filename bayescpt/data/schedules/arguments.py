"""Checks of the arguments that schedule constructors share."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayescpt.data.schedule import MAX_STEPS
from bayescpt.errors import ScheduleError


def check_count(name: str, value: Any, prefix: str = "") -> None:
    """Raise an error if a number of updates is not a whole number from 0 to `MAX_STEPS`.

    Called before anything of that length is made.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : object
        Its value.
    prefix : str
        Start of the message.

    Raises
    ------
    ScheduleError
        If it is not.
    """
    is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not is_whole or value < 0:
        raise ScheduleError(f"{prefix}{name} is {value!r}; expected a whole number, 0 or more")
    if value > MAX_STEPS:
        # Python refuses to write integers of thousands of digits.
        shown = f"{value:,}" if value < 10**30 else "above 1e30"
        raise ScheduleError(
            f"{prefix}{name} is {shown}; expected at most {MAX_STEPS:,} optimiser updates (is it a "
            "number of tokens or samples?)"
        )


def check_learning_rate(name: str, value: Any) -> None:
    """Raise an error if a learning rate is not a finite number of 0 or more.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : object
        Its value.

    Raises
    ------
    ScheduleError
        If it is not.
    """
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not is_number or not np.isfinite(value) or value < 0:
        raise ScheduleError(f"{name} is {value!r}; expected a finite number, 0 or more")


def minimum_lr(lr: float, min_lr: float | None, min_lr_ratio: float | None) -> float:
    """Minimum learning rate, from its absolute value or its ratio to the peak.

    Parameters
    ----------
    lr : float
        Peak learning rate.
    min_lr : float or None
        Minimum learning rate.
    min_lr_ratio : float or None
        The same as a fraction of `lr`.

    Returns
    -------
    float
        Minimum learning rate; 0 where neither is given.

    Raises
    ------
    ScheduleError
        If both are given, or one is out of range.
    """
    if min_lr is not None and min_lr_ratio is not None:
        raise ScheduleError(f"give min_lr ({min_lr}) or min_lr_ratio ({min_lr_ratio}), not both")
    check_learning_rate("lr", lr)
    if min_lr_ratio is not None:
        check_learning_rate("min_lr_ratio", min_lr_ratio)
        if min_lr_ratio > 1:
            raise ScheduleError(f"min_lr_ratio is {min_lr_ratio}; expected 0 to 1")
        return lr * min_lr_ratio
    minimum = 0.0 if min_lr is None else min_lr
    check_learning_rate("min_lr", minimum)
    if minimum > lr:
        raise ScheduleError(f"min_lr is {minimum}; expected 0 to lr {lr}")
    return minimum


def decay_length(
    num_training_steps: int, num_warmup_steps: int, num_decay_steps: int | None
) -> int:
    """Number of updates of a decay that starts right after the warm-up.

    Parameters
    ----------
    num_training_steps : int
        Number of updates of the schedule.
    num_warmup_steps : int
        Updates of warm-up.
    num_decay_steps : int or None
        Updates of decay, if given.

    Returns
    -------
    int
        `num_decay_steps`, or by default all updates after the warm-up.

    Raises
    ------
    ScheduleError
        If one of the first two is not a whole number of 0 or more.
    """
    check_count("num_training_steps", num_training_steps)
    check_count("num_warmup_steps", num_warmup_steps)
    if num_decay_steps is not None:
        return num_decay_steps
    return max(0, num_training_steps - num_warmup_steps)
