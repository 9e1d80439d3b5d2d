"""``bayescpt compare``: compare plans by a risk measure and choose one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayescpt.cli.goal import GRID, Goals, check_probability
from bayescpt.cli.inputs import open_goal, open_plans, step_grid
from bayescpt.cli.options import (
    AllowFailed,
    ByStep,
    FitFile,
    Json,
    Kind,
    MinProbability,
    OtherStudy,
    PlanFiles,
    RunNames,
    Seed,
)
from bayescpt.cli.output import fixed, notes, records, say, show_json, show_table

if TYPE_CHECKING:
    from bayescpt.decide import Decision

# Names of the risk measures, one file each. Importing them would make --help wait for NumPy.
RISKS = "|".join(
    sorted(
        path.stem
        for path in (Path(__file__).parents[1] / "decide" / "risks").glob("[!_]*.py")
        if path.stem not in ("base", "registry")
    )
)
Risk = Annotated[
    str,
    typer.Option(
        metavar=RISKS,
        help="Risk measure for choosing the plan; measures of a goal need --goal.",
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
    goals: Goals = None,
    risk: Risk = "mean",
    level: Level = 0.9,
    weight: Weights = None,
    by: ByStep = "end",
    kind: Kind = "loss",
    min_probability: MinProbability = None,
    seed: Seed = 0,
    allow_failed: AllowFailed = False,
    as_json: Json = False,
) -> None:
    """Compare plans on the same draws and choose one.

    Exit code 1 if no plan reaches --min-probability, so that none is chosen.
    """
    from bayescpt.decide import compare as decide
    from bayescpt.inference import load_fit

    thresholds, weights = open_goal(goals), open_goal(weight, "--weight")
    check_probability(min_probability)
    fitted = load_fit(fit)
    recipes = open_plans(fitted, plans, run, study)
    steps = step_grid(recipes, GRID if by == "best" else 1)
    forecast = fitted.forecast(recipes, steps=steps, random_seed=seed, allow_failed=allow_failed)
    decision = decide(
        forecast,
        goal=thresholds or None,
        risk=risk,
        level=level,
        weights=weights or None,
        by=by,  # type: ignore[arg-type]
        min_probability=min_probability,
        kind=kind,  # type: ignore[arg-type]
    )
    if as_json:
        show_json(
            {
                "study": forecast.study_name,
                "best": decision.best,
                "risk": decision.risk,
                "level": decision.level,
                "by": decision.by,
                "weights": decision.weights,
                "goal": thresholds or None,
                "rows": records(decision.table),
                "contrasts": [] if decision.best is None else records(decision.contrasts),
                "warnings": decision.warnings,
                "failed_checks": forecast.failed_checks,
            }
        )
    else:
        show_decision(decision)
        notes(forecast.failed_checks, decision.warnings)
    if forecast.failed_checks or decision.best is None:
        raise typer.Exit(1)


def show_decision(decision: Decision) -> None:
    """Print a comparison and the chosen plan.

    Parameters
    ----------
    decision : Decision
        Output of `compare`.
    """
    from bayescpt.data.units import unit_name
    from bayescpt.decide.risks import measures

    table = decision.table
    heads = {measure.column: measure.label(decision.level) for measure in measures()}
    heads |= {
        "prob_best": "P(best)",
        "mcse": f"MC error of {decision.risk}",
        "best_step": "best step",
    }
    shown = [name for name in table if name in heads]
    weights = " + ".join(f"{value:g} {domain}" for domain, value in decision.weights.items())
    show_table(
        f"weighted loss ({weights}), {unit_name(decision.units)}",
        ["plan", *(heads[name] for name in shown), "eligible"],
        [
            [
                f"{plan}  <- chosen" if plan == decision.best else str(plan),
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
    if decision.best is not None and len(table) > 1:
        rest = decision.contrasts.drop(index=decision.best)
        for plan, row in rest.iterrows():
            say(
                f"{plan} minus {decision.best}: {row['mean']:+.3f} "
                f"(90% interval {row['lower']:+.3f} to {row['upper']:+.3f}); better with "
                f"probability {row['prob_better']:.3f}"
            )
