"""``bayescpt forecast``: forecast loss curves of plans, with bands."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescpt.cli.inputs import open_plans
from bayescpt.cli.options import (
    AllowFailed,
    Extrapolate,
    Figure,
    FitFile,
    Json,
    Kind,
    OtherStudy,
    PlanFiles,
    RunNames,
    Seed,
)
from bayescpt.cli.output import fixed, notes, number, say, show_json, show_table
from bayescpt.cli.output_files import check_outputs, save_figure, save_table
from bayescpt.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from bayescpt.data import Study
    from bayescpt.forecast import Forecast, Plan

# A figure of more plans is one overlay.
MOST_PANELS = 6
# Number of steps in a figure: enough for smooth bands, few enough to be quick.
FIGURE_STEPS = 100


def forecast(  # numpydoc ignore=PR01
    fit: FitFile,
    plans: PlanFiles = None,
    run: RunNames = None,
    study: OtherStudy = None,
    steps: Annotated[
        str | None,
        typer.Option(metavar="N,N,...", help="Steps at which to forecast, such as 500,1000."),
    ] = None,
    points: Annotated[
        int, typer.Option(help="Number of evenly spaced steps, without --steps.")
    ] = 5,
    prob: Annotated[float, typer.Option(help="Probability of the band.")] = 0.9,
    kind: Kind = "loss",
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Also write the table to this file."),
    ] = None,
    figure: Figure = None,
    first_step: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="First step of the figure; by default a tenth of each plan, as the steep first "
            "steps would compress the rest.",
        ),
    ] = None,
    overlay: Annotated[
        bool | None,
        typer.Option(
            "--overlay/--panels",
            help="Draw all plans over each other, or one row of panels per plan; by default an "
            "overlay of more than six.",
        ),
    ] = None,
    seed: Seed = 0,
    extrapolate: Extrapolate = False,
    allow_failed: AllowFailed = False,
    as_json: Json = False,
) -> None:
    """Forecast the loss curves of plans, with bands.

    Plans come from TOML files and from runs of the study. If --study has the losses of a held-out
    run, the forecast is scored against them.
    """
    from bayescpt.data.open_study import open_study
    from bayescpt.forecast.step_grid import step_grid
    from bayescpt.inference import load_fit

    check_outputs({"--csv": csv}, {"--figure": figure}, [fit, study, *(plans or ())])
    fitted = load_fit(fit)
    recipes = open_plans(fitted, plans, run, study)
    at = step_grid(recipes, points) if steps is None else _steps(steps)
    predict = partial(
        fitted.forecast, random_seed=seed, allow_failed=allow_failed, extrapolate=extrapolate
    )
    result = predict(recipes, steps=at)
    table = band_table(result, prob, kind)
    if steps is None:
        table = own_steps(table, recipes, points)
    truth = None if study is None else open_study(study)
    scored = _score_runs(fitted, truth, recipes, seed, allow_failed)
    if csv is not None:
        save_table(table, csv)
    if figure is not None:
        observed = None if scored is None or truth is None else truth.curves
        whole = predict(recipes, steps=step_grid(recipes, FIGURE_STEPS))
        _save_figure(figure, whole, observed, prob, kind, first_step, overlay)
    if as_json:
        _show_json(result, table, scored, prob, kind)
    else:
        show_bands(table, prob, kind)
        if scored is not None:
            show_scores(scored)
        for path in (csv, figure):
            if path is not None:
                say(f"wrote {path}")
        notes(result.failed_checks, [*result.in_flight, *result.warnings])
    if result.failed_checks:
        raise typer.Exit(1)


def _show_json(
    result: Forecast, table: pd.DataFrame, scored: pd.DataFrame | None, prob: float, kind: str
) -> None:
    """Print bands and scores as JSON."""
    show_json(
        {
            "study": result.study_name,
            "kind": kind,
            "prob": prob,
            "units": table.attrs["units"],
            "rows": table.to_dict("records"),
            "held_out": None if scored is None else scored.to_dict("records"),
            "now": result.now,
            "warnings": result.warnings,
            "failed_checks": result.failed_checks,
        }
    )


def _save_figure(
    path: Path,
    result: Forecast,
    observed: pd.DataFrame | None,
    prob: float,
    kind: str,
    first_step: int | None,
    overlay: bool | None,
) -> None:
    """Save the fan charts of a forecast, or its overlay."""
    from bayescpt.present import page, plot

    # The losses so far of a run in flight must stay in sight.
    ends = {plan.name: plan.schedule.n_steps for plan in result.plans}
    tenth = {name: result.now.get(name, end) // 10 for name, end in ends.items()}
    options: dict[str, Any] = {
        "observed": observed,
        "kind": kind,
        "first_step": tenth if first_step is None else first_step,
    }
    if len(result.plans) > MOST_PANELS if overlay is None else overlay:
        drawn = page(plot.overlay, result, prob=prob, **options)
    else:
        drawn = page(plot.fan, result, prob=sorted({0.5, prob}), **options)
    save_figure(drawn, path)


def _steps(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise PlanError(f"--steps {text}: must be whole numbers separated by commas") from None


def band_table(result: Forecast, prob: float, kind: str = "loss") -> pd.DataFrame:
    """Bands as a long table.

    Parameters
    ----------
    result : Forecast
        The forecast.
    prob : float
        Probability of the band.
    kind : str
        ``loss`` or ``mu``.

    Returns
    -------
    pandas.DataFrame
        Columns plan, domain, step, lower, median, upper, for the steps and domains of each plan.
        Losses are in the unit of the user. The attribute ``units`` says which, or None if the
        forecast has none.
    """
    import pandas as pd

    from bayescpt.data.conversion import LossUnits

    # This dimension order keeps the plans in the order of the forecast.
    bands = result.interval(prob, kind).to_dataframe(dim_order=["plan", "domain", "step"])
    table = bands.dropna().reset_index()[["plan", "domain", "step", "lower", "median", "upper"]]
    units = LossUnits.of(result.dataset.attrs)
    shown = [
        part.assign(**{n: units.show(part[n], str(domain)) for n in ("lower", "median", "upper")})
        for domain, part in table.groupby("domain", sort=False)
    ]
    table = pd.concat(shown).sort_index() if shown else table
    table.attrs["units"] = units.shown if result.dataset.attrs.get("units") else None
    return table


def own_steps(table: pd.DataFrame, plans: Sequence[Plan], points: int) -> pd.DataFrame:
    """Rows of each plan at evenly spaced steps of its own.

    Parameters
    ----------
    table : pandas.DataFrame
        Output of `band_table`.
    plans : sequence of Plan
        The plans, of any lengths.
    points : int
        Number of steps of each.

    Returns
    -------
    pandas.DataFrame
    """
    from bayescpt.forecast.step_grid import plan_steps

    wanted = {plan.name: set(plan_steps(plan.schedule.n_steps, max(points, 1))) for plan in plans}
    pairs = zip(table["plan"], table["step"], strict=True)
    kept = table[[step in wanted[plan] for plan, step in pairs]].reset_index(drop=True)
    kept.attrs = table.attrs
    return kept


def show_bands(table: pd.DataFrame, prob: float, kind: str = "loss") -> None:
    """Print bands, one row per plan and step, the domains side by side.

    Parameters
    ----------
    table : pandas.DataFrame
        Output of `band_table`.
    prob : float
        Probability of the band.
    kind : str
        ``loss`` or ``mu``.
    """
    from bayescpt.data.units import unit_name

    domains = list(dict.fromkeys(table["domain"]))
    rows: list[list[str | int]] = []
    last = None
    for (plan, _), part in table.groupby(["plan", "step"], sort=False):
        by = part.set_index("domain")
        cells = []
        for domain in domains:
            if domain in by.index:
                one = by.loc[domain]
                cells.append(f"{one['median']:.3f}  [{one['lower']:.3f}, {one['upper']:.3f}]")
            else:
                cells.append("")
        rows.append(["" if plan == last else str(plan), int(part["step"].iloc[0]), *cells])
        last = plan
    quantity = "loss of a new run" if kind == "loss" else "expected loss"
    unit = unit_name(table.attrs.get("units"))
    show_table(
        f"forecast of the {quantity}: median [{prob:.0%} band]{f', {unit}' if unit else ''}",
        ["plan", "step", *domains],
        rows,
        keys=2,
    )


def _score_runs(
    fitted: Any, truth: Study | None, recipes: Any, seed: int, allow_failed: bool
) -> pd.DataFrame | None:
    """Scores of the plans whose runs were not fitted but have losses."""
    if truth is None:
        return None
    import pandas as pd

    unseen = [
        plan
        for plan in recipes
        if plan.run is not None and plan.run not in fitted.study and truth.has_curve(plan.run)
    ]
    if unseen and truth.curves_unit != fitted.study.curves_unit:
        raise PlanError(
            f"--study {truth.name}: loss_unit is {truth.loss_unit!r}, but the fitted study has "
            f"{fitted.study.loss_unit!r}; give bytes_per_token in study.toml to convert between "
            "them"
        )
    tables = [score_run(fitted, truth, plan, seed, allow_failed) for plan in unseen]
    return pd.concat(tables, ignore_index=True) if tables else None


def score_run(
    fitted: Any, truth: Study, plan: Any, seed: int = 0, allow_failed: bool = False
) -> pd.DataFrame:
    """Score a forecast against the losses of a held-out run.

    Parameters
    ----------
    fitted : Fit
        The fit.
    truth : Study
        Study with the losses of the run.
    plan : Plan
        Plan with the recipe and the name of the run.
    seed : int
        Seed of the noise.
    allow_failed : bool
        Forecast even if a convergence check failed.

    Returns
    -------
    pandas.DataFrame
        One row per domain: run, domain, losses (number of rows after the first 10% of the steps),
        coverage_90 (fraction of them inside the 90% band), mae (mean absolute error of the median),
        last, lower, upper (the last loss and its 90% band). The attribute ``units`` is the unit of
        mae, last, lower and upper.
    """
    import numpy as np
    import pandas as pd

    skip = 0.1 * plan.schedule.n_steps
    known = getattr(fitted, "domains", fitted.rows.labels.domain)
    curves = {domain: truth.curve(plan.run, domain) for domain in known}
    curves = {domain: c[c["step"] > skip] for domain, c in curves.items()}
    at = np.unique(np.concatenate([c["step"].to_numpy() for c in curves.values()]))
    bands = fitted.forecast([plan], steps=at, seed=seed, allow_failed=allow_failed).interval(0.9)
    rows = []
    for domain, curve in curves.items():
        if curve.empty:
            continue
        band = bands.sel(plan=plan.name, domain=domain, step=curve["step"].to_numpy())
        units = fitted.study.units
        loss = units.show(curve["loss"], domain)
        low, middle, high = (units.show(band[n], domain) for n in ("lower", "median", "upper"))
        rows.append(
            {
                "run": plan.run,
                "domain": domain,
                "losses": loss.size,
                "coverage_90": float(np.mean((low <= loss) & (loss <= high))),
                "mae": float(np.mean(np.abs(loss - middle))),
                "last": float(loss[-1]),
                "lower": float(low[-1]),
                "upper": float(high[-1]),
            }
        )
    scored = pd.DataFrame(rows)
    scored.attrs["units"] = fitted.study.loss_unit
    return scored


def show_scores(scored: pd.DataFrame) -> None:
    """Print scores of held-out runs.

    Parameters
    ----------
    scored : pandas.DataFrame
        Output of `score_run`.
    """
    from bayescpt.data.units import unit_name

    unit = unit_name(scored.attrs.get("units"))
    show_table(
        "held-out run against its forecast (losses after the first 10% of its steps"
        f"{f'; {unit}' if unit else ''})",
        ["run", "domain", "losses", "in 90% band", "MAE", "last loss", "its 90% band"],
        [
            [
                row["run"],
                row["domain"],
                int(row["losses"]),
                f"{row['coverage_90']:.0%}",
                fixed(row["mae"], 4),
                fixed(row["last"], 3),
                f"[{number(row['lower'])}, {number(row['upper'])}]"
                + ("" if row["lower"] <= row["last"] <= row["upper"] else "  outside"),
            ]
            for row in scored.to_dict("records")
        ],
        keys=2,
    )
