"""Checks of the learning rates of runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bayescpt.data.schedule import Schedule
from bayescpt.data.schedules.array_schedule import from_array
from bayescpt.errors import ScheduleError, StudyError

Array = NDArray[np.float64]


def check_lr_steps(run: str, steps: pd.Series[Any]) -> None:
    """Check that the steps of a run's learning rates are 1, 2, 3 and so on.

    Parameters
    ----------
    run : str
        Name of the run.
    steps : Series
        Its steps in the table of learning rates.

    Raises
    ------
    StudyError
        If a step is missing, duplicated or out of order, or steps count from 0.
    """
    numbers = pd.to_numeric(steps, errors="coerce").to_numpy(np.float64)
    for row in np.flatnonzero(numbers != np.arange(1, numbers.size + 1))[:1]:
        expected = row + 1
        if row and numbers[row] == numbers[row - 1]:
            problem = f"step {numbers[row]:g} appears twice"
        elif numbers[row] > expected:
            problem = f"the learning rate is missing at step {expected} (next is {numbers[row]:g})"
        else:
            problem = f"step is {numbers[row]:g}; expected {expected}: steps count from 1"
        raise StudyError(f"lrs: run {run!r}: {problem}")


def check_lr_runs(lrs: Collection[str], runs: pd.DataFrame) -> None:
    """Check that learning rates belong to known runs.

    Parameters
    ----------
    lrs : collection of str
        Runs with learning rates.
    runs : DataFrame
        Table of runs.

    Raises
    ------
    StudyError
        If a run is unknown.
    """
    for name in sorted(set(lrs).difference(runs["run"])):
        raise StudyError(f"lrs: unknown run {name!r}; runs: {', '.join(runs['run'])}")


def lr_array(run: str, lr: ArrayLike | Schedule) -> Array:
    """Learning rates of a run as a checked array.

    Parameters
    ----------
    run : str
        Name of the run.
    lr : array_like or Schedule
        Its learning rates.

    Returns
    -------
    ndarray, shape (n_steps,)
        The learning rates, read-only.

    Raises
    ------
    StudyError
        If they are not a valid schedule, or all of them are 0.
    """
    if not isinstance(lr, Schedule) and np.asarray(lr).dtype == bool:
        raise StudyError(
            f"lrs: run {run!r}: the learning rates are true and false; expected numbers"
        )
    try:
        rates = lr.lr if isinstance(lr, Schedule) else from_array(lr, run).lr
    except ScheduleError as error:
        raise StudyError(f"lrs: {str(error).replace('schedule', 'run', 1)}") from None
    if not rates.any():
        raise StudyError(
            f"lrs: run {run!r}: the learning rate is 0 at each of its {rates.size:,} steps; "
            "expected some above 0 (were they printed with too few decimals?)"
        )
    return rates


def check_lr_lengths(runs: pd.DataFrame, lrs: Mapping[str, Array]) -> None:
    """Check that every cpt run has learning rates, and every schedule one for each step.

    Parameters
    ----------
    runs : DataFrame
        Table of runs.
    lrs : mapping of str to ndarray, shape (n_steps,)
        Learning rates by run.

    Raises
    ------
    StudyError
        If a cpt run has no learning rates, or a run has more or fewer than its number of steps.
    """
    for name, phase, steps in runs[["run", "phase", "steps"]].itertuples(index=False):
        if name not in lrs:
            if phase == "cpt":
                raise StudyError(f"lrs: cpt run {name!r} has no learning rates")
        elif lrs[name].size < steps:
            raise StudyError(
                f"lrs: run {name!r}: the learning rate is missing at step {lrs[name].size + 1} "
                f"of {steps}"
            )
        elif lrs[name].size > steps:
            raise StudyError(
                f"lrs: run {name!r} has {lrs[name].size} learning rates, but {steps} steps in runs"
            )
