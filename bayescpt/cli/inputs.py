"""Studies, plans and goals from command-line arguments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bayescpt.errors import PlanError

if TYPE_CHECKING:
    from bayescpt.decide import Goal
    from bayescpt.forecast import Plan
    from bayescpt.inference import Fit


def open_plans(
    fit: Fit, files: Sequence[Path] | None, runs: Sequence[str] | None, other: str | None
) -> list[Plan]:
    """Plans from files and runs, in that order.

    Parameters
    ----------
    fit : Fit
        The fit that will forecast them.
    files : sequence of Path, optional
        Plan files.
    runs : sequence of str, optional
        Names of runs of the fit's study or of the other one.
    other : str, optional
        Folder or example name of another study.

    Returns
    -------
    list of Plan

    Raises
    ------
    PlanError
        If there is no plan, or one is invalid.
    StudyError
        If there is no such run or study.
    """
    from bayescpt.data.open_study import open_study
    from bayescpt.forecast import Plan
    from bayescpt.forecast.plan_file import read_plans

    plans = [plan for path in files or () for plan in read_plans(path, fit.study, fit.card)]
    if runs:
        study = fit.study if other is None else open_study(other)
        for name in runs:
            if name not in study:
                known = ", ".join([*study.pt_runs, *study.cpt_runs])
                hint = "; use --study for runs that were not fitted" * (other is None)
                raise PlanError(
                    f"--run {name}: no such run in study {study.name!r}; it has {known}{hint}"
                )
            plans.append(Plan.from_run(study.run(name)))
    if not plans:
        raise PlanError("no plan: give --plans FILE (--help shows one) or --run NAME")
    return plans


def open_goal(given: Sequence[str] | None, file: Path | None = None) -> Goal | None:
    """Goal from ``domain=loss``, or from a file.

    Parameters
    ----------
    given : sequence of str, optional
        Arguments of ``--goal``.
    file : Path, optional
        Argument of ``--goal-file``.

    Returns
    -------
    Goal or None
        None where neither is given.

    Raises
    ------
    PlanError
        If both are given, one is not ``domain=loss``, or a domain is repeated.
    """
    from bayescpt.decide import Goal, read_goal

    if given and file is not None:
        raise PlanError("give --goal or --goal-file, not both")
    if file is not None:
        return read_goal(file)
    limits = _by_domain(given, "--goal", "DOMAIN=NUMBER, such as general=3.3 or general=+2%")
    for domain, text in limits.items():
        try:
            Goal({domain: text})
        except PlanError as error:
            raise PlanError(f"--goal {domain}={text}: {error}") from error
    return Goal(limits) if limits else None


def open_weights(given: Sequence[str] | None) -> dict[str, float]:
    """Weights by domain from ``domain=number``.

    Parameters
    ----------
    given : sequence of str, optional
        Arguments of ``--weight``.

    Returns
    -------
    dict of str to float

    Raises
    ------
    PlanError
        If one is not ``domain=number``, or a domain is repeated.
    """
    needed = "DOMAIN=NUMBER, such as general=3"
    weights: dict[str, float] = {}
    for domain, text in _by_domain(given, "--weight", needed).items():
        try:
            weights[domain] = float(text)
        except ValueError:
            raise PlanError(f"--weight {domain}={text}: must be {needed}") from None
    return weights


def _by_domain(given: Sequence[str] | None, option: str, needed: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for text in given or ():
        domain, _, value = text.rpartition("=")
        if not domain or not value.strip():
            raise PlanError(f"{option} {text}: must be {needed}")
        if domain in values:
            raise PlanError(f"{option} {text}: domain {domain!r} is given twice")
        values[domain] = value
    return values
