"""What of a held-out recipe lies outside the pilots' range."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.phases import PHASES, schedule_phase
from bayescpt.forecast.extrapolation import SHAPE_UNIT, recipe
from bayescpt.forecast.ranges import DIMENSIONS, range_of
from bayescpt.laws.observed import observed_trajectory
from bayescpt.laws.trajectory import Trajectory, run_trajectory

if TYPE_CHECKING:
    from bayescpt.data import Study

NONE = "none"
# In the order of tables: what is inside comes first.
EXTRAPOLATED = (NONE, *DIMENSIONS, "schedule", "target")
# Schedules whose LRs over their peaks differ by more than this on average are different.
SAME_SHAPE = 0.05
SEPARATOR = ", "


def outside_pilots(study: Study, pilots: Sequence[str], run: str) -> list[str]:
    """Name what of a run's recipe lies outside the range of the pilots.

    Parameters
    ----------
    study : Study
        Study with the pilots and the run.
    pilots : sequence of str
        CPT runs that are fitted, each up to its last loss.
    run : str
        CPT run to forecast.

    Returns
    -------
    list of str
        Any of ``start`` (no pilot starts from its start checkpoint), ``peak LR``, ``replay`` (a
        ratio above or below all of theirs, or one that changes where theirs do not), ``length``
        (longer than the longest, or under half the shortest), ``schedule`` (no pilot whose warm-up,
        stable part and decay are both present as in the run and of nearly the same shape), ``size``
        (parameters of the model) and ``target``; empty if all is inside. The ranges are those of
        the warnings of a forecast.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> from bayescpt.evaluate.outside import outside_pilots
    >>> study = load_example("cpt_micro")
    >>> pilots = ["de_r10_wsd", "de_r50_wsd", "de_r25_cos"]
    >>> outside_pilots(study, pilots, "de_r25_wsd_p25")
    ['peak LR']
    >>> outside_pilots(study, pilots, "de_r0_const_lp1_nowarm")
    ['start', 'replay', 'schedule']
    >>> outside_pilots(study, pilots, "de_r25_wsd_s1")
    []
    """
    return outside_of(study, pilots)(run)


def outside_of(study: Study, pilots: Sequence[str]) -> Callable[[str], list[str]]:
    """`outside_pilots` of many runs for the same pilots, which are looked at once.

    Parameters
    ----------
    study : Study
        Study with the pilots and the runs.
    pilots : sequence of str
        CPT runs that are fitted, each up to its last loss.

    Returns
    -------
    callable
        Function of the name of a run.
    """
    known = [observed_trajectory(study, name) for name in pilots]
    ranges, shapes = range_of(known), [_shape(path) for path in known]
    sizes = [study.run(name).n_params for name in pilots]

    def _outside(run: str) -> list[str]:
        path = run_trajectory(study, run)
        found = set(ranges.dimensions_outside(path))
        mine = _shape(path)
        if not any(_alike(mine, other) for other in shapes):
            found.add("schedule")
        if study.run(run).n_params not in sizes:
            found.add("size")
        if path.target not in [other.target for other in known]:
            found.add("target")
        return [name for name in EXTRAPOLATED if name in found]

    return _outside


def _shape(path: Trajectory) -> tuple[set[str], NDArray[np.float64]]:
    """Parts that a schedule has, and its shape along the run."""
    phases = schedule_phase(path.lr, np.arange(1, path.n_steps + 1))
    return {name for name in PHASES if (phases == name).any()}, recipe(path).shape


def _alike(
    one: tuple[set[str], NDArray[np.float64]], other: tuple[set[str], NDArray[np.float64]]
) -> bool:
    """Whether two schedules have the same parts, of nearly the same shape along the run."""
    gap = np.abs(one[1] - other[1]).mean() * SHAPE_UNIT
    return one[0] == other[0] and bool(gap <= SAME_SHAPE)


def joined(names: Iterable[str]) -> str:
    """One label for what lies outside.

    Parameters
    ----------
    names : iterable of str
        Output of `outside_pilots`.

    Returns
    -------
    str
        Such as ``start, replay``; ``none`` for nothing.

    Examples
    --------
    >>> joined(["start", "replay"]), joined([])
    ('start, replay', 'none')
    """
    return SEPARATOR.join(names) or NONE
