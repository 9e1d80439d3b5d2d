"""``bayescpt backtest``: hold out runs, refit, and check the coverage of the bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescpt.cli.backtest_pilots import (
    PILOT_GROUPS,
    Judge,
    Pilots,
    PilotsFrom,
    Repeats,
    pilot_splits,
    show_draws,
    show_extrapolation,
)
from bayescpt.cli.backtest_tables import OWN, show_backtest, show_goal_calibration
from bayescpt.cli.options import CardName, Chains, Draws, Figure, Json, Quiet, StudyName, Tune
from bayescpt.cli.output import progress, say, show_json
from bayescpt.cli.output_files import check_outputs, save_figure, save_table
from bayescpt.cli.resume import Resume, WorkFolder, keeping, work_beside
from bayescpt.cli.workers import Workers, process_pool
from bayescpt.errors import PlanError
from bayescpt.text import printable

if TYPE_CHECKING:
    import pandas as pd

    from bayescpt.evaluate import Backtest, GoalCalibration

# Fast ones first, so that their errors show before an hour of sampling.
SAMPLED = ("iid", "conformal_iid", "conformal")
BASELINES = ("last_value", "run_power_law", "paper_recipe", "paper_bootstrap", *SAMPLED)
GROUPS = ("domain", "run", "phase", "horizon", "cutoff", *PILOT_GROUPS, "all")


By = Annotated[
    str,
    typer.Option(
        metavar="run|cutoff|pilots|target",
        help="Hold out one run at a time, the end of one run at a time, all but random pilots "
        "(as --pilots 4), or all runs on one target at a time.",
    ),
]
HeldOut = Annotated[
    list[str] | None,
    typer.Option("--run", "-r", metavar="NAME", help="Hold out only this run. Repeatable."),
]
Cutoffs = Annotated[
    list[float] | None,
    typer.Option(
        metavar="SHARE", help="Fraction of a run that --by cutoff keeps visible. Repeatable."
    ),
]
Fitted = Annotated[
    list[str] | None,
    typer.Option(
        "--fit",
        metavar="NAME",
        help="Fit only this run, and score all others with that one fit. Repeatable.",
    ),
]
After = Annotated[
    float, typer.Option(metavar="SHARE", help="Initial fraction of a run excluded from scores.")
]
Groups = Annotated[
    list[str] | None,
    typer.Option(
        metavar="|".join(GROUPS),
        help="Group scores by this (default: domain); all gives one row. Repeatable.",
    ),
]
Beside = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help=f"Also score this method on the same rows: {', '.join(BASELINES)}. Those from iid on "
        "sample; conformal ones sample once more per fitted run. Repeatable.",
    ),
]
Goals = Annotated[
    bool,
    typer.Option(
        "--goals",
        help="Also score the probabilities of meeting final loss goals; --pilots always does.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Write all rows to a .parquet or .csv file."),
]
PitFigure = Annotated[
    Path | None, typer.Option(metavar="PNG", help="Write a PIT histogram of the forecasts.")
]
RunsFigure = Annotated[
    Path | None, typer.Option(metavar="PNG", help="Plot every held-out run with its bands, once.")
]
MissesFigure = Annotated[
    Path | None,
    typer.Option(metavar="PNG", help="Plot which runs miss their bands, and where along the run."),
]


def backtest(  # numpydoc ignore=PR01
    study: StudyName,
    card: CardName = None,
    by: By = "run",
    run: HeldOut = None,
    cutoff: Cutoffs = None,
    fit: Fitted = None,
    pilots: Pilots = None,
    repeats: Repeats = None,
    pilots_from: PilotsFrom = None,
    judge: Judge = None,
    after: After = 0.1,
    group: Groups = None,
    baseline: Beside = None,
    goals: Goals = False,
    draws: Draws = 1000,
    tune: Tune = 500,
    chains: Chains = 4,
    seed: Annotated[int, typer.Option("--random-seed", "--seed", help="Seed of all refits.")] = 1,
    workers: Workers = 1,
    out: Out = None,
    figure: Figure = None,
    pit_figure: PitFigure = None,
    runs_figure: RunsFigure = None,
    resume: Resume = False,
    work: WorkFolder = None,
    misses_figure: MissesFigure = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Hold out runs, refit without them, and score the forecasts against the outcomes.

    One refit per held-out run or cutoff, a single one with --fit, or one per draw of random pilots
    with --pilots. --figure plots coverage. Finished refits are kept beside the first output file,
    or in --work, until the end: after an interruption --resume goes on from there. Exit code 1 if a
    refit failed its convergence checks.
    """
    groups = _names("--group", group or ["domain"], GROUPS)
    baselines = _names("--baseline", baseline or [], BASELINES)
    _check_out(out)
    figures = {"--figure": figure, "--pit-figure": pit_figure, "--runs-figure": runs_figure}
    figures["--misses-figure"] = misses_figure
    check_outputs({"--out": out}, figures, [study, card])
    of_pilots = pilot_splits(by, pilots, repeats, pilots_from, judge)
    _check_groups(groups, of_pilots)
    if goals and run and len(set(run)) < 2:
        raise PlanError("--goals needs at least two held-out runs: repeat --run, or omit it")
    from bayescpt.data.open_study import open_study

    opened = open_study(study)

    from bayescpt.evaluate import side_by_side
    from bayescpt.evaluate.score import check_after

    check_after(after)
    splits = _splits(by, run, cutoff, fit, of_pilots)
    sampling: dict[str, Any] = {"draws": draws, "tune": tune, "chains": chains}
    if workers > 1:
        sampling["cores"] = 1
    results: dict[str, Backtest] = {}
    folder = work_beside(work, [out, *figures.values()])
    with keeping(folder, resume, "refit", quiet):
        with process_pool(workers) as executor:
            for name in [*(name for name in BASELINES if name in baselines), OWN]:
                splits["work"] = None if folder is None else folder / name
                results[name] = _backtest(
                    opened, name, card, splits, sampling, seed, executor, quiet
                )
        # Our own method first, then the baselines in the order given.
        joined = side_by_side({name: results[name] for name in (OWN, *baselines)})
        keys = [*(["method"] if baselines else []), *(name for name in groups if name != "all")]
        scores = joined.scores(keys or None, after)
        extrapolated = _extrapolated(joined, keys, after) if of_pilots else None
        calibrations = _calibrations(joined, goals, bool(of_pilots))
        drawn = {"coverage": figure, "pit": pit_figure, "runs": runs_figure}
        drawn["misses"] = misses_figure
        written = _write(joined, baselines, after, out, drawn)
        failed = joined.fits[joined.fits["failed_checks"] != ""]
        if as_json:
            settings = {"study": opened.name, **of_pilots, "by": splits["by"], "fitted": fit}
            settings |= {"after": after, "seed": seed}
            tables = _content(joined, scores, extrapolated, calibrations, written)
            show_json({**settings, **tables})
        else:
            show_backtest(scores, keys, after, opened.curves_unit)
            if extrapolated is not None:
                show_extrapolation(extrapolated, after)
            if calibrations:
                show_goal_calibration(calibrations)
            if of_pilots:
                show_draws(joined.fits, OWN)
            for path in written:
                say(f"wrote {path}")
            for row in failed.to_dict("records"):
                what = f"with {row['split']}" if of_pilots else f"without {row['run']}"
                say(f"FAILED CHECKS: {row['method']} {printable(what)}: {row['failed_checks']}")
    if not failed.empty:
        raise typer.Exit(1)


