"""Splits of a study into training data and held-out rows to score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayescpt.errors import StudyError

if TYPE_CHECKING:
    from bayescpt.data import Study

CUTOFFS = (0.25, 0.5, 0.7, 0.9)


@dataclass(frozen=True, eq=False)
class Split:
    """A training study and the rows held out from it.

    Attributes
    ----------
    name : str
        Name of the run, followed by ``@25%`` for a cutoff.
    refit : str
        Name of the fit that forecasts the split. Splits that share a fit share this name and
        `train`; otherwise it is the name of the split.
    run : str
        Name of the forecast run.
    cutoff : float
        Fraction of the run that is fitted; 0 if the whole run is held out.
    train : Study
        Training study. It still lists the run, whose recipe is known.
    held_out : DataFrame
        Rows to forecast, with columns step, domain, observed and shared. A row is shared if the
        training study also has it, in another run with the same trunk; only `split_by_fit` returns
        such rows, and they are not scored.
    known_step : int
        Last step of the run that is known from the training study.
    fitted : tuple of str
        Runs of the training study that `split_by_fit` fits; empty for other splits.
    labels : Mapping of str to object
        Further columns of the table of forecasts, by name.
    """

    name: str
    refit: str
    run: str
    cutoff: float
    train: Study
    held_out: pd.DataFrame
    known_step: int
    fitted: tuple[str, ...] = ()
    labels: Mapping[str, Any] = field(default_factory=dict)


def shared_steps(study: Study, run: str, other: str) -> int:
    """Number of initial steps that two runs share through their trunks.

    Parameters
    ----------
    study : Study
        Study with both runs.
    run, other : str
        Names of runs.

    Returns
    -------
    int
        Last step up to which both runs are identical; 0 if none.
    """
    ours, theirs = _trunks(study, run), _trunks(study, other)
    return max((min(ours[name], theirs[name]) for name in ours.keys() & theirs.keys()), default=0)


def _trunks(study: Study, name: str) -> dict[str, int]:
    """The run and its trunks, each with the last shared step."""
    run = study.run(name)
    limit = run.steps
    out = {name: limit}
    while run.branch_of is not None:
        limit = min(limit, study.trunk_step(run.name))
        run = study.run(run.branch_of)
        out[run.name] = limit
    return out


def descendants(study: Study, run: str) -> tuple[str, ...]:
    """Runs that continue from the final checkpoint of a run.

    Parameters
    ----------
    study : Study
        Study with the run.
    run : str
        Name of the run.

    Returns
    -------
    tuple of str
        Children (by `parent`), grandchildren, and so on.
    """
    return tuple(name for name in study.runs["run"] if run in study.lineage(name)[:-1])


def split_by_run(
    study: Study, runs: Iterable[str] | None = None, domains: Sequence[str] | None = None
) -> list[Split]:
    """Leave one run out at a time.

    All rows of a CPT run after step 0 are held out, together with all rows of the runs that start
    from its final checkpoint. In a study without CPT runs, all rows of a pre-training run are held
    out. The training study still lists the run, as others may start from it or branch off it.

    Parameters
    ----------
    study : Study
        The study.
    runs : iterable of str, optional
        Runs to hold out in turn; by default every CPT run with a curve, or, in a study without CPT
        runs, every pre-training run with unshared rows.
    domains : sequence of str, optional
        Domains to score; by default the general domain and the targets, or, in a study without
        CPT runs, all.

    Returns
    -------
    list of Split
        In run order, without runs whose rows are all shared with other runs.

    Raises
    ------
    StudyError
        If a run is unknown or has no row to score.
    """
    return _splits(study, runs, (0.0,), domains)


def split_by_cutoff(
    study: Study,
    runs: Iterable[str] | None = None,
    cutoffs: Sequence[float] = CUTOFFS,
    domains: Sequence[str] | None = None,
) -> list[Split]:
    """Hold out the end of one run at a time, as for a run in progress.

    Parameters
    ----------
    study : Study
        The study.
    runs : iterable of str, optional
        Runs to cut in turn; by default as in `split_by_run`.
    cutoffs : sequence of float
        Fractions of the run's steps that stay visible, strictly between 0 and 1.
    domains : sequence of str, optional
        Domains to score; by default as in `split_by_run`.

    Returns
    -------
    list of Split
        By run, then cutoff. Cutoffs are skipped if other runs share steps of this run beyond them.

    Raises
    ------
    StudyError
        If a cutoff is out of range, or a run is unknown or has no row to score.
    """
    for cutoff in cutoffs:
        if not 0 < cutoff < 1:
            raise StudyError(
                f"cutoff is {cutoff:g}; expected a fraction of the run strictly between 0 and 1"
            )
    return _splits(study, runs, cutoffs, domains)


def split_by_fit(
    study: Study,
    fit_runs: Iterable[str],
    runs: Iterable[str] | None = None,
    domains: Sequence[str] | None = None,
) -> list[Split]:
    """Fit some runs once and hold out all others together.

    All rows of the other runs are held out, except step 0 of CPT runs whose start checkpoint is not
    held out. Pre-training rows stay visible in a study with CPT runs.

    Parameters
    ----------
    study : Study
        The study.
    fit_runs : iterable of str
        Runs to fit.
    runs : iterable of str, optional
        Runs to score; by default all others that `split_by_run` can hold out.
    domains : sequence of str, optional
        Domains to score; by default as in `split_by_run`.

    Returns
    -------
    list of Split
        One per run, all with the same `train` and `refit`. Rows before a branch point that a fitted
        run also has are included, marked as shared.

    Raises
    ------
    StudyError
        If a run is unknown, is both fitted and scored, or has no row to score, or if a fitted run
        starts from the final checkpoint of a held-out one.
    """
    fitted = _names(study, fit_runs)
    usual = _usual(study)
    hidden = [name for name in usual if name not in fitted]
    names = hidden if runs is None else _names(study, runs)
    if not fitted or not names:
        raise StudyError(
            f"study {study.name!r}: fitted {fitted}, held out {names}; both need at least one run"
        )
    for name in names:
        if name not in hidden:
            why = "is fitted" if name in fitted else "has no row that can be held out"
            raise StudyError(f"study {study.name!r}: run {name!r} {why}; it cannot be scored")
    for name in hidden:
        if leaking := sorted(set(descendants(study, name)).intersection(fitted)):
            raise StudyError(
                f"study {study.name!r}: run {leaking[0]!r} starts from the final checkpoint of "
                f"{name!r}, so fitting it would reveal how {name!r} ends; fit both, or neither"
            )

    curves = study.curves
    runs_of = study.runs.set_index("run")
    # Step 0 of a run reveals the final loss of its start checkpoint.
    started = [
        name
        for name in hidden
        if runs_of["phase"][name] == "cpt" and runs_of["parent"][name] not in hidden
    ]
    kept = ~curves["run"].isin(hidden) | (curves["run"].isin(started) & (curves["step"] == 0))
    train = replace(study, curves=curves[kept].reset_index(drop=True))
    refit = "fit " + "+".join(fitted)
    return [
        replace(
            _shared_split(study, train, refit, name, _scored(study, name, domains)),
            fitted=tuple(fitted),
        )
        for name in names
    ]


def _shared_split(study: Study, train: Study, refit: str, name: str, domains: list[str]) -> Split:
    curves = study.curves
    own = (curves["run"] == name) & curves["domain"].isin(domains)
    if study.run(name).phase == "cpt":
        own &= curves["step"] > 0
    known = _known_elsewhere(study, train, name)
    rows = curves.loc[own, ["step", "domain", "loss"]].rename(columns={"loss": "observed"})
    rows["shared"] = rows["step"] <= known
    if rows["shared"].all():
        raise StudyError(_nothing_to_score(study, name))
    return Split(name, refit, name, 0.0, train, rows.reset_index(drop=True), known)


def _usual(study: Study) -> list[str]:
    return [name for name in study.cpt_runs or study.pt_runs if study.is_observed(name)]


def _names(study: Study, given: Iterable[str]) -> list[str]:
    """Unique names, each checked to be a run of the study."""
    names = list(dict.fromkeys([given] if isinstance(given, str) else given))
    for name in names:
        study.run(name)
    return names


def _nothing_to_score(study: Study, name: str) -> str:
    return (
        f"study {study.name!r}: run {name!r} has no row to score: it has no curve, or another run "
        "has all its rows"
    )


def _splits(
    study: Study,
    runs: Iterable[str] | None,
    cutoffs: Sequence[float],
    domains: Sequence[str] | None,
) -> list[Split]:
    names = _usual(study) if runs is None else _names(study, runs)
    out = []
    for name in names:
        splits = [_split(study, name, cutoff, _scored(study, name, domains)) for cutoff in cutoffs]
        kept = [split for split in splits if not split.held_out.empty]
        if runs is not None and not kept:
            raise StudyError(_nothing_to_score(study, name))
        out += kept
    return out


def _scored(study: Study, name: str, domains: Sequence[str] | None) -> list[str]:
    if domains is not None:
        unknown = set(domains).difference(study.domains)
        if unknown:
            raise StudyError(
                f"study {study.name!r}: unknown domain {sorted(unknown)[0]!r}; "
                f"it has {', '.join(study.domains)}"
            )
        return list(domains)
    if study.run(name).phase == "pt":
        return list(study.domains)
    goals = [study.general, *study.targets]
    return [domain for domain in study.domains if domain in goals]


def _split(study: Study, name: str, cutoff: float, domains: list[str]) -> Split:
    run = study.run(name)
    last_visible = int(cutoff * run.steps)
    curves = study.curves
    own = curves["run"] == name
    visible = curves["step"] <= last_visible
    if not cutoff and run.phase == "pt":
        visible = curves["step"] < 0
    # Runs that start from the final checkpoint of this run reveal its final loss.
    after = curves["run"].isin(descendants(study, name))
    train = replace(study, curves=curves[~(own & ~visible) & ~after].reset_index(drop=True))

    rows = curves[own & ~visible & curves["domain"].isin(domains)]
    elsewhere = _known_elsewhere(study, train, name)
    if elsewhere > last_visible and cutoff:
        rows = rows.iloc[:0]  # other runs reveal more of the run than the cutoff allows
    unshared = rows["step"] > elsewhere
    held_out = rows.loc[unshared, ["step", "domain", "loss"]].rename(columns={"loss": "observed"})
    label = f"{name}@{cutoff:.0%}" if cutoff else name
    return Split(
        name=label,
        refit=label,
        run=name,
        cutoff=cutoff,
        train=train,
        held_out=held_out.assign(shared=False).reset_index(drop=True),
        known_step=max(last_visible, elsewhere),
    )


def _known_elsewhere(study: Study, train: Study, name: str) -> int:
    """Last step of a run that is known from other runs of the training study."""
    last = 0
    for other in train.runs["run"]:
        shared = 0 if other == name else shared_steps(study, name, str(other))
        if shared:
            steps = train.curves.loc[train.curves["run"] == other, "step"]
            last = max([last, *steps[steps <= shared].astype(int)])
    return last
