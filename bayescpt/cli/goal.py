"""``bayescpt goal``: the probability that plans meet their loss goals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayescpt.cli.inputs import open_goal, open_plans
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
from bayescpt.errors import PlanError

if TYPE_CHECKING:
    import pandas as pd

# Number of steps from which --by best chooses.
GRID = 100


def goal(  # numpydoc ignore=PR01
    fit: FitFile,
    goals: GoalTexts = None,
    goal_file: GoalFile = None,
    plans: PlanFiles = None,
    run: RunNames = None,
    study: OtherStudy = None,
    by: ByStep = "end",
    kind: Kind = "loss",
    min_probability: MinProbability = None,
    figure: Figure = None,
    ends_figure: Annotated[
        Path | None,
        typer.Option(
            "--ends-figure",
            metavar="PNG",
            help="Draw the cloud of last losses on two domains, with the goal as a box, to this "
            "file.",
        ),
    ] = None,
    seed: Seed = 0,
    extrapolate: Extrapolate = False,
    allow_failed: AllowFailed = False,
    as_json: Json = False,
) -> None:
    """Probability that plans meet their goals, jointly and by domain, with Monte Carlo errors.

    Exit code 1 if --min-probability is given and no plan reaches it.
    """
    from bayescpt.decide import goal_probability
    from bayescpt.forecast.step_grid import step_grid
    from bayescpt.inference import load_fit

    wanted = open_goal(goals, goal_file)
    if wanted is None:
        raise PlanError("no goal: give --goal DOMAIN=LOSS, such as --goal general=3.3 or =+2%")
    check_probability(min_probability)
    read = [fit, study, goal_file, *(plans or ())]
    check_outputs({}, {"--figure": figure, "--ends-figure": ends_figure}, read)
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
    table = goal_probability(forecast, wanted, by=by, kind=kind)  # type: ignore[arg-type]
    table.attrs["units"] = forecast.dataset.attrs.get("units")
    enough = min_probability is None or bool((table["joint"] >= min_probability).any())
    if figure is not None:
        from bayescpt.present import page, plot

        save_figure(page(plot.goal_probability, table), figure)
    if ends_figure is not None:
        from bayescpt.present import page, plot

        save_figure(page(plot.ends, forecast, wanted, kind=kind), ends_figure)
    if as_json:
        show_json(
            {
                "study": forecast.study_name,
                "goal": dict(wanted.thresholds),
                "goal_levels": table.attrs["levels"],
                "units": table.attrs["units"],
                "shown_units": table.attrs.get("shown_units", table.attrs["units"]),
                "by": by,
                "kind": kind,
                "min_probability": min_probability,
                "reached": enough,
                "rows": records(table),
                "now": forecast.now,
                "warnings": forecast.warnings,
                "failed_checks": forecast.failed_checks,
            }
        )
    else:
        show_goals(table)
        for path in (figure, ends_figure):
            if path is not None:
                say(f"wrote {path}")
        low = [] if enough else [f"no plan meets the goal with probability {min_probability:g}"]
        notes(forecast.failed_checks, [*forecast.in_flight, *forecast.warnings, *low])
    if forecast.failed_checks or not enough:
        raise typer.Exit(1)


def check_probability(value: float | None) -> None:
    """Raise an error if --min-probability is outside 0..1.

    Parameters
    ----------
    value : float or None
        Value of the option.

    Raises
    ------
    PlanError
        If it is outside 0..1.
    """
    if value is not None and not 0.0 <= value <= 1.0:
        raise PlanError(f"--min-probability {value:g} is outside 0..1")


def show_goals(table: pd.DataFrame) -> None:
    """Print goal probabilities.

    Parameters
    ----------
    table : pandas.DataFrame
        Output of `goal_probability`; its attribute ``units`` is the unit of the thresholds.
    """
    from bayescpt.data.units import unit_name
    from bayescpt.decide.limits import limit_labels

    unit = unit_name(table.attrs.get("units"))
    limits = limit_labels(table.attrs["goal"], table.attrs.get("levels", {}), table.attrs)
    columns = ["joint", *limits]
    heads = ["all goals", *(f"{domain} <= {text}" for domain, text in limits.items())]
    steps = [name for name in ("best_step",) if name in table]
    show_table(
        "probability of meeting the goal (± Monte Carlo standard error"
        f"{f'; losses in {unit}' if unit else ''})",
        ["plan", *heads, *(["best step"] * len(steps))],
        [
            [
                str(plan),
                *(f"{fixed(row[c])} ± {_error(row[f'{c}_mcse'])}" for c in columns),
                *(str(int(row[name])) for name in steps),
            ]
            for plan, row in table.iterrows()
        ],
    )


def _error(value: float) -> str:
    """Monte Carlo error to three decimals, never shown as 0."""
    return fixed(value) if value >= 0.0005 else "<.001"