def _extrapolated(joined: Backtest, keys: Sequence[str], after: float) -> pd.DataFrame:
    """Scores by what lies outside the pilots' range, by method, target and domain where asked."""
    from bayescpt.evaluate import scores_by_extrapolation

    by = [key for key in keys if key in ("method", "target")]
    return scores_by_extrapolation(joined, [*by, "domain"], after)


def _calibrations(joined: Backtest, goals: bool, of_pilots: bool) -> dict[str, GoalCalibration]:
    """Calibration of goal probabilities by method, if it was asked for or is at hand."""
    from bayescpt.evaluate import goal_calibration

    if not (goals or of_pilots):
        return {}
    try:
        return {name: goal_calibration(one) for name, one in by_method(joined).items()}
    except PlanError:
        # Too few held-out runs, and nobody asked.
        if goals:
            raise
        return {}


def _splits(
    by: str,
    run: list[str] | None,
    cutoff: list[float] | None,
    fit: list[str] | None,
    of_pilots: dict[str, Any],
) -> dict[str, Any]:
    """Arguments of `bayescpt.backtest` that define the held-out rows."""
    if of_pilots:
        if fit or cutoff:
            raise PlanError(f"--pilots does not go with {'--fit' if fit else '--cutoff'}")
        return {"runs": run, **of_pilots}
    if fit:
        return {"runs": run, "by": "split", "fit_runs": fit}
    cut = {"cutoffs": cutoff} if by == "cutoff" and cutoff else {}
    return {"runs": run, "by": by, **cut}


