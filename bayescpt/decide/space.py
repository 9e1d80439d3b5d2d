"""A space of recipes to search: which settings vary, and over which ranges or values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bayescpt.data import schedules
from bayescpt.data.schedules.registry import registered_schedules, schedule_arguments
from bayescpt.data.schedules.shares import SHARES, suggestion
from bayescpt.data.units import did_you_mean
from bayescpt.decide.axis import Axis, make_axis, shown
from bayescpt.decide.pieces import PIECES, RATIO, SWITCH, base_name, replay_at, with_pieces
from bayescpt.errors import PlanError
from bayescpt.forecast import Plan
from bayescpt.forecast.ranges import FittedRange
from bayescpt.toml_file import read_toml

# Keys of the plan; all others are arguments of its schedule.
PLAN_KEYS = ("replay_ratio", "start", "domain")
REQUIRED = ("schedule", "lr", "num_training_steps")


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

        ``replay_pieces`` makes curricula: the number of pieces in which replay is constant, one or
        a list such as ``[1, 2, 3]``. Each piece has a ratio of its own out of ``replay_ratio``, and
        ends where ``switch_share`` says, as a share of all steps (by default .05 to .95). The
        second piece takes another range from ``replay_ratio_2``, the second switch from
        ``switch_share_2``, and so on. Neighbours of one ratio are one piece.

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

    Curricula of one or two pieces:

    >>> space = bc.Space(
    ...     schedule="wsd", lr=2e-3, num_training_steps=1000, decay_share=0.2,
    ...     replay_ratio=(0.05, 0.6), replay_pieces=[1, 2],
    ... )  # fmt: skip
    >>> point = {"replay_pieces": 1.0, "replay_ratio_2": 1.0, "switch_share": 0.5}
    >>> space.plan(space.point(point)).name
    'replay_ratio 0.05@0 0.6@500'
    """

    def __init__(self, **settings: Any) -> None:
        missing = [key for key in REQUIRED if key not in settings]
        if missing:
            raise PlanError(f"the space has no {missing[0]!r}; it needs {', '.join(REQUIRED)}")
        given = with_pieces(settings)
        # The replay ratio first, in the names of recipes too.
        order = sorted(given, key=lambda name: name != "replay_ratio")
        self.axes = tuple(make_axis(name, given[name]) for name in order)
        kinds = next(axis for axis in self.axes if axis.name == "schedule").values
        self._arguments = {str(kind): _arguments(str(kind)) for kind in kinds}
        known = {"schedule", *PLAN_KEYS, *SHARES, PIECES, SWITCH}.union(*self._arguments.values())
        unknown = [axis.name for axis in self.axes if base_name(axis.name) not in known]
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
            limit = limits.get(base_name(axis.name))
            clipped, note = (axis, "") if limit is None else axis.clip(*limit)
            if note and limit is not None:
                low, high = limit
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
        if PIECES in point:
            own[RATIO] = replay_at(point)
        # Of several settings of replay one is named: the curriculum that they give.
        varied = dict.fromkeys(
            RATIO if base_name(axis.name) in (PIECES, SWITCH) else base_name(axis.name)
            for axis in self.varied
        )
        words = [
            shown(name, own.get(name, point.get(name)))
            for name in varied
            if SHARES.get(name, name) in {"schedule", *PLAN_KEYS, *takes}
        ]
        return Plan(", ".join(words) or kind, schedules.from_name(kind, **arguments), **own)


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
