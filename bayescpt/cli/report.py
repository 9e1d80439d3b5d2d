"""``bayescpt report``: one HTML file on plans, for those who decide and those who train."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bayescpt.cli.compare import Level, Risk, Weights
from bayescpt.cli.goal import check_probability
from bayescpt.cli.inputs import open_goal, open_plans, open_weights
from bayescpt.cli.options import (
    AllowFailed,
    Currency,
    Extrapolate,
    FitFile,
    GoalFile,
    GoalTexts,
    MinProbability,
    OtherStudy,
    PlanFiles,
    Price,
    RunNames,
    Seed,
    Throughput,
    TokensPerStep,
)
from bayescpt.cli.output import say
from bayescpt.cli.output_files import WRITTEN, check_outputs


def report(  # numpydoc ignore=PR01
    fit: FitFile,
    plans: PlanFiles = None,
    run: RunNames = None,
    study: OtherStudy = None,
    goals: GoalTexts = None,
    goal_file: GoalFile = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="HTML", help="File to write.")] = Path(
        "report.html"
    ),
    risk: Risk = None,
    level: Level = 0.9,
    weight: Weights = None,
    min_probability: MinProbability = None,
    throughput: Throughput = None,
    price: Price = None,
    currency: Currency = "USD",
    tokens_per_step: TokensPerStep = None,
    seed: Seed = 0,
    extrapolate: Extrapolate = False,
    allow_failed: AllowFailed = False,
) -> None:
    """Write a report on plans: one HTML file, to be read in any browser or printed.

    It has the answer and its reasons, bands, costs, the Pareto front, what cannot be told apart,
    reach, checks, priors, data and how to make it again. Exit code 1 if a check of the fit failed
    or no plan reaches --min-probability.
    """
    from bayescpt.decide.costs import Rates
    from bayescpt.inference import load_fit
    from bayescpt.present.report.case import Options, make_case
    from bayescpt.present.report.page import save_page

    check_outputs({"--out": out}, {}, [fit, study, goal_file, *(plans or ())])
    wanted, weights = open_goal(goals, goal_file), open_weights(weight)
    check_probability(min_probability)
    rates = Rates(tokens_per_step, throughput, price, currency)
    options = Options(
        risk, level, weights or None, min_probability, seed, allow_failed, extrapolate
    )
    fitted = load_fit(fit)
    case = make_case(fitted, open_plans(fitted, plans, run, study), wanted, rates, options)
    written = save_page(
        case,
        out,
        command_line(
            fit,
            {
                "--plans": plans,
                "--run": run,
                "--study": study,
                "--goal": goals,
                "--goal-file": goal_file,
                "--out": out,
                "--risk": risk,
                "--level": None if level == 0.9 else level,
                "--weight": weight,
                "--min-probability": min_probability,
                "--throughput": throughput,
                "--price": price,
                "--currency": None if currency == "USD" else currency,
                "--tokens-per-step": tokens_per_step,
                "--seed": seed or None,
                "--extrapolate": extrapolate,
                "--allow-failed": allow_failed,
            },
        ),
    )
    WRITTEN.append(written)
    say(f"wrote {written} ({written.stat().st_size / 1e6:.1f} MB)")
    if fitted.failed or case.decision.best is None:
        raise typer.Exit(1)


def command_line(fit: Path, options: dict[str, Any]) -> str:
    """The command with the options that were given, as it would be typed.

    Parameters
    ----------
    fit : Path
        The fit.
    options : dict of str to Any
        Values by option: None and False are left out, True is a flag, a list is repeated.

    Returns
    -------
    str

    Examples
    --------
    >>> command_line(Path("fit.nc"), {"--goal": ["general=+2%"], "--seed": None})
    'bayescpt report fit.nc --goal general=+2%'
    """
    words = ["bayescpt", "report", str(fit)]
    for name, given in options.items():
        values: Sequence[Any] = given if isinstance(given, list) else [given]
        for value in values:
            if value is True:
                words.append(name)
            elif value is not None and value is not False:
                words += [name, f"{value:.15g}" if isinstance(value, float) else str(value)]
    return shlex.join(words)
