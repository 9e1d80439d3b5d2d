"""Reference points of a study under a law."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayescpt.errors import StudyError
from bayescpt.laws.law import Law
from bayescpt.laws.observed import observed_trajectory
from bayescpt.laws.open_base import expected_start_area
from bayescpt.laws.points import References
from bayescpt.laws.trajectory import Trajectory, counted_lr

if TYPE_CHECKING:
    from bayescpt.data import Study
    from bayescpt.laws.trajectory import Trajectory

# Losses in this first part of a run tell the jump at its start from what follows.
START_SHARE = 0.25


def references(study: Study, law: Law) -> References:
    """Reference points of a study.

    The base term is measured at the largest forward area of a start checkpoint (of an open base, as
    expected; without CPT runs, at the longest run's end), the shift at the median CPT run's end.
    Only runs with losses count: the recipe of a run, or of the part of a run, that is not trained
    yet must not move the
    reference points.

    Parameters
    ----------
    study : Study
        The study to fit.
    law : Law
        Law with its terms, which may define further reference points, and the warm-up convention.

    Returns
    -------
    refs : References
        Those of all laws, and those of the law's terms.

    Raises
    ------
    StudyError
        If no run has losses, or their learning rates are 0 so far.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> from bayescpt.laws.law import Law
    >>> refs = references(load_example("cpt_micro"), Law({"shift": "power"}))
    >>> {name: round(value, 3) for name, value in refs.points.items()}
    {'area': 5.901, 'shift_area': 1.77, 'peak_lr': 0.002, 'start_seen': 1.0}
    """
    pilots = study.cpt_runs if law.continual else ()

    def _so_far(names: tuple[str, ...]) -> list[Trajectory]:
        observed = [name for name in names if study.is_observed(name)]
        return [observed_trajectory(study, name, law.warmup) for name in observed]

    cpt = _so_far(pilots)
    fitted = cpt or _so_far(study.pt_runs)
    if not fitted:
        raise StudyError(f"study {study.name!r} has no curve to fit: every run is without losses")
    areas = [float(counted_lr(path.lr, law.warmup).sum()) for path in fitted]
    # Where the base term is measured: at start checkpoints, or at the ends of pre-training.
    ends = [path.start_area + area for path, area in zip(fitted, areas, strict=True)]
    shift_area = float(np.median(areas)) if cpt else 1.0
    untrained = [path.name for path, area in zip(fitted, areas, strict=True) if not area > 0]
    if not (shift_area > 0 and max(ends) > 0):
        # Runs in flight count up to their last loss.
        raise StudyError(
            f"study {study.name!r}: the learning rate is 0 up to the last loss of "
            f"{', '.join(map(repr, untrained))}: nothing was trained that could be fitted"
        )
    points = {
        "area": expected_start_area(cpt, shift_area) if cpt else max(ends),
        "shift_area": shift_area,
        "peak_lr": max(float(path.lr.max()) for path in fitted),
        "start_seen": float(not cpt or any(_start_seen(study, path) for path in cpt)),
    }
    for term in law.terms:
        points |= term.reference_points(fitted, References(points, law.warmup))
    return References(points, law.warmup)


def _start_seen(study: Study, path: Trajectory) -> bool:
    """Whether a loss was measured in the first part of a run, after its start checkpoint."""
    curves = (study.curve(path.name, domain)["step"] for domain in study.domains)
    return any(((steps > 0) & (steps <= START_SHARE * path.n_steps)).any() for steps in curves)
