"""Random pilots, as a team would have them, and all other runs held out."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescpt.errors import PlanError, StudyError
from bayescpt.evaluate.outside import joined, outside_of
from bayescpt.evaluate.splits import Split, shared_steps, split_by_fit

if TYPE_CHECKING:
    from bayescpt.data import Study

PILOTS = 4
REPEATS = 8
# Tries to find a set of pilots that was not drawn before.
_TRIES = 200

# Values of columns of runs, such as {"split": "fit"} or {"split": ["choose", "test"]}.
Where = Mapping[str, Any]


def split_by_pilots(
    study: Study,
    pilots: int = PILOTS,
    repeats: int = REPEATS,
    random_seed: int = 1,
    *,
    pilots_from: Where | None = None,
    judge: Where | None = None,
    runs: Iterable[str] | None = None,
    domains: Sequence[str] | None = None,
) -> list[Split]:
    """Fit a few random pilots and hold out all other CPT runs of their target.

    The pilots of a draw are what a team has: CPT runs of one target from one start checkpoint,
    with at least two replay ratios where the study has them (and there are two pilots). Targets
    take turns; a start checkpoint is drawn in proportion to its runs. Draw k does not depend on the
    number of draws, and no set is drawn twice.

    Of a held-out run only its recipe and the losses of its start checkpoint are known: a run that
    shares its first steps with a pilot is left out, and so is one that starts from another CPT run.

    Parameters
    ----------
    study : Study
        The study.
    pilots : int
        Number of pilots of a draw.
    repeats : int
        Number of draws.
    random_seed : int
        Seed of the draws.
    pilots_from : Mapping of str to object, optional
        Values of columns of `study.runs`, one or a list of them, that a pilot must have.
    judge : Mapping of str to object, optional
        The same for the runs to score; by default all.
    runs : iterable of str, optional
        Runs to score, by name; by default all.
    domains : sequence of str, optional
        Domains to score; by default the general one and the target of the run.

    Returns
    -------
    list of Split
        One per draw and held-out run, in this order; those of a draw share `train` and `refit`.
        Labels: repeat (number of the draw, from 1), target, and outside (`outside_pilots`, joined).

    Raises
    ------
    PlanError
        If a number is below 1.
    StudyError
        If a column is unknown, no start checkpoint has enough runs, no run is left to score, or
        there are fewer different sets of pilots than asked for.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> from bayescpt.evaluate import split_by_pilots
    >>> splits = split_by_pilots(load_example("cpt_micro"), pilots=4, repeats=3)
    >>> len({split.refit for split in splits}), {len(split.fitted) for split in splits}
    (3, {4})
    """
    for name, value in (("pilots", pilots), ("repeats", repeats)):
        if value < 1:
            raise PlanError(f"{name} is {value}; it must be at least 1")
    wanted = None if runs is None else list(dict.fromkeys(runs))
    for name in wanted or ():
        study.run(name)
    usable = _usable(study)
    groups = _groups(study, _matching(study, usable, pilots_from), pilots)
    judged = [n for n in _matching(study, usable, judge) if wanted is None or n in wanted]
    drawn: list[tuple[tuple[str, ...], list[str]]] = []
    targets = list(groups)
    for k in range(repeats):
        rng = np.random.default_rng([random_seed, zlib.crc32(b"pilots"), k])
        known = {chosen for chosen, _ in drawn}
        drawn.append(_draw(study, groups, targets[k % len(targets)], pilots, judged, known, rng))
    out = []
    for k, (chosen, others) in enumerate(drawn, start=1):
        out += _splits(study, k, chosen, others, domains)
    return out


def _usable(study: Study) -> list[str]:
    """Observed CPT runs that start from a pre-trained checkpoint."""
    usable = [
        name
        for name in study.cpt_runs
        if study.is_observed(name) and study.run(str(study.run(name).parent)).phase == "pt"
    ]
    if not usable:
        raise StudyError(
            f"study {study.name!r} has no continual pre-training run with a curve that starts from "
            "a pre-trained checkpoint, so no pilots can be drawn"
        )
    return usable


def _matching(study: Study, names: Sequence[str], where: Where | None) -> list[str]:
    """Those of some runs that have the given values."""
    table = study.runs.set_index("run").loc[list(names)]
    for column, given in (where or {}).items():
        if column not in table:
            raise StudyError(
                f"study {study.name!r} has no column {column!r} of runs; it has "
                f"{', '.join(map(str, study.runs))}"
            )
        values = list(given) if isinstance(given, list | tuple | set) else [given]
        there = table[column]
        if pd.api.types.is_numeric_dtype(there):
            # On the command line a number is text.
            values = pd.to_numeric(pd.Series(values, dtype=object), errors="coerce").tolist()
        table = table[there.isin(values)]
        if table.empty:
            raise StudyError(
                f"study {study.name!r}: no run with a curve has {column} "
                f"{' or '.join(map(str, values))}; there are "
                f"{', '.join(map(str, there.dropna().unique()))}"
            )
    return list(table.index)


def _ratio(study: Study, name: str) -> float:
    return round(float(np.mean(study.run(name).replay_ratio)), 6)


def _groups(study: Study, names: Sequence[str], pilots: int) -> dict[str, list[list[str]]]:
    """Runs that can be pilots together, by target: those of one start checkpoint."""
    by_start: dict[tuple[str, str], list[str]] = {}
    for name in names:
        run = study.run(name)
        by_start.setdefault((str(run.domain), str(run.parent)), []).append(name)
    groups: dict[str, list[list[str]]] = {}
    for (target, _), alike in by_start.items():
        if len(alike) >= pilots:
            groups.setdefault(target, []).append(alike)
    if not groups:
        (target, start), most = max(by_start.items(), key=lambda item: len(item[1]))
        raise StudyError(
            f"study {study.name!r}: no start checkpoint has {pilots} runs of one target to draw "
            f"pilots from; the most are {len(most)}, of {target!r} from {start!r}"
        )
    if pilots > 1:
        for target, starts in groups.items():
            mixed = [alike for alike in starts if len({_ratio(study, n) for n in alike}) > 1]
            groups[target] = mixed or starts
    return groups


def _draw(
    study: Study,
    groups: Mapping[str, list[list[str]]],
    target: str,
    pilots: int,
    judged: Sequence[str],
    known: set[tuple[str, ...]],
    rng: np.random.Generator,
) -> tuple[tuple[str, ...], list[str]]:
    """A new set of pilots, in the order of the study, and the runs to score with it."""
    starts = groups[target]
    sizes = np.array([len(alike) for alike in starts], dtype=float)
    order = {name: k for k, name in enumerate(study.cpt_runs)}
    left = False
    for _ in range(_TRIES):
        alike = starts[rng.choice(len(starts), p=sizes / sizes.sum())]
        chosen = tuple(sorted(_sample(study, alike, pilots, rng), key=order.__getitem__))
        others = [name for name in judged if _is_new(study, name, target, chosen)]
        left |= bool(others)
        if others and chosen not in known:
            return chosen, others
    if not left:
        raise StudyError(
            f"study {study.name!r}: {pilots} pilots of target {target!r} leave no run of it to "
            "score that shares no step with them"
        )
    raise StudyError(
        f"study {study.name!r}: found no more than {len(known)} different sets of {pilots} pilots; "
        f"ask for at most {len(known)} repeats"
    )


def _sample(study: Study, alike: Sequence[str], pilots: int, rng: np.random.Generator) -> list[str]:
    """Runs at random, the second with another replay ratio than the first if there is one."""
    mixed = [str(name) for name in rng.permutation(np.array(alike, dtype=object))]
    ratio = _ratio(study, mixed[0])
    second = next((name for name in mixed[1:] if _ratio(study, name) != ratio), None)
    if second is not None and pilots > 1:
        mixed = [mixed[0], second, *(name for name in mixed[1:] if name != second)]
    return mixed[:pilots]


def _is_new(study: Study, name: str, target: str, pilots: Sequence[str]) -> bool:
    """Whether a run can be scored: of the target, no pilot, and nothing of it fitted."""
    return (
        study.run(name).domain == target
        and name not in pilots
        and not any(shared_steps(study, name, pilot) for pilot in pilots)
    )


def _splits(
    study: Study,
    number: int,
    pilots: Sequence[str],
    judged: Sequence[str],
    domains: Sequence[str] | None,
) -> list[Split]:
    """Splits of one draw."""
    # Other targets and other runs that are not scored tell nothing, and are no part of it.
    part = study.select([*pilots, *judged])
    outside = outside_of(part, pilots)
    return [
        replace(
            split,
            name=f"{split.run}, draw {number}",
            refit=f"draw {number}",
            labels={
                "repeat": number,
                "target": str(study.run(split.run).domain),
                "outside": joined(outside(split.run)),
            },
        )
        for split in split_by_fit(part, pilots, judged, domains)
    ]
