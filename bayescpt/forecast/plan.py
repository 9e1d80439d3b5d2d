"""Plans: training recipes to forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data import Run, Schedule
from bayescpt.errors import PlanError
from bayescpt.laws.trajectory import Trajectory, start_fields

if TYPE_CHECKING:
    from bayescpt.data import Study


@dataclass(frozen=True)
class Plan:
    """A training recipe to forecast.

    Parameters
    ----------
    name : str
        Name in forecasts and tables.
    schedule : Schedule
        Learning rate at every step.
    replay_ratio : float or ndarray, shape (n_steps,)
        Share of general data in the batches, 0..1; one value, or one per step.
    start : str or None
        Run of the study whose final checkpoint it starts from; None for pre-training from scratch.
    domain : str or None
        Target domain; may be omitted if the study has only one.
    branch_of : str or None
        Run whose first steps it shares.
    branch_step : int
        Last shared step.
    run : str or None
        Run with this recipe; if that run was fitted, its estimated effects are used.

    Raises
    ------
    PlanError
        If `schedule` is not a Schedule, or the replay ratio is outside 0..1 or of the wrong shape.

    Examples
    --------
    >>> import bayescpt as bc
    >>> schedule = bc.schedules.cosine(2e-3, 1000, num_warmup_steps=100)
    >>> plan = Plan("half", schedule, replay_ratio=0.5, start="pt", domain="german")
    >>> plan.schedule.peak_lr, plan.replay_ratio
    (0.002, 0.5)

    A curriculum has one replay ratio per step:

    >>> curriculum = Plan("ramp", schedule, np.linspace(0.5, 0.0, 1000), start="pt")
    >>> curriculum.replay_ratio.shape
    (1000,)
    """

    name: str
    schedule: Schedule
    replay_ratio: float | NDArray[np.float64] = 0.0
    start: str | None = None
    domain: str | None = None
    branch_of: str | None = None
    branch_step: int = 0
    run: str | None = None

    def __post_init__(self) -> None:
        """Check the recipe."""
        if not isinstance(self.schedule, Schedule):
            raise PlanError(
                f"plan {self.name!r}: schedule is a {type(self.schedule).__name__}; make one with "
                "bayescpt.schedules, or from an array with schedules.from_array"
            )
        ratio = np.asarray(self.replay_ratio, dtype=float)
        if ratio.ndim and ratio.shape != (self.schedule.n_steps,):
            raise PlanError(
                f"plan {self.name!r}: replay_ratio has shape {ratio.shape}; give one number, or "
                f"one per step, shape ({self.schedule.n_steps},)"
            )
        bad = np.flatnonzero(~((ratio >= 0) & (ratio <= 1)))
        if bad.size:
            value = ratio.ravel()[bad[0]]
            hint = f"; {value:g}% is {value / 100:g}" if 1 < value <= 100 else ""
            at = f" at step {bad[0] + 1}" if ratio.ndim else ""
            raise PlanError(
                f"plan {self.name!r}: replay_ratio = {value:g}{at} is outside 0..1{hint}"
            )

    @classmethod
    def from_run(cls, run: Run, name: str | None = None) -> Plan:
        """Plan with the recipe of an existing run.

        Parameters
        ----------
        run : Run
            A run with a schedule.
        name : str, optional
            Name of the plan; by default that of the run.

        Returns
        -------
        Plan

        Raises
        ------
        PlanError
            If the run has no schedule.

        Examples
        --------
        >>> import bayescpt as bc
        >>> study = bc.load_example("cpt_micro")
        >>> run = study.run(study.cpt_runs[0])
        >>> Plan.from_run(run, name="again").start == run.parent
        True
        """
        if run.schedule is None:
            raise PlanError(f"run {run.name!r} has no schedule, so its recipe is unknown")
        pt = run.phase == "pt"
        return cls(
            name=name or run.name,
            schedule=run.schedule,
            replay_ratio=1.0 if pt else run.replay_ratio,
            start=run.parent,
            domain=run.domain,
            branch_of=run.branch_of,
            branch_step=run.branch_step,
            run=run.name,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plan as plain values, without the LR array.

        Returns
        -------
        dict

        Examples
        --------
        >>> import bayescpt as bc
        >>> schedule = bc.schedules.constant(1e-3, 100)
        >>> Plan("flat", schedule, replay_ratio=0.25, start="pt").to_dict()["replay_ratio"]
        0.25
        """
        ratio = np.asarray(self.replay_ratio, dtype=float)
        return {
            "name": self.name,
            "schedule": self.schedule.name,
            "n_steps": self.schedule.n_steps,
            "peak_lr": self.schedule.peak_lr,
            "replay_ratio": None if self.start is None else ratio.tolist(),
            "start": self.start,
            "domain": self.domain,
        }


