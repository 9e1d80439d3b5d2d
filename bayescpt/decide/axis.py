"""One setting of a recipe that may vary: its values, or a range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayescpt.data.curriculum import is_pieces
from bayescpt.errors import PlanError

# Significant digits of a setting: more would give many recipes that hardly differ.
DIGITS = 3


@dataclass(frozen=True)
class Axis:
    """One setting that may vary.

    Attributes
    ----------
    name : str
        The setting.
    values : tuple
        Its values; empty for a range.
    low, high : float
        Ends of a range.
    log : bool
        Whether a range is searched uniformly in the logarithm.
    """

    name: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    def at(self, u: float) -> Any:
        """Return the value at a position along the axis.

        Parameters
        ----------
        u : float
            Position, 0 to 1.

        Returns
        -------
        Any
            One of the values, or a number between the ends, rounded to three significant digits.
        """
        if self.values:
            return self.values[min(int(u * len(self.values)), len(self.values) - 1)]
        low, high = (np.log([self.low, self.high])) if self.log else (self.low, self.high)
        number = float(low + u * (high - low))
        number = float(np.exp(number)) if self.log else number
        if self.name.startswith("num_"):
            return round(number)
        return min(max(float(f"{number:.{DIGITS}g}"), self.low), self.high)

    def clip(self, low: float, high: float) -> tuple[Axis | None, str]:
        """Return the part of the axis inside a range.

        Parameters
        ----------
        low, high : float
            Ends of the range, in the unit of the setting.

        Returns
        -------
        axis : Axis or None
            None where nothing is inside.
        note : str
            What lies outside, or "".
        """
        if self.values:
            within = tuple(v for v in self.values if _lies_in(v, low, high))
            out = [shown("", v).strip() for v in self.values if v not in within]
            note = f"{self.name} {', '.join(out)}" if out else ""
            return (replace(self, values=within) if within else None), note
        ends = (max(self.low, low), min(self.high, high))
        if ends == (self.low, self.high):
            return self, ""
        parts = [(self.low, min(ends[0], self.high)), (max(ends[1], self.low), self.high)]
        out = [f"{a:g}..{b:g}" for a, b in parts if a < b]
        inside = replace(self, low=ends[0], high=ends[1]) if ends[0] <= ends[1] else None
        return inside, f"{self.name} {' and '.join(out)}"


def _lies_in(value: Any, low: float, high: float) -> bool:
    """Whether a value, or each ratio of a curriculum, lies between two ends."""
    parts = [ratio for _, ratio in value] if isinstance(value, tuple) else [value]
    return all(low * 0.999 <= part <= high * 1.001 for part in parts)


def shown(name: str, value: Any) -> str:
    """A setting in the name of a recipe.

    Parameters
    ----------
    name : str
        The setting.
    value : Any
        Its value; a tuple is a curriculum.

    Returns
    -------
    str

    Examples
    --------
    >>> shown("lr", 2e-3), shown("replay_ratio", ((0, 0.1), (500, 0.4)))
    ('lr 0.002', 'replay_ratio 0.1@0 0.4@500')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return f"{name} " + " ".join(f"{ratio:g}@{step:g}" for step, ratio in value)
    return f"{name} {value:g}"


def make_axis(name: str, setting: Any) -> Axis:
    """Return the axis of a setting: one value, a list, or a range.

    Parameters
    ----------
    name : str
        The setting.
    setting : Any
        One value; a list of values; or a range, a tuple (low, high) or a mapping with both.

    Returns
    -------
    Axis

    Raises
    ------
    PlanError
        If the list is empty or the range is none.

    Examples
    --------
    >>> make_axis("lr", (1e-3, 4e-3)).at(0.5), make_axis("start", ["a", "b"]).values
    (0.002, ('a', 'b'))
    """
    if name == "replay_ratio" and is_pieces(setting):
        setting = [setting]
    if isinstance(setting, Mapping):
        if set(setting) != {"low", "high"}:
            raise PlanError(f"{name}: a range has 'low' and 'high'; this has {sorted(setting)}")
        setting = (setting["low"], setting["high"])
    if isinstance(setting, tuple):
        numbers = len(setting) == 2 and all(
            isinstance(v, int | float) and np.isfinite(v) for v in setting
        )
        if not numbers or not setting[0] <= setting[1] or (name == "lr" and setting[0] <= 0):
            raise PlanError(f"{name}: a range is (low, high); got {setting!r}")
        return Axis(name, low=float(setting[0]), high=float(setting[1]), log=name == "lr")
    values = tuple(setting) if isinstance(setting, list | np.ndarray | range) else (setting,)
    if not values:
        raise PlanError(f"{name}: the list is empty")
    return Axis(name, tuple(_value(name, v) for v in values))


def _value(name: str, value: Any) -> Any:
    """One value of a setting, which can be compared and hashed."""
    if name == "replay_ratio" and is_pieces(value):
        return tuple((float(step), float(ratio)) for step, ratio in value)
    return value.item() if isinstance(value, np.generic) else value
