"""Families of recipes: grids over a space, and the family that the pilots span."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data import Run
from bayescpt.data.phases import schedule_phase
from bayescpt.decide.axis import Axis
from bayescpt.decide.derived.ends import Ends
from bayescpt.decide.space import Space
from bayescpt.errors import PlanError
from bayescpt.forecast import Plan

# How far the lengths of the pilots' family go beyond the pilots.
SHORTEST, LONGEST = 0.25, 10.0
# Two peaks or ratios nearer than this are one.
APART = 0.02


@dataclass(frozen=True)
class Family:
    """A space of recipes and how to make a plan of it.

    Parameters
    ----------
    space : Space
        Settings; ``start`` is among them.
    longest : int
        Steps of the longest pilot.
    """

    space: Space
    longest: int

    def axis(self, name: str) -> Axis | None:
        """One setting.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        Axis or None
        """
        return next((axis for axis in self.space.axes if axis.name == name), None)

    def varies(self, name: str) -> bool:
        """Whether a setting has more than one value.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        bool
        """
        return any(axis.name == name for axis in self.space.varied)

    def values(self, name: str, points: int) -> list[Any]:
        """Values of a setting: those listed, or points of a range.

        Parameters
        ----------
        name : str
            Its name.
        points : int
            Number of points of a range; lengths and peaks are spaced evenly in the logarithm.

        Returns
        -------
        list
        """
        axis = self.axis(name)
        if axis is None:
            raise PlanError(f"the space has no {name!r}")
        if axis.values:
            return list(axis.values)
        if name == "num_training_steps" or axis.log:
            grid = np.geomspace(axis.low, axis.high, points)
        else:
            grid = np.linspace(axis.low, axis.high, points)
        if name.startswith("num_"):
            return [int(value) for value in np.unique(np.round(grid))]
        return [float(value) for value in np.unique(grid)]

    def numbers(self, name: str, points: int) -> list[Any]:
        """Values of a setting as `values`, sorted.

        Parameters
        ----------
        name : str
            Its name.
        points : int
            Number of points of a range.

        Returns
        -------
        list

        Raises
        ------
        PlanError
            If one is no number.
        """
        found = self.values(name, points)
        for value in found:
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise PlanError(f"{name} = {value!r}: numbers are needed here")
        return sorted(set(found))

    def middle(self) -> dict[str, Any]:
        """Every setting at the middle of its values.

        Returns
        -------
        dict of str to Any
            Of settings that are names, the first; of the number of steps, that nearest to the
            longest pilot.
        """
        point = self.space.point({})
        for axis in self.space.varied:
            if axis.name == "num_training_steps":
                known = axis.values or (np.clip(self.longest, axis.low, axis.high),)
                point[axis.name] = int(min(known, key=lambda n: abs(n - self.longest)))
            elif not any(isinstance(value, str | tuple) for value in axis.values):
                point[axis.name] = axis.at(0.5)
        return point

    def with_lengths(self) -> Family:
        """The family over lengths too, from a quarter to ten times the longest pilot.

        Returns
        -------
        Family
        """
        low, high = max(10, round(SHORTEST * self.longest)), round(LONGEST * self.longest)
        settings = {axis.name: _setting(axis) for axis in self.space.axes}
        return Family(Space(**settings | {"num_training_steps": (low, high)}), self.longest)

    def plans(self, points: Sequence[Mapping[str, Any]]) -> list[Plan]:
        """Plans with some settings, all others as in `middle`.

        Parameters
        ----------
        points : sequence of mapping of str to Any
            Settings.

        Returns
        -------
        list of Plan

        Raises
        ------
        ScheduleError
            If settings give no valid schedule.
        """
        return [self.space.plan(self.middle() | dict(point)) for point in points]

    def only(self, *names: str) -> None:
        """Check that nothing but some settings varies.

        Parameters
        ----------
        *names : str
            Settings that may vary.

        Raises
        ------
        PlanError
            If another one varies.
        """
        others = [axis.name for axis in self.space.varied if axis.name not in names]
        if others:
            raise PlanError(
                f"{others[0]!r} varies in the space; give it one value "
                f"(here only {' and '.join(names)} may vary)"
            )


def open_family(ends: Ends, space: Space | Mapping[str, Any]) -> Family:
    """Family of a space, with the fit's only start checkpoint where the space has none.

    Parameters
    ----------
    ends : Ends
        Opened fit.
    space : Space or mapping of str to Any
        Settings.

    Returns
    -------
    Family

    Raises
    ------
    PlanError
        If a setting is not valid, or the start is missing and there are several.
    """
    made = Space.of(space)
    if not any(axis.name == "start" for axis in made.axes):
        made = made.starting_from(ends.screener.checkpoints)
    return Family(made, ends.fitted.n_steps[1])


def pilot_space(ends: Ends) -> Space:
    """Space that the pilots span: a warm-up-stable-decay schedule with their settings.

    Parameters
    ----------
    ends : Ends
        Opened fit.

    Returns
    -------
    Space
        Ranges of ``lr`` and ``replay_ratio`` where pilots differ, ``start`` of all their start
        checkpoints, ``num_training_steps`` from a quarter of the shortest to ten times the longest
        pilot; warm-up and decay of the middle pilot.

    Raises
    ------
    PlanError
        If no fitted run has a schedule.
    """
    fitted, study = ends.fitted, ends.study
    runs = [study.run(name) for name in study.cpt_runs]
    runs = [run for run in runs if run.schedule is not None and run.schedule.peak_lr > 0]
    if not runs:
        raise PlanError(f"study {study.name!r} has no continual run with a schedule: give space=")
    settings: dict[str, Any] = {
        "schedule": "wsd",
        "lr": spread(fitted.peak_lr),
        "num_training_steps": (
            max(10, round(SHORTEST * fitted.n_steps[0])),
            round(LONGEST * fitted.n_steps[1]),
        ),
        "warmup_share": _middle([_share(run, "warm-up") for run in runs], 0.02),
        "decay_share": _middle([_share(run, "decay") for run in runs], 0.2),
        "start": [start for start, _ in Counter(str(run.parent) for run in runs).most_common()],
        "domain": Counter(str(run.domain) for run in runs).most_common(1)[0][0],
    }
    if np.all(np.isfinite(fitted.replay)):
        settings["replay_ratio"] = spread(fitted.replay)
    return Space(**settings)


def spread(ends: tuple[float, float]) -> Any:
    """A range, or one value where its ends are as good as one.

    Parameters
    ----------
    ends : (float, float)
        Lowest and highest value.

    Returns
    -------
    float or (float, float)
    """
    low, high = (float(f"{end:.4g}") for end in ends)
    return high if high - low <= APART * high else (low, high)


def _setting(axis: Axis) -> Any:
    """The setting that an axis was made of."""
    if not axis.values:
        return axis.low, axis.high
    return axis.values[0] if len(axis.values) == 1 else list(axis.values)


def _share(run: Run, phase: str) -> float:
    """Share of the steps of a run in one part of its schedule; NaN for all or nearly all."""
    if run.schedule is None:
        return np.nan
    lr: NDArray[np.float64] = np.asarray(run.schedule.lr, dtype=float)
    share = float(np.mean(schedule_phase(lr, np.arange(1, lr.size + 1)) == phase))
    return share if share < 0.5 else np.nan


def _middle(shares: Sequence[float], otherwise: float) -> float:
    """Median of those above 0."""
    known = [share for share in shares if np.isfinite(share) and share > 0]
    return float(f"{np.median(known):.2g}") if known else otherwise
