"""Processes that share the fits of a command."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Annotated

import typer

from bayescpt.errors import PlanError

Workers = Annotated[
    int, typer.Option(help="Processes that fit side by side; chains of each take turns.")
]


@contextmanager
def process_pool(workers: int) -> Iterator[Executor | None]:
    """Processes that start afresh: a copy of one with threads can hang.

    Parameters
    ----------
    workers : int
        How many.

    Yields
    ------
    Executor or None
        None for one worker: this process.

    Raises
    ------
    PlanError
        If there are fewer than one.
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
