"""Memory of one process over many fits: what each leaves behind."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import bayescpt as bc
from tests.benchmarks.problem import DEFAULT, study
from tests.benchmarks.timing import Options, Result

# Fits before the slope is taken, in which caches fill.
WARM = 10
MB = 1e6


def resident() -> float:
    """Memory of this process, MB; Linux only."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / MB


def run(options: Options) -> Iterator[Result]:
    """Slope of the memory over fits of one study, MB a fit: of 300, or 30 with --quick."""
    fits = 30 if options.quick else 300
    data, used = study(), []
    for seed in range(WARM + fits):
        bc.fit(data, DEFAULT, seed=seed, draws=20, tune=20, chains=2, extend=1, progress=False)
        gc.collect()
        used.append(resident())
    after = np.array(used[WARM:])
    # The middle of slopes between halves: a single large allocation does not decide it.
    half = fits // 2
    slopes = (after[half : 2 * half] - after[:half]) / half
    yield Result("a fit of 20 + 20 draws", slopes.tolist(), "MB a fit", target="<= 0.01")
