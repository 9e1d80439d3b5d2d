"""What the law sees of a run or plan: areas and replay on the reference scales, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.areas import (
    annealing_basis,
    count_warmup_at_peak,
    forward_area,
    relaxation_basis,
    warmup_steps,
)
from bayescpt.errors import StudyError
from bayescpt.laws.annealing import (
    NORM_SHARE,
    NORM_STEPS,
    RATES,
    TYPICAL,
    kernel_weights,
    memory_grid,
)
from bayescpt.laws.shift import TARGET_EXPONENT

if TYPE_CHECKING:
    from bayescpt.data import Study

Array = NDArray[np.float64]


SMALLEST = 1e-9
# Terms that may have an effect of the run.
EFFECTS = ("level", "shift", "anneal", "drift")


@dataclass(frozen=True)
class References:
    """Reference points that turn areas into numbers of order 1.

    Attributes
    ----------
    area : float
        Forward area at which ``base_ref`` is measured, LR x steps.
    shift_area : float
        CPT forward area at which ``shift_ref`` is measured, LR x steps; 1 without CPT runs.
    peak_lr : float
        LR whose full annealing ``anneal_ref`` measures.
    warmup : str
        ``true``: the LR as it was; ``peak``: a leading warm-up counts as if at its peak.
    kernel : str
        Annealing kernel: ``momentum``, ``area`` or ``power``.
    own_rewarm : bool
        Whether the re-warm-up has a size of its own, beside the annealing area.
    anneal_steps : float
        Steps at the reference peak LR after which ``anneal_ref`` measures the drop, under the
        kernels with a heavy tail.
    rise : float
        Rise of the LR by the re-warm-up, over `peak_lr`, at which ``jump`` is measured.
    climb : float
        Rise of the LR by the warm-up, over `peak_lr`, that ``level_pt`` of a kernel with a heavy
        tail holds: otherwise the two form a ridge; 0 with CPT runs.
    """

    area: float
    shift_area: float
    peak_lr: float
    warmup: str = "true"
    kernel: str = "momentum"
    own_rewarm: bool = False
    anneal_steps: float = NORM_STEPS
    rise: float = 0.0
    climb: float = 0.0


@dataclass(frozen=True)
class Path:
    """One trajectory of training, of a run or of a plan.

    Attributes
    ----------
    name : str
        Name of the run or plan.
    phase : str
        ``pt`` or ``cpt``.
    lr : ndarray, shape (n_steps,)
        Learning rate of each update.
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
        Domain that a CPT run trains on.
    branch_of : str or None
        Run that shares its first steps.
    branch_step : int
        Steps shared with `branch_of`.
    run : str or None
        Run of the study whose path this is.
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

    @property
    def n_steps(self) -> int:
        """Number of updates."""
        return int(self.lr.size)


@dataclass(frozen=True)
class Features:
    """Features of a path at chosen steps.

    Attributes
    ----------
    steps : ndarray of int, shape (n,)
        Steps of the path.
    log_area : ndarray, shape (n,)
        log(S1 / S1ref), all phases counted.
    log_area_start : float
        The same at the start checkpoint; 0 (S1 = S1ref) in pre-training.
    anneal : ndarray, shape (n, J)
        Annealing area of this phase at the kernel's nodes, scaled to 1 for a full anneal, under a
        heavy tail for the part that takes effect within `References.anneal_steps`.
    shift_area : ndarray, shape (n,)
        CPT forward area over its reference; 0 in pre-training.
    replay : ndarray, shape (n,)
        LR-weighted mean replay ratio of the updates so far.
    fraction : ndarray, shape (n,)
        step / n_steps.
    misfit : ndarray, shape (4, n)
        What an effect of the run of 1 nat does to the loss, by EFFECTS.
    target_area : ndarray, shape (n,)
        Area that the target of a CPT run learns by, in place of `shift_area`: sum of LR^.6.
    """

    steps: NDArray[np.int64]
    log_area: Array
    log_area_start: float
    anneal: Array
    shift_area: Array
    replay: Array
    fraction: Array
    misfit: Array
    target_area: Array


def area_before(study: Study, start: str | None, warmup: str = "true") -> float:
    """Forward area spent up to the end of a run, its ancestors' included.

    Parameters
    ----------
    study : Study
        Holds the run and its ancestors.
    start : str or None
        Name of the run; None means from scratch.
    warmup : str
        Convention, see `References`.

    Returns
    -------
    float
        LR x steps.

    Raises
    ------
    StudyError
        If an ancestor has no schedule.
    """
    return float(placed_start(study, start, warmup)["start_area"])


