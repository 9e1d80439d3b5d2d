"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error.")]
StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="Folder of a study, or name of an example study.")
]
FitFile = Annotated[
    Path, typer.Argument(metavar="FIT", help="File written by `bayescpt fit` or `bayescpt demo`.")
]
PlanFiles = Annotated[
    list[Path] | None,
    typer.Option("--plans", "-p", metavar="TOML", help="File of [[plan]] tables. Repeatable."),
]
RunNames = Annotated[
    list[str] | None,
    typer.Option("--run", "-r", metavar="NAME", help="Recipe of this run. Repeatable."),
]
OtherStudy = Annotated[
    str | None,
    typer.Option(
        "--study",
        metavar="STUDY",
        help="Where --run looks for runs that the fit has not seen (folder or example name).",
    ),
]
AllowFailed = Annotated[
    bool,
    typer.Option(
        "--allow-failed",
        help="Go on although the fit failed its convergence checks; the exit code stays 1.",
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of the noise of realised curves.")]
Figure = Annotated[
    Path | None, typer.Option("--figure", metavar="PNG", help="Write a figure to this file.")
]
ByStep = Annotated[
    str,
    typer.Option(
        "--by",
        metavar="end|best",
        help="Judge a plan at its end, or at its best step on average over draws.",
    ),
]
Kind = Annotated[
    str,
    typer.Option(
        metavar="loss|mu",
        help="loss: what the log of a new run will show; mu: the expected curve.",
    ),
]
MinProbability = Annotated[
    float | None,
    typer.Option(
        "--min-probability",
        metavar="P",
        help="Least joint goal probability a plan must have; exit code 1 if none has it.",
    ),
]
CardName = Annotated[
    str | None,
    typer.Option(
        "--card",
        help="Card by name (see `bayescpt cards`) or TOML file; by default the one that suits the "
        "study's runs.",
    ),
]
Draws = Annotated[int, typer.Option("--draws", help="Kept draws of a chain.")]
Tune = Annotated[int, typer.Option("--tune", help="Warm-up draws of a chain.")]
Chains = Annotated[int, typer.Option("--chains", help="Chains.")]
