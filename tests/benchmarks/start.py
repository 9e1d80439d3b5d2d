"""How long a person waits, as a multiple of importing PyMC and nutpie in a fresh process.

Every command is a process of its own, as from a shell. Cold is without any compiled file: PyTensor,
numba and bayescpt look for theirs in empty folders. Warm is the same again with what that left.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.timing import Options, Result, ratio, seconds

IMPORTS = [sys.executable, "-c", "import pymc, nutpie"]
GOAL = ["--goal", "general=3.45", "--goal", "german=3.01"]
BAYESCPT = str(Path(sys.executable).with_name("bayescpt"))


def process(command: list[str], caches: Path | None = None) -> float:
    """Seconds of a process; codes 0 and 1 (a check failed) are answers."""
    env = dict(os.environ)
    if caches is not None:
        env |= {
            "PYTENSOR_FLAGS": f"base_compiledir={caches / 'pytensor'}",
            "NUMBA_CACHE_DIR": str(caches / "numba"),
            "BAYESCPT_CACHE": str(caches / "samplers"),
        }

    def run() -> None:
        done = subprocess.run(  # noqa: S603
            command, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{' '.join(command)}: {done.stderr[-500:]}")

    return seconds(run)


def run(options: Options) -> Iterator[Result]:
    """The demo, commands on its fit, and help."""
    few = ["--draws", "50", "--tune", "50", "--chains", "2"] if options.quick else []
    times: dict[str, list[float]] = {}
    imports: list[float] = []
    with TemporaryDirectory() as folder:
        out = Path(folder) / "demo"
        made = [str(out / "fit.nc"), "--plans", str(out / "plans.toml"), "--allow-failed"]
        demo = [BAYESCPT, "demo", "--out", str(out), *few]
        commands = {
            "bayescpt forecast, saved fit": [BAYESCPT, "forecast", *made],
            "bayescpt goal, saved fit": [BAYESCPT, "goal", *made, *GOAL],
            "bayescpt compare, saved fit": [BAYESCPT, "compare", *made, *GOAL],
            "bayescpt --help": [BAYESCPT, "--help"],
        }
        process(IMPORTS)  # the first one reads the disk
        for repeat in range(options.repeats):
            caches = Path(folder) / f"caches{repeat}"
            imports.append(process(IMPORTS))
            for name in ("bayescpt demo, cold caches", "bayescpt demo, warm caches"):
                times.setdefault(name, []).append(process(demo, caches))
            imports.append(process(IMPORTS))
            for name, command in commands.items():
                times.setdefault(name, []).append(process(command))
    targets = {"cold": "<= 12", "warm": "<= 4", "saved": "<= 0.4", "--help": "<= 0.1"}
    for name, found in times.items():
        target = next(text for key, text in targets.items() if key in name)
        against = "import pymc, nutpie"
        yield Result(name, found, "s", against, imports, ratio(found, imports), target)
