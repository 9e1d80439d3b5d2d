"""Trajectory of training: what was trained on when, at which LR, from which checkpoint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.areas import count_warmup_at_peak
from bayescpt.data.sizes import run_size
from bayescpt.errors import StudyError
from bayescpt.laws.open_base import TOKENS_PER_PARAMETER

if TYPE_CHECKING:
    from bayescpt.data import Study

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Trajectory:
    """One phase of training, of a run or of a plan.

    Attributes
    ----------
    name : str
        Name of the run or plan.
    phase : str
        ``pt`` or ``cpt``.
    lr : ndarray, shape (n_steps,)
        Learning rate of each update, in `lr_unit`; those before and at the start too.
    replay : ndarray, shape (n_steps,)
        Replay ratio of each update; 1 in pre-training.
    start : str or None
        Run whose end checkpoint it starts from.
    start_area : float
        Forward area spent before the start, LR x steps, under the references' warm-up convention.
    before : tuple of ndarray
        Learning rates of the ancestors, first to last, as they were.
    start_lr : float or None
        Last LR before the start; None from scratch.
    target : str or None
        Domain that a CPT run trains on; None in pre-training.
    branch_of : str or None
        Run that shares its first steps.
    branch_step : int
        Steps shared with `branch_of`.
    run : str or None
        Run of the study that this is, by name; see `digest` for whether it really is.
    is_open : bool
        Whether it descends from an open base: pre-training without a known schedule, which
        `start_area` leaves out.
    open_updates : float or None
        Updates of that pre-training, from its tokens or model size; None if unknown.
    open_tokens_known : bool
        Whether they come from its tokens.
    nominal_steps : int or None
        Steps that fractions of the run are measured by; None for its own number of steps. A run in
        flight is cut at its last loss, see `bayescpt.laws.observed`.
    n_params : float or None
        Parameters of the model; None if unknown.
    lr_unit : float
        Unit of the learning rates; not 1 in a study of several model sizes, whose LRs count as
        factors of the base's own peak, see `bayescpt.data.sizes.lr_units`.

    Examples
    --------
    >>> lr = np.array([1e-3, 2e-3, 2e-3, 0.0])
    >>> path = Trajectory("run", "pt", lr, np.ones(4), None, 0.0, (), None, None)
    >>> path.n_steps, path.is_cpt
    (4, False)
    """

    name: str
    phase: str
    lr: Array
    replay: Array
    start: str | None
    start_area: float
    before: tuple[Array, ...]
    start_lr: float | None
    target: str | None
    branch_of: str | None = None
    branch_step: int = 0
    run: str | None = None
    is_open: bool = False
    open_updates: float | None = None
    open_tokens_known: bool = False
    nominal_steps: int | None = None
    n_params: float | None = None
    lr_unit: float = 1.0

    @property
    def n_steps(self) -> int:
        """Number of updates."""
        return int(self.lr.size)

    @property
    def is_cpt(self) -> bool:
        """Whether it is continual pre-training."""
        return self.phase == "cpt"

    @cached_property
    def digest(self) -> str:
        """What identifies the recipe: phase, target, and all that was done at every step."""
        return self.digest_to(self.n_steps)

    def digest_to(self, step: int) -> str:
        """Identity of the recipe up to a step: two trajectories share a trunk where it is the same.

        Parameters
        ----------
        step : int
            Steps that count.

        Returns
        -------
        str
        """
        parts = hashlib.sha256(repr((self.phase, self.target, self.start, step)).encode())
        for array in (*self.before, self.lr[:step], np.ascontiguousarray(self.replay[:step])):
            parts.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
        return parts.hexdigest()


def start_fields(study: Study, start: str | None, warmup: str = "true") -> dict[str, Any]:
    """Fields of a `Trajectory` determined by its start checkpoint.

    Parameters
    ----------
    study : Study
        Holds the start and its ancestors.
    start : str or None
        Run whose end checkpoint it is; None means from scratch.
    warmup : str
        Convention for the area, see `bayescpt.laws.points.References`.

    Returns
    -------
    dict
        start, start_area, before, start_lr, is_open, n_params, lr_unit, and for an open base what
        is known of it.

    Raises
    ------
    StudyError
        If an ancestor that is itself continual pre-training has no schedule.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> fields = start_fields(load_example("cpt_micro"), "pt_r0")
    >>> round(fields["start_area"], 3), fields["start_lr"], fields["is_open"]
    (5.4, 0.0, False)
    """
    names = () if start is None else study.lineage(start)
    opened = [name for name in names[:1] if study.run(name).is_open]
    unit = study.lr_units.get(names[0], 1.0) if names else 1.0
    before = tuple(_lr(study, name, unit) for name in names if name not in opened)
    fields = {
        "n_params": None if start is None else run_size(study, start),
        "lr_unit": unit,
        "start": start,
        "start_area": sum(float(counted_lr(lr, warmup).sum()) for lr in before),
        "before": before,
        # An open base is taken as fully annealed, arXiv 2505.07796.
        "start_lr": float(before[-1][-1]) if before else None,
        "is_open": bool(opened),
    }
    return fields | _known_of(study, opened[0]) if opened else fields


def _known_of(study: Study, base: str) -> dict[str, Any]:
    """Updates of an open base's pre-training, counted in the batches of the study's runs."""
    run = study.run(base)
    if run.steps and run.tokens is None:
        return {"open_updates": float(run.steps), "open_tokens_known": True}
    own = [name for name in study.cpt_runs if study.lineage(name)[0] == base]
    batches = (study.run(name).tokens_per_step for name in (base, *own, *study.cpt_runs))
    batch = next((size for size in batches if size), None)
    tokens = run.tokens or TOKENS_PER_PARAMETER * (run.n_params or 0.0)
    if not batch or not tokens:
        return {}
    return {"open_updates": tokens / batch, "open_tokens_known": run.tokens is not None}


def _lr(study: Study, name: str, unit: float) -> Array:
    schedule = study.run(name).schedule
    if schedule is None:
        raise StudyError(f"run {name!r} has no learning rates; only a base may lack them")
    return schedule.lr if unit == 1.0 else schedule.lr / unit


def counted_lr(lr: Array, warmup: str) -> Array:
    """Learning rates as they count in the areas.

    Parameters
    ----------
    lr : ndarray, shape (n_steps,)
        Learning rate of each update.
    warmup : str
        ``true``: as they were; ``peak``: a leading warm-up as if at its peak.

    Returns
    -------
    ndarray, shape (n_steps,)

    Examples
    --------
    >>> counted_lr(np.array([0.5, 1.0, 0.5]), "peak").tolist()
    [1.0, 1.0, 0.5]
    """
    return count_warmup_at_peak(lr) if warmup == "peak" else lr


def run_trajectory(study: Study, name: str, warmup: str = "true") -> Trajectory:
    """Trajectory of a run of a study.

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

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> path = run_trajectory(load_example("cpt_micro"), "de_r25_cos")
    >>> path.start, path.target, path.n_steps, path.replay[0].item()
    ('pt_r0', 'german', 1000, 0.25)
    """
    run = study.run(name)
    before = start_fields(study, run.parent, warmup)
    before["n_params"] = run_size(study, name)
    if run.parent is None:
        before["lr_unit"] = study.lr_units.get(name, 1.0)
    lr = _lr(study, name, before["lr_unit"])
    ratio = 1.0 if run.phase == "pt" else run.replay_ratio
    return Trajectory(
        name=name,
        phase=run.phase,
        lr=lr,
        replay=np.broadcast_to(np.asarray(ratio, dtype=float), lr.shape),
        **before,
        target=run.domain if run.phase == "cpt" else None,
        branch_of=run.branch_of,
        branch_step=study.trunk_step(name),
        run=name,
    )
