"""Final losses that are out of order: labels exchanged, one run in another unit or given twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np

from bayescpt.data.final_losses import final_columns, is_final
from bayescpt.data.findings.registry import Finding, register_finding
from bayescpt.data.findings.view import StudyView, named
from bayescpt.data.run import Run

# Nats by which a loss may be on the wrong side of that of another amount of replay: two runs with
# the same recipe differ by .064 at most (`apart`), and those of published tables by less.
ORDER = 0.1
# Nats by which both sets must move for labels to look exchanged.
EXCHANGED = 0.05
# Runs that differ in replay only, among which one can be the odd one.
FEWEST = 3
BITS = float(1.0 / np.log(2.0))

# Losses of a run by domain.
type Losses = dict[str, float]


@register_finding("final")
def final_losses(view: StudyView) -> Iterator[Finding]:
    """Final losses of runs that differ in replay only, against what replay does.

    More replay lowers the general loss and raises the target's.

    Parameters
    ----------
    view : StudyView
        The study.

    Yields
    ------
    Finding
    """
    if not is_final(view.study):
        return
    for names in _alike(view):
        losses = {name: _losses(view, name) for name in names}
        yield from _copies(view, losses)
        ordered = sorted(names, key=lambda name: _replay(view.runs[name]))
        target = str(view.runs[names[0]].domain)
        general = str(view.study.general)
        if found := _exchanged(ordered, losses, general, target):
            yield found
        else:
            yield from _odd(view, ordered, losses, general, target)


def _alike(view: StudyView) -> Iterator[list[str]]:
    """Continued runs that differ in nothing but their replay ratio, of which there are several."""
    runs = view.study.runs.set_index("run")
    columns = [*final_columns(runs), *(c for c in ("n_params", "tokens", "parent") if c in runs)]
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, run in view.runs.items():
        if run.phase == "cpt" and run.domain not in (None, view.study.general):
            recipe = (str(run.domain), *(str(runs.at[name, c]) for c in columns))
            groups.setdefault(recipe, []).append(name)
    return (names for names in groups.values() if len(names) > 1)


def _replay(run: Run) -> float:
    return float(np.mean(run.replay_ratio))


def _losses(view: StudyView, name: str) -> Losses:
    """Final loss of a run by domain."""
    curves = ((domain, view.curve(name, domain)[1]) for domain in view.domains)
    return {domain: float(losses[-1]) for domain, losses in curves if losses.size}


def _copies(view: StudyView, losses: dict[str, Losses]) -> Iterator[Finding]:
    """Runs with one recipe whose losses agree to the last digit; other seeds may round alike."""
    for one, other in combinations(losses, 2):
        a, b = view.runs[one], view.runs[other]
        seeds = {seed for seed in _seeds(view, one, other) if seed is not None}
        same = losses[one] == losses[other] and len(losses[one]) > 1
        if same and _replay(a) == _replay(b) and len(seeds) < 2:
            yield Finding(
                "final",
                (one, other),
                f"run {other!r} has the recipe of run {one!r} and its losses to the last digit: "
                "is it one run given twice, which counts twice as much? Leave one out, or give "
                "each its seed in runs",
            )


def _seeds(view: StudyView, *names: str) -> list[float | None]:
    runs = view.study.runs
    if "seed" not in runs:
        return [None]
    values = runs.set_index("run").loc[list(names), "seed"]
    return [None if np.isnan(seed) else float(seed) for seed in values.astype(float)]


def _exchanged(
    ordered: list[str], losses: dict[str, Losses], general: str, target: str
) -> Finding | None:
    """All runs of a group, where replay seems to raise the general loss and lower the target's."""
    both = [name for name in ordered if {general, target} <= losses[name].keys()]
    if len(both) < 2:
        return None
    least, most = losses[both[0]], losses[both[-1]]
    moves = {domain: most[domain] - least[domain] for domain in (general, target)}
    if moves[general] < EXCHANGED or moves[target] > -EXCHANGED:
        return None
    return Finding(
        "final",
        tuple(both),
        f"{named(both)}: from run {both[0]!r} to run {both[-1]!r}, which replays more, {general!r} "
        f"rises ({moves[general]:+.3g} nats) and the target {target!r} falls "
        f"({moves[target]:+.3g}), where replay does the opposite: are the two labels exchanged?",
    )


def _odd(
    view: StudyView, ordered: list[str], losses: dict[str, Losses], general: str, target: str
) -> Iterator[Finding]:
    """The run without which the others are in the order of their replay."""
    signs = {general: -1.0, target: 1.0}

    def off(changed: dict[str, Losses], without: str = "") -> str | None:
        """Domain on which runs are out of order."""
        left = [name for name in ordered if name != without]
        for domain, sign in signs.items():
            own = [changed[name][domain] for name in left if domain in changed[name]]
            if any(sign * (later - first) < -ORDER for first, later in _pairs(own, sign)):
                return domain
        return None

    domain = off(losses)
    if domain is None or len(ordered) < FEWEST:
        return
    odd = [name for name in ordered if off(losses, name) is None]
    if not odd:
        return
    sound = [name for name in ordered if name not in odd]
    text = " or ".join(repr(name) for name in odd)
    value = view.shown(losses[odd[0]].get(domain, float("nan")), domain)
    verb = "raises" if signs[domain] > 0 else "lowers"
    yield Finding(
        "final",
        tuple(odd),
        f"run {text} is out of order on {domain!r} ({value} in {odd[0]!r}): more replay {verb} "
        f"that loss, and does so in {named(sound)}" + _reason(odd, losses, off, general, target),
    )


def _pairs(losses: list[float], sign: float) -> Iterator[tuple[float, float]]:
    """The most extreme loss up to each, with the loss that follows."""
    most = np.maximum.accumulate(losses) if sign > 0 else np.minimum.accumulate(losses)
    return zip(most[:-1].tolist(), losses[1:], strict=True)


def _reason(
    odd: list[str],
    losses: dict[str, Losses],
    off: Callable[[dict[str, Losses]], str | None],
    general: str,
    target: str,
) -> str:
    """What would bring one run into order."""
    if len(odd) == 1:
        own = losses[odd[0]]
        if {general, target} <= own.keys():
            other = own | {general: own[target], target: own[general]}
            if off({**losses, odd[0]: other}) is None:
                return f": are its labels {general!r} and {target!r} exchanged?"
        other = {domain: loss / BITS for domain, loss in own.items()}
        if off({**losses, odd[0]: other}) is None:
            return ": is it in bits?"
    return ": another tokeniser, evaluation set or model?"
