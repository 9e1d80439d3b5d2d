"""Splits of a study that hold out all runs of one target at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bayescpt.errors import StudyError
from bayescpt.evaluate.splits import Split, split_by_fit

if TYPE_CHECKING:
    from bayescpt.data import Study


def split_by_target(
    study: Study, runs: Iterable[str] | None = None, domains: Sequence[str] | None = None
) -> list[Split]:
    """Leave all runs of one target out at a time.

    All runs on the other targets are fitted, those of this target forecast: a study of pilots on
    some domains is asked about another one. The losses of the base on that domain stay known.

    Parameters
    ----------
    study : Study
        A study of two targets or more.
    runs : iterable of str, optional
        Runs to score; by default all with losses.
    domains : sequence of str, optional
        Domains to score; by default the general one and the target of each run.

    Returns
    -------
    list of Split
        Those of one target share a fit, ``without TARGET``, and have the label ``target``.

    Raises
    ------
    StudyError
        If fewer than two targets have runs with losses, a run to score is unknown, or a run starts
        from the final checkpoint of one on another target.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> split_by_target(load_example("cpt_micro"))
    Traceback (most recent call last):
    bayescpt.errors.StudyError: study 'cpt_micro' has runs on german only: to leave out a target, \
runs on two or more are needed
    """
    seen = [name for name in study.cpt_runs if study.is_observed(name)]
    targets = {name: str(study.run(name).domain) for name in seen}
    asked = None if runs is None else {study.run(name).name for name in runs}
    known = list(dict.fromkeys(targets.values()))
    if len(known) < 2:
        raise StudyError(
            f"study {study.name!r} has runs on {', '.join(known) or 'no target'} only: to leave "
            "out a target, runs on two or more are needed"
        )
    out = []
    for target in known:
        fitted = [name for name in seen if targets[name] != target]
        own = [
            name for name in seen if targets[name] == target and (asked is None or name in asked)
        ]
        if not own:
            continue
        scored = [study.general, target] if domains is None else domains
        splits = split_by_fit(study, fitted, own, [d for d in scored if d in study.domains])
        out += [
            replace(one, refit=f"without {target}", labels={"target": target}) for one in splits
        ]
    return out
