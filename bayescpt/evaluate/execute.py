"""Run many fits, here or on an executor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Any


def run_tasks(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], executor: Executor | None
) -> Iterator[Any]:
    """Results of a function over tasks, in the order of the tasks.

    Parameters
    ----------
    function : callable
        Of the arguments of one task; at module level, so that it can be sent to a worker.
    tasks : sequence of tuple
        Arguments of each call.
    executor : concurrent.futures.Executor or None
        None runs them here, one after the other, as the results are asked for.

    Returns
    -------
    iterator
        One result a task.
    """
    if executor is None:
        return (function(*task) for task in tasks)
    futures = [executor.submit(function, *task) for task in tasks]
    return (future.result() for future in futures)
