"""Losses that rise on what a run is trained on: divergence, labels exchanged."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayescpt.data.findings.registry import Finding, register_finding
from bayescpt.data.findings.view import StudyView, named

# Nats by which a run may end above the lowest loss before, on what it is trained on: of 748 real
# runs, twice the usual peak LR and runs without warm-up among them, the worst ends .065 above.
DIVERGED = 0.25
# Nats above the lowest loss before, for this many rows: .43 for one row in a sudden warm-up.
SPIKE, SPIKE_ROWS = 1.0, 2
# Nats by which the target may end above its start: in sound runs it ends .1 or more below.
RISE = 0.1
# Nats by which both must move for labels to look exchanged.
EXCHANGED = 0.05
# Rows that a curve needs.
FEWEST = 5


@register_finding("diverged")
def diverged(view: StudyView) -> Iterator[Finding]:
    """Runs whose loss on what they are trained on leaps and stays.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    for run in view.runs:
        domain, leap = view.trained(run), _leap(view, run)
        if leap is None or domain is None:
            continue
        steps, losses = view.curve(run, domain)
        before, top = float(losses[:leap].min()), leap + int(np.argmax(losses[leap:]))
        yield Finding(
            "diverged",
            (run,),
            f"run {run!r} seems to have diverged: its loss on {domain!r}, which it is trained on, "
            f"is {view.shown(losses[top], domain)} at step {steps[top]}, after "
            f"{view.shown(before, domain)} before step {steps[leap]}; leave the run out, or its "
            "losses from there on",
        )


@register_finding("exchanged")
def exchanged(view: StudyView) -> Iterator[Finding]:
    """Runs whose target loss ends above its start.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    swapped, risen = [], []
    for run, found in view.runs.items():
        if found.phase != "cpt" or found.domain in (None, view.study.general):
            continue
        limit = max(RISE, 4.0 * view.jitter.get(str(found.domain), 0.0))
        if _swapped(view, run):
            swapped.append(run)
        elif _change(view, run, found.domain) > limit and _leap(view, run) is None:
            risen.append(run)
    if swapped:
        both = [view.trained(swapped[0]), view.study.general]
        moves = [f"{_change(view, swapped[0], domain):+.3g}" for domain in both]
        yield Finding(
            "exchanged",
            tuple(swapped),
            f"{named(swapped)}: the target {both[0]!r} rises from start to end ({moves[0]} nats in "
            f"{swapped[0]!r}) and {both[1]!r} falls ({moves[1]}), where training lowers its "
            "target: are the two labels exchanged?",
        )
    if risen:
        domain = view.trained(risen[0])
        yield Finding(
            "exchanged",
            tuple(risen),
            f"{named(risen)}: the target {domain!r} rises from start to end "
            f"({_change(view, risen[0], domain):+.3g} nats in {risen[0]!r}), where training "
            "lowers its target: is this the domain that it is trained on, and its label right?",
        )


def _leap(view: StudyView, run: str) -> int | None:
    """Row at which the loss of a run leaps, on what it is trained on and in the end on all."""
    domain = view.trained(run)
    losses = view.curve(run, domain)[1]
    if losses.size < FEWEST or _swapped(view, run):
        return None
    above = losses - np.minimum.accumulate(losses)
    stays = float(np.median(above[-3:])) > DIVERGED and all(
        np.median(other[-3:]) > other.min() + EXCHANGED
        for other in (view.curve(run, name)[1] for name in view.domains if name != domain)
        if other.size >= FEWEST
    )
    if not stays and (above > SPIKE).sum() < SPIKE_ROWS:
        return None
    return int(np.argmax(above > (DIVERGED if stays else SPIKE)))


def _swapped(view: StudyView, run: str) -> bool:
    """Whether the target of a run rises and its general loss falls."""
    target, general = view.trained(run), view.study.general
    if view.runs[run].phase != "cpt" or target == general:
        return False
    return _change(view, run, target) > EXCHANGED and _change(view, run, general) < -EXCHANGED


def _change(view: StudyView, run: str, domain: str | None) -> float:
    """Loss at the end of a run minus that at its start, nats; 0 where there are too few rows."""
    steps, losses = view.curve(run, domain)
    return float(np.median(losses[-3:]) - losses[0]) if steps.size >= FEWEST else 0.0
