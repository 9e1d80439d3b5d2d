"""Splits of a study into what a fit may see and the rows that its forecast is scored on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from bayescpt.errors import StudyError

if TYPE_CHECKING:
    from bayescpt.data import Study

CUTOFFS = (0.25, 0.5, 0.7, 0.9)


@dataclass(frozen=True, eq=False)
class Split:
    """One training study and the rows that it does not hold.

    Attributes
    ----------
    name : str
        The run; with ``@25%`` for a cutoff.
    refit : str
        Name of the fit that forecasts it. Splits that share a fit have the same name and the same
        `train`; otherwise it is the split's own.
    run : str
        The run that is forecast.
    cutoff : float
        Share of the run that the fit sees; 0 when the whole run is hidden.
    train : Study
        What the fit sees. The run is still among its runs: its recipe is no secret.
    held_out : DataFrame
        Columns step, domain, observed, shared: the rows to forecast. A row is shared if it also
        stands in the training study, in another run with the same trunk; only `split_by_fit` gives
        such rows, and they are not scored.
    known_step : int
        Last step of the run that the training study knows.
    """

    name: str
    refit: str
    run: str
    cutoff: float
    train: Study
    held_out: pd.DataFrame
    known_step: int


def shared_steps(study: Study, run: str, other: str) -> int:
    """Steps that two runs have in common, through the trunks that they branch off.

    Parameters
    ----------
    study : Study
        Holds both.
    run, other : str
        Names of runs.

    Returns
    -------
    int
        Last step up to which both are the same training; 0 for none.
    """
    ours, theirs = _trunks(study, run), _trunks(study, other)
    return max((min(ours[name], theirs[name]) for name in ours.keys() & theirs.keys()), default=0)


def _trunks(study: Study, name: str) -> dict[str, int]:
    """The run and what it branches off, each with the last step they share."""
    steps, trunks = (
        dict(zip(study.runs["run"], study.runs[c], strict=True)) for c in ("steps", "branch_of")
    )
    limit = int(steps[name])
    out = {name: limit}
    while isinstance(trunk := trunks[name], str):
        limit = min(limit, study.trunk_step(name))
        out[trunk] = limit
        name = trunk
    return out


def descendants(study: Study, run: str) -> tuple[str, ...]:
    """Runs whose training went on from a run's end.

    Parameters
    ----------
    study : Study
        Holds the run.
    run : str
        Name of the run.

    Returns
    -------
    tuple of str
        Children by `parent`, their children, and so on.
    """
    return tuple(name for name in study.runs["run"] if run in study.lineage(name)[:-1])


def split_by_run(
    study: Study, runs: Iterable[str] | None = None, domains: Sequence[str] | None = None
) -> list[Split]:
    """Leave one run out at a time.

    Every row of a CPT run but its step 0 is hidden, and with it every row of the runs that start
    from its end. In a study without CPT runs every row of a pre-training run is hidden. The run
    itself stays, as others may start from it or branch off it.

    Parameters
    ----------
    study : Study
        The study.
    runs : iterable of str, optional
        Runs to leave out in turn; by default every CPT run with a curve, or, in a study without
        CPT runs, every pre-training run that has rows of its own.
    domains : sequence of str, optional
        Domains to score; by default the general domain and the targets, or, in a study without
        CPT runs, all.

    Returns
    -------
    list of Split
        In the order of the runs. A run whose rows all stand in other runs is left out.

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
    """Hide the end of one run at a time: the run in flight, beside finished ones.

    Parameters
    ----------
    study : Study
        The study.
    runs : iterable of str, optional
        Runs to cut in turn; by default as in `split_by_run`.
    cutoffs : sequence of float
        Shares of the run's steps that stay visible, above 0 and below 1.
    domains : sequence of str, optional
        Domains to score; by default as in `split_by_run`.

    Returns
    -------
    list of Split
        By run, then cutoff. There is none at a cutoff that other runs, which share steps of this
        one, go past.

    Raises
    ------
    StudyError
        If a cutoff is no share, or a run is unknown or has no row to score.
    """
    for cutoff in cutoffs:
        if not 0 < cutoff < 1:
            raise StudyError(f"cutoff is {cutoff:g}; expected a share of the run, above 0, below 1")
    return _splits(study, runs, cutoffs, domains)


