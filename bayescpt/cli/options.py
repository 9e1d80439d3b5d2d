"""Options shared by several commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# The end of the help of commands that take plans; \b keeps its lines as they are.
PLAN_FORM = """\b
A file of plans has a table like this for each recipe:
  [[plan]]
  name = "cosine, a fifth replayed"
  schedule = "cosine"  # or wsd, linear, constant, ...
  lr = 2e-4            # its peak
  num_training_steps = 20000
  num_warmup_steps = 200
  replay_ratio = 0.2
and, where the study has several, start = "CHECKPOINT" and domain = "TARGET"."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Do not report progress on standard error.")
]
StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="Study folder, or name of an example study.")
]
FitFile = Annotated[
    Path, typer.Argument(metavar="FIT", help="File written by `bayescpt fit` or `bayescpt demo`.")
]
PlanFiles = Annotated[
    list[Path] | None,
    typer.Option("--plans", "-p", metavar="TOML", help="File with [[plan]] tables. Repeatable."),
]
RunNames = Annotated[
    list[str] | None,
    typer.Option(
        "--run", "-r", metavar="NAME", help="Forecast the recipe of this run. Repeatable."
    ),
]
OtherStudy = Annotated[
    str | None,
    typer.Option(
        "--study",
        metavar="STUDY",
        help="Study in which --run finds runs that were not fitted (folder or example name).",
    ),
]
AllowFailed = Annotated[
    bool,
    typer.Option(
        "--allow-failed",
        help="Proceed even if the fit failed its convergence checks; the exit code is still 1.",
    ),
]
Seed = Annotated[int, typer.Option("--random-seed", "--seed", help="Seed of the simulated noise.")]
Figure = Annotated[
    Path | None, typer.Option("--figure", metavar="PNG", help="Write a figure to this file.")
]
ByStep = Annotated[
    str,
    typer.Option(
        "--by",
        metavar="end|best",
        help="Evaluate a plan at its last step, or at its best step on average over draws.",
    ),
]
Kind = Annotated[
    str,
    typer.Option(
        metavar="loss|mu",
        help="loss: the loss that a new run would log; mu: the expected loss.",
    ),
]
GoalTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--goal",
        "-g",
        metavar="DOMAIN=LOSS",
        help="Maximum loss allowed: general=3.3 in the study's unit; general=+0.05 or general=+2% "
        "over the start checkpoint; general=ppl:8.1, code=bpb:0.61. Repeatable.",
    ),
]
GoalFile = Annotated[
    Path | None,
    typer.Option(
        "--goal-file",
        metavar="TOML",
        help='File with one table [goal], a line per domain such as general = "+2%".',
    ),
]
Extrapolate = Annotated[
    bool,
    typer.Option(
        "--extrapolate", help="Also take plans absurdly far from the pilots, such as an LR of 3."
    ),
]
MinProbability = Annotated[
    float | None,
    typer.Option(
        "--min-probability",
        metavar="P",
        help="Minimum joint goal probability of a plan; exit code 1 if no plan reaches it.",
    ),
]
Throughput = Annotated[
    float | None,
    typer.Option(metavar="TOKENS", help="Tokens per second of one GPU, for GPU-hours."),
]
Price = Annotated[
    float | None,
    typer.Option(metavar="MONEY", help="Price of a GPU-hour; needs --throughput."),
]
Currency = Annotated[str, typer.Option(metavar="NAME", help="Currency of --price.")]
TokensPerStep = Annotated[
    float | None,
    typer.Option(
        metavar="TOKENS", help="Tokens of one step; by default those of the study's runs."
    ),
]
CardName = Annotated[
    str | None,
    typer.Option(
        "--card",
        help="Card name (see `bayescpt cards`) or TOML file; by default chosen for the study's "
        "runs.",
    ),
]
Draws = Annotated[int, typer.Option("--draws", help="Draws per chain.")]
Tune = Annotated[int, typer.Option("--tune", help="Warm-up draws per chain.")]
Chains = Annotated[int, typer.Option("--chains", help="Number of chains.")]