def rates_before(study: Study, start: str | None) -> tuple[Array, ...]:
    """Learning rates spent up to the end of a run, its ancestors first.

    Parameters
    ----------
    study : Study
        Holds the run and its ancestors.
    start : str or None
        Name of the run; None means from scratch.

    Returns
    -------
    tuple of ndarray
    """
    names = () if start is None else study.lineage(start)
    return tuple(_lr(study, name) for name in names)


def placed_start(study: Study, start: str | None, warmup: str = "true") -> dict[str, Any]:
    """Fields of a `Path` that its start checkpoint decides.

    Parameters
    ----------
    study : Study
        Holds the start and its ancestors.
    start : str or None
        Run whose end checkpoint it is; None means from scratch.
    warmup : str
        Convention for the area, see `References`.

    Returns
    -------
    dict
        start, start_area, before, start_lr.
    """
    before = rates_before(study, start)
    return {
        "start": start,
        "start_area": sum(float(_counted(lr, warmup).sum()) for lr in before),
        "before": before,
        "start_lr": float(before[-1][-1]) if before else None,
    }


def _lr(study: Study, name: str) -> Array:
    schedule = study.run(name).schedule
    if schedule is None:
        raise StudyError(
            f"run {name!r} has no learning rates: its forward area is needed to place the runs "
            "that start from it. Give its schedule (a schedule without a curve is enough)"
        )
    return schedule.lr


def _counted(lr: Array, warmup: str) -> Array:
    return count_warmup_at_peak(lr) if warmup == "peak" else lr


def run_path(study: Study, name: str, warmup: str = "true") -> Path:
    """Path of a run of a study.

    Parameters
    ----------
    study : Study
        Holds the run and its ancestors.
    name : str
        Name of the run.
    warmup : str
        Convention for the area before the start, see `References`.

    Returns
    -------
    Path
    """
    run = study.run(name)
    lr = _lr(study, name)
    ratio = 1.0 if run.phase == "pt" else run.replay_ratio
    return Path(
        name=name,
        phase=run.phase,
        lr=lr,
        replay=np.broadcast_to(np.asarray(ratio, dtype=float), lr.shape),
        **placed_start(study, run.parent, warmup),
        target=run.domain,
        branch_of=run.branch_of,
        branch_step=study.trunk_step(name),
        run=name,
    )


def references(
    study: Study,
    warmup: str = "true",
    kernel: str = "momentum",
    own_rewarm: bool = False,
    continual: bool = True,
) -> References:
    """Reference points of a study.

    The base term is measured at the largest forward area of a start checkpoint (without CPT runs:
    at the longest run's end), the shift at the median CPT run's end, the jump at the CPT runs' mean
    re-warm-up: pilots that all rise alike tell their sum, not what a rise does. So it is with the
    level and the warm-up of pre-training runs.

    Parameters
    ----------
    study : Study
        The study to fit.
    warmup : str
        Convention, see `References`.
    kernel : str
        Annealing kernel: ``momentum``, ``area`` or ``power``.
    own_rewarm : bool
        Whether the re-warm-up has a size of its own.
    continual : bool
        Whether CPT runs are fitted, where there are any.

    Returns
    -------
    refs : References
        Two areas, an LR, a rise and a climb, and a number of steps.
    """
    # Pilots only: the recipe of a run that is not trained yet must not move them.
    pilots = study.cpt_runs if continual else ()
    cpt = [run_path(study, name, warmup) for name in pilots if study.is_observed(name)]
    fitted = cpt or [run_path(study, name) for name in study.pt_runs if study.is_observed(name)]
    if not fitted:
        raise StudyError(f"study {study.name!r} has no curve to fit: every run is without losses")
    counted = [_counted(path.lr, warmup) for path in fitted]
    own = [float(lr.sum()) for lr in counted]
    length = float(np.median([path.n_steps for path in fitted]))
    peak_lr = max(float(path.lr.max()) for path in fitted)
    climbed = [float(lr[warmup_steps(lr)] - lr[0]) / peak_lr for lr in counted]
    return References(
        area=max(path.start_area for path in cpt) if cpt else max(own),
        shift_area=float(np.median(own)) if cpt else 1.0,
        peak_lr=peak_lr,
        rise=float(np.mean([_rise(path, peak_lr) for path in cpt])) if cpt else 0.0,
        climb=0.0 if cpt else float(np.mean(climbed)),
        warmup=warmup,
        kernel=kernel,
        own_rewarm=own_rewarm,
        anneal_steps=max(NORM_STEPS, NORM_SHARE * length),
    )


