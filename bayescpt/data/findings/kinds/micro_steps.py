"""Runs whose steps are micro-steps of gradient accumulation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayescpt.data.findings.registry import Finding, register_finding
from bayescpt.data.findings.view import StudyView
from bayescpt.data.run import Run

# Largest difference of replay ratios, and ratio of peaks, of runs that are compared.
REPLAY, PEAK = 0.15, 1.1
# Rows of the first part of the other run on which they are compared.
FEWEST = 3
PART = (0.05, 0.7)
# Changes of a learning rate that show at which steps it changes.
CHANGES = 20
# Nats by which losses at the same step differ, at least, and how much better losses at the same
# share of the run agree: of a run that is truly longer, losses at the same step agree.
APART, BETTER = 0.05, 3.0


@register_finding("micro_steps")
def micro_steps(view: StudyView) -> Iterator[Finding]:
    """Runs that are a whole number of times as long as one like them, with its losses at each part.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    for name, run in view.runs.items():
        likes = [other for other in view.runs.values() if _like(view, run, other)]
        if likes and (times := run.steps // likes[0].steps) and _repeated(view, run, times):
            yield Finding(
                "micro_steps",
                (name,),
                f"run {name!r} has {run.steps} steps, {times} times those of run "
                f"{likes[0].name!r}, and a learning rate that changes every {times} steps only: "
                f"are these micro-steps of gradient accumulation? Steps count updates: divide "
                f"them by {times}",
            )
            continue
        near = [other for other in likes if _near(view, run, other)]
        votes = [vote for other in near if (vote := _vote(view, run, other)) is not None]
        # Runs of one length against several of another: most must agree.
        if votes and sum(said for said, _, _ in votes) > len(votes) / 2:
            times, other = next((k, o) for said, k, o in votes if said)
            yield Finding(
                "micro_steps",
                (name,),
                f"run {name!r} has {run.steps} steps, {times} times those of run {other!r}, and "
                f"at each {times}th step the loss that {other!r} has at each: are these "
                f"micro-steps of gradient accumulation? Steps count updates: divide them by "
                f"{times}",
            )


def _like(view: StudyView, run: Run, other: Run) -> bool:
    """Whether a run is a whole number of times as long as another of the same checkpoint."""
    if run.name not in view.study.lrs or other.name not in view.study.lrs or not other.steps:
        return False
    if (run.phase, run.parent, run.domain) != (other.phase, other.parent, other.domain):
        return False
    return run.steps >= 2 * other.steps and run.steps % other.steps == 0


def _repeated(view: StudyView, run: Run, times: int) -> bool:
    """Whether learning rates change at every so many steps, and between them never."""
    changes = np.flatnonzero(np.diff(view.study.lrs[run.name])) + 1
    return changes.size >= CHANGES and bool(np.all(changes % times == 0))


def _near(view: StudyView, run: Run, other: Run) -> bool:
    """Whether two runs have almost the same recipe."""
    peaks = [float(view.study.lrs[one.name].max()) for one in (run, other)]
    ratios = [float(np.mean(one.replay_ratio)) for one in (run, other)]
    near = max(peaks) <= PEAK * min(peaks)
    return near and (run.phase == "pt" or abs(ratios[0] - ratios[1]) <= REPLAY)


def _vote(view: StudyView, run: Run, other: Run) -> tuple[bool, int, str] | None:
    """Whether losses agree at the same share of two runs, not at the same step."""
    times = run.steps // other.steps
    domain = view.trained(run.name)
    (steps, losses), (at, seen) = (view.curve(one.name, domain) for one in (run, other))
    low, high = (share * other.steps for share in PART)
    compared = at[(at >= low) & (at <= high)]
    # At the same step and at the same share, between the rows of the longer run where need be.
    if compared.size < FEWEST or steps.size < FEWEST or steps[-1] < high:
        return None
    expected = seen[np.isin(at, compared)]
    by_step = np.median(np.abs(np.interp(compared, steps, losses) - expected))
    by_share = np.median(np.abs(np.interp(compared * times, steps, losses) - expected))
    return bool(by_step > max(APART, BETTER * by_share)), times, other.name
