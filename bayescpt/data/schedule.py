"""A learning-rate schedule: one learning rate per optimiser update."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescpt.errors import ScheduleError

# A schedule holds a learning rate for each update: 80 MB for this many. No run has had as many.
MAX_STEPS = 10_000_000


@dataclass(frozen=True, eq=False, repr=False)
class Schedule:
    """Learning rate at each step of one training phase.

    Schedules are equal if their learning rates are equal; names do not matter.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        Absolute learning rate of each optimiser update; ``lr[i]`` is that of update ``i + 1``.
        Stored as a read-only float64 copy.
    name : str
        Name of the schedule in tables and messages.
    params : dict
        Arguments of its constructor, in a form that JSON can hold; empty for an array.

    Raises
    ------
    ScheduleError
        If a learning rate is negative, NaN or infinite, or `lr` is empty, not one-dimensional or
        longer than `MAX_STEPS`.

    Examples
    --------
    >>> from bayescpt.data import Schedule
    >>> schedule = Schedule([1e-3, 1e-3, 5e-4], name="logged")
    >>> schedule
    Schedule('logged': 3 steps, peak 0.001, final 0.0005)
    >>> schedule.n_steps, schedule.peak_lr, schedule.final_lr
    (3, 0.001, 0.0005)
    """

    lr: NDArray[np.float64]
    name: str = "array"
    params: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lr", _valid_lr(self.lr, self.name))

    @property
    def n_steps(self) -> int:
        """Number of optimiser updates."""
        return self.lr.size

    @property
    def peak_lr(self) -> float:
        """Largest learning rate."""
        return float(self.lr.max())

    @property
    def final_lr(self) -> float:
        """Learning rate of the last update."""
        return float(self.lr[-1])

    @property
    def digest(self) -> str:
        """SHA-256 of the learning rates, in hexadecimal."""
        return hashlib.sha256(self.lr.astype("<f8").tobytes()).hexdigest()

    def then(self, other: Schedule) -> Schedule:
        """Append another schedule, such as one that warms up again.

        Parameters
        ----------
        other : Schedule
            Schedule of the updates that follow.

        Returns
        -------
        Schedule
            The concatenation, of ``self.n_steps + other.n_steps`` updates.

        Examples
        --------
        >>> from bayescpt.data import schedules
        >>> schedules.constant(1e-3, 2).then(schedules.linear(1e-3, 2)).lr.tolist()
        [0.001, 0.001, 0.001, 0.0005]
        """
        parts = [{"name": part.name, "params": part.params} for part in (self, other)]
        lr = np.concatenate([self.lr, other.lr])
        return Schedule(lr, f"{self.name}+{other.name}", {"parts": parts})

    def __eq__(self, other: object) -> bool:
        """Whether the learning rates are equal at every step."""
        return isinstance(other, Schedule) and np.array_equal(self.lr, other.lr)

    def __hash__(self) -> int:
        """Hash of the learning rates."""
        # Not the digest: 0.0 and -0.0 are equal, but their bytes differ.
        return hash((self.n_steps, self.peak_lr, self.final_lr))

    def __repr__(self) -> str:
        """Name, length, peak and final learning rate in one line."""
        return (
            f"Schedule({self.name!r}: {self.n_steps} steps, "
            f"peak {self.peak_lr:.3g}, final {self.final_lr:.3g})"
        )


def _valid_lr(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Read-only float64 copy of `values`; an error names the step and the value."""
    try:
        lr = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ScheduleError(f"schedule {name!r}: learning rates are not numbers: {error}") from None
    if lr.ndim != 1:
        raise ScheduleError(
            f"schedule {name!r}: learning rates have shape {lr.shape}; expected (n_steps,)"
        )
    if lr.size == 0:
        raise ScheduleError(f"schedule {name!r}: no learning rate; expected at least one step")
    if lr.size > MAX_STEPS:
        raise ScheduleError(
            f"schedule {name!r} has {lr.size:,} steps; expected at most {MAX_STEPS:,}"
        )
    invalid = np.flatnonzero(~(np.isfinite(lr) & (lr >= 0)))
    if invalid.size:
        raise ScheduleError(
            f"schedule {name!r}, step {invalid[0] + 1}: learning rate is {lr[invalid[0]]!s}; "
            "expected a finite number, 0 or more"
        )
    lr.flags.writeable = False
    return lr
