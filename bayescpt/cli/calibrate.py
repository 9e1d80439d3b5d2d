"""``bayescpt calibrate``: simulate from a card's priors, fit, and rank the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescpt.cli.options import Chains, Draws, Json, Quiet, Tune
from bayescpt.cli.output import fixed, progress, say, show_json, show_table
from bayescpt.cli.workers import Workers, process_pool

if TYPE_CHECKING:
    from bayescpt.evaluate import Calibration

# Simulations between two lines of progress.
EVERY = 10


def calibrate(  # numpydoc ignore=PR01
    card: Annotated[str, typer.Argument(metavar="CARD", help="Card by name or TOML file.")],
    simulations: Annotated[int, typer.Option(help="Simulated studies.", min=1)] = 300,
    draws: Draws = 500,
    tune: Tune = 600,
    chains: Chains = 2,
    seed: Annotated[int, typer.Option(help="Seed of all simulations.")] = 1,
    run_effects: Annotated[
        bool,
        typer.Option("--run-effects", help="Simulate and judge the card's effects of runs too."),
    ] = False,
    workers: Workers = 1,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Check that a card's posteriors are as wide as they should be, by simulation.

    Draws parameters from the priors, simulates a small study, fits it, and ranks the true
    parameters and the final losses of a run that was not fitted among the draws: ranks of a sound
    posterior are uniform. The control is a posterior of half the width, which must be detected.
    By default effects of runs, which widen the bands of real runs, are left out; with --run-effects
    they are simulated and judged too, by the final losses of the run that was not fitted. Exit code
    1 if a quantity is not uniform, or the control passes.
    """
    from bayescpt.evaluate import calibrate as simulate

    options: dict[str, Any] = {"draws": draws, "tune": tune, "chains": chains}
    if workers > 1:
        options["cores"] = 1

    def _said(number: int) -> None:
        if (number + 1) % EVERY == 0:
            progress(f"{number + 1} of {simulations} simulations", quiet)

    with process_pool(workers) as executor:
        made = simulate(
            card,
            n_simulations=simulations,
            seed=seed,
            executor=executor,
            on_simulation=_said,
            run_effects=run_effects,
            **options,
        )
    table = made.table()
    uniform, rejected = made.uniform(), made.control_rejected()
    short = int((made.fits["effective_draws"] < made.n_ranks).sum())
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
        _show(made, card, simulations)
    if not (uniform and rejected):
        raise typer.Exit(1)


def _show(made: Calibration, card: str, simulations: int) -> None:
    table = made.table()
    short = int((made.fits["effective_draws"] < made.n_ranks).sum())
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
        f"{made.n_ranks} that the truth is ranked among; those count too"
    )
    verdict = "all uniform" if made.uniform() else "NOT UNIFORM"
    say(
        f"{len(table)} quantities: {verdict}; posteriors of half the width "
        f"{'are' if made.control_rejected() else 'are NOT'} detected"
    )