def _content(
    joined: Backtest,
    scores: pd.DataFrame,
    extrapolated: pd.DataFrame | None,
    calibrations: Mapping[str, GoalCalibration],
    written: Sequence[Path],
) -> dict[str, Any]:
    """JSON output of a backtest."""
    return {
        "scores": scores.to_dict("records"),
        "extrapolated": [] if extrapolated is None else extrapolated.to_dict("records"),
        "goals": [
            {"method": name, **row}
            for name, one in calibrations.items()
            for row in one.table().reset_index().to_dict("records")
        ],
        "reliability": [
            {"method": name, **row}
            for name, one in calibrations.items()
            for row in one.reliability().to_dict("records")
        ],
        "fits": joined.fits.to_dict("records"),
        "written": [str(path) for path in written],
    }


def by_method(joined: Backtest) -> dict[str, Backtest]:
    """Split a joined backtest by method.

    Parameters
    ----------
    joined : Backtest
        Output of `side_by_side`.

    Returns
    -------
    dict of str to Backtest
        Backtests by method, without the method column.
    """
    from bayescpt.evaluate import Backtest

    tables = (joined.table, joined.fits, joined.finals)
    return {
        str(name): Backtest(
            *(part[part["method"] == name].drop(columns="method") for part in tables)
        )
        for name in joined.table["method"].cat.categories
    }


def _backtest(
    study: Any,
    name: str,
    card: str | None,
    splits: dict[str, Any],
    sampling: dict[str, Any],
    seed: int,
    executor: Executor | None,
    quiet: bool,
) -> Backtest:
    """Backtest one method, reporting each refit on standard error."""
    from bayescpt.evaluate import backtest as hold_out
    from bayescpt.evaluate import baselines, bayes_forecast

    label = "" if name == OWN else f"{name}: "
    method = bayes_forecast if name == OWN else getattr(baselines, name)
    samples = name in (OWN, *SAMPLED)
    progress(f"{label}refitting ...", quiet)
    return hold_out(
        study,
        card=card if samples else None,
        executor=executor,
        random_seed=seed,
        method=method,
        on_split=lambda split: progress(f"{label}{split} done", quiet),
        **splits,
        **(sampling if samples else {}),
    )


def _names(option: str, given: Sequence[str], allowed: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys(given))
    for name in names:
        if name not in allowed:
            raise PlanError(f"{option} {name}: must be one of {', '.join(allowed)}")
    return names


def _check_groups(groups: Sequence[str], of_pilots: Mapping[str, Any]) -> None:
    for name in groups:
        if name in PILOT_GROUPS and not of_pilots:
            raise PlanError(f"--group {name}: only with --pilots")


def _check_out(path: Path | None) -> None:
    if path is not None and path.suffix not in (".parquet", ".csv"):
        raise PlanError(f"--out {path}: must end in .parquet or .csv")


def _write(
    joined: Backtest,
    baselines: Sequence[str],
    after: float,
    out: Path | None,
    figures: Mapping[str, Path | None],
) -> list[Path]:
    """Write the requested files and return their paths."""
    own = by_method(joined)[OWN]
    if out is not None:
        save_table(joined.table.astype({"method": str}), out)
    wanted = {name: path for name, path in figures.items() if path is not None}
    if wanted:
        from bayescpt.present import page, plot

        compared = joined if baselines else own
        drawn: dict[str, Any] = {
            "coverage": lambda: page(plot.coverage, compared, after),
            "pit": lambda: page(plot.pit, compared, after),
            "runs": lambda: page(plot.held_out, _once(own), after=after),
            "misses": lambda: page(plot.misses, own),
        }
        for name, path in wanted.items():
            save_figure(drawn[name](), path)
    return [*([] if out is None else [out]), *wanted.values()]


def _once(own: Backtest) -> Backtest:
    """Each run as it was forecast by the first draw of pilots without it."""
    from bayescpt.evaluate import Backtest

    if "repeat" not in own.table:
        return own
    first = own.table.drop_duplicates("run")["split"]
    table = own.table[own.table["split"].isin(first)]
    table.attrs["units"] = own.table.attrs.get("units")
    return Backtest(table, own.fits, own.finals)
