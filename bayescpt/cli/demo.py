"""``bayescpt demo``: real curves, a held-out run, two new recipes and a decision."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayescpt.cli.compare import show_decision
from bayescpt.cli.fit_summary import show_fit
from bayescpt.cli.forecast import (
    FIGURE_STEPS,
    band_table,
    score_run,
    show_bands,
    show_scores,
)
from bayescpt.cli.goal import show_goals
from bayescpt.cli.output import notes, progress, say
from bayescpt.cli.output_files import WRITTEN, check_outputs, save_figure
from bayescpt.files import write_text

if TYPE_CHECKING:
    import pandas as pd

    from bayescpt.data import Study
    from bayescpt.forecast import Forecast

STUDY = "cpt_micro"
HELD_OUT = "de_r25_cos"
# Tolerances that a user might set, in nats per token: of the general loss above that of the start
# checkpoint, and of the German loss above the best final loss of the fitted runs.
FORGETTING, SHORTFALL = 0.2, 0.15

FILES = ("fit.nc", "plans.toml", "forecast.png", "goal.png")
PLANS = """\
# Two recipes that have not been run, from the annealed checkpoint pt_r0 of the study cpt_micro.

[[plan]]
name = "wsd_r30"
schedule = "wsd"
lr = 2e-3
num_training_steps = 1000
num_warmup_steps = 30
num_decay_steps = 200
replay_ratio = 0.30
start = "pt_r0"

