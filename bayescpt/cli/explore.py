"""``bayescpt explore``: recipes tried out in the browser."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from bayescpt.cli.inputs import open_goal
from bayescpt.cli.options import (
    AllowFailed,
    Currency,
    FitFile,
    GoalFile,
    GoalTexts,
    Price,
    Seed,
    Throughput,
    TokensPerStep,
)
from bayescpt.cli.output import say
from bayescpt.interruption import Interrupted


def explore(  # numpydoc ignore=PR01
    fit: FitFile,
    goals: GoalTexts = None,
    goal_file: GoalFile = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, metavar="PORT", help="Port; by default a free one."),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
    throughput: Throughput = None,
    price: Price = None,
    currency: Currency = "USD",
    tokens_per_step: TokensPerStep = None,
    seed: Seed = 0,
    allow_failed: AllowFailed = False,
) -> None:
    """Try recipes in the browser: sliders, bands, probability of a goal, costs.

    The page is served on this computer only, needs no network and lasts until Ctrl-C. Its address
    holds all settings, so that a link shows the same again. Needs marimo: pip install
    "bayescpt[interactive]".
    """
    from bayescpt.decide.costs import Rates
    from bayescpt.inference import load_fit
    from bayescpt.present.explorer.serve import bind, make_page, serve
    from bayescpt.present.explorer.view import Session

    page = make_page()  # says what is not installed, before all else
    wanted = open_goal(goals, goal_file)
    texts = {} if wanted is None else {d: str(limit) for d, limit in wanted.thresholds.items()}
    rates = Rates(tokens_per_step, throughput, price, currency)
    session = Session(load_fit(fit), rates, texts, seed, allow_failed)

    def _ready(address: str) -> None:
        say(f"exploring {fit} at {address} (Ctrl-C ends it)")
        if browser:
            import webbrowser

            webbrowser.open(address)

    with bind(port) as place:
        try:
            serve(page, session, place, _ready)
        except (Interrupted, KeyboardInterrupt):
            pass  # how it ends
    say("stopped")
    # Threads of pages that were open can keep the process waiting, with nothing left to do.
    sys.stdout.flush()
    os._exit(0)
