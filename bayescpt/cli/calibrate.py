"""``bayescpt calibrate``: simulation-based calibration of a card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescpt.cli.options import Chains, Draws, Figure, Json, Quiet, Tune
from bayescpt.cli.output import fixed, progress, say, show_json, show_table
from bayescpt.cli.output_files import check_outputs, save_figure
from bayescpt.cli.resume import Resume, WorkFolder, keeping
from bayescpt.cli.workers import Workers, process_pool

if TYPE_CHECKING:
    from bayescpt.evaluate import Calibration

# Number of simulations between progress messages.
EVERY = 10


def calibrate(  # numpydoc ignore=PR01
    card: Annotated[str, typer.Argument(metavar="CARD", help="Card name or TOML file.")],
    simulations: Annotated[int, typer.Option(help="Number of simulated studies.", min=1)] = 300,
    draws: Draws = 500,
    tune: Tune = 600,
    chains: Chains = 2,
    seed: Annotated[
        int, typer.Option("--random-seed", "--seed", help="Seed of all simulations.")
    ] = 1,
    run_effects: Annotated[
        bool,
        typer.Option(
            "--run-effects", help="Also simulate and estimate the card's effects of runs."
        ),
    ] = False,
    workers: Workers = 1,
    resume: Resume = False,
    work: WorkFolder = None,
    figure: Figure = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Check the calibration of a card's posteriors by simulation.

    Draws parameters from the priors, simulates a small study, fits it, and ranks the true
    parameters and the final losses of a held-out run among the draws: the ranks of a calibrated
    posterior are uniform. The control is a posterior of half the width, which must be rejected.
    Effects of runs, which widen the bands of real runs, are excluded by default; with --run-effects
    they are simulated and estimated too, and tested on the final losses of the held-out run. With
    --work, finished simulations are kept until the end: after an interruption --resume goes on.
    --figure draws the ranks. Exit code 1 if a quantity is not uniform, or the control is not
    rejected.
    """
    check_outputs({}, {"--figure": figure}, [card])
    from bayescpt.evaluate import calibrate as simulate

    options: dict[str, Any] = {"draws": draws, "tune": tune, "chains": chains, "seed": seed}
    if workers > 1:
        options["cores"] = 1

    def _report(number: int) -> None:
        if (number + 1) % EVERY == 0:
            progress(f"{number + 1} of {simulations} simulations", quiet)

    with keeping(work, resume, "simulation", quiet):
        with process_pool(workers) as executor:
            calibration = simulate(
                card,
                n_simulations=simulations,
                executor=executor,
                on_simulation=_report,
                run_effects=run_effects,
                work=work,
                **options,
            )
        if figure is not None:
            from bayescpt.present import page, plot

            save_figure(page(plot.ranks, calibration), figure)
        table = calibration.table()
        uniform, rejected = calibration.uniform(), calibration.control_rejected()
        short = int((calibration.fits["effective_draws"] < calibration.n_ranks).sum())
        if as_json:
            show_json(
                {
                    "card": card,
                    "simulations": simulations,
                    "seed": seed,
                    "uniform": uniform,
                    "control_rejected": rejected,
                    "short_of_draws": short,
                    "quantities": table.reset_index().to_dict("records"),
                }
            )
        else:
            _show(calibration, card, simulations)
            if figure is not None:
                say(f"wrote {figure}")
    if not (uniform and rejected):
        raise typer.Exit(1)


def _show(calibration: Calibration, card: str, simulations: int) -> None:
    table = calibration.table()
    short = int((calibration.fits["effective_draws"] < calibration.n_ranks).sum())
    show_table(
        f"ranks of the truth, card {card}, {simulations} simulations",
        ["quantity", "mean rank", "p (chi2)", "p (band)", "p, adjusted", "p of the control"],
        [
            [
                str(name),
                *(fixed(row[key]) for key in ("mean_rank", "p_chi2", "p_band", "p_adjusted")),
                fixed(row["control_p_band"], 5),
            ]
            for name, row in table.iterrows()
        ],
    )
    say(
        f"{short} of {simulations} fits have a parameter with fewer effective draws than the "
        f"{calibration.n_ranks} used for ranking; these fits are included"
    )
    verdict = "all uniform" if calibration.uniform() else "NOT UNIFORM"
    say(
        f"{len(table)} quantities: {verdict}; posteriors of half the width "
        f"{'are' if calibration.control_rejected() else 'are NOT'} rejected"
    )
