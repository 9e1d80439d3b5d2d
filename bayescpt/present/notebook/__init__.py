"""Notebooks about studies: a case study of one's own data, to run and to go on from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bayescpt.data import Study
from bayescpt.data.open_study import open_study
from bayescpt.decide import Goal
from bayescpt.decide.limits import check_reach
from bayescpt.errors import MissingExtraError, PlanError, WriteError
from bayescpt.files import check_writable, write_text
from bayescpt.forecast.plan_file import read_plans
from bayescpt.inference.card_check import default_card
from bayescpt.model.card_file import shipped_cards
from bayescpt.model.fitted_card import fitted_card
from bayescpt.present.notebook.cells import Cell, Subject, cells
from bayescpt.present.notebook.markup import python
from bayescpt.present.notebook.suggest import suggest

__all__ = ["write_notebook"]


def write_notebook(
    study: str | os.PathLike[str],
    path: str | os.PathLike[str] = "my_case.ipynb",
    goal: Goal | Mapping[str, float | str] | None = None,
    plan_files: Sequence[str | os.PathLike[str]] = (),
    card: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a case study of a study as a Jupyter notebook that is ready to run.

    It has the sections of the case studies that come with the package: question, data, goal, fit,
    checks, recipes, answer with its uncertainty, and what would change it. Nothing is fitted until
    it runs.

    Parameters
    ----------
    study : str or path
        Folder of a study of loss curves, or name of an example study.
    path : str or path
        File to write, ending in ``.ipynb``. Paths inside are relative to its folder.
    goal : Goal or mapping of str to float or str, optional
        Highest loss allowed by domain; by default between what the pilots reached.
    plan_files : sequence of path, optional
        Files of plans, as ``bayescpt forecast --plans`` takes them. By default the notebook makes
        recipes with peaks and replay ratios from the range of the pilots and twice their length.
    card : str or path, optional
        Name of a shipped card, or a TOML file; by default chosen for the study's runs.
    overwrite : bool
        Replace a file that is there.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    StudyError
        If there is no such study, it is invalid, or it has no loss curve to fit.
    CardError
        If the card is invalid or does not suit the study.
    PlanError
        If a plan is invalid, or the goal is about a domain that the study does not have or far
        outside its losses.
    WriteError
        If the file exists and `overwrite` is not set, or it cannot be written.
    MissingExtraError
        If nbformat is not installed: it comes with the extra ``notebook``.

    Examples
    --------
    >>> import bayescpt as bc
    >>> bc.write_notebook("cpt_micro", "my_case.ipynb")  # doctest: +SKIP
    PosixPath('my_case.ipynb')
    """
    target = Path(path)
    if target.suffix != ".ipynb":
        raise WriteError(f"{target}: a notebook ends in .ipynb")
    if target.exists() and not overwrite:
        raise WriteError(
            f"{target}: exists; write to another file, or replace it (--overwrite, overwrite=True)"
        )
    check_writable(target)
    opened = open_study(study)
    suggestion = suggest(opened)
    chosen = default_card(opened) if card is None else os.fspath(card)
    used = fitted_card(opened, chosen)
    for file in plan_files:
        read_plans(Path(file), opened, used)
    limits = Goal.of(suggestion.goal if goal is None else goal)
    _check_goal(limits, opened)
    here = target.parent
    is_folder = Path(study).is_dir()
    subject = Subject(
        study=opened,
        opened=(
            f"bc.read_study({python(_beside(study, here))})"
            if is_folder
            else f"bc.load_example({python(str(study))})"
        ),
        card=chosen if chosen in shipped_cards() else _beside(chosen, here),
        goal=dict(limits.thresholds),
        plan_files=[_beside(file, here) for file in plan_files],
        suggestion=suggestion,
        file=target.name,
    )
    return write_text(target, _notebook(cells(subject)))


def _check_goal(goal: Goal, study: Study) -> None:
    unknown = [domain for domain in goal.domains if domain not in study.domains]
    if unknown:
        raise PlanError(
            f"goal {unknown[0]}: study {study.name!r} has no losses on that domain; it has "
            f"{', '.join(study.domains)}"
        )
    curves = study.curves
    if study.cpt_runs:
        curves = curves[curves["run"].isin(study.cpt_runs)]
    for domain, limit in goal.limits.items():
        own = curves[curves["domain"] == domain]
        losses = own["loss"].to_numpy()
        starts = own.loc[own["step"] == 0, "loss"].to_numpy() if study.cpt_runs else losses[:0]
        if losses.size and (starts.size or not limit.relative):
            first = starts if starts.size else None
            nats = limit.nats(study.units, domain, first)
            check_reach(
                limit, domain, nats, losses, first, study.units, (losses.min(), losses.max())
            )


def _beside(path: str | os.PathLike[str], folder: Path) -> str:
    """Path as it is seen from a folder."""
    place = Path(path).resolve()
    try:
        return Path(os.path.relpath(place, folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return place.as_posix()


def _notebook(made: Sequence[Cell]) -> str:
    """Text of the file."""
    try:
        import nbformat
    except ImportError as error:
        raise MissingExtraError("nbformat", "notebook") from error
    new = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    # Names of cells are counted: the same study gives the same file.
    book: Any = nbformat.v4.new_notebook(
        cells=[new[kind](text, id=f"cell-{k:02}") for k, (kind, text) in enumerate(made)],
        metadata={"kernelspec": kernel},
    )
    nbformat.validate(book)
    return str(nbformat.writes(book)) + "\n"
