"""The command line: ``bayescpt demo | import | check | fit | forecast | goal | backtest | ...``.

Tables go to standard output, as JSON with ``--json``; progress and errors go to standard error.

Exit codes: 0, success; 1, a check failed (a convergence check, a calibration, or no plan reaches
``--min-probability``); 2, invalid input, or output that cannot be written (one line states the
reason); 130, interrupted (one line states what is kept).
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

import typer

from bayescpt.cli import (
    backtest,
    calibrate,
    cards,
    check,
    compare,
    demo,
    explore,
    findings,
    fit,
    forecast,
    goal,
    import_logs,
    notebook,
    optimise,
    report,
)
from bayescpt.cli.options import PLAN_FORM
from bayescpt.cli.output_files import WRITTEN
from bayescpt.errors import BayescptError, ConvergenceError, MissingExtraError, WriteError
from bayescpt.interruption import Interrupted, interruptible
from bayescpt.text import one_line

# Command modules import pandas, xarray and the rest of the package only when they run, so that
# --help is fast.

app = typer.Typer(
    name="bayescpt",
    help="Bayesian scaling laws for continual pre-training: fit pilot runs, forecast recipes "
    "that have not been run, and compute the probability that they meet their loss goals.",
    epilog="Exit codes: 0 success; 1 a check failed (a convergence check, or no plan reaches "
    "--min-probability); 2 invalid input; 130 interrupted.",
    no_args_is_help=True,
    # Markup would take the brackets of TOML in help texts for styles, and leave them out.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# A summary in the list of commands has one line of a screen of 80 columns.
app.command("demo", short_help="Try it: a real study, a held-out run, two new recipes.")(demo.demo)
app.command("import", short_help="Turn training logs into a study.")(import_logs.import_logs)
app.command("check", short_help="Validate a study and summarise it.")(check.check)
app.command("fit", short_help="Fit a study and write the fit to a file.")(fit.fit)
app.command(
    "forecast", short_help="Forecast the loss curves of plans, with bands.", epilog=PLAN_FORM
)(forecast.forecast)
app.command("goal", short_help="Probability that plans meet their loss goals.", epilog=PLAN_FORM)(
    goal.goal
)
app.command(
    "compare", short_help="Compare plans on the same draws and choose one.", epilog=PLAN_FORM
)(compare.compare)
app.command("optimise", short_help="Search a space of recipes for the best one.")(optimise.optimise)
app.command("findings", short_help="The paper's findings and derived quantities of a fit.")(
    findings.findings
)
app.command("report", short_help="Write a report on plans: one HTML file.", epilog=PLAN_FORM)(
    report.report
)
app.command("explore", short_help="Try recipes in the browser, with live bands.")(explore.explore)
app.command("notebook", short_help="Write a case study of your data: a notebook.")(
    notebook.notebook
)
app.command("backtest", short_help="Hold out runs, refit, and score the forecasts.")(
    backtest.backtest
)
app.command("calibrate", short_help="Check a card's posteriors by simulation.")(calibrate.calibrate)
app.command("cards", short_help="List, show or compare the model cards.")(cards.cards)


def _version(requested: bool) -> None:
    if requested:
        import bayescpt

        sys.stdout.write(f"bayescpt {bayescpt.__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None: ...


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit the process.

    Parameters
    ----------
    arguments : sequence of str, optional
        Arguments after ``bayescpt``; by default those of the process.

    Raises
    ------
    SystemExit
        With the exit code.
    """
    # Starting OpenBLAS's threads takes up to a second, longer than all of our small products.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    WRITTEN.clear()
    with interruptible():
        try:
            _run(arguments)
        except Interrupted as stop:
            for path in WRITTEN:
                stop.add_note(f"{path} is written")
            raise
        except (BayescptError, MissingExtraError, OSError) as error:
            text = one_line("; ".join([str(error), *getattr(error, "__notes__", [])]))
            sys.stderr.write(f"bayescpt: error: {text}\n")
            raise SystemExit(1 if isinstance(error, ConvergenceError) else 2) from None


def _run(arguments: Sequence[str] | None) -> None:
    """Run the command and make sure that what it printed has arrived."""
    try:
        app(None if arguments is None else list(arguments))
    finally:
        try:
            sys.stdout.flush()
        except OSError as error:
            # Python would try again when it ends, and exit with 120.
            sys.stdout = open(os.devnull, "w")
            if error.errno != errno.EPIPE:
                raise WriteError(f"cannot write to standard output: {error.strerror}") from None