def plan_trajectory(plan: Plan, study: Study, warmup: str = "true") -> Trajectory:
    """Trajectory of a plan, continuing from its start checkpoint.

    Parameters
    ----------
    plan : Plan
        The recipe.
    study : Study
        Study with the start checkpoint and its ancestors.
    warmup : str
        Convention for the area before the start, as in `References`.

    Returns
    -------
    Trajectory

    Raises
    ------
    PlanError
        If the study lacks the start checkpoint or the target domain.
    """
    return Starts(study, warmup).trajectory(plan)


class Starts:
    """Attaches plans to their start checkpoints, looking up each checkpoint once.

    Parameters
    ----------
    study : Study
        Study with the start checkpoints and their ancestors.
    warmup : str
        Convention for the area before the start, as in `References`.
    """

    def __init__(self, study: Study, warmup: str = "true") -> None:
        self._study, self._warmup = study, warmup
        self._targets = study.targets
        self._placed: dict[str | None, dict[str, Any]] = {}

    def trajectory(self, plan: Plan) -> Trajectory:
        """Trajectory of a plan, continuing from its start checkpoint.

        Parameters
        ----------
        plan : Plan
            The recipe.

        Returns
        -------
        Trajectory

        Raises
        ------
        PlanError
            If the study lacks the start checkpoint or the target domain.
        """
        if plan.start not in self._placed:
            self._placed[plan.start] = self._place(plan)
        return Trajectory(
            name=plan.name,
            phase="pt" if plan.start is None else "cpt",
            lr=plan.schedule.lr,
            replay=np.broadcast_to(_replay(plan), (plan.schedule.n_steps,)),
            **self._placed[plan.start],
            target=None if plan.start is None else self._target(plan),
            branch_of=plan.branch_of,
            branch_step=plan.branch_step,
            run=plan.run,
        )

    def _place(self, plan: Plan) -> dict[str, Any]:
        study = self._study
        if plan.start is not None and plan.start not in study:
            known = ", ".join([*study.pt_runs, *study.cpt_runs])
            raise PlanError(
                f"plan {plan.name!r}: unknown start checkpoint {plan.start!r}; runs are {known}"
            )
        return start_fields(study, plan.start, self._warmup)

    def _target(self, plan: Plan) -> str:
        known = ", ".join(self._targets) or "none"
        if plan.domain is None:
            if len(self._targets) != 1:
                raise PlanError(
                    f"plan {plan.name!r}: give its target domain; the study has {known}"
                )
            return self._targets[0]
        if plan.domain not in self._targets:
            raise PlanError(
                f"plan {plan.name!r}: no fitted run trains on domain {plan.domain!r}; targets are "
                f"{known}"
            )
        return plan.domain


def _replay(plan: Plan) -> NDArray[np.float64]:
    """Replay ratio; 1 from scratch, where all data are general."""
    ratio = np.asarray(plan.replay_ratio, dtype=float)
    if plan.start is not None:
        return ratio
    if np.all(ratio == 0.0) or np.all(ratio == 1.0):
        return np.ones(())
    raise PlanError(
        f"plan {plan.name!r} starts from scratch, where replay does not apply: omit replay_ratio, "
        "or give its start checkpoint"
    )
