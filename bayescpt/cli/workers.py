"""Worker processes for the fits of a command."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Annotated

import typer

from bayescpt.errors import PlanError

Workers = Annotated[
    int,
    typer.Option(help="Number of parallel fitting processes; the chains of each run in sequence."),
]


@contextmanager
def process_pool(workers: int) -> Iterator[Executor | None]:
    """Pool of spawned processes; forking a process with threads can hang.

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
    """
    if workers < 1:
        raise PlanError(f"--workers {workers}: must be at least 1")
    if workers == 1:
        yield None
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield pool
