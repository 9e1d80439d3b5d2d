"""Worker processes for the fits of a command."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager
from typing import Annotated

import typer

from bayescpt.errors import FitError, PlanError

Workers = Annotated[
    int,
    typer.Option(help="Number of parallel fitting processes; the chains of each run in sequence."),
]


@contextmanager
def process_pool(workers: int) -> Iterator[Executor | None]:
    """Pool of spawned processes; forking a process with threads can hang.

    If this process fails, is interrupted or killed, the workers end at once.

    Parameters
    ----------
    workers : int
        Number of processes.

    Yields
    ------
    Executor or None
        None for one worker, which is this process.

    Raises
    ------
    PlanError
        If `workers` is below 1.
    FitError
        If a worker was killed.
    """
    if workers < 1:
        raise PlanError(f"--workers {workers}: must be at least 1")
    if workers == 1:
        yield None
        return
    from bayescpt.cli.pool import Pool

    pool = Pool(workers)
    try:
        yield pool
    except BrokenExecutor:
        pool.end()
        raise FitError(
            "a worker process was killed, perhaps for want of memory: use fewer --workers"
        ) from None
    except BaseException:
        pool.end()
        raise
    pool.shutdown()
