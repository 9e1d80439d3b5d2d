"""Results as a table, Markdown or JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.machine import in_words
from tests.benchmarks.timing import Result

COLUMNS = ("benchmark", "case", "median", "against", "its median", "ratio", "target")
MARKS = {True: "met", False: "MISSED", None: ""}
UNITS = {"s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))}


def amount(value: float, unit: str) -> str:
    """A number of three digits with its unit."""
    for size, name in UNITS.get(unit, ()):
        if value >= size:
            return f"{value / size:.3g} {name}"
    return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"


def cells(name: str, result: Result) -> tuple[str, ...]:
    """One row of the table."""
    made = result.to_dict()
    middle = made["baseline_median"]
    target = f"{result.target} {MARKS[result.met]}".strip()
    return (
        name,
        result.case,
        amount(result.median, result.unit) if result.values else "-",
        result.against,
        "" if middle is None else amount(middle, result.unit),
        "" if result.ratio is None else f"{result.ratio:.3g}",
        target,
    )


def notes(results: dict[str, list[Result]]) -> list[str]:
    """What is said below the table, once each."""
    said = [f"{name}: {r.note}" for name, found in results.items() for r in found if r.note]
    return list(dict.fromkeys(said))


def show(about: dict[str, Any], results: dict[str, list[Result]], markdown: bool) -> None:
    """Print the table."""
    rows = [cells(name, result) for name, found in results.items() for result in found]
    if markdown:
        print(f"On {in_words(about)}.\n")
        for row in (COLUMNS, ("---",) * len(COLUMNS), *rows):
            print("| " + " | ".join(row) + " |")
    else:
        table = Table(*COLUMNS, caption=in_words(about))
        for row in rows:
            table.add_row(*row)
        # As wide as it needs: a file or a pipe has no width.
        Console(width=None if Console().is_terminal else 160).print(table)
    print()
    for note in notes(results):
        print(f"- {note}")


def save(path: Path, about: dict[str, Any], results: dict[str, list[Result]]) -> None:
    """Write all repeats as JSON."""
    made = {name: [result.to_dict() for result in found] for name, found in results.items()}
    path.write_text(json.dumps({"machine": about, "results": made}, indent=1) + "\n")
