"""A space of recipes to search: which settings vary, and over which ranges or values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bayescpt.data import schedules
from bayescpt.data.curriculum import is_pieces
from bayescpt.data.schedules.registry import registered_schedules, schedule_arguments
from bayescpt.data.schedules.shares import SHARES, suggestion
from bayescpt.data.units import did_you_mean
from bayescpt.errors import PlanError
from bayescpt.forecast import Plan
from bayescpt.forecast.ranges import FittedRange
from bayescpt.toml_file import read_toml

# Keys of the plan; all others are arguments of its schedule.
PLAN_KEYS = ("replay_ratio", "start", "domain")
REQUIRED = ("schedule", "lr", "num_training_steps")
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
            out = [_shown("", v).strip() for v in self.values if v not in within]
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


class Space:
    """A space of recipes to search.

    Parameters
    ----------
    **settings : Any
        ``schedule`` (a constructor of `bayescpt.schedules`), ``lr`` (its peak) and
        ``num_training_steps`` are required, and ``replay_ratio`` (a number, or pieces as
        `bayescpt.curriculum` takes them) where the card has a replay term; ``start``, ``domain``
        and further arguments of the schedule are optional. ``warmup_share``, ``decay_share``,
        ``stable_share`` and ``cooldown_share`` give the length of a part as a share of all steps.
        Each setting is one value; a list of values; or a range, which is a tuple (low, high) or a
        mapping with ``low`` and ``high``, searched uniformly (``lr`` in its logarithm). Where
        several schedules are listed, each gets only the arguments that it takes.

    Raises
    ------
    PlanError
        If a required setting is missing, one is no argument of any listed schedule, or a range or
        a schedule is not valid.

    Examples
    --------
    >>> import bayescpt as bc
    >>> space = bc.Space(
    ...     schedule="wsd", lr=2e-3, num_training_steps=1000, decay_share=[0.1, 0.2, 0.4],
    ...     replay_ratio=[0.1, 0.3],
    ... )  # fmt: skip
    >>> space.size, [axis.name for axis in space.varied]
    (6, ['replay_ratio', 'decay_share'])
    >>> space.plan(space.point({"decay_share": 0.0, "replay_ratio": 1.0})).name
    'replay_ratio 0.3, decay_share 0.1'
    """

    def __init__(self, **settings: Any) -> None:
        missing = [key for key in REQUIRED if key not in settings]
        if missing:
            raise PlanError(f"the space has no {missing[0]!r}; it needs {', '.join(REQUIRED)}")
        # The replay ratio first, in the names of recipes too.
        order = sorted(settings, key=lambda name: name != "replay_ratio")
        self.axes = tuple(_axis(name, settings[name]) for name in order)
        kinds = next(axis for axis in self.axes if axis.name == "schedule").values
        self._arguments = {str(kind): _arguments(str(kind)) for kind in kinds}
        known = {"schedule", *PLAN_KEYS, *SHARES}.union(*self._arguments.values())
        unknown = [axis.name for axis in self.axes if axis.name not in known]
        if unknown:
            name = unknown[0]
            hint = suggestion(name, sorted(known))
            raise PlanError(
                f"the space has {name!r}, which is no argument of "
                f"{' or '.join(self._arguments)}; {hint}known are {', '.join(sorted(known))}"
            )

    @classmethod
    def of(cls, space: Space | Mapping[str, Any]) -> Space:
        """Return a Space from a Space or a mapping.

        Parameters
        ----------
        space : Space or mapping of str to Any
            Settings.

        Returns
        -------
        Space
            The same settings, checked.

        Raises
        ------
        PlanError
            If a setting is not valid.
        """
        return space if isinstance(space, Space) else cls(**space)

    @property
    def varied(self) -> tuple[Axis, ...]:
        """Axes with more than one value."""
        return tuple(a for a in self.axes if len(a.values) > 1 or (not a.values and a.low < a.high))

    @property
    def size(self) -> int | None:
        """Number of recipes; None if a range is among the axes that vary."""
        counts = [len(axis.values) for axis in self.varied]
        return int(np.prod(counts)) if all(counts) else None

    def starting_from(self, checkpoints: Sequence[str]) -> Space:
        """Return the space with the only start checkpoint of a fit.

        Parameters
        ----------
        checkpoints : sequence of str
            Start checkpoints of the fit; if there are none, recipes start from scratch.

        Returns
        -------
        Space
            With ``start`` set.

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
        space = object.__new__(Space)
        space.axes, space._arguments = tuple(axes), self._arguments
        return space

    def within(self, fitted: FittedRange) -> tuple[Space, list[str]]:
        """Return the part of the space inside the range of the fitted runs.

        Parameters
        ----------
        fitted : FittedRange
            Range of the pilot runs.

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
            clipped, note = axis.clip(*limits[axis.name]) if axis.name in limits else (axis, "")
            if note:
                low, high = limits[axis.name]
                note = f"{note}: outside the fitted {low:g}..{high:g}"
                notes.append(f"not searched: {note}")
            if clipped is None:
                raise PlanError(f"{note}, so nothing is left; extrapolate=True searches it")
            axes.append(clipped)
        return self._with(axes), notes

    def point(self, place: Mapping[str, float]) -> dict[str, Any]:
        """Return the settings at a point of the unit cube.

        Parameters
        ----------
        place : mapping of str to float
            Position, 0 to 1, along each axis that varies; 0 where it is left out.

        Returns
        -------
        dict of str to Any
            Value of each setting.
        """
        return {axis.name: axis.at(place.get(axis.name, 0.0)) for axis in self.axes}

    def plan(self, point: Mapping[str, Any]) -> Plan:
        """Return the recipe with some settings, named after those that vary.

        Parameters
        ----------
        point : mapping of str to Any
            From `point`.

        Returns
        -------
        Plan
            Recipe.

        Raises
        ------
        ScheduleError
            If the settings give no valid schedule: its parts may be longer than the whole.
        """
        kind, takes = str(point["schedule"]), self._arguments[str(point["schedule"])]
        arguments = {}
        for name, value in point.items():
            argument = SHARES.get(name, name)
            if argument in takes:
                arguments[name] = value
        own = {key: point[key] for key in PLAN_KEYS if key in point}
        shown = [
            _shown(axis.name, point[axis.name])
            for axis in self.varied
            if SHARES.get(axis.name, axis.name) in {"schedule", *PLAN_KEYS, *takes}
        ]
        return Plan(", ".join(shown) or kind, schedules.from_name(kind, **arguments), **own)


def read_space(path: str | Path) -> Space:
    r"""Read a space from a TOML file.

    Parameters
    ----------
    path : str or Path
        File with one table ``[space]``; a range is ``{ low = 1e-4, high = 1e-3 }``.

    Returns
    -------
    Space
        With the settings of the table.

    Raises
    ------
    PlanError
        If the file cannot be read or a setting is not valid.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import bayescpt as bc
    >>> settings = 'schedule = "cosine"\nlr = { low = 1e-4, high = 1e-3 }\nnum_training_steps = 500'
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "space.toml")
    ...     _ = path.write_text(f"[space]\n{settings}")
    ...     space = bc.read_space(path)
    >>> [axis.name for axis in space.varied]
    ['lr']
    """
    content = read_toml(path, PlanError)
    table = content.get("space")
    if not isinstance(table, dict) or len(content) > 1:
        raise PlanError(f"{path}: it must hold one table [space] and nothing else")
    try:
        return Space(**table)
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error


def _shown(name: str, value: Any) -> str:
    """A setting in the name of a recipe."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return f"{name} " + " ".join(f"{ratio:g}@{step:g}" for step, ratio in value)
    return f"{name} {value:g}"


def _axis(name: str, setting: Any) -> Axis:
    """Return the axis of a setting: one value, a list, or a range."""
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


def _arguments(kind: str) -> set[str]:
    """Return the names of the arguments of a schedule."""
    # Pieces have no peak nor length of their own.
    known = [name for name in registered_schedules() if name != "piecewise"]
    if kind not in known:
        hint = did_you_mean(kind, known)
        raise PlanError(
            f"the space has schedule {kind!r}; {hint}it must be one of {', '.join(known)}"
        )
    return set(schedule_arguments(kind))
