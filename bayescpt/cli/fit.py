"""``bayescpt fit``: sample the posterior of a study and write it to a file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescpt.cli.fit_summary import show_fit
from bayescpt.cli.options import CardName, Chains, Draws, Figure, Json, Quiet, StudyName, Tune
from bayescpt.cli.output import (
    fixed,
    notes,
    number,
    progress,
    records,
    say,
    show_json,
    show_table,
)
from bayescpt.cli.output_files import WRITTEN, check_outputs, save_figure
from bayescpt.cli.resume import Resume, WorkFolder, keeping, work_beside

if TYPE_CHECKING:
    from bayescpt.inference import Fit


def fit(  # numpydoc ignore=PR01
    study: StudyName,
    card: CardName = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Fit file.")] = Path(
        "fit.nc"
    ),
    draws: Draws = 1000,
    tune: Tune = 500,
    chains: Chains = 4,
    cores: Annotated[
        int | None, typer.Option(help="Chains run in parallel; by default one per processor.")
    ] = None,
    extend: Annotated[
        int,
        typer.Option(
            help="If the chains have not mixed, sample once more with this many times the draws, "
            "thinned; 1 disables this."
        ),
    ] = 8,
    seed: Annotated[int, typer.Option("--random-seed", "--seed", help="Seed of the sampler.")] = 1,
    hold_out: Annotated[
        list[str] | None,
        typer.Option(
            "--hold-out", metavar="RUN", help="Exclude this run from the fit. Repeatable."
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Also show all parameters and all checks.")
    ] = False,
    resume: Resume = False,
    work: WorkFolder = None,
    figure: Figure = None,
    prior_figure: Annotated[
        Path | None,
        typer.Option(
            "--prior-figure",
            metavar="PNG",
            help="Draw posteriors against priors, in the units of the paper, to this file.",
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Fit a study and write the fit to a file.

    Takes about a minute for a small study. The file is written even if a convergence check fails;
    the exit code is then 1, and forecasts from the file need --allow-failed. Finished chains are
    kept in FILE.work until the fit is written: after an interruption --resume goes on from there.
    --figure draws what each term of the law adds along the fitted runs.
    """
    figures = {"--figure": figure, "--prior-figure": prior_figure}
    check_outputs({"--out": out}, figures, [study, card])
    from bayescpt.data.open_study import open_study

    opened = open_study(study)
    if hold_out:
        opened = opened.drop(hold_out)
    # Imported here, so that an invalid study fails before the sampler takes seconds to load.
    from bayescpt.inference import fit as sample

    sampling: dict[str, Any] = {"draws": draws, "tune": tune, "chains": chains, "seed": seed}
    sampling |= {"card": card, "cores": cores, "extend": extend, "progress": not quiet}
    folder = work_beside(work, [out])
    with keeping(folder, resume, "chain", quiet):
        fitted = sample(opened, work=folder, **sampling)
        path = fitted.save(out)
        WRITTEN.append(path)
    progress(f"wrote {path}", quiet)
    drawn = _draw(fitted, figure, prior_figure)
    if as_json:
        show_json({"file": str(path), **content(fitted, fitted.summary())})
    else:
        if full:
            show_parameters(fitted.summary())
            show_checks(fitted)
            show_advice(fitted)
        show_fit(fitted, brief=not full)
        say(f"fit file: {path}")
        for picture in drawn:
            say(f"wrote {picture}")
        notes(fitted.failed_checks, fitted.notes)
        _show_next(fitted, path)
    if fitted.failed:
        raise typer.Exit(1)


def _draw(fitted: Fit, figure: Path | None, prior_figure: Path | None) -> list[Path]:
    """Write the requested figures and return their paths."""
    if figure is None and prior_figure is None:
        return []
    from bayescpt.present import page, plot

    if figure is not None:
        save_figure(page(plot.components, fitted), figure)
    if prior_figure is not None:
        save_figure(page(plot.prior_posterior, fitted), prior_figure)
    return [path for path in (figure, prior_figure) if path is not None]


def _show_next(fitted: Fit, path: Path) -> None:
    """Print the command that asks a fit of continual pre-training about plans."""
    from bayescpt.data.final_losses import is_final

    study = fitted.study
    if fitted.failed or not study.targets or is_final(study):
        return
    limits = [f"{domain}=LOSS" for domain in (study.general, *study.targets) if domain]
    goals = " ".join(f"--goal {shlex.quote(limit)}" for limit in limits)
    say(f"next: bayescpt report {shlex.quote(str(path))} --plans FILE {goals}")


def content(fitted: Fit, summary: Any) -> dict[str, Any]:
    """JSON output of a fit.

    Parameters
    ----------
    fitted : Fit
        The fit.
    summary : pandas.DataFrame
        Output of `Fit.summary`.

    Returns
    -------
    dict
    """
    return {
        "card": fitted.card.name,
        "study": fitted.study.name,
        "study_digest": fitted.study.digest,
        "seed": fitted.seed,
        "failed": fitted.failed,
        "failed_checks": fitted.failed_checks,
        "checks": [check.to_dict() for check in fitted.checks()],
        "advice": [one._asdict() for one in fitted.advice],
        "notes": fitted.notes,
        "parameters": records(summary),
    }


def show_parameters(summary: Any) -> None:
    """Print the table of parameters.

    Parameters
    ----------
    summary : pandas.DataFrame
        Output of `Fit.summary`.
    """
    band = f"{summary.attrs['prob']:.0%}"
    show_table(
        f"parameters (median and {band} interval)",
        ["parameter", "unit", "median", "lower", "upper", "R-hat", "bulk ESS"],
        [
            [
                str(name),
                row["unit"],
                *(number(float(row[column])) for column in ("median", "lower", "upper")),
                fixed(row["r_hat"]),
                fixed(row["ess_bulk"], 0),
            ]
            for name, row in summary.iterrows()
        ],
    )


def show_checks(fitted: Fit) -> None:
    """Print the table of checks.

    Parameters
    ----------
    fitted : Fit
        The fit.
    """
    show_table(
        "checks",
        ["check", "status", "value", "limit", "advice"],
        [[c.name, c.status, number(c.value), number(c.limit), c.advice] for c in fitted.checks()],
    )


def show_advice(fitted: Fit) -> None:
    """Print the runs to add as entries of a plans file.

    Parameters
    ----------
    fitted : Fit
        The fit.
    """
    plans = [one.plan for one in fitted.advice if one.plan]
    if plans:
        say("runs that would tell what the priors decide, to paste into a plans file:\n")
        say("\n\n".join(plans) + "\n")
