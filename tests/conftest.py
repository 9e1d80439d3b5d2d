"""Settings of all tests and of the processes they start, and what several folders share."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

# Figures are drawn to files: no test needs a screen.
os.environ["MPLBACKEND"] = "Agg"
# The matrices are small: threads of the BLAS only get into each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# PyTensor notes for each variable which lines made it, for its error messages: a tenth of the time
# that graphs take.
os.environ.setdefault("PYTENSOR_FLAGS", "traceback__limit=0")
# What this session compiles, for its processes too: parallel workers share what the process that
# started them named.
if "PYTEST_XDIST_WORKER" not in os.environ:
    CACHE = TemporaryDirectory(prefix="bayescpt-tests-", ignore_cleanup_errors=True)
    os.environ["BAYESCPT_CACHE"] = str(Path(CACHE.name, "samplers"))
    # Containers often want no bytecode beside the sources; without any, each worker and each
    # command under test compiles a thousand modules, in up to 20 s.
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(Path(CACHE.name, "bytecode"))
        sys.dont_write_bytecode = False


@pytest.fixture(scope="session")
def simulated_study():
    """One pre-training and four cpt runs of 200 steps; replay 0.1 and 0.5."""
    # Not before the settings above.
    from bayescpt.evaluate import simulate_study

    made = simulate_study(
        replays=(0.1, 0.5),
        cpt_schedules=("constant", "wsd"),
        pt_steps=1000,
        cpt_steps=200,
        peak_lr=2e-3,
        memory=50.0,
        eval_every=20,
        pt_eval_every=100,
        shared_trunks=True,
    )
    return made.study
