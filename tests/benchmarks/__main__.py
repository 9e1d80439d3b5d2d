"""Run benchmarks by name; all without a name."""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module
from pathlib import Path

from tests.benchmarks.machine import machine
from tests.benchmarks.problem import CARDS
from tests.benchmarks.report import cells, save, show
from tests.benchmarks.timing import Options, Result

# Quick ones first. `ess` and `scale` take longest.
NAMES = (
    "gradient", "growth", "forecast", "logs", "explore", "refit", "start", "memory", "large",
    "scale", "ess",
)  # fmt: skip
# Which dependency group brings what a benchmark may miss.
GROUP = "bench"


def main(arguments: list[str] | None = None) -> int:
    """Run, print, write; 1 if a benchmark broke down."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every repeat there")
    parser.add_argument("--repeats", type=int, default=5, help="of each measurement (5)")
    parser.add_argument(
        "--slow-repeats", type=int, help="of what takes minutes (as many as --repeats)"
    )
    parser.add_argument(
        "--card", action="append", choices=CARDS, help="only this card, where each is measured"
    )
    parser.add_argument("--quick", action="store_true", help="small problems, one repeat")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    repeats = 1 if asked.quick else asked.repeats
    slow = min(repeats, asked.slow_repeats or repeats)
    options = Options(repeats, slow, asked.quick, tuple(asked.card or ()))
    about = machine() | {"repeats": repeats, "slow_repeats": slow, "quick": asked.quick}
    results: dict[str, list[Result]] = {}
    failed = False
    for name in asked.names or NAMES:
        begun = time.perf_counter()
        print(f"{name} ...", file=sys.stderr, flush=True)
        results[name] = []
        try:
            # As it comes, so that what was measured before a failure is kept.
            for result in import_module(f"tests.benchmarks.{name}").run(options):
                results[name].append(result)
                print("  " + " | ".join(filter(None, cells(name, result)[1:])), file=sys.stderr)
        except ModuleNotFoundError as error:
            note = (
                f"{error.name} is not installed: uv run --group {GROUP} python -m tests.benchmarks"
            )
            results[name].append(Result("left out", [], note=note))
        except Exception as error:  # the other benchmarks go on
            failed = True
            note = f"broke down: {type(error).__name__}: {error}"
            results[name].append(Result("left out", [], note=note))
        print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
        if asked.json:
            save(asked.json, about, results)
    show(about, results, asked.markdown)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
