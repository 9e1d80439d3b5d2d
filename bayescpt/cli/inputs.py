"""Studies, plans and goals from command-line arguments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bayescpt.errors import PlanError, StudyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bayescpt.data import Study
    from bayescpt.decide import Goal
    from bayescpt.forecast import Plan
    from bayescpt.inference import Fit


# Steps at which plans of several lengths are evaluated together, more or less.
MOST_STEPS = 400


def open_study(given: str) -> Study:
    """Open a study in a folder, or an example study by name.

    Parameters
    ----------
    given : str
        Path or name; a folder takes precedence.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        If it is neither, or the study is invalid.
    """
    from bayescpt.data import example_studies, load_example, read_study

    if Path(given).is_dir():
        return read_study(given)
    if given in example_studies():
        return load_example(given)
    raise StudyError(
        f"{given}: no folder or example study of that name; examples are "
        f"{', '.join(example_studies())}"
    )


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
        raise PlanError("no plan: give --plans FILE or --run NAME")
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


def step_grid(plans: Sequence[Plan], points: int) -> NDArray[np.int64]:
    """Evenly spaced steps of every plan, with the last step of each.

    Step 0, the start checkpoint, is excluded: its loss was measured.

    Parameters
    ----------
    plans : sequence of Plan
        Recipes.
    points : int
        Approximate number of steps of a plan; fewer where plans have many different lengths.

    Returns
    -------
    ndarray of int
        Those of all plans; a long plan is evaluated at those of a short one too.
    """
    import numpy as np

    lengths = {plan.schedule.n_steps for plan in plans}
    each = max(min(points, max(MOST_STEPS // len(lengths), 20)), 1)
    return np.unique(np.concatenate([plan_steps(length, each) for length in lengths]))


def plan_steps(n_steps: int, points: int) -> NDArray[np.int64]:
    """Evenly spaced steps of a plan, the last among them.

    Parameters
    ----------
    n_steps : int
        Number of steps of the plan.
    points : int
        Number of steps, at most.

    Returns
    -------
    ndarray of int
    """
    import numpy as np

    points = min(points, n_steps)
    return np.unique(np.linspace(0, n_steps, points + 1)[1:].round().astype(np.int64).clip(1))
