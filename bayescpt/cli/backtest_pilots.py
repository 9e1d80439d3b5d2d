"""Random pilots in ``bayescpt backtest``: what is asked for, and the table by extrapolation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescpt.cli.backtest_tables import share
from bayescpt.cli.output import fixed, say, show_table
from bayescpt.errors import PlanError

if TYPE_CHECKING:
    import pandas as pd

# Groups of scores that only random pilots have.
PILOT_GROUPS = ("target", "repeat")

Pilots = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Fit N random pilots from one start checkpoint, with at least two replay ratios where "
        "there are, and score all other runs of their target; see --repeats.",
    ),
]
Repeats = Annotated[
    int | None,
    typer.Option(
        metavar="K", help="Number of draws of pilots, each a refit (default: 8). Not --draws."
    ),
]
PilotsFrom = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN=VALUE",
        help="Draw pilots only among runs with this in runs.csv, such as split=fit. Repeatable: "
        "several values of a column, or several columns.",
    ),
]
Judge = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN=VALUE",
        help="Score only runs with this in runs.csv, such as split=test, with --pilots. "
        "Repeatable.",
    ),
]


def pilot_splits(
    by: str,
    pilots: int | None,
    repeats: int | None,
    pilots_from: Sequence[str] | None,
    judge: Sequence[str] | None,
) -> dict[str, Any]:
    """Arguments of `bayescpt.backtest` about random pilots.

    Parameters
    ----------
    by : str
        Argument of ``--by``.
    pilots, repeats : int or None
        Arguments of ``--pilots`` and ``--repeats``.
    pilots_from, judge : sequence of str, optional
        Arguments of ``--pilots-from`` and ``--judge``.

    Returns
    -------
    dict
        Empty if no pilots are to be drawn.

    Raises
    ------
    PlanError
        If options of pilots are given without pilots, or pilots with another way to hold out.
    """
    if pilots is None and by != "pilots":
        given = {"--repeats": repeats, "--pilots-from": pilots_from, "--judge": judge}
        for option, value in given.items():
            if value:
                raise PlanError(f"{option} is about random pilots: say how many with --pilots N")
        return {}
    if by not in ("run", "pilots"):
        raise PlanError(f"--pilots holds out all other runs: it does not go with --by {by}")
    # Never left out: without repeats, draws would be the number of draws of pilots.
    from bayescpt.evaluate.pilot_splits import PILOTS, REPEATS

    return {
        "by": "pilots",
        "pilots": PILOTS if pilots is None else pilots,
        "repeats": REPEATS if repeats is None else repeats,
        "pilots_from": _values("--pilots-from", pilots_from),
        "judge": _values("--judge", judge),
    }


def _values(option: str, given: Sequence[str] | None) -> dict[str, list[str]] | None:
    """Values by column from ``column=value``."""
    values: dict[str, list[str]] = {}
    for text in given or ():
        column, equals, value = text.partition("=")
        if not column or not equals or not value:
            raise PlanError(f"{option} {text}: must be COLUMN=VALUE, such as split=fit")
        values.setdefault(column, []).append(value)
    return values or None


def show_extrapolation(scores: pd.DataFrame, after: float) -> None:
    """Print scores by what the forecasts extrapolate.

    Parameters
    ----------
    scores : pandas.DataFrame
        Output of `scores_by_extrapolation`: the columns before ``runs`` and ``forecasts`` name a
        group.
    after : float
        Initial fraction of a run that was excluded.
    """
    heads = {"extrapolated": "outside the range"}
    keys = [str(name) for name in scores][: list(scores).index("forecasts")]
    show_table(
        "by what lies outside the range of the pilots, after the first "
        f"{after:.0%} of a run (nats; ± standard error by run)",
        [
            *(heads.get(key, key) for key in keys),
            *("runs", "forecasts", "in 90%", "finals in 90%", "CRPS", "90% width", "bias"),
        ],
        [
            [
                *(str(row[key]) for key in keys),
                *(int(row["runs"]), int(row["forecasts"])),
                share(row["coverage_90"], row["coverage_90_se"]),
                share(row["finals_inside"], row["finals_inside_se"]),
                *(fixed(row[name], 4) for name in ("crps", "width_90", "bias")),
            ]
            for row in scores.to_dict("records")
        ],
        keys=len(keys),
    )
    say("A run that leaves the range in several ways counts under each. Bias: median less outcome.")


def show_draws(fits: pd.DataFrame, own: str) -> None:
    """Print the pilots of each draw, and how many fits failed.

    Parameters
    ----------
    fits : pandas.DataFrame
        `Backtest.fits` with the column method.
    own : str
        Name of our own method.
    """
    ours = fits[fits["method"] == own]
    show_table(
        "draws of pilots",
        ["draw", "target", "runs scored", "pilots"],
        [
            [
                row["split"].removeprefix("draw "),
                row["target"],
                len(row["run"].split(", ")),
                row["pilots"],
            ]
            for row in ours.to_dict("records")
        ],
    )
    for method, part in fits.groupby("method", observed=True, sort=False):
        failed = int((part["failed_checks"] != "").sum())
        lost = int((part["rows"] == 0).sum())
        if failed:
            more = f", {lost} of them without any forecast" if lost else ""
            say(
                f"{method}: {failed} of {len(part)} draws have a fit that failed its checks{more}; "
                "what they forecast is scored like the rest"
            )
