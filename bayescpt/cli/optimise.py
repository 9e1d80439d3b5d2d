"""``bayescpt optimise``: search a space of recipes for the best risk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescpt.cli.compare import RISKS, Level, choice
from bayescpt.cli.goal import check_probability
from bayescpt.cli.inputs import open_goal
from bayescpt.cli.options import (
    AllowFailed,
    Figure,
    FitFile,
    GoalFile,
    GoalTexts,
    Json,
    MinProbability,
    Seed,
)
from bayescpt.cli.output import fixed, notes, records, say, show_json, show_table
from bayescpt.cli.output_files import check_outputs, save_figure
from bayescpt.errors import PlanError
from bayescpt.text import printable

if TYPE_CHECKING:
    from bayescpt.decide import Goal, Optimum, Space

SpaceFile = Annotated[
    Path,
    typer.Option(
        "--space",
        metavar="FILE",
        help="TOML file with a table [space]: schedule, lr, num_training_steps, replay_ratio, "
        "start and arguments of the schedule, each a value, a list, or { low = .., high = .. }; "
        "replay_pieces = [1, 2, 3] for curricula.",
    ),
]
Risk = Annotated[
    str | None,
    typer.Option(
        metavar=RISKS,
        help="Risk measure to optimise; by default probability with a goal, else mean.",
    ),
]


def optimise(  # numpydoc ignore=PR01
    fit: FitFile,
    space: SpaceFile,
    goals: GoalTexts = None,
    goal_file: GoalFile = None,
    risk: Risk = None,
    level: Level = 0.9,
    min_probability: MinProbability = None,
    number: Annotated[
        int, typer.Option("--plans", metavar="N", help="Number of recipes in the first round.")
    ] = 1024,
    top: Annotated[int, typer.Option(help="Number of best recipes shown.")] = 10,
    extrapolate: Annotated[
        bool,
        typer.Option("--extrapolate", help="Also search outside the range of the pilot runs."),
    ] = False,
    figure: Figure = None,
    seed: Seed = 0,
    allow_failed: AllowFailed = False,
    as_json: Json = False,
) -> None:
    """Search a space of recipes for the best one, within the range of the pilot runs.

    --figure draws the probability of the goal around the best recipe, over the replay ratio and
    each of the other settings that vary.
    Exit code 1 if no recipe reaches --min-probability, so that none is chosen.
    """
    check_outputs({}, {"--figure": figure}, [fit, space])
    from bayescpt.decide import goal_map, read_space
    from bayescpt.decide import optimise as search
    from bayescpt.inference import load_fit

    wanted = open_goal(goals, goal_file)
    check_probability(min_probability)
    searched = read_space(space)
    maps = [] if figure is None else _check_figure(searched, wanted)
    fitted = load_fit(fit)
    optimum = search(
        fitted,
        searched,
        goal=wanted,
        risk=risk,
        level=level,
        min_probability=min_probability,
        n_plans=number,
        top=top,
        extrapolate=extrapolate,
        random_seed=seed,
        allow_failed=allow_failed,
    )
    if figure is not None and wanted is not None:
        from bayescpt.present import page, plot

        options: dict[str, Any] = {"at": optimum.settings, "random_seed": seed}
        options |= {"allow_failed": allow_failed, "extrapolate": extrapolate}
        drawn = [goal_map(fitted, searched, wanted, x, y, **options) for x, y in maps]
        save_figure(page(plot.goal_map, drawn), figure)
    optimum, units = _in_shown_unit(optimum)
    failed = optimum.tried.attrs["failed_checks"]
    # Failed checks are shown separately from the other warnings.
    warnings = [n for n in optimum.warnings if not n.startswith("the fit failed its check")]
    if as_json:
        show_json(
            {
                "study": fitted.study.name,
                "best": None if optimum.plan is None else optimum.plan.to_dict(),
                "level": level,
                **choice(optimum.decision, units),
                "tried": len(optimum.tried),
                "rows": records(optimum.table),
                "plans": [plan.to_dict() for plan in optimum.plans],
                "warnings": warnings,
                "failed_checks": failed,
            }
        )
    else:
        show_optimum(optimum)
        if figure is not None:
            say(f"wrote {figure}")
        notes(failed, warnings)
    if failed or optimum.plan is None:
        raise typer.Exit(1)


def _check_figure(space: Space, goal: Goal | None) -> list[tuple[str, str]]:
    """Pairs of settings that the figure is of."""
    from bayescpt.decide.goal_map import map_settings

    pairs = map_settings(space)
    if goal is None:
        raise PlanError("--figure draws the probability of the goal: give --goal DOMAIN=LOSS too")
    if not pairs:
        raise PlanError("--figure needs two settings of [space] that are numbers and vary")
    return pairs


def _in_shown_unit(optimum: Optimum) -> tuple[Optimum, str | None]:
    """Optimum with its losses in the unit of the user, and that unit."""
    from bayescpt.decide.shown import in_shown_unit

    decision, unit = in_shown_unit(optimum.decision)
    table = optimum.table.copy()
    for name in decision.table:
        if name in table:
            table[name] = decision.table[name]
    return replace(optimum, table=table, decision=decision), unit


def show_optimum(optimum: Optimum) -> None:
    """Print the best recipes.

    Parameters
    ----------
    optimum : Optimum
        Output of `optimise`.
    """
    from bayescpt.data.units import unit_name
    from bayescpt.decide.limits import limit_labels
    from bayescpt.decide.risks import measures

    table, decision = optimum.table, optimum.decision
    chances = ["joint", *decision.goal.domains] if decision.goal is not None else []
    # Probabilities are already shown; regret would be relative to the few recipes of the table.
    shown = [m for m in measures() if not (m.needs_goal or m.relative) or m.name == decision.risk]
    risks = [m.column for m in shown if m.column in table]
    limits = {}
    if decision.goal is not None:
        limits = limit_labels(decision.goal.thresholds, decision.levels, decision.attrs)
    chosen = "<- chosen, misses the goal" if decision.hopeless else "<- chosen"
    heads = {"joint": "all goals"} | {d: f"{d} <= {text}" for d, text in limits.items()}
    heads |= {m.column: m.label(decision.level) for m in shown}
    rows = []
    for name, row in table.iterrows():
        rows.append(
            [
                f"{name}  {chosen}" if name == decision.best else str(name),
                *(f"{fixed(row[c])} ± {_error(row[f'{c}_mcse'])}" for c in chances),
                *(fixed(row[c]) for c in risks),
                "no" if row["outside"] else "yes",
            ]
        )
    columns = [heads.get(c, c) for c in (*chances, *risks)]
    show_table(
        f"best of {len(optimum.tried)} recipes by {decision.risk} (probability ± Monte Carlo "
        f"standard error; weighted loss, {unit_name(optimum.decision.units)})",
        ["recipe", *columns, "in pilots' range"],
        rows,
    )
    if decision.best is not None:
        say(f"chosen by: {decision.rule}")
    for name, text in table["outside"].items():
        if text:
            say(f"{printable(str(name))}: {text}; the forecast extrapolates")


def _error(value: float) -> str:
    return fixed(value) if value >= 0.0005 else "<.001"
