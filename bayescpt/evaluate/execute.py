"""Run many fits, in this process or on an executor.

Any ``concurrent.futures.Executor`` works: a ``ProcessPoolExecutor``, or, with the extra ``scale``,
the workers of a Dask cluster. On one machine::

    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=8, threads_per_worker=1) as cluster, Client(cluster) as client:
        bc.backtest(study, executor=client.get_executor(), cores=1)

In a script these lines belong under ``if __name__ == "__main__":``, because the workers import it.
On several machines with bayescpt installed, use ``Client("tcp://scheduler:8786")`` or
dask-jobqueue's ``SLURMCluster`` instead of the local cluster. A worker reads a card's sampler from
disk, or compiles it for its first task, and then keeps it, so a few long-lived workers are faster
than many short-lived ones. ``cores=1`` stops the chains of one fit from taking processors from the
next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any

from bayescpt.evaluate.kept import keep_result, kept_result
from bayescpt.work import Work

# Per process: PyTensor cannot compile in two threads at once.
_ONE_AT_A_TIME = threading.Lock()


def run_tasks(
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    executor: Executor | None,
    work: Work | None = None,
) -> Iterator[Any]:
    """Results of a function over tasks, in the order of the tasks.

    Threads of one process take turns; processes run in parallel. If a task fails, or the caller
    stops iterating, the tasks that have not started are cancelled.

    Parameters
    ----------
    function : callable
        Called with the arguments of one task; defined at module level, so that it can be pickled.
    tasks : sequence of tuple
        Arguments of each call.
    executor : concurrent.futures.Executor or None
        None runs the tasks sequentially in this process, as the results are consumed.
    work : Work, optional
        Where results, tuples of tables and dicts, are kept as they come; those that are there are
        taken.

    Returns
    -------
    iterator
        One result per task.
    """
    kept = {k: one for k in range(len(tasks)) if (one := kept_result(work, k)) is not None}
    if executor is None:
        return _one_by_one(function, tasks, kept, work)
    # Submitted now rather than when the first result is requested.
    futures = {
        k: executor.submit(in_turn, function, *task)
        for k, task in enumerate(tasks)
        if k not in kept
    }
    return _in_order(len(tasks), futures, kept, work)


def in_turn(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function while no other thread of this process calls one.

    Parameters
    ----------
    function : callable
        Function to call.
    *arguments
        Its arguments.

    Returns
    -------
    object
        Its result.
    """
    with _ONE_AT_A_TIME:
        return function(*arguments)


def _one_by_one(
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    kept: dict[int, Any],
    work: Work | None,
) -> Iterator[Any]:
    for k, task in enumerate(tasks):
        if k in kept:
            yield kept.pop(k)
            continue
        result = function(*task)
        if work is not None:
            keep_result(work, k, result)
        yield result


def _in_order(
    count: int, futures: dict[int, Future[Any]], kept: dict[int, Any], work: Work | None
) -> Iterator[Any]:
    numbers = {future: k for k, future in futures.items()}
    under_way = set(numbers)
    try:
        for k in range(count):
            if k in kept:
                yield kept.pop(k)
                continue
            # A later result may come first; it is kept at once too.
            while futures[k] in under_way:
                ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in ended:
                    if work is not None and future.exception() is None:
                        keep_result(work, numbers[future], future.result())
            yield futures.pop(k).result()
    finally:
        for future in numbers:
            future.cancel()
