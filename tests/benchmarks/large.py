"""A fit of 64 runs, by the losses of each curve: processor time and the most memory.

Each size is a process of its own, so that its memory is its own. Losses beyond some 300 a curve
are thinned evenly (`bayescpt.model.thinning`), so from there on time may grow by reading only.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import bayescpt as bc
from bayescpt.evaluate import simulate_study
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows
from tests.benchmarks.problem import DEFAULT, SEED, study
from tests.benchmarks.timing import Options, Result, exponent

SCHEDULES = ("constant", "wsd", "cosine", "linear")
STEPS = 10_000
QUICK = {"tune": 20, "draws": 20}
USUAL = {"tune": 100, "draws": 100}


def measure(losses: int, replays: int, settings: dict[str, int]) -> dict[str, float]:
    """Fit a study of ``4 replays`` runs in this process, with the sampler compiled before."""
    common = {"chains": 2, "cores": 1, "seed": 1, "extend": 1, "progress": False}
    bc.fit(study(), DEFAULT, draws=5, tune=5, **common)
    data = simulate_study(
        seed=SEED, replays=[round(float(r), 4) for r in np.linspace(0.0, 0.6, replays)],
        cpt_schedules=SCHEDULES, cpt_steps=STEPS, eval_every=STEPS // losses,
    ).study  # fmt: skip
    begun = time.process_time()
    made = bc.fit(data, DEFAULT, **settings, **common)
    used = time.process_time() - begun
    rows = make_rows(data, load_card(DEFAULT)).loss.size
    # Kilobytes on Linux.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    evaluations = float(made.sample_stats["n_steps"].sum()) if "n_steps" in made.sample_stats else 0
    return {"seconds": used, "gb": peak, "losses": len(data.curves), "rows": rows,
            "evaluations": evaluations}  # fmt: skip


def run(options: Options) -> Iterator[Result]:
    """Seconds and GB of fits of 2 chains of 100 + 100 draws, or of 20 + 20 with --quick."""
    sizes, replays = ([10, 100], 2) if options.quick else ([100, 1000, 10_000], 16)
    settings = QUICK if options.quick else USUAL
    times = []
    for losses in sizes:
        words = json.dumps([losses, replays, settings])
        done = subprocess.run(  # noqa: S603 -- this interpreter
            [sys.executable, "-m", "tests.benchmarks.large", words],
            capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr[-500:])
        found = json.loads(done.stdout.splitlines()[-1])
        times.append(found["seconds"])
        label = f"{4 * replays} runs of {losses:,} losses a curve"
        note = (
            f"{label}: {found['losses']:,} losses, {found['rows']:,} of them fitted, "
            f"{found['evaluations']:,.0f} gradients"
        )
        yield Result(label, [found["seconds"]], "s of processor time", note=note)
        yield Result(f"{label}, most memory", [found["gb"]], "GB", ratio=found["gb"], target="<= 8")
    slope = exponent(sizes, times)
    yield Result("growth of the time by losses", [slope], "", ratio=slope, target="<= 1")


if __name__ == "__main__":
    print(json.dumps(measure(*json.loads(sys.argv[1]))))
