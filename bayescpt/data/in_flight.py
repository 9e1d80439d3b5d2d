"""Runs in flight: planned to the end, with losses only up to a step before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bayescpt.data.study_data import StudyData

# The last evaluation of a finished run may come before its last step, by less than one interval of
# evaluation and this share of the run.
NEARLY_WHOLE = 0.05


def last_step(study: StudyData, name: str) -> int:
    """Step of the last loss of a run, on any domain.

    Parameters
    ----------
    study : Study
        Study with the run.
    name : str
        Name of the run.

    Returns
    -------
    int
        0 if no loss after the start was measured.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> last_step(load_example("mpl_25m"), "cosine_24000")
    23920
    """
    steps = _steps(study, name)
    return int(steps[-1]) if steps.size else 0


def observed_steps(study: StudyData, name: str) -> int:
    """Number of steps of a run that its losses cover.

    Parameters
    ----------
    study : Study
        Study with the run.
    name : str
        Name of the run.

    Returns
    -------
    int
        All its steps for a finished run, whose last loss lies within one interval of evaluation of
        its end; the step of the last loss for a run in flight; 0 without losses.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> observed_steps(load_example("mpl_25m"), "cosine_24000")
    23999
    """
    steps, planned = _steps(study, name), study.run(name).steps
    if not steps.size:
        return 0
    last = int(steps[-1])
    left, interval = planned - last, last - (int(steps[-2]) if steps.size > 1 else 0)
    # Logs that count updates from 0 end one step early.
    finished = left <= 1 or (left < interval and left <= NEARLY_WHOLE * planned)
    return planned if finished else last


def in_flight(study: StudyData, name: str) -> bool:
    """Whether a run has losses, but not to its planned end.

    Parameters
    ----------
    study : Study
        Study with the run.
    name : str
        Name of the run.

    Returns
    -------
    bool

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> in_flight(load_example("mpl_25m"), "cosine_24000")
    False
    """
    return 0 < observed_steps(study, name) < study.run(name).steps


def _steps(study: StudyData, name: str) -> np.ndarray:
    """Distinct steps after the start at which a run was evaluated."""
    return study._evaluated.get(study.run(name).name, np.empty(0, np.int64))
