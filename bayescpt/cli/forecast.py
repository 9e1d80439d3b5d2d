"""``bayescpt forecast``: bands of the loss curves of plans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescpt.cli.inputs import open_plans, open_study, step_grid
from bayescpt.cli.options import (
    AllowFailed,
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
from bayescpt.errors import PlanError

if TYPE_CHECKING:
    import pandas as pd

    from bayescpt.data import Study
    from bayescpt.forecast import Forecast

# Steps of a figure: enough for a smooth band, few enough to be quick.
FIGURE_STEPS = 100


def forecast(  # numpydoc ignore=PR01
    fit: FitFile,
    plans: PlanFiles = None,
    run: RunNames = None,
    study: OtherStudy = None,
    steps: Annotated[
        str | None, typer.Option(metavar="N,N,...", help="Steps to forecast at, such as 500,1000.")
    ] = None,
    points: Annotated[int, typer.Option(help="Without --steps: how many evenly spaced steps.")] = 5,
    prob: Annotated[float, typer.Option(help="Probability of the band.")] = 0.9,
    kind: Kind = "loss",
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the table to this file too.")
    ] = None,
    figure: Figure = None,
    first_step: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Where the figure starts; by default after a tenth of the shortest plan, as the "
            "steep first steps leave little height for the rest.",
        ),
    ] = None,
    seed: Seed = 0,
    allow_failed: AllowFailed = False,
    as_json: Json = False,
) -> None:
    """Forecast the loss curves of plans, with bands.

    Plans come from TOML files and from runs of the study. Where --study holds the losses of a run
    that the fit has not seen, the forecast is scored against them.
    """
    from bayescpt.inference import load_fit

    fitted = load_fit(fit)
    recipes = open_plans(fitted, plans, run, study)
    at = step_grid(recipes, points) if steps is None else _steps(steps)
    made = fitted.forecast(recipes, steps=at, seed=seed, allow_failed=allow_failed)
    table = band_table(made, prob, kind)
    truth = None if study is None else open_study(study)
    scored = _score_runs(fitted, truth, recipes, seed, allow_failed)
    if csv is not None:
        table.to_csv(csv, index=False)
    if figure is not None:
        from bayescpt.present import plot_forecast

        shortest = min(plan.schedule.n_steps for plan in recipes)
        plot_forecast(
            fitted.forecast(
                recipes,
                steps=step_grid(recipes, FIGURE_STEPS),
                seed=seed,
                allow_failed=allow_failed,
            ),
            observed=None if scored is None or truth is None else truth.curves,
            prob=sorted({0.5, prob}),
            kind=kind,  # type: ignore[arg-type]
            first_step=shortest // 10 if first_step is None else first_step,
        ).savefig(figure, dpi=150)
    if as_json:
        show_json(
            {
                "study": made.study_name,
                "kind": kind,
                "prob": prob,
                "rows": table.to_dict("records"),
                "held_out": None if scored is None else scored.to_dict("records"),
                "warnings": made.warnings,
                "failed_checks": made.failed_checks,
            }
        )
    else:
        show_bands(table, prob, kind)
        if scored is not None:
            show_scores(scored)
        for path in (csv, figure):
            if path is not None:
                say(f"wrote {path}")
        notes(made.failed_checks, made.warnings)
    if made.failed_checks:
        raise typer.Exit(1)


def _steps(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise PlanError(f"--steps {text}: must be whole numbers with commas between") from None


def band_table(made: Forecast, prob: float, kind: str = "loss") -> pd.DataFrame:
    """Bands as a long table.

    Parameters
    ----------
    made : Forecast
        The forecast.
    prob : float
        Probability of the band.
    kind : str
        ``loss`` or ``mu``.

    Returns
    -------
    pandas.DataFrame
        Columns plan, domain, step, lower, median, upper; only steps and domains that the plan has.
    """
    # In the order of the dimensions: plans stay as they were given.
    bands = made.interval(prob, kind).to_dataframe(dim_order=["plan", "domain", "step"])
    return bands.dropna().reset_index()[["plan", "domain", "step", "lower", "median", "upper"]]


def show_bands(table: pd.DataFrame, prob: float, kind: str = "loss") -> None:
    """Print bands, one row a plan and step, the domains side by side.

    Parameters
    ----------
    table : pandas.DataFrame
        From `band_table`.
    prob : float
        Probability of the band.
    kind : str
        ``loss`` or ``mu``.
    """
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
    what = "loss of a new run" if kind == "loss" else "expected loss"
    show_table(
        f"forecast of the {what}: median [{prob:.0%} band], nats/token",
        ["plan", "step", *domains],
        rows,
    )


def _score_runs(
    fitted: Any, truth: Study | None, recipes: Any, seed: int, allow_failed: bool
) -> pd.DataFrame | None:
    """Return scores of the plans that are runs with losses the fit has not seen."""
    if truth is None:
        return None
    import pandas as pd

    unseen = [
        plan
        for plan in recipes
        if plan.run is not None and plan.run not in fitted.study and truth.has_curve(plan.run)
    ]
    tables = [score_run(fitted, truth, plan, seed, allow_failed) for plan in unseen]
    return pd.concat(tables, ignore_index=True) if tables else None


def score_run(
    fitted: Any, truth: Study, plan: Any, seed: int = 0, allow_failed: bool = False
) -> pd.DataFrame:
    """Score a forecast against the losses of a run that the fit has not seen.

    Parameters
    ----------
    fitted : Fit
        The fit.
    truth : Study
        Holds the run's losses.
    plan : Plan
        The run's recipe, named like it.
    seed : int
        Seed of the noise.
    allow_failed : bool
        Forecast from a fit that failed its checks.

    Returns
    -------
    pandas.DataFrame
        A row a domain: run, domain, losses (rows after the first 10% of the steps), coverage_90
        (their share in the 90% band), mae (of the median, nats), last, lower, upper (the last loss
        and its 90% band).
    """
    import numpy as np
    import pandas as pd

    skip = 0.1 * plan.schedule.n_steps
    curves = {domain: truth.curve(plan.run, domain) for domain in fitted.rows.labels.domain}
    curves = {domain: c[c["step"] > skip] for domain, c in curves.items()}
    at = np.unique(np.concatenate([c["step"].to_numpy() for c in curves.values()]))
    bands = fitted.forecast([plan], steps=at, seed=seed, allow_failed=allow_failed).interval(0.9)
    rows = []
    for domain, curve in curves.items():
        if curve.empty:
            continue
        band = bands.sel(plan=plan.name, domain=domain, step=curve["step"].to_numpy())
        loss = curve["loss"].to_numpy()
        low, middle, high = (band[name].to_numpy() for name in ("lower", "median", "upper"))
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
    return pd.DataFrame(rows)


def show_scores(scored: pd.DataFrame) -> None:
    """Print scores of held-out runs.

    Parameters
    ----------
    scored : pandas.DataFrame
        From `score_run`.
    """
    show_table(
        "held-out run against its forecast (losses after the first 10% of its steps)",
        ["run", "domain", "losses", "in 90% band", "MAE (nats)", "last loss", "its 90% band"],
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
    )
