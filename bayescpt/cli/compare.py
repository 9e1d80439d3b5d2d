"""``bayescpt compare``: compare plans by a risk measure and choose one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescpt.cli.goal import GRID, check_probability
from bayescpt.cli.inputs import open_goal, open_plans, open_weights
from bayescpt.cli.options import (
    AllowFailed,
    ByStep,
    Extrapolate,
    Figure,
    FitFile,
    GoalFile,
    GoalTexts,
    Json,
    Kind,
    MinProbability,
    OtherStudy,
    PlanFiles,
    RunNames,
    Seed,
)
from bayescpt.cli.output import fixed, notes, records, say, show_json, show_table
from bayescpt.cli.output_files import check_outputs, save_figure
from bayescpt.text import printable

if TYPE_CHECKING:
    from bayescpt.decide import Decision
    from bayescpt.forecast import Forecast

# Names of the risk measures, one file each. Importing them would make --help wait for NumPy.
RISKS = "|".join(
    sorted(
        path.stem
        for path in (Path(__file__).parents[1] / "decide" / "risks").glob("[!_]*.py")
        if path.stem not in ("base", "registry")
    )
)
Risk = Annotated[
    str | None,
    typer.Option(
        metavar=RISKS,
        help="Risk measure for choosing the plan; by default probability with a goal, else mean.",
    ),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        "--weight",
        "-w",
        metavar="DOMAIN=WEIGHT",
        help="Weight of a domain's loss; equal by default. Repeatable.",
    ),
]
Level = Annotated[
    float,
    typer.Option(
        help="Level of the risk measures that have one, such as cvar: 0.9 averages the worst tenth."
    ),
]


def compare(  # numpydoc ignore=PR01
    fit: FitFile,
    plans: PlanFiles = None,
    run: RunNames = None,
    study: OtherStudy = None,
    goals: GoalTexts = None,
    goal_file: GoalFile = None,
    risk: Risk = None,
    level: Level = 0.9,
    weight: Weights = None,
    by: ByStep = "end",
    kind: Kind = "loss",
    min_probability: MinProbability = None,
    figure: Figure = None,
    front_figure: Annotated[
        Path | None,
        typer.Option(
            "--front-figure",
            metavar="PNG",
            help="Draw the Pareto front of the first two domains to this file.",
        ),
    ] = None,
    seed: Seed = 0,
    extrapolate: Extrapolate = False,
    allow_failed: AllowFailed = False,
    as_json: Json = False,
) -> None:
    """Compare plans on the same draws and choose one.

    --figure draws the risks. Exit code 1 if no plan reaches --min-probability, so that none is
    chosen.
    """
    read = [fit, study, goal_file, *(plans or ())]
    check_outputs({}, {"--figure": figure, "--front-figure": front_figure}, read)
    from bayescpt.decide import compare as decide
    from bayescpt.decide.shown import in_shown_unit
    from bayescpt.forecast.step_grid import step_grid
    from bayescpt.inference import load_fit

    wanted, weights = open_goal(goals, goal_file), open_weights(weight)
    check_probability(min_probability)
    fitted = load_fit(fit)
    recipes = open_plans(fitted, plans, run, study)
    steps = step_grid(recipes, GRID if by == "best" else 1)
    forecast = fitted.forecast(
        recipes,
        steps=steps,
        random_seed=seed,
        allow_failed=allow_failed,
        extrapolate=extrapolate,
    )
    decision = decide(
        forecast,
        goal=wanted,
        risk=risk,
        level=level,
        weights=weights or None,
        by=by,  # type: ignore[arg-type]
        min_probability=min_probability,
        kind=kind,  # type: ignore[arg-type]
    )
    drawn = _draw(decision, forecast, figure, front_figure)
    decision, units = in_shown_unit(decision)
    if as_json:
        _show_json(decision, units, forecast)
    else:
        show_decision(decision)
        for path in drawn:
            say(f"wrote {path}")
        notes(forecast.failed_checks, decision.warnings)
    if forecast.failed_checks or decision.best is None:
        raise typer.Exit(1)


def _draw(
    decision: Decision, forecast: Forecast, figure: Path | None, front_figure: Path | None
) -> list[Path]:
    """Write the requested figures and return their paths."""
    if figure is None and front_figure is None:
        return []
    from bayescpt.present import page, plot

    if figure is not None:
        save_figure(page(plot.risks, decision), figure)
    if front_figure is not None:
        save_figure(page(plot.pareto, forecast, decision.best), front_figure)
    return [path for path in (figure, front_figure) if path is not None]


def _show_json(decision: Decision, units: str | None, forecast: Forecast) -> None:
    """Print a comparison as JSON."""
    show_json(
        {
            "study": forecast.study_name,
            "best": decision.best,
            "level": decision.level,
            "by": decision.by,
            "weights": decision.weights,
            **choice(decision, units),
            "rows": records(decision.table),
            "contrasts": [] if decision.best is None else records(decision.contrasts),
            "warnings": decision.warnings,
            "failed_checks": forecast.failed_checks,
        }
    )


def choice(decision: Decision, units: str | None) -> dict[str, Any]:
    """How the plan was chosen, and what that means for the goal, for JSON.

    Parameters
    ----------
    decision : Decision
        Output of `compare`.
    units : str or None
        Unit of its losses.

    Returns
    -------
    dict of str to Any
    """
    return {
        "risk": decision.risk,
        "rule": decision.rule,
        "goal": None if decision.goal is None else dict(decision.goal.thresholds),
        "goal_levels": decision.levels,
        "goal_probability": decision.goal_probability,
        "misses_goal": decision.hopeless,
        "units": units,
    }


def show_decision(decision: Decision) -> None:
    """Print a comparison and the chosen plan.

    Parameters
    ----------
    decision : Decision
        Output of `compare`.
    """
    from bayescpt.data.units import unit_name
    from bayescpt.decide.limits import limit_labels
    from bayescpt.decide.risks import measures
    from bayescpt.decide.shown import in_shown_unit

    decision, unit = in_shown_unit(decision)
    table = decision.table
    chosen = "<- chosen, misses the goal" if decision.hopeless else "<- chosen"
    heads = {measure.column: measure.label(decision.level) for measure in measures()}
    heads |= {
        "prob_best": "P(best)",
        "mcse": f"MC error of {decision.risk}",
        "best_step": "best step",
    }
    shown = [name for name in table if name in heads]
    weights = " + ".join(f"{value:g} {domain}" for domain, value in decision.weights.items())
    show_table(
        f"weighted loss ({weights}), {unit_name(unit)}",
        ["plan", *(heads[name] for name in shown), "eligible"],
        [
            [
                f"{plan}  {chosen}" if plan == decision.best else str(plan),
                *(
                    str(int(row[name]))
                    if name == "best_step"
                    else fixed(row[name], 4 if name == "mcse" else 3)
                    for name in shown
                ),
                "yes" if row["eligible"] else "no",
            ]
            for plan, row in table.iterrows()
        ],
    )
    if decision.goal is not None:
        limits = limit_labels(decision.goal.thresholds, decision.levels, decision.attrs)
        say("goal: " + printable(", ".join(f"{d} <= {text}" for d, text in limits.items())))
    if decision.best is not None:
        say(f"chosen by: {decision.rule}")
    if decision.best is not None and len(table) > 1:
        rest = decision.contrasts.drop(index=decision.best)
        for plan, row in rest.iterrows():
            say(
                f"{printable(f'{plan} minus {decision.best}')}: {row['mean']:+.3f} "
                f"(90% interval {row['lower']:+.3f} to {row['upper']:+.3f}); better with "
                f"probability {row['prob_better']:.3f}"
            )
