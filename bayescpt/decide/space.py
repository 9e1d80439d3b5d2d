"""A space of recipes to search: what may vary, between which ends or among which values."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bayescpt.data import schedules
from bayescpt.errors import PlanError
from bayescpt.forecast import Plan
from bayescpt.forecast.ranges import FittedRange

# Keys of the plan; all others are arguments of its schedule.
PLAN_KEYS = ("replay_ratio", "start", "domain")
# Lengths of parts of a schedule as a share of its steps.
SHARES = {"warmup_share": "num_warmup_steps", "decay_share": "num_decay_steps"}
REQUIRED = ("schedule", "lr", "num_training_steps")
# More digits than anyone would type into a launch script only give many recipes that are one.
DIGITS = 3


@dataclass(frozen=True)
class Axis:
    """One setting that may vary.

    Attributes
    ----------
    name : str
        The setting.
    values : tuple
        Its values; of a range, none.
    low, high : float
        Ends of a range.
    log : bool
        Whether a range is searched evenly in the logarithm.
    """

    name: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    def at(self, u: float) -> Any:
        """Value at a place from 0 to 1.

        Parameters
        ----------
        u : float
            Place.

        Returns
        -------
        Any
            One of the values, or a number between the ends, of three digits.
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
        """The part of the axis inside a range, and what was left out.

        Parameters
        ----------
        low, high : float
            Ends of the range.

        Returns
        -------
        axis : Axis or None
            None where nothing is inside.
        note : str
            "" where nothing was left out.
        """
        if self.values:
            kept = tuple(v for v in self.values if low * 0.999 <= v <= high * 1.001)
            out = [f"{v:g}" for v in self.values if v not in kept]
            note = f"{self.name} {', '.join(out)}" if out else ""
            return (replace(self, values=kept) if kept else None), note
        ends = (max(self.low, low), min(self.high, high))
        if ends == (self.low, self.high):
            return self, ""
        parts = [(self.low, min(ends[0], self.high)), (max(ends[1], self.low), self.high)]
        out = [f"{a:g}..{b:g}" for a, b in parts if a < b]
        inside = replace(self, low=ends[0], high=ends[1]) if ends[0] <= ends[1] else None
        return inside, f"{self.name} {' and '.join(out)}"