def features(path: Path, steps: NDArray[np.int64], refs: References) -> Features:
    """Features of a path at chosen steps.

    Parameters
    ----------
    path : Path
        The trajectory.
    steps : ndarray of int, shape (n,)
        Steps, 0..n_steps; 0 only where there is a start checkpoint.
    refs : References
        Reference points.

    Returns
    -------
    Features
    """
    counted = _counted(path.lr, refs.warmup)
    area = forward_area(counted)
    replayed = np.concatenate([[path.replay[0]], np.cumsum(path.replay * counted)])
    used = np.where(area > 0, area, 1.0)
    mean_replay = np.where(area > 0, replayed / used, path.replay[0])
    log_area, log_area_start = _log_areas(path, counted, steps, refs)
    anneal = _anneal(path, counted, steps, refs)
    return Features(
        steps=steps,
        log_area=log_area,
        log_area_start=log_area_start,
        anneal=anneal,
        shift_area=area[steps] / refs.shift_area if path.phase == "cpt" else np.zeros(steps.size),
        replay=mean_replay[steps],
        fraction=steps / path.n_steps,
        target_area=_target_area(path, counted, steps, refs),
        misfit=_misfit(path, area[steps], anneal, refs),
    )


def _log_areas(
    path: Path, counted: Array, steps: NDArray[np.int64], refs: References
) -> tuple[Array, float]:
    """Log forward area over its reference, at the steps and at the start checkpoint."""
    area = path.start_area + forward_area(counted)[steps]
    # The loss before any training is out of the law's reach; keep its logarithm finite.
    here = np.log(np.maximum(area, SMALLEST * refs.area) / refs.area)
    return here, float(np.log(path.start_area / refs.area)) if path.phase == "cpt" else 0.0


def _anneal(path: Path, counted: Array, steps: NDArray[np.int64], refs: References) -> Array:
    start = path.start_lr
    if refs.own_rewarm and path.phase == "cpt":
        # Up to the end of the re-warm-up the rise has a size of its own (`warming`).
        top = warmup_steps(counted)
        counted = np.concatenate([np.full(top, counted[top]), counted[top:]])
        start = float(counted[0])
    if refs.kernel != "momentum":
        in_area = refs.kernel == "area"
        rates, clock = (RATES / refs.peak_lr, "area") if in_area else (RATES, "steps")
        drop = relaxation_basis(counted, rates, start, steps, clock) / refs.peak_lr
        return drop + refs.climb if path.phase == "pt" else drop
    memory = memory_grid()
    return annealing_basis(counted, memory, start, steps) / (memory * refs.peak_lr)


def warming(path: Path, refs: References) -> tuple[float, float]:
    """Rise of the LR by the re-warm-up less the reference rise, and log of the peak LR.

    Parameters
    ----------
    path : Path
        The trajectory.
    refs : References
        Reference points.

    Returns
    -------
    rise : float
        Over the reference peak, from the LR of the start checkpoint; 0 in pre-training.
    log_peak : float
        Over the reference peak.
    """
    log_peak = float(np.log(max(path.lr.max() / refs.peak_lr, SMALLEST)))
    rise = _rise(path, refs.peak_lr) - refs.rise if path.phase == "cpt" else 0.0
    return rise, log_peak


def _rise(path: Path, peak_lr: float) -> float:
    """Negative where a run starts below the LR that its start checkpoint ended at."""
    start = 0.0 if path.start_lr is None else path.start_lr
    return (float(path.lr[warmup_steps(path.lr)]) - start) / peak_lr


def _misfit(path: Path, area: Array, anneal: Array, refs: References) -> Array:
    """Columns of the effects: fixed shapes near those of the law's terms."""
    drop = anneal @ kernel_weights(refs.kernel, TYPICAL[refs.kernel], refs.anneal_steps)
    if path.phase == "cpt":
        spent = area / refs.shift_area
        return np.stack([1.0 * (spent > 0), np.log1p(50 * spent) / np.log(51), drop, spent])
    spent = np.log(np.maximum(area, SMALLEST * refs.area) / refs.area)
    return np.stack([np.ones_like(spent), spent, drop, spent])


def _target_area(path: Path, counted: Array, steps: NDArray[np.int64], refs: References) -> Array:
    if path.phase == "pt":
        return np.zeros(steps.size)
    spent = forward_area((counted / refs.peak_lr) ** TARGET_EXPONENT)[steps]
    return spent * refs.peak_lr / refs.shift_area
