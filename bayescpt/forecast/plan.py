"""Plans: training recipes to forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data import Run, Schedule
from bayescpt.data.curriculum import curriculum, is_pieces
from bayescpt.data.sizes import SAME_SIZE, model_sizes
from bayescpt.errors import PlanError, StudyError
from bayescpt.laws.trajectory import Trajectory, start_fields

if TYPE_CHECKING:
    from bayescpt.data import Study
    from bayescpt.model.card import Card

# Schedule of a plan whose schedule is unknown; laws of final losses need none. Its one step stands
# for the whole run, its LR for nothing.
UNKNOWN = Schedule(np.ones(1), "unknown")


@dataclass(frozen=True)
class Plan:
    """A training recipe to forecast.

    Parameters
    ----------
    name : str
        Name in forecasts and tables.
    schedule : Schedule
        Learning rate at every step. A plan for a law of final losses needs none.
    replay_ratio : float, ndarray of shape (n_steps,), or sequence of (step, ratio)
        Share of general data in the batches, 0..1: one value, one per step, or pieces, as
        `bayescpt.curriculum` takes them. A plan of continual pre-training must have one, where the
        card has a replay term; one from scratch has none.
    start : str or None
        Run of the study whose final checkpoint it starts from. Where it is omitted, a plan with a
        replay ratio starts from the only checkpoint that the fitted runs start from, which the
        forecast notes; one without is pre-training from scratch.
    domain : str or None
        Target domain; may be omitted if the study has only one.
    branch_of : str or None
        Run whose first steps it shares.
    branch_step : int
        Last shared step.
    run : str or None
        Run with this recipe; if that run was fitted, its estimated effects are used.
    n_params : float or None
        Number of parameters of the model; by default that of its start checkpoint. From scratch,
        and for laws of final losses, it may be omitted where all fitted runs have the same.
    tokens, lr_factor, peak_lr : float or None
        For laws of final losses: tokens trained on, and the peak LR, over that of the base's own
        pre-training or as it is. Each may be omitted where all fitted runs have the same.
    shares : mapping of str to float, or None
        For laws of final losses: share of each source in the tokens, in place of the replay ratio.

    Raises
    ------
    PlanError
        If `schedule` is not a Schedule, or the replay ratio is outside 0..1, of the wrong shape or
        of pieces that do not fit the schedule.

    Examples
    --------
    >>> import bayescpt as bc
    >>> schedule = bc.schedules.cosine(2e-3, 1000, num_warmup_steps=100)
    >>> plan = Plan("half", schedule, replay_ratio=0.5, start="pt", domain="german")
    >>> plan.schedule.peak_lr, plan.replay_ratio
    (0.002, 0.5)

    A curriculum has one replay ratio per step, or pieces:

    >>> ramp = Plan("ramp", schedule, np.linspace(0.5, 0.0, 1000), start="pt")
    >>> steps = Plan("steps", schedule, [(0, 0.1), (600, 0.5)], start="pt")
    >>> ramp.replay_ratio.shape, steps.replay_ratio[[599, 600]].tolist()
    ((1000,), [0.1, 0.5])
    """

    name: str
    schedule: Schedule = UNKNOWN
    replay_ratio: float | NDArray[np.float64] | Sequence[Sequence[float]] | None = None
    start: str | None = None
    domain: str | None = None
    branch_of: str | None = None
    branch_step: int = 0
    run: str | None = None
    n_params: float | None = None
    tokens: float | None = None
    lr_factor: float | None = None
    peak_lr: float | None = None
    shares: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        """Check the recipe."""
        if not isinstance(self.schedule, Schedule):
            raise PlanError(
                f"plan {self.name!r}: schedule is a {type(self.schedule).__name__}; make one with "
                "bayescpt.schedules, or from an array with schedules.from_array"
            )
        for key in ("n_params", "tokens", "lr_factor", "peak_lr"):
            value = getattr(self, key)
            if value is not None and not (np.isfinite(value) and value > 0):
                raise PlanError(f"plan {self.name!r}: {key} = {value!r} must be above 0")
        if self.replay_ratio is None:
            return
        if is_pieces(self.replay_ratio):
            try:
                whole = curriculum(self.replay_ratio, self.schedule.n_steps)  # type: ignore[arg-type]
            except StudyError as error:
                raise PlanError(f"plan {self.name!r}: {error}") from error
            object.__setattr__(self, "replay_ratio", whole)
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
            A run with a schedule, or with tokens, a size or shares, for laws of final losses.
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
        known = run.tokens, run.n_params, run.shares
        if run.schedule is None and not any(known):
            raise PlanError(f"run {run.name!r} has no schedule, so its recipe is unknown")
        pt = run.phase == "pt"
        return cls(
            name=name or run.name,
            schedule=run.schedule or UNKNOWN,
            replay_ratio=None if pt else run.replay_ratio,
            start=run.parent,
            domain=run.domain,
            branch_of=run.branch_of,
            branch_step=run.branch_step,
            run=run.name,
            n_params=run.n_params,
            tokens=run.tokens,
            lr_factor=run.lr_factor,
            peak_lr=run.peak_lr,
            shares=run.shares,
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
        ratio = None if self.replay_ratio is None else np.asarray(self.replay_ratio, dtype=float)
        return {
            "name": self.name,
            "schedule": self.schedule.name,
            "n_steps": self.schedule.n_steps,
            "peak_lr": self.schedule.peak_lr,
            "replay_ratio": None if ratio is None else ratio.tolist(),
            "start": self.start,
            "domain": self.domain,
            "n_params": self.n_params,
        }


def plan_trajectory(
    plan: Plan, study: Study, warmup: str = "true", card: Card | None = None
) -> Trajectory:
    """Trajectory of a plan, continuing from its start checkpoint.

    Parameters
    ----------
    plan : Plan
        The recipe.
    study : Study
        Study with the start checkpoint and its ancestors.
    warmup : str
        Convention for the area before the start, as in `References`.
    card : Card, optional
        The card that it is for; see `Starts`.

    Returns
    -------
    Trajectory

    Raises
    ------
    PlanError
        If the study lacks the start checkpoint or the target domain, or the plan a replay ratio.
    """
    starts = Starts(study, warmup, card)
    return starts.trajectory(starts.complete(plan))


class Starts:
    """Attaches plans to their start checkpoints, looking up each checkpoint once.

    Parameters
    ----------
    study : Study
        Study with the start checkpoints and their ancestors.
    warmup : str
        Convention for the area before the start, as in `References`.
    card : Card, optional
        The card that plans are for: its law says whether they need a replay ratio, and whether
        there can be plans from scratch. Without it, plans are taken as they are.
    """

    def __init__(self, study: Study, warmup: str = "true", card: Card | None = None) -> None:
        self._study, self._warmup, self._card = study, warmup, card
        self._targets = study.targets
        self._sizes = model_sizes(study)
        self._placed: dict[str | None, dict[str, Any]] = {}

    @cached_property
    def checkpoints(self) -> tuple[str, ...]:
        """Checkpoints that the continual pre-training runs of the study start from."""
        parents = (self._study.run(name).parent for name in self._study.cpt_runs)
        return tuple(dict.fromkeys(parent for parent in parents if parent is not None))

    def complete(self, plan: Plan) -> Plan:
        """Plan with what it leaves to the study: its start checkpoint, if there is only one.

        Parameters
        ----------
        plan : Plan
            The recipe.

        Returns
        -------
        Plan
            The same plan where it leaves nothing out.

        Raises
        ------
        PlanError
            If it is from scratch and the law does not describe that, or starts from a checkpoint
            and has no replay ratio, which the law needs.
        """
        if plan.schedule is UNKNOWN:
            raise PlanError(
                f"plan {plan.name!r} has no schedule, which a law of loss curves needs: give "
                "schedule=..., from bayescpt.schedules (only laws of final losses do without)"
            )
        if self._assumes_start(plan):
            plan = replace(plan, start=self.checkpoints[0])
        if plan.start is None:
            self._check_scratch(plan)
        elif plan.replay_ratio is None and self._card is not None and self._card.law.needs_replay:
            raise PlanError(
                f"plan {plan.name!r}: replay_ratio is missing: give the share of general data in "
                "its batches, 0 to 1 (0 where there is none)"
            )
        return plan

    def assumptions(self, plan: Plan) -> list[str]:
        """What `complete` fills in, in words.

        Parameters
        ----------
        plan : Plan
            The recipe.

        Returns
        -------
        list of str
            One sentence per assumption.
        """
        if not self._assumes_start(plan):
            return []
        return [
            f"plan {plan.name!r} names no start: it is taken to start from "
            f"{self.checkpoints[0]!r}, as all pilots do"
        ]

    def _assumes_start(self, plan: Plan) -> bool:
        """Whether a plan is continual pre-training from the only checkpoint there is."""
        if plan.start is not None or self._card is None or len(self.checkpoints) != 1:
            return False
        scratch = self._card.law.describes_pretraining
        if plan.replay_ratio is None:
            return not scratch and not self._card.law.needs_replay
        # Replay of 1 is what pre-training has, where the law describes that.
        return not (scratch and np.all(np.asarray(plan.replay_ratio) == 1.0))

    def _check_scratch(self, plan: Plan) -> None:
        if self._card is None or self._card.law.describes_pretraining:
            return
        known = " or ".join(map(repr, self.checkpoints))
        raise PlanError(
            f"plan {plan.name!r} starts from scratch, but card {self._card.name!r} fits no "
            f"pre-training rows; give its start checkpoint, {known}, and its replay_ratio"
        )

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
        placed = self._placed[plan.start]
        lr, unit = plan.schedule.lr, placed["lr_unit"]
        return Trajectory(
            name=plan.name,
            phase="pt" if plan.start is None else "cpt",
            lr=lr if unit == 1.0 else lr / unit,
            replay=np.broadcast_to(_replay(plan), (plan.schedule.n_steps,)),
            **{**placed, "n_params": self._size(plan, placed["n_params"])},
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

    def _size(self, plan: Plan, known: float | None) -> float | None:
        """Model size: that of the start checkpoint, or from scratch the plan's or the only one."""
        if plan.start is None:
            return plan.n_params or (self._sizes[0] if len(self._sizes) == 1 else None)
        if plan.n_params is None or known is None:
            return plan.n_params or known
        if not np.isclose(plan.n_params, known, rtol=SAME_SIZE, atol=0.0):
            raise PlanError(
                f"plan {plan.name!r}: n_params = {plan.n_params:,.6g}, but its start checkpoint "
                f"{plan.start!r} has {known:,.6g} parameters: start from a base of the plan's size "
                "(add it to the study, with its losses, as a run of phase pt), or omit n_params"
            )
        return known

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
    if plan.replay_ratio is None:
        # Only laws without a term for replay get here with a start checkpoint.
        return np.ones(()) if plan.start is None else np.zeros(())
    ratio = np.asarray(plan.replay_ratio, dtype=float)
    if plan.start is not None:
        return ratio
    if np.all(ratio == 0.0) or np.all(ratio == 1.0):
        return np.ones(())
    raise PlanError(
        f"plan {plan.name!r} starts from scratch, where replay does not apply: omit replay_ratio, "
        "or give its start checkpoint"
    )
