"""``bayescpt notebook``: a case study of one's own data, as a notebook to run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from bayescpt.cli.inputs import open_goal
from bayescpt.cli.options import CardName, GoalFile, GoalTexts, PlanFiles, StudyName
from bayescpt.cli.output import say
from bayescpt.cli.output_files import WRITTEN, check_outputs


def notebook(  # numpydoc ignore=PR01
    study: StudyName,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="IPYNB", help="Notebook to write.")
    ] = Path("my_case.ipynb"),
    goals: GoalTexts = None,
    goal_file: GoalFile = None,
    plans: PlanFiles = None,
    card: CardName = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the notebook if it exists.")
    ] = False,
) -> None:
    """Write a case study of your data: a Jupyter notebook, ready to run.

    Question, data, goal, fit, checks, recipes, answer with its uncertainty, and what would change
    it. Without --goal and --plans it suggests them from the pilots: their peaks and replay ratios
    in a run of twice their length. Nothing is fitted yet; paths inside are relative to the
    notebook. Needs nbformat, as every Jupyter has it: pip install "bayescpt[notebook]".
    """
    from bayescpt.present.notebook import write_notebook

    check_outputs({"--out": out}, {}, [study, card, goal_file, *(plans or ())])
    written = write_notebook(study, out, open_goal(goals, goal_file), plans or (), card, overwrite)
    WRITTEN.append(written)
    say(f"wrote {written}; next: jupyter execute --inplace {shlex.quote(str(written))}")
