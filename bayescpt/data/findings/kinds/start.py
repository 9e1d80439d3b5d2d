"""Curves that do not start where their start checkpoint ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations

import numpy as np

from bayescpt.data.findings.registry import Finding, register_finding
from bayescpt.data.findings.view import StudyView

# Nats. The losses of one checkpoint on one set are the same number: they differ by 1e-5 in the
# real studies and by .007 in simulated ones with noise at step 0.
APART = 0.05
# Where losses jitter more than that, this many of their standard deviations.
JITTERS = 6.0
# Relative, of a ratio that is that of two units.
_SAME_RATIO = 0.02


@register_finding("start")
def start(view: StudyView) -> Iterator[Finding]:
    """Runs whose losses at step 0 are not those of the checkpoint that they start from.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    for parent in dict.fromkeys(run.parent for run in view.runs.values() if run.parent):
        seen = {domain: _losses(view, parent, domain) for domain in view.domains}
        members = dict.fromkeys(name for losses in seen.values() for name in losses)
        odd: dict[str, dict[str, tuple[float, float]]] = {}
        for domain, losses in seen.items():
            if len(losses) < 2:
                continue
            limit = max(APART, JITTERS * view.jitter[domain])
            values = np.array(list(losses.values()))
            # Of two there is no majority: the checkpoint's own end is believed, or the first.
            middle = float(np.median(values)) if values.size > 2 else float(values[0])
            for name, loss in losses.items():
                if abs(loss - middle) > limit:
                    odd.setdefault(name, {})[domain] = (loss, middle)
        for name in (name for name in members if name in odd):
            yield _finding(view, name, parent, odd[name])


def _losses(view: StudyView, parent: str, domain: str) -> dict[str, float]:
    """Losses of a checkpoint on a domain: at its own end, and at step 0 of what starts from it."""
    found = {}
    steps, losses = view.curve(parent, domain)
    if steps.size and steps[-1] == view.runs[parent].steps > 0:
        found[parent] = float(losses[-1])
    for name, run in view.runs.items():
        if run.parent == parent:
            steps, losses = view.curve(name, domain)
            if steps.size and steps[0] == 0:
                found[name] = float(losses[0])
    return found


def _finding(
    view: StudyView, name: str, parent: str, odd: Mapping[str, tuple[float, float]]
) -> Finding:
    domain, (loss, expected) = max(odd.items(), key=lambda item: abs(item[1][0] - item[1][1]))
    own = "ends" if name == parent else "starts"
    others = "most runs from it start" if name == parent else f"its checkpoint {parent!r} is"
    return Finding(
        "start",
        (name,),
        f"run {name!r} {own} at {view.shown(loss, domain)} on {domain!r}, but {others} at "
        f"{view.shown(expected, domain)}: {reason(odd)}",
    )


def reason(odd: Mapping[str, tuple[float, float]]) -> str:
    """What would explain losses that differ from the expected ones, as a question.

    Parameters
    ----------
    odd : mapping of str to (float, float)
        By domain, the loss and the one expected, nats.

    Returns
    -------
    str

    Examples
    --------
    >>> from bayescpt.data.findings.kinds.start import reason
    >>> reason({"general": (4.472, 3.1)})
    'is this run in bits (1.443 times)?'
    """
    loss, expected = (np.array(each) for each in zip(*odd.values(), strict=True))
    ratio = loss / expected
    if np.all(np.abs(ratio * np.log(2.0) - 1.0) < _SAME_RATIO):
        return "is this run in bits (1.443 times)?"
    if np.all(np.abs(ratio / np.log(2.0) - 1.0) < _SAME_RATIO):
        return "is this run in nats where the others are in bits?"
    if np.all(np.abs(np.log(loss) - expected) < APART):
        return "are these perplexities?"
    for one, other in permutations(odd, 2):
        if abs(odd[one][0] - odd[other][1]) + abs(odd[other][0] - odd[one][1]) < 2 * APART:
            return f"are the labels {one!r} and {other!r} exchanged?"
    return "another tokeniser, evaluation set or checkpoint?"
