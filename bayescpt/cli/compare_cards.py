"""``bayescpt cards --compare STUDY``: score cards on held-out runs, and stack them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bayescpt.cli.output import progress, records, say, show_json, show_table
from bayescpt.cli.output_files import WRITTEN, check_outputs
from bayescpt.cli.resume import keeping, work_beside
from bayescpt.cli.workers import process_pool
from bayescpt.errors import PlanError
from bayescpt.text import printable

if TYPE_CHECKING:
    from bayescpt.evaluate import CardComparison


@dataclass(frozen=True)
class Compared:
    """Arguments of the comparison.

    Attributes
    ----------
    study : str
        Study folder, or name of an example study.
    cards, runs : list of str or None
        Cards to compare and runs to hold out.
    after : float
        Initial fraction of a run that is not scored.
    out : Path or None
        File of the ensemble.
    seed, workers : int
        Seed of all fits; number of processes.
    resume : bool
        Whether to go on from what is kept.
    work : Path or None
        Where finished refits are kept.
    quiet, as_json : bool
        What is printed.
    """

    study: str
    cards: list[str] | None
    runs: list[str] | None
    after: float
    out: Path | None
    seed: int
    workers: int
    resume: bool
    work: Path | None
    quiet: bool
    as_json: bool


def only_with_compare(given: Mapping[str, object]) -> None:
    """Refuse options of the comparison without it.

    Parameters
    ----------
    given : mapping of str to object
        Values by option; None where it was not given.

    Raises
    ------
    PlanError
        If one was given.
    """
    found = [option for option, value in given.items() if value is not None]
    if found:
        raise PlanError(f"{', '.join(found)}: only with --compare STUDY")


def compare(asked: Compared, sampling: Mapping[str, Any]) -> None:
    """Compare cards and print the result.

    Parameters
    ----------
    asked : Compared
        What is compared.
    sampling : mapping of str to Any
        Options of the fits.

    Raises
    ------
    Exit
        With code 1 if a fit failed its checks.
    """
    check_outputs({"--out": asked.out}, {}, [asked.study, *(asked.cards or ())])
    from bayescpt.data.open_study import open_study

    opened = open_study(asked.study)

    from bayescpt.evaluate import compare_cards

    options = {**sampling, **({"cores": 1} if asked.workers > 1 else {})}
    folder = work_beside(asked.work, [asked.out])
    with keeping(folder, asked.resume, "refit", asked.quiet):
        progress("refitting each card without each run ...", asked.quiet)
        with process_pool(asked.workers) as executor:
            found = compare_cards(
                opened, asked.cards or None, executor, runs=asked.runs, after=asked.after,
                ensemble=asked.out is not None, random_seed=asked.seed, work=folder,
                on_split=lambda split: progress(f"{split} done", asked.quiet), **options,
            )  # fmt: skip
        if found.ensemble is not None and asked.out is not None:
            WRITTEN.append(found.ensemble.save(asked.out))
        show_json(_content(found, asked)) if asked.as_json else _show(found, asked)
    failed = found.ensemble.failed_checks if found.ensemble is not None else []
    if failed or (found.table["failed"] > 0).any():
        raise typer.Exit(1)


def _content(found: CardComparison, asked: Compared) -> dict[str, Any]:
    ensemble = found.ensemble
    return {
        "study": found.study_name,
        "after": asked.after,
        "seed": asked.seed,
        "cards": records(found.table),
        "stacked": found.stacked.to_dict(),
        "by_run": records(found.by_run.rename_axis("run")),
        "sentences": found.sentences,
        "failed_checks": [] if ensemble is None else ensemble.failed_checks,
        "file": None if ensemble is None else str(asked.out),
    }


def _show(found: CardComparison, asked: Compared) -> None:
    """Print the table, the sentences, and what failed."""
    table = found.table
    rows = [
        [
            str(label),
            _with_error(row, "log_score", 2),
            _with_error(row, "behind", 2),
            _with_error(row, "crps", 4),
            f"{row['coverage_90']:.0%}",
            _with_error(row, "weight", 2),
        ]
        for label, row in table.iterrows()
    ]
    show_table(
        f"{printable(found.study_name)}: {int(table['runs'].iloc[0])} runs, each forecast without "
        f"itself after the first {asked.after:.0%} (± standard error over runs; CRPS in nats)",
        ["card", "log score", "behind", "CRPS", "in 90%", "weight"],
        rows,
    )
    for sentence in found.sentences:
        say(sentence)
    if asked.out is not None:
        say(f"fit file of the ensemble: {asked.out}")
    for label, row in table.iterrows():
        if row["failed"]:
            say(
                f"FAILED CHECKS: {printable(str(label))}: {int(row['failed'])} of "
                f"{int(row['runs'])} refits failed their checks"
            )
    if found.ensemble is not None and found.ensemble.failed:
        say(
            f"FAILED CHECKS: the ensemble failed {', '.join(found.ensemble.failed_checks)}; its "
            "forecasts need --allow-failed"
        )


def _with_error(row: Any, name: str, digits: int) -> str:
    """A score with its standard error, where there are runs enough for one."""
    value, error = float(row[name]), float(row[f"{name}_se"])
    return f"{value:.{digits}f}" + ("" if error != error else f" ± {error:.{digits}f}")
