"""What has been trained of a run so far: its trajectory up to its last loss."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bayescpt.data.in_flight import in_flight, observed_steps
from bayescpt.laws.trajectory import Trajectory, run_trajectory

if TYPE_CHECKING:
    from bayescpt.data import Study


def observed_trajectory(study: Study, name: str, warmup: str = "true") -> Trajectory:
    """Trajectory of a run up to its last loss, which is all that its curve tells of.

    Parameters
    ----------
    study : Study
        Holds the run and its ancestors.
    name : str
        Name of the run.
    warmup : str
        Convention for the area before the start, see `bayescpt.laws.points.References`.

    Returns
    -------
    Trajectory
        Of a finished run, or one without losses, the whole.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from bayescpt.data import load_example
    >>> study = load_example("cpt_micro")
    >>> so_far = study.curves[(study.curves["run"] != "de_r25_cos") | (study.curves["step"] <= 400)]
    >>> path = observed_trajectory(replace(study, curves=so_far), "de_r25_cos")
    >>> path.n_steps, path.nominal_steps
    (390, 1000)
    """
    whole = run_trajectory(study, name, warmup)
    if not in_flight(study, name):
        return whole
    return replace(
        whole,
        lr=whole.lr[: (last := observed_steps(study, name))],
        replay=whole.replay[:last],
        branch_step=min(whole.branch_step, last),
        nominal_steps=nominal_steps(study, name),
    )


def nominal_steps(study: Study, name: str) -> int:
    """Steps against which the first part of a run in flight is measured.

    Its plan, or the longest finished run of its phase where that is shorter: early noise is
    measured in fractions of a run, and is over after as many steps as in the finished runs.

    Parameters
    ----------
    study : Study
        Holds the run.
    name : str
        Name of the run.

    Returns
    -------
    int
        No less than the steps observed.
    """
    run = study.run(name)
    peers = study.pt_runs if run.phase == "pt" else study.cpt_runs
    finished = [
        study.run(peer).steps
        for peer in peers
        if study.is_observed(peer) and not in_flight(study, peer)
    ]
    whole = min(run.steps, max(finished, default=run.steps))
    return max(observed_steps(study, name), whole)