[[plan]]
name = "cos_r40"
schedule = "cosine"
lr = 2e-3
num_training_steps = 1000
num_warmup_steps = 30
min_lr_ratio = 0.1
replay_ratio = 0.40
start = "pt_r0"
"""


def demo(  # numpydoc ignore=PR01
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Output folder.")
    ] = Path("bayescpt-demo"),
    draws: Annotated[int, typer.Option(help="Draws per chain.")] = 1000,
    tune: Annotated[int, typer.Option(help="Warm-up draws per chain.")] = 500,
    chains: Annotated[int, typer.Option(help="Number of chains.")] = 4,
    seed: Annotated[int, typer.Option("--random-seed", "--seed", help="Random seed.")] = 1,
) -> None:
    """Fit a real study, forecast a held-out run and two new recipes, and compare them.

    The study is included in the package: a small language model trained first on English, then on
    German. Takes one to three minutes and writes the fit, the plans and two figures.
    """
    start = time.monotonic()
    from bayescpt.data import load_example

    check_outputs({name: out / name for name in FILES}, {})
    study = load_example(STUDY)
    known = study.drop([HELD_OUT])
    say(
        f"Study {study.name}: {len(study.cpt_runs)} continual runs of a small language model, "
        f"from English ({study.general}) to {study.targets[0]}."
    )
    say(
        f"{HELD_OUT} is held out: the fit uses the start checkpoint of the run, but none of its "
        "later losses.\n"
    )
    progress("loading the sampler ...")
    from bayescpt.decide import compare, goal_probability
    from bayescpt.forecast import Plan
    from bayescpt.forecast.plan_file import read_plans
    from bayescpt.forecast.step_grid import step_grid
    from bayescpt.inference import fit

    fitted = fit(known, random_seed=seed, draws=draws, tune=tune, chains=chains)
    WRITTEN.append(fitted.save(out / "fit.nc"))
    failed = fitted.failed_checks
    show_fit(fitted)
    notes(failed, [])

    WRITTEN.append(write_text(out / "plans.toml", PLANS))
    held_out = Plan.from_run(study.run(HELD_OUT))
    plans = [held_out, *read_plans(out / "plans.toml", known)]
    allow = bool(failed)  # the demonstration continues; notes and exit code show the failure
    show_scores(score_run(fitted, study, held_out, allow_failed=allow))

    goal, why = choose_goal(known, str(held_out.start))
    progress("forecasting ...")
    coarse = fitted.forecast(plans, steps=step_grid(plans, 5), allow_failed=allow)
    ends = fitted.forecast(plans, steps=step_grid(plans, 1), allow_failed=allow)
    fine = fitted.forecast(plans, steps=step_grid(plans, FIGURE_STEPS), allow_failed=allow)
    show_bands(band_table(coarse, 0.9), 0.9)
    say("\n".join(why))
    chances = goal_probability(ends, goal)
    chances.attrs["units"] = ends.dataset.attrs.get("units")
    show_goals(chances)
    decision = compare(ends, goal=goal, risk="probability")
    show_decision(decision)
    notes(failed, [*ends.warnings, *decision.warnings])

    progress("drawing ...")
    _save_figures(out, fine, study, goal, chances)
    say(f"\nWrote {', '.join(FILES)} to {out}/ in {time.monotonic() - start:.0f} s.")
    say("In forecast.png the circles are the held-out run's losses.")
    say("\nNext:")
    for line in next_commands(out, goal):
        say(f"  {line}")
    if failed:
        raise typer.Exit(1)


def _save_figures(
    out: Path, forecast: Forecast, study: Study, goal: dict[str, float], chances: pd.DataFrame
) -> None:
    """Save the fan charts and the goal probabilities."""
    from bayescpt.present import page, plot

    fan = page(plot.fan, forecast, observed=study.curves, goal=goal, first_step=100)
    save_figure(fan, out / "forecast.png")
    save_figure(page(plot.goal_probability, chances), out / "goal.png")


def choose_goal(known: Study, start: str) -> tuple[dict[str, float], list[str]]:
    """Goal of the demonstration, derived from the fitted runs, with an explanation.

    Parameters
    ----------
    known : Study
        The fitted study.
    start : str
        Start checkpoint of the plans.

    Returns
    -------
    goal : dict of str to float
        Threshold by domain, in the study's loss unit.
    why : list of str
        One sentence per domain.
    """
    from bayescpt.data.units import unit_name

    unit = unit_name(known.loss_unit)
    general, target = str(known.general), known.targets[0]
    before = known.checkpoint_loss(start, general)
    if before is None:
        raise ValueError(f"the loss of {start} on {general} was not measured")
    ends = {
        name: float(known.curve(name, target)["loss"].iloc[-1])
        for name in known.cpt_runs
        if known.has_curve(name)
    }
    best = min(ends, key=ends.__getitem__)
    goal = {general: round(before + FORGETTING, 2), target: round(ends[best] + SHORTFALL, 2)}
    return goal, [
        f"Goal on {general}: {goal[general]:g} {unit}, {FORGETTING:g} above the {before:.3f} of "
        f"the start checkpoint {start}.",
        f"Goal on {target}: {goal[target]:g} {unit}, {SHORTFALL:g} above the {ends[best]:.3f} of "
        f"{best}, the best final loss of any fitted run.",
    ]


def next_commands(out: Path, goal: dict[str, float]) -> list[str]:
    """Commands to try after the demonstration.

    Parameters
    ----------
    out : Path
        Output folder of the demonstration.
    goal : dict of str to float
        Goal of the demonstration.

    Returns
    -------
    list of str
    """
    names = ("fit.nc", "plans.toml", "held_out.png", "report.html")
    fit, plans, figure, report = (shlex.quote(str(out / name)) for name in names)
    goals = " ".join(f"--goal {domain}={value:g}" for domain, value in goal.items())
    return [
        f"bayescpt goal {fit} --plans {plans} {goals}    # edit the plans, then rerun",
        f"bayescpt compare {fit} --plans {plans} {goals} --risk cvar",
        f"bayescpt forecast {fit} --study {STUDY} --run {HELD_OUT} --figure {figure}",
        f"bayescpt report {fit} --plans {plans} {goals} --out {report}    # for the browser",
        "bayescpt cards cpt_replay                # the law, its priors and their sources",
        "bayescpt import LOGS --out FOLDER        # your own training logs, to a study",
        "bayescpt check FOLDER                    # is it sound",
        "bayescpt fit FOLDER --out my_fit.nc",
    ]
