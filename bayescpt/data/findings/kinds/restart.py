"""Restarts of the learning rate that the losses do not show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.findings.registry import Finding, register_finding
from bayescpt.data.findings.view import StudyView

# A restart: the LR falls to this share of its peak after it was at it, and rises by that.
LOW, RISE = 0.2, 0.5
# Share of a run in which half the rise is done: what comes back slowly is not seen at one place.
SUDDEN = 0.1
# Rows that tell: in the low part up to the restart, and after it.
BEFORE, AFTER = 3, 4
# Nats by which losses rise after a restart, the median over domains: .039 to .18 in the fleet's 10.
SHOWN = 0.015
# Where losses jitter more than that; the mean of four rows has half their jitter.
JITTERS = 1.5


class Restart(NamedTuple):
    """Where the learning rate rises again.

    Attributes
    ----------
    fell : int
        First step below `LOW` of the peak.
    low : int
        Last step of the lowest learning rate before the rise.
    up : int
        Step at which half the rise is done.
    """

    fell: int
    low: int
    up: int


@register_finding("restart")
def restart(view: StudyView) -> Iterator[Finding]:
    """Runs whose learning rate falls and rises again, where no loss does.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    for name in view.runs:
        found = find_restart(view.study.lrs[name]) if name in view.study.lrs else None
        if found is None:
            continue
        shown = [
            rise / max(SHOWN, JITTERS * view.jitter[domain])
            for domain in view.domains
            if (rise := _rise(*view.curve(name, domain), found)) is not None
        ]
        if shown and np.median(shown) < 1.0:
            lr = view.study.lrs[name]
            yield Finding(
                "restart",
                (name,),
                f"run {name!r}: its learning rate falls to {lr[found.low - 1]:.3g} by step "
                f"{found.low} and is back at {lr[found.up - 1]:.3g} at step {found.up}, but no "
                "loss rises there, as losses do after a restart: are these the learning rates "
                "that it was trained with?",
            )


def find_restart(lr: NDArray[np.float64]) -> Restart | None:
    """The largest restart of a schedule.

    Parameters
    ----------
    lr : ndarray, shape (n_steps,)
        Learning rates.

    Returns
    -------
    Restart or None
        None if the learning rate never falls from its peak to a low value and rises again.

    Examples
    --------
    >>> import numpy as np
    >>> from bayescpt.data.findings.kinds.restart import find_restart
    >>> find_restart(np.array([0.5, 1.0, 1.0, 0.1, 0.1, 0.8, 0.8]))
    Restart(fell=4, low=5, up=6)
    """
    peak = float(lr.max())
    falls = np.flatnonzero(np.diff(lr) < 0)
    if not peak > 0 or not falls.size:
        return None
    first = int(falls[0]) + 1
    later = lr[first:]
    lowest = np.minimum.accumulate(later)
    rise = later - lowest
    top = int(rise.argmax())
    floor = lowest[top]
    if rise[top] < RISE * peak or floor > LOW * peak or lr[:first].max() < RISE * peak:
        return None
    low = int(np.flatnonzero(later[:top] == floor)[-1])
    up = low + int(np.argmax(later[low:] - floor >= 0.5 * rise[top]))
    fell = int(np.argmax(later <= LOW * peak))
    if up - low > max(1, SUDDEN * lr.size):
        return None
    return Restart(first + fell + 1, first + low + 1, first + up + 1)


def _rise(steps: NDArray[np.int64], losses: NDArray[np.float64], found: Restart) -> float | None:
    """Mean loss after a restart minus that before it; None with too few rows.

    A rise that goes on through the low part is none of the restart's.
    """
    before = np.flatnonzero(steps <= found.low)[-BEFORE:]
    after = np.flatnonzero(steps >= found.up)[:AFTER]
    if before.size < BEFORE or after.size < AFTER or steps[before[-1]] < found.fell:
        return None
    slope = max(float(np.polyfit(steps[before], losses[before], 1)[0]), 0.0)
    gap = float(steps[after].mean() - steps[before[1:]].mean())
    return float(losses[after].mean() - losses[before[1:]].mean()) - slope * gap