def split_by_fit(
    study: Study,
    fit_runs: Iterable[str],
    runs: Iterable[str] | None = None,
    domains: Sequence[str] | None = None,
) -> list[Split]:
    """Fit a few runs once, and hold all others out together.

    Of the runs that are not fitted every row is hidden, but step 0 of CPT runs that start from a
    checkpoint that is not. Pre-training rows stay visible in a study with CPT runs.

    Parameters
    ----------
    study : Study
        The study.
    fit_runs : iterable of str
        Runs to fit.
    runs : iterable of str, optional
        Runs to score; by default all others that `split_by_run` could hold out.
    domains : sequence of str, optional
        Domains to score; by default as in `split_by_run`.

    Returns
    -------
    list of Split
        One a run, all with the same `train` and `refit`. Rows up to a branch point that a fitted
        run has too are there, marked as shared.

    Raises
    ------
    StudyError
        If a run is unknown, is to be both fitted and scored, or has no row to score, or a fitted
        run starts from the end of a hidden one.
    """
    fitted = _names(study, fit_runs)
    usual = _usual(study)
    hidden = [name for name in usual if name not in fitted]
    names = hidden if runs is None else _names(study, runs)
    if not fitted or not names:
        raise StudyError(
            f"study {study.name!r}: fitted {fitted}, held out {names}; there must be runs of both"
        )
    for name in names:
        if name not in hidden:
            why = "is fitted" if name in fitted else "has no row that could be hidden"
            raise StudyError(f"study {study.name!r}: run {name!r} {why}; it cannot be scored")
    for name in hidden:
        if told := sorted(set(descendants(study, name)).intersection(fitted)):
            raise StudyError(
                f"study {study.name!r}: run {told[0]!r} starts from the end of {name!r}, so a fit "
                f"of it would know how {name!r} ends; fit both, or neither"
            )

    curves = study.curves
    runs_of = study.runs.set_index("run")
    # Step 0 of a run from a hidden checkpoint tells how that one ended.
    started = [
        name
        for name in hidden
        if runs_of["phase"][name] == "cpt" and runs_of["parent"][name] not in hidden
    ]
    kept = ~curves["run"].isin(hidden) | (curves["run"].isin(started) & (curves["step"] == 0))
    train = replace(study, curves=curves[kept].reset_index(drop=True))
    refit = "fit " + "+".join(fitted)
    return [
        _shared_split(study, train, refit, name, _scored(study, name, domains)) for name in names
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
    """Names without repeats, each of a run of the study."""
    names = list(dict.fromkeys([given] if isinstance(given, str) else given))
    for name in names:
        study.run(name)
    return names


def _nothing_to_score(study: Study, name: str) -> str:
    return (
        f"study {study.name!r}: run {name!r} has no row that could be scored: it has no curve, or "
        "every row also stands in another run"
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
        made = [_split(study, name, cutoff, _scored(study, name, domains)) for cutoff in cutoffs]
        kept = [split for split in made if not split.held_out.empty]
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
    last_seen = int(cutoff * run.steps)
    curves = study.curves
    own = curves["run"] == name
    seen = curves["step"] <= last_seen
    if not cutoff and run.phase == "pt":
        seen = curves["step"] < 0
    # What started from the end of this run tells how it ended.
    after = curves["run"].isin(descendants(study, name))
    train = replace(study, curves=curves[~(own & ~seen) & ~after].reset_index(drop=True))

    rows = curves[own & ~seen & curves["domain"].isin(domains)]
    elsewhere = _known_elsewhere(study, train, name)
    if elsewhere > last_seen and cutoff:
        rows = rows.iloc[:0]  # the fit would see more of the run than the cutoff says
    fresh = rows["step"] > elsewhere
    held_out = rows.loc[fresh, ["step", "domain", "loss"]].rename(columns={"loss": "observed"})
    label = f"{name}@{cutoff:.0%}" if cutoff else name
    return Split(
        name=label,
        refit=label,
        run=name,
        cutoff=cutoff,
        train=train,
        held_out=held_out.assign(shared=False).reset_index(drop=True),
        known_step=max(last_seen, elsewhere),
    )


def _known_elsewhere(study: Study, train: Study, name: str) -> int:
    """Last step of a run that stands in the rows of another run of the training study."""
    rows = train.curves[train.curves["run"] != name]
    last = 0
    for other, steps in rows.groupby("run", sort=False)["step"]:
        shared = shared_steps(study, name, str(other))
        last = max([last, *steps[steps <= shared].astype(int)])
    return last
