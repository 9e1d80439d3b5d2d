"""Damaged files of every format: each is refused in one line, or read as it was.

    python -m tests.faults mutations [--only FORMAT ...] [--count N] [--case N] [--json FILE]

Every case is one of a numbered list, so that one that failed can be run again: ``--case N``.
"""

from __future__ import annotations

import argparse
import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FORMATS = (
    "csv", "parquet", "final_csv", "toml", "cards", "plans", "fit", "final", "cache", "logs",
)  # fmt: skip
# Seconds for a case, and for the start of a process, which may compile a sampler.
CASE, START = 150.0, 900.0
# Outcomes that must not be.
FAULTS = ("foreign", "bad line", "crashed", "hung", "silent")


class Worker:
    """A process that damages files of some formats and reads them; started again if it ends."""

    def __init__(self, names: Sequence[str], folder: Path) -> None:
        self._command = [sys.executable, "-X", "faulthandler", "-m", "tests.faults.worker"]
        self._command += [str(folder), *names]
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 -- this interpreter
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        self._said: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._hear, daemon=True).start()
        first = self._next(START)
        if "sound" not in first:
            raise RuntimeError(f"the sound files are not read: {first} {self._said}")
        self._sound = first["sound"]

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line)
        self._lines.put("")

    def _hear(self) -> None:
        for line in self._process.stderr or ():
            self._said[:] = [*self._said[-20:], line]

    def _next(self, seconds: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            return {"outcome": "hung", "text": f"no answer in {seconds:g} s"}
        if line:
            return dict(json.loads(line))
        code = self._process.wait()
        return {"outcome": "crashed", "text": f"exit {code}: {''.join(self._said)[:500]}"}

    def run(self, name: str, number: int) -> dict[str, Any]:
        """Result of a case of a format."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name} {number}\n")
        self._process.stdin.flush()
        begun = time.perf_counter()
        found = {"format": name, "case": number} | self._next(CASE)
        found["seconds"] = time.perf_counter() - begun
        if found["outcome"] == "read":
            same = found["text"] == self._sound[name]
            found["outcome"] = "the same" if same else "another"
            if found["outcome"] == "another" and found["digest"]:
                found["outcome"] = "silent"
        if found["outcome"] in ("crashed", "hung"):
            self.stop()
            self._start()
        return found

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def main(arguments: list[str] | None = None) -> int:
    """Run cases, print a table and the faults; 1 if there is one."""
    parser = argparse.ArgumentParser("python -m tests.faults mutations", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--count", type=int, default=2000, help="cases of each format (2000)")
    parser.add_argument("--case", type=int, action="append", help="only this case")
    parser.add_argument("--json", type=Path, help="write every result there")
    asked = parser.parse_args(arguments)
    results: list[dict[str, Any]] = []
    columns = ("refused", "the same", "another", *FAULTS)
    print("format     cases  " + "  ".join(columns) + "  slowest")
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        worker = Worker(asked.only, Path(folder))
        try:
            for name in asked.only:
                found = [worker.run(name, number) for number in asked.case or range(asked.count)]
                _show(name, found, columns)
                results += found
        finally:
            worker.stop()
    if asked.json is not None:
        asked.json.write_text(json.dumps(results, indent=1))
    return int(any(one["outcome"] in FAULTS for one in results))


def _show(name: str, found: list[dict[str, Any]], columns: Sequence[str]) -> None:
    """Print the line of a format, and its faults."""
    count = Counter(one["outcome"] for one in found)
    cells = [f"{count[column]:>{len(column)}}" for column in columns]
    slowest = max(one["seconds"] for one in found)
    print(f"{name:9}{len(found):>7}  " + "  ".join(cells) + f"  {slowest:5.1f} s", flush=True)
    for one in [one for one in found if one["outcome"] in FAULTS][:50]:
        print(
            f"    case {one['case']} {one['outcome']}: {one.get('file')} "
            f"({one.get('kind')}): {one['text'][:300]!r}",
            flush=True,
        )
