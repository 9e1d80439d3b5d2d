"""Model sizes of a study's runs, and learning rates that mean the same at every size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bayescpt.data.study_data import StudyData

# Sizes within this relative difference are one: parameters are counted in several ways.
SAME_SIZE = 0.01


def run_size(study: StudyData, name: str) -> float | None:
    """Number of parameters of a run's model.

    Parameters
    ----------
    study : Study
        Holds the run and its ancestors.
    name : str
        Name of the run.

    Returns
    -------
    float or None
        Its own ``n_params``, or that of the nearest run it starts from; None if none has it.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> run_size(load_example("cpt_micro"), "de_r25_cos")
    332448.0
    """
    sizes = (study.run(one).n_params for one in reversed(study.lineage(name)))
    return next((size for size in sizes if size is not None), None)


def same_size(log_one: NDArray[np.float64] | float, log_other: NDArray[np.float64] | float) -> Any:
    """Whether two models have one size, from the logarithms of their parameter counts.

    Parameters
    ----------
    log_one, log_other : float or ndarray
        Logarithms of numbers of parameters, over the same reference.

    Returns
    -------
    bool or ndarray of bool
        True within `SAME_SIZE`; False for NaN.

    Examples
    --------
    >>> bool(same_size(np.log(332448.0), np.log(333000.0)))
    True
    """
    return np.abs(np.subtract(log_one, log_other)) <= np.log1p(SAME_SIZE)


def model_sizes(study: StudyData) -> tuple[float, ...]:
    """Distinct model sizes of the bases and runs of a study.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    tuple of float
        Ascending; of sizes within 1% of each other, the smallest.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> model_sizes(load_example("cpt_micro"))
    (332448.0,)
    """
    found: list[float] = []
    known = (run_size(study, name) for name in (*study.pt_runs, *study.cpt_runs))
    for size in sorted(size for size in known if size is not None):
        if not found or size > found[-1] * (1.0 + SAME_SIZE):
            found.append(size)
    return tuple(found)


def lr_units(study: StudyData) -> dict[str, float]:
    """Unit that the learning rates of runs from each base count in.

    The best LR falls with the size of the model, but as a factor of the peak of its base's
    pre-training it hardly changes. In a study of several sizes, continual pre-training therefore
    counts that factor, times the geometric mean of the peaks.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    dict of str to float
        Peak LR of a base over the geometric mean of the peaks of all bases from which runs with
        losses descend. Empty, for LRs that count as they are, in a study of one size or without
        continual pre-training, where all peaks are the same, or where one is unknown: an open base
        has none unless its column ``peak_lr`` says so.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> lr_units(load_example("cpt_micro"))
    {}
    """
    if not study.cpt_runs or len(model_sizes(study)) < 2:
        return {}
    bases = dict.fromkeys(study.lineage(name)[0] for name in (*study.cpt_runs, *study.pt_runs))
    known = {base: _peak(study, base) for base in bases}
    peaks = {base: peak for base, peak in known.items() if peak is not None}
    if len(peaks) < len(known) or len(set(peaks.values())) == 1:
        return {}
    fitted = dict.fromkeys(study.lineage(n)[0] for n in study.cpt_runs if study.is_observed(n))
    middle = np.exp(np.mean(np.log([peaks[base] for base in fitted or bases])))
    return {base: float(peak / middle) for base, peak in peaks.items()}


def _peak(study: StudyData, base: str) -> float | None:
    run = study.run(base)
    if run.schedule is None:
        return run.peak_lr
    return run.schedule.peak_lr if run.schedule.peak_lr > 0 else None
