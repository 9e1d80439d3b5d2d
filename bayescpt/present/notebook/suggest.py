"""Goal and recipes that a study suggests, for a notebook about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from bayescpt.data import Run, Schedule, Study
from bayescpt.data.final_losses import is_final
from bayescpt.errors import StudyError

# The run that is decided on is longer than its pilots; with this many times their steps it is still
# one that a fit of them may be asked about.
LONGER = 2
# Most peaks and replay ratios of the recipes, which are combined with each other.
MOST_PEAKS, MOST_RATIOS = 3, 5
# With fewer pilots, a fit without one of them says little about the fit with all.
FEWEST_TO_HOLD_OUT = 5
# Share of the pilots that end at or below the suggested limit: a longer run should keep the general
# loss that a few of them kept, and learn the target as well as the best.
KEPT, LEARNT = 0.25, 0.0


@dataclass(frozen=True)
class Suggestion:
    """What to ask of a study, unless its owner says otherwise.

    Attributes
    ----------
    pilots : tuple of str
        Runs with a curve, from the start checkpoint and to the target of the recipes.
    start : str or None
        Start checkpoint of the recipes: the one that most pilots start from.
    domain : str or None
        Target of the recipes.
    goal : dict of str to float
        Highest loss by domain, in the unit of the study.
    n_steps : int
        Length of the recipes: twice that of the longest pilot.
    peaks : tuple of float
        Peak LRs of pilots: lowest, middle and highest.
    ratios : tuple of float
        Replay ratios within the range of the pilots; empty where there is no replay.
    held_out : str or None
        Run to judge the fit by; None where there are too few.
    """

    pilots: tuple[str, ...]
    start: str | None
    domain: str | None
    goal: dict[str, float]
    n_steps: int
    peaks: tuple[float, ...]
    ratios: tuple[float, ...]
    held_out: str | None


def suggest(study: Study) -> Suggestion:
    """Suggest a goal and recipes.

    Parameters
    ----------
    study : Study
        A study of loss curves.

    Returns
    -------
    Suggestion

    Raises
    ------
    StudyError
        If the study has final losses only, or no run with a schedule and a curve.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> found = suggest(load_example("cpt_micro"))
    >>> found.start, found.n_steps, found.ratios
    ('pt_r0', 2000, (0.0, 0.19, 0.38, 0.56, 0.75))
    """
    runs = _pilots(study)
    mean_ratios = [float(np.mean(run.replay_ratio)) for run in runs]
    known = [ratio for ratio in mean_ratios if np.isfinite(ratio)] if runs[0].parent else []
    return Suggestion(
        pilots=tuple(run.name for run in runs),
        start=runs[0].parent,
        domain=runs[0].domain if runs[0].phase == "cpt" else None,
        goal=_goal(study, runs),
        n_steps=LONGER * max(_schedule(run).n_steps for run in runs),
        peaks=_few(sorted({float(f"{_schedule(run).peak_lr:.3g}") for run in runs})),
        ratios=_between(known),
        held_out=_held_out(study, runs),
    )


def last_losses(study: Study, runs: list[str], domain: str) -> list[float]:
    """Last measured losses on a domain.

    Parameters
    ----------
    study : Study
        The study.
    runs : list of str
        Runs; those that were not measured on the domain are left out.
    domain : str
        The domain.

    Returns
    -------
    list of float
        In the unit of the study.
    """
    curves = [study.curve(run, domain)["loss"] for run in runs]
    return [float(study.units.show(curve.iloc[-1], domain)) for curve in curves if len(curve)]


def _pilots(study: Study) -> list[Run]:
    """Observed runs from the start and to the target that most of them have."""
    if is_final(study):
        raise StudyError(
            f"study {study.name!r} has final losses only; a notebook is about loss curves "
            "(docs/final_losses.md shows how final losses are fitted)"
        )
    names = study.cpt_runs or study.pt_runs
    runs = [study.run(name) for name in names if study.is_observed(name)]
    runs = [run for run in runs if run.schedule is not None and run.schedule.peak_lr > 0]
    if not runs:
        raise StudyError(
            f"study {study.name!r} has no run with a schedule and a loss after its start, so there "
            "is nothing to fit"
        )
    [((start, domain), _)] = Counter((run.parent, run.domain) for run in runs).most_common(1)
    return [run for run in runs if (run.parent, run.domain) == (start, domain)]


def _schedule(run: Run) -> Schedule:
    if run.schedule is None:
        raise StudyError(f"run {run.name!r} has no schedule")
    return run.schedule


def _goal(study: Study, runs: list[Run]) -> dict[str, float]:
    """Limits between what the pilots reached, rounded as people state them."""
    target = runs[0].domain if runs[0].phase == "cpt" else None
    wanted = [domain for domain in (study.general, target) if domain is not None]
    goal = {}
    for domain in wanted or study.domains[:1]:
        ends = last_losses(study, [run.name for run in runs], domain)
        share = KEPT if domain == study.general and target is not None else LEARNT
        if ends:
            goal[domain] = float(f"{np.quantile(ends, share):.4g}")
    return goal


def _few(values: list[float]) -> tuple[float, ...]:
    """Lowest, middle and highest of sorted values."""
    if len(values) <= MOST_PEAKS:
        return tuple(values)
    return tuple(values[round(k)] for k in np.linspace(0, len(values) - 1, MOST_PEAKS))


def _between(ratios: list[float]) -> tuple[float, ...]:
    """Evenly spaced ratios over the range of those that were run."""
    if not ratios:
        return ()
    grid = np.linspace(min(ratios), max(ratios), MOST_RATIOS).round(2)
    return tuple(float(ratio) for ratio in np.unique(grid))


def _held_out(study: Study, runs: list[Run]) -> str | None:
    """Run that no other needs or repeats, with a peak and a ratio in the range of the others."""
    if len(runs) < FEWEST_TO_HOLD_OUT:
        return None
    every = [study.run(name) for name in (*study.pt_runs, *study.cpt_runs)]
    needed = {link for run in every for link in (run.parent, run.branch_of)}
    free = [run for run in runs if run.name not in needed]

    for run in free:
        others = [other for other in runs if other is not run]
        if not any(_same(run, other) for other in others) and _inside(run, others):
            return run.name
    return None


def _same(run: Run, other: Run) -> bool:
    """Whether a run repeats the recipe of another, as with another seed."""
    return run.schedule == other.schedule and np.array_equal(
        run.replay_ratio, other.replay_ratio, equal_nan=True
    )


def _inside(run: Run, others: list[Run]) -> bool:
    """Whether the peak and the mean replay ratio of a run are in the range of others."""
    for value in (lambda one: _schedule(one).peak_lr, lambda one: float(np.mean(one.replay_ratio))):
        known = [value(other) for other in others]
        if np.isfinite(value(run)) and not min(known) <= value(run) <= max(known):
            return False
    return True
