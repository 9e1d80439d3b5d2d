"""Reading large logs, against the time that json or csv alone takes to parse them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bayescpt.data import schedules
from tests.benchmarks.timing import Options, Result, ratio

MEGABYTES = 200
MOST = 1000  # MB of memory
# A process of its own for each, so that its peak of memory is known.
_ALONE = {
    "trainer_state.json": "import json; json.load(open(PATH))",
    "log.jsonl": "import json\nfor line in open(PATH): json.loads(line)",
    "log.csv": "import csv\nfor row in csv.reader(open(PATH)): pass",
}
_OURS = "assemble(PATH)"
_MEASURE = """
import resource, sys, time
from bayescpt.data.readers.assemble import assemble
from bayescpt.data.readers.registry import registered_readers
registered_readers()
PATH = sys.argv[1]
begun = time.perf_counter()
exec(sys.argv[2])
print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def run(options: Options) -> Iterator[Result]:
    """Time of reading each kind of log into tables, and memory at its peak."""
    size = 5 if options.quick else MEGABYTES
    with tempfile.TemporaryDirectory() as folder:
        for name, alone in _ALONE.items():
            path = Path(folder, name)
            _write(path, size)
            pairs = [
                (_measured(path, _OURS), _measured(path, alone))
                for _ in range(options.slow_repeats)
            ]
            ours, baseline = [p[0][0] for p in pairs], [p[1][0] for p in pairs]
            memory = max(p[0][1] for p in pairs)
            yield Result(
                f"{path.stat().st_size / 1e6:.0f} MB {name}",
                ours,
                against="parsing alone",
                baseline=baseline,
                ratio=ratio(ours, baseline),
                target="<= 3",
                note=f"{memory:.0f} MB of memory",
            )
            if memory > MOST:
                raise MemoryError(f"{name}: {memory:.0f} MB of memory, more than {MOST}")
            path.unlink()


def _measured(path: Path, code: str) -> tuple[float, float]:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _MEASURE, str(path), code],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, megabytes = done.stdout.split()
    return float(seconds), float(megabytes)


def _write(path: Path, megabytes: int) -> None:
    """A log of a long run that logs every update, and evaluates two sets every 50."""
    bytes_a_row = {".json": 140, ".jsonl": 140, ".csv": 75}[path.suffix]
    steps = int(megabytes * 1e6 / bytes_a_row)
    truth = schedules.cosine(3e-4, steps + 1, 2000, num_decay_steps=steps - 2000)
    loss = 2.0 + np.random.default_rng(0).normal(0, 0.01, steps)
    with path.open("w") as file:
        if path.suffix == ".csv":
            file.write("step,loss,learning_rate,grad_norm,eval_general_loss,eval_code_loss\n")
            for k in range(steps):
                evaluated = f"{loss[k] + 1},{loss[k]}" if k % 50 == 49 else ","
                file.write(f"{k + 1},{loss[k]},{truth.lr[k]},{loss[k] / 3},{evaluated}\n")
            return
        if path.suffix == ".json":
            file.write(f'{{"global_step": {steps}, "max_steps": {steps}, "log_history": [\n')
        for k in range(steps):
            row = {"step": k + 1, "epoch": k / steps, "loss": loss[k], "grad_norm": loss[k] / 3}
            row |= {"learning_rate": float(truth.lr[k])}
            if k % 50 == 49:
                row |= {"eval_general_loss": loss[k] + 1, "eval_code_loss": loss[k]}
            if path.suffix == ".json" and k:
                file.write(",\n")
            file.write(json.dumps(row) + "\n" * (path.suffix == ".jsonl"))
        if path.suffix == ".json":
            file.write("]}\n")
