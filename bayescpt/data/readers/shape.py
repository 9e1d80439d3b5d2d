"""A schedule with warm-up, plateau and decay, at any steps: what a column of rates is fitted by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data import schedules
from bayescpt.data.schedule import Schedule
from bayescpt.data.schedules.stages import remaining

Floats = NDArray[np.float64]

# Decays that a shape may have, in the order in which they are tried.
DECAYS = ("linear", "cosine", "1-sqrt", "exponential", "geometric", "inverse_sqrt")


@dataclass(frozen=True)
class Shape:
    """Linear warm-up, plateau and decay.

    Parameters
    ----------
    peak : float
        Learning rate of the plateau.
    warmup : int
        Updates of warm-up.
    init : float
        Learning rate at counter 0 of a warm-up.
    start, end : int
        Counters at which the decay starts and reaches `floor`; without a decay, any.
    floor : float
        Learning rate after the decay.
    decay : str
        One of `DECAYS`, or "" for none. The timescale of "inverse_sqrt" is ``end - start``.

    Examples
    --------
    >>> from bayescpt.data.readers.shape import Shape
    >>> shape = Shape(1e-3, warmup=10, start=10, end=110, decay="cosine")
    >>> shape.schedule(110)
    Schedule('cosine': 110 steps, peak 0.001, final 2.47e-07)
    """

    peak: float
    warmup: int = 0
    init: float = 0.0
    start: int = 0
    end: int = 0
    floor: float = 0.0
    decay: str = ""

    def at(self, counter: Floats) -> Floats:
        """Learning rates at some counters, which count updates done.

        Parameters
        ----------
        counter : ndarray
            Counters.

        Returns
        -------
        ndarray
        """
        rates = np.full(counter.shape, self.peak)
        if self.warmup:
            rising = counter < self.warmup
            rates[rising] = self.init + (self.peak - self.init) * counter[rising] / self.warmup
        if self.decay:
            falling = counter >= max(self.start, self.warmup)
            length = max(self.end - self.start, 1)
            progress = (counter[falling] - self.start) / length
            rates[falling] = self._fallen(progress)
        return rates

    def schedule(self, steps: int) -> Schedule:
        """The schedule of that name.

        Parameters
        ----------
        steps : int
            Number of updates.

        Returns
        -------
        Schedule

        Raises
        ------
        ScheduleError
            If it does not fit into `steps` updates.
        """
        name, params = self._named(steps)
        return schedules.from_name(name, **params)

    def _fallen(self, progress: Floats) -> Floats:
        if self.decay == "inverse_sqrt":
            return np.maximum(self.floor, self.peak / np.sqrt(progress + 1.0))
        p = np.minimum(progress, 1.0)
        if self.decay == "geometric":
            return self.peak * (self.floor / self.peak) ** p
        return self.floor + (self.peak - self.floor) * remaining(p, self.decay)

    def _named(self, steps: int) -> tuple[str, dict[str, Any]]:
        params: dict[str, Any] = {"lr": self.peak, "num_training_steps": steps}
        warmup = min(self.warmup, steps)
        if not self.decay and not warmup:
            return "constant", params
        if warmup:
            params["num_warmup_steps"] = warmup
            if self.init:
                params["warmup_init_lr"] = self.init
        if not self.decay:
            return "constant_with_warmup", params
        if self.floor:
            params["min_lr"] = self.floor
        if self.decay == "inverse_sqrt":
            return "inverse_sqrt", params | {"timescale": self.end - self.start}
        length = self.end - self.start
        if self.decay in ("linear", "cosine") and self.start == self.warmup:
            if self.end != steps:
                params["num_decay_steps"] = length
            return self.decay, params
        params |= {"num_decay_steps": length, "decay_type": self.decay}
        if self.end != steps:
            params["num_stable_steps"] = self.start - self.warmup
        return "wsd", params
