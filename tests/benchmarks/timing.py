"""Repeats, medians and ratios."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

Call = Callable[[], Any]


@dataclass(frozen=True)
class Options:
    """What the command line asks for.

    Attributes
    ----------
    repeats : int
        Of each measurement.
    slow_repeats : int
        Of a measurement that takes minutes.
    quick : bool
        Smaller problems and one repeat: does it run, not how fast.
    cards : tuple of str
        Cards to take where a benchmark takes each; empty for all.
    """

    repeats: int = 5
    slow_repeats: int = 5
    quick: bool = False
    cards: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """One measurement, beside its baseline where it has one.

    Attributes
    ----------
    case : str
        What was measured.
    values : list of float
        One a repeat.
    unit : str
        Of the values.
    against : str
        Name of the baseline.
    baseline : list of float
        Its values, one a repeat.
    ratio : float or None
        How much better, or how much slower, as `target` is put.
    target : str
        Such as ``>= 5``; empty for none.
    note : str
        What a reader must know beside the number.
    """

    case: str
    values: list[float]
    unit: str = "s"
    against: str = ""
    baseline: list[float] = field(default_factory=list)
    ratio: float | None = None
    target: str = ""
    note: str = ""

    @property
    def median(self) -> float:
        """Median over repeats; NaN where nothing was measured."""
        return float(np.median(self.values)) if self.values else float("nan")

    @property
    def met(self) -> bool | None:
        """Is the target met? None without one."""
        if not self.target or self.ratio is None:
            return None
        sign, number = self.target.split()
        return self.ratio >= float(number) if sign == ">=" else self.ratio <= float(number)

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        middle = float(np.median(self.baseline)) if self.baseline else None
        derived = {"median": self.median, "baseline_median": middle, "met": self.met}
        return {**asdict(self), **derived}


def seconds(call: Call, number: int = 1) -> float:
    """Seconds of one call, over `number` in a row."""
    begun = time.perf_counter()
    for _ in range(number):
        call()
    return (time.perf_counter() - begun) / number


def enough(call: Call, at_least: float) -> int:
    """Calls in a row that take `at_least` seconds together, so that the clock is fine enough."""
    call()  # what only a first call does
    number = 1
    while seconds(call, number) * number < at_least:
        number *= 2
    return number


def in_turn(calls: dict[str, Call], repeats: int, at_least: float = 0.05) -> dict[str, list[float]]:
    """Seconds of each call, repeat after repeat: a slow moment of the machine hits all alike."""
    number = {name: enough(call, at_least) for name, call in calls.items()}
    out: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            out[name].append(seconds(call, number[name]))
    return out


def ratio(above: list[float], below: list[float]) -> float:
    """Quotient of two medians."""
    return float(np.median(above) / np.median(below))


def exponent(sizes: list[int], times: list[float]) -> float:
    """Slope of log time over log size, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])
