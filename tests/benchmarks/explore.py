"""Time of a move of the explorer: everything from its settings to the HTML of the page.

The fit is that of ``bayescpt demo``, which is sampled first. A move changes one setting, as a
slider does, so nothing is kept from the move before but what belongs to the fit. The browser's own
part, a few hundredths of a second, is not in it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import bayescpt as bc
from bayescpt.cli.demo import HELD_OUT
from bayescpt.present.explorer import widgets
from bayescpt.present.explorer.view import Session
from tests.benchmarks.timing import Options, Result

GOALS = {"general": "3.45", "german": "3.01"}
# Of each setting, spread over its slider.
MOVES = 12
# Seconds; slower, and a slider no longer feels as if it moved the band.
LIVE = 0.3


def run(options: Options) -> Iterator[Result]:
    """Moves of each slider."""
    study = bc.load_example("cpt_micro").drop([HELD_OUT])
    draws = 200 if options.quick else 1000
    fit = bc.fit(study, seed=1, draws=draws, tune=draws, extend=1, progress=False)
    session = Session(fit, goals=GOALS, allow_failed=True)
    offered, state = session.controls, session.read({})
    widgets.shown(session, state)
    for name, values in (
        ("lr", offered.peaks),
        ("steps", offered.lengths),
        ("replay", offered.ratios),
    ):
        moves = [replace(state, **{name: value}) for value in values[:: len(values) // MOVES]]
        found = []
        for moved in moves:
            begun = time.perf_counter()
            widgets.shown(session, moved)
            found.append(time.perf_counter() - begun)
        yield Result(
            f"{name}, {len(moves)} moves, {draws * 4:,} draws",
            found,
            against="live; ratio of the slowest move",
            baseline=[LIVE],
            ratio=max(found) / LIVE,
            target="<= 1",
        )
