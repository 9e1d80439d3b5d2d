"""Runs that stand off from those with the same recipe, and from all others from the first row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayescpt.data.findings.kinds.start import reason
from bayescpt.data.findings.registry import Finding, register_finding
from bayescpt.data.findings.view import StudyView
from bayescpt.data.run import Run

# Nats. The median difference of two runs with the same recipe is .013 or less in nine of ten pairs
# (sound studies, real and simulated), and .064 at most, on a set that neither is trained on.
APART = 0.15
# Where the losses of a study jitter more, this many of their standard deviations.
JITTERS = 6.0
# Runs with the same recipe that must agree for one to be the odd one.
OTHERS = 2
# Rows with the same recipe on which two runs are compared.
FEWEST = 3
# Relative difference of learning rates, and difference of replay ratios, of the same recipe.
SAME_LR, SAME_REPLAY = 1e-3, 1e-6
# First rows, of which the median counts: nats on every domain in one direction (replay and learning
# rates move the general and the target domain apart), and times the spread of the others.
ROWS = 3
FIRST, SPREADS = 0.25, 4.0
# Ratios of losses in bits to those in nats, and how far the others may be from each other.
BITS = float(1.0 / np.log(2.0))
ALIKE = 0.1


@register_finding("apart")
def apart(view: StudyView) -> Iterator[Finding]:
    """Runs that stand off from others of the same recipe at the same steps.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    names = list(view.runs)
    gaps: dict[str, dict[str, dict[str, float]]] = {name: {} for name in names}
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            until = _same_until(view, one, other)
            if until:
                found = _gaps(view, one, other, until)
                if found:
                    gaps[one][other] = found
                    gaps[other][one] = {domain: -gap for domain, gap in found.items()}
    for name, others in gaps.items():
        if len(others) < OTHERS:
            continue
        odd = {}
        for domain in view.domains:
            limit = max(APART, JITTERS * view.jitter[domain])
            own = [gap[domain] for gap in others.values() if domain in gap]
            if len(own) >= OTHERS and min(np.abs(own)) > limit and np.ptp(own) < 0.5 * limit:
                odd[domain] = float(np.median(own))
        if odd:
            domain = max(odd, key=lambda one: abs(odd[one]))
            side = "above" if odd[domain] > 0 else "below"
            yield Finding(
                "apart",
                (name,),
                f"run {name!r} is {abs(odd[domain]):.2g} nats {side} {len(others)} others with its "
                f"recipe at the same steps on {domain!r}; runs with one recipe differ by some "
                f".01: another tokeniser, evaluation set, batch size or model?",
            )


@register_finding("first")
def first_rows(view: StudyView) -> Iterator[Finding]:
    """Runs that stand off from all others of their start checkpoint from the first row.

    Only where they have no loss at step 0, which `start` compares.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    for parent in dict.fromkeys(run.parent for run in view.runs.values() if run.parent):
        rows = {name: _first(view, name) for name, run in view.runs.items() if run.parent == parent}
        for name, own in rows.items():
            others = [
                row
                for other, row in rows.items()
                if other != name and row.keys() == own.keys() and len(own) > 1
            ]
            if len(others) < OTHERS or any(step == 0 for step, _ in own.values()):
                continue
            seen = {d: np.array([row[d][1] for row in others]) for d in own}
            middle = {d: float(np.median(values)) for d, values in seen.items()}
            shift = np.array([own[d][1] - middle[d] for d in own])
            spread = np.array([np.median(np.abs(seen[d] - middle[d])) for d in own])
            ratio = np.array([own[d][1] / middle[d] for d in own])
            tight = all(np.ptp(seen[d]) < ALIKE * middle[d] for d in own)
            bits = tight and bool(np.all(np.abs(ratio / BITS - 1.0) < 0.5 * ALIKE))
            far = np.all(np.abs(shift) > np.maximum(FIRST, SPREADS * spread))
            if bits or (far and abs(np.sign(shift).sum()) == shift.size):
                odd = {d: (own[d][1], middle[d]) for d in own}
                domain = next(iter(own))
                yield Finding(
                    "first",
                    (name,),
                    f"run {name!r}: its first losses on {domain!r}, from step {own[domain][0]} on, "
                    f"are {view.shown(own[domain][1], domain)}, but those of the other runs from "
                    f"{parent!r} are about {view.shown(middle[domain], domain)}, and so on every "
                    "domain: " + ("is this run in bits?" if bits else reason(odd)),
                )


def _first(view: StudyView, name: str) -> dict[str, tuple[int, float]]:
    """First step of a run by domain, and the median of its first losses."""
    return {
        domain: (int(steps[0]), float(np.median(losses[:ROWS])))
        for domain in view.domains
        for steps, losses in [view.curve(name, domain)]
        if steps.size
    }


def _same_until(view: StudyView, one: str, other: str) -> int:
    """Number of steps over which two runs have the same recipe."""
    a, b = view.runs[one], view.runs[other]
    alike = (a.phase, a.parent, a.domain, a.n_params, a.tokens_per_step) == (
        *(b.phase, b.parent, b.domain, b.n_params, b.tokens_per_step),
    )
    if not alike or one not in view.study.lrs or other not in view.study.lrs:
        return 0
    n = min(a.steps, b.steps)
    lr, second = view.study.lrs[one][:n], view.study.lrs[other][:n]
    differ = np.abs(lr - second) > SAME_LR * max(lr.max(), second.max())
    if a.phase == "cpt":
        differ |= np.abs(_ratio(a, n) - _ratio(b, n)) > SAME_REPLAY
    return int(np.argmax(differ)) if differ.any() else n


def _ratio(run: Run, n: int) -> np.ndarray:
    return np.broadcast_to(np.asarray(run.replay_ratio, dtype=float), (run.steps,))[:n]


def _gaps(view: StudyView, one: str, other: str, until: int) -> dict[str, float]:
    """Median difference of two runs by domain, over the rows where they have the same recipe."""
    gaps = {}
    for domain in view.domains:
        (steps, losses), (at, seen) = view.curve(one, domain), view.curve(other, domain)
        common, i, j = np.intersect1d(steps, at, assume_unique=True, return_indices=True)
        inside = (common > 0) & (common <= until)
        if inside.sum() >= FEWEST:
            gaps[domain] = float(np.median(losses[i[inside]] - seen[j[inside]]))
    return gaps
