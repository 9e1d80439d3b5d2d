"""Plans: recipes that could be run."""

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
    """A recipe that could be run.

    Parameters
    ----------
    name : str
        Name in forecasts and tables.
    schedule : Schedule
        Learning rate of every step.
    replay_ratio : float or ndarray, shape (n_steps,)
        Share of general data in the batches, 0..1; one value, or one a step.
    start : str or None
        Run of the study whose end checkpoint it starts from; None: pre-training from scratch.
    domain : str or None
        Target domain; may be left out where the study has only one.
    branch_of : str or None
        Run with which it shares its first steps.
    branch_step : int
        Last shared step.
    run : str or None
        Run whose recipe this is; if that run was fitted, its own effects are used.

    Raises
    ------
    PlanError
        If the replay ratio is outside 0..1 or has not one value a step.
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
                f"plan {self.name!r}: replay_ratio has shape {ratio.shape}; give one number or "
                f"one a step, ({self.schedule.n_steps},)"
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
        """Recipe of a run that exists.

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
        """
        if run.schedule is None:
            raise PlanError(f"run {run.name!r} has no schedule, so its recipe is not known")
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
    """Trajectory of a plan from its start checkpoint.

    Parameters
    ----------
    plan : Plan
        The recipe.
    study : Study
        Holds the start checkpoint and its ancestors.
    warmup : str
        Convention for the area before the start, as in `References`.

    Returns
    -------
    Trajectory

    Raises
    ------
    PlanError
        If the start checkpoint or the target domain is not of this study.
    """
    return Starts(study, warmup).trajectory(plan)


class Starts:
    """Places plans at their start checkpoints; each checkpoint is looked up once.

    Parameters
    ----------
    study : Study
        Holds the start checkpoints and their ancestors.
    warmup : str
        Convention for the area before the start, as in `References`.
    """

    def __init__(self, study: Study, warmup: str = "true") -> None:
        self._study, self._warmup = study, warmup
        self._targets = study.targets
        self._placed: dict[str | None, dict[str, Any]] = {}

    def trajectory(self, plan: Plan) -> Trajectory:
        """Trajectory of a plan from its start checkpoint.

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
            If the start checkpoint or the target domain is not of the study.
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
                raise PlanError(f"plan {plan.name!r}: say its target domain; the study has {known}")
            return self._targets[0]
        if plan.domain not in self._targets:
            raise PlanError(
                f"plan {plan.name!r}: no fitted run trains on domain {plan.domain!r}; targets are "
                f"{known}"
            )
        return plan.domain


def _replay(plan: Plan) -> NDArray[np.float64]:
    """Replay ratio; from scratch there is nothing but the general set, which counts as 1."""
    ratio = np.asarray(plan.replay_ratio, dtype=float)
    if plan.start is not None:
        return ratio
    if np.all(ratio == 0.0) or np.all(ratio == 1.0):
        return np.ones(())
    raise PlanError(
        f"plan {plan.name!r} starts from scratch, where there is nothing to replay: leave "
        "replay_ratio out, or give its start checkpoint"
    )