class Space:
    """Recipes to search.

    Parameters
    ----------
    **settings : Any
        ``schedule`` (a constructor of `bayescpt.schedules`), ``lr`` (its peak),
        ``num_training_steps``; ``replay_ratio`` (0 if left out), ``start``, ``domain``; arguments
        of the schedule, where ``warmup_share`` and ``decay_share`` give their steps as a share of
        all. Each is one value; a list, to choose among; or a range: a tuple (low, high), or a
        mapping of ``low`` and ``high``, searched evenly, ``lr`` in its logarithm. An argument that
        a listed schedule does not take is left out there.

    Raises
    ------
    PlanError
        If a setting is missing, is no argument of any schedule, or has a bad range.
    """

    def __init__(self, **settings: Any) -> None:
        missing = [key for key in REQUIRED if key not in settings]
        if missing:
            raise PlanError(f"the space has no {missing[0]!r}; it needs {', '.join(REQUIRED)}")
        self.axes = tuple(
            _axis(name, given) for name, given in {"replay_ratio": 0.0, **settings}.items()
        )
        kinds = next(axis for axis in self.axes if axis.name == "schedule").values
        self._arguments = {str(kind): _arguments(str(kind)) for kind in kinds}
        known = {"schedule", *PLAN_KEYS, *SHARES}.union(*self._arguments.values())
        unknown = [axis.name for axis in self.axes if axis.name not in known]
        if unknown:
            raise PlanError(
                f"the space has {unknown[0]!r}, which is no argument of "
                f"{' or '.join(self._arguments)}; known are {', '.join(sorted(known))}"
            )

    @classmethod
    def of(cls, given: Space | Mapping[str, Any]) -> Space:
        """Return a Space from a Space or a mapping.

        Parameters
        ----------
        given : Space or mapping of str to Any
            Settings.

        Returns
        -------
        Space
        """
        return given if isinstance(given, Space) else cls(**given)

    @property
    def varied(self) -> tuple[Axis, ...]:
        """Axes with more than one value."""
        return tuple(a for a in self.axes if len(a.values) > 1 or (not a.values and a.low < a.high))

    @property
    def size(self) -> int | None:
        """Number of recipes; None where a range varies."""
        counts = [len(axis.values) for axis in self.varied]
        return int(np.prod(counts)) if all(counts) else None

    def starting_from(self, checkpoints: Sequence[str]) -> Space:
        """The same space from a fit's only start checkpoint.

        Parameters
        ----------
        checkpoints : sequence of str
            Those of the fit; none means from scratch.

        Returns
        -------
        Space

        Raises
        ------
        PlanError
            If there are several.
        """
        if len(checkpoints) > 1:
            raise PlanError(
                f"the space has no 'start', and the fit has several: {', '.join(checkpoints)}"
            )
        return self._with((*self.axes, *(Axis("start", (name,)) for name in checkpoints)))

    def _with(self, axes: Sequence[Axis]) -> Space:
        made = object.__new__(Space)
        made.axes, made._arguments = tuple(axes), self._arguments
        return made

    def within(self, fitted: FittedRange) -> tuple[Space, list[str]]:
        """The part of the space inside the range of what was fitted.

        Parameters
        ----------
        fitted : FittedRange
            Of the pilot runs.

        Returns
        -------
        space : Space
            The same settings, clipped.
        notes : list of str
            What was left out.

        Raises
        ------
        PlanError
            If nothing is left of a setting.
        """
        limits = {
            "lr": fitted.peak_lr,
            "replay_ratio": fitted.replay,
            "num_training_steps": (0, fitted.n_steps[1]),
        }
        notes, axes = [], []
        for axis in self.axes:
            kept, note = axis.clip(*limits[axis.name]) if axis.name in limits else (axis, "")
            if note:
                low, high = limits[axis.name]
                note = f"{note}: outside the fitted {low:g}..{high:g}"
                notes.append(f"not searched: {note}")
            if kept is None:
                raise PlanError(f"{note}, so nothing is left; extrapolate=True searches it")
            axes.append(kept)
        return self._with(axes), notes

    def point(self, place: Mapping[str, float]) -> dict[str, Any]:
        """Settings at a place.

        Parameters
        ----------
        place : mapping of str to float
            Place from 0 to 1 on each varied axis.

        Returns
        -------
        dict
        """
        return {axis.name: axis.at(place.get(axis.name, 0.0)) for axis in self.axes}

    def plan(self, point: Mapping[str, Any]) -> Plan:
        """Recipe of settings, named after those that vary.

        Parameters
        ----------
        point : mapping of str to Any
            From `point`.

        Returns
        -------
        Plan

        Raises
        ------
        ScheduleError
            If there is no such schedule, such as one whose parts are longer than the whole.
        """
        kind, takes = str(point["schedule"]), self._arguments[str(point["schedule"])]
        given = {}
        for name, value in point.items():
            argument = SHARES.get(name, name)
            if argument in takes:
                share = name in SHARES
                given[argument] = round(value * point["num_training_steps"]) if share else value
        own = {key: point[key] for key in PLAN_KEYS if key in point}
        shown = [
            str(point[axis.name])
            if isinstance(point[axis.name], str)
            else f"{axis.name} {point[axis.name]:g}"
            for axis in self.varied
            if SHARES.get(axis.name, axis.name) in {"schedule", *PLAN_KEYS, *takes}
        ]
        return Plan(", ".join(shown) or kind, schedules.from_name(kind, **given), **own)


def read_space(path: str | Path) -> Space:
    """Read a space from a TOML file.

    Parameters
    ----------
    path : str or Path
        File with one table ``[space]``; a range is ``{ low = 1e-4, high = 1e-3 }``.

    Returns
    -------
    Space

    Raises
    ------
    PlanError
        If the file cannot be read or a setting has a defect.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PlanError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PlanError(f"{path}: cannot be read: {error}") from error
    table = content.get("space")
    if not isinstance(table, dict) or len(content) > 1:
        raise PlanError(f"{path}: it must hold one table [space] and nothing else")
    try:
        return Space(**table)
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error


def _axis(name: str, given: Any) -> Axis:
    if isinstance(given, Mapping):
        if set(given) != {"low", "high"}:
            raise PlanError(f"{name}: a range has 'low' and 'high'; this has {sorted(given)}")
        given = (given["low"], given["high"])
    if isinstance(given, tuple):
        numbers = len(given) == 2 and all(
            isinstance(v, int | float) and np.isfinite(v) for v in given
        )
        if not numbers or not given[0] <= given[1] or (name == "lr" and given[0] <= 0):
            raise PlanError(f"{name}: a range is (low, high); got {given!r}")
        return Axis(name, low=float(given[0]), high=float(given[1]), log=name == "lr")
    values = tuple(given) if isinstance(given, list | np.ndarray | range) else (given,)
    if not values:
        raise PlanError(f"{name}: the list is empty")
    return Axis(name, tuple(v.item() if isinstance(v, np.generic) else v for v in values))


def _arguments(kind: str) -> set[str]:
    """Arguments of a schedule."""
    known = [k for k in schedules.__all__ if k not in ("from_array", "from_name", "piecewise")]
    if kind not in known:
        raise PlanError(f"the space has schedule {kind!r}; it must be one of {', '.join(known)}")
    return set(inspect.signature(getattr(schedules, kind)).parameters)
