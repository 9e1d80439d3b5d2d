"""Run many fits, here or on an executor.

Any ``concurrent.futures.Executor`` does: a ``ProcessPoolExecutor``, or, with the extra ``scale``,
the workers of a Dask cluster. On one machine::

    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=8, threads_per_worker=1) as cluster, Client(cluster) as client:
        bc.backtest(study, executor=client.get_executor(), cores=1)

In a script these lines belong under ``if __name__ == "__main__":``, because the workers import it.
On several machines with bayescpt installed, ``Client("tcp://scheduler:8786")`` takes the place of
the local cluster, as does dask-jobqueue's ``SLURMCluster``. A worker takes a card's sampler from
disk, or compiles it for its first task, and keeps it, so few long-lived workers beat many short
ones; ``cores=1`` keeps the chains of one fit from taking the processors of the next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from typing import Any

# Of this process: PyTensor does not compile in two threads at once.
_ONE_AT_A_TIME = threading.Lock()


def run_tasks(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], executor: Executor | None
) -> Iterator[Any]:
    """Results of a function over tasks, in the order of the tasks.

    Threads of one process take turns; processes run side by side. Once a task fails, or nobody
    asks for more results, the tasks that have not begun are cancelled.

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
    # Submitted now, not when the first result is asked for.
    return _in_order([executor.submit(in_turn, function, *task) for task in tasks])


def in_turn(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function while no other thread of this process does.

    Parameters
    ----------
    function : callable
        What to call.
    *arguments
        Its arguments.

    Returns
    -------
    object
        What it gives back.
    """
    with _ONE_AT_A_TIME:
        return function(*arguments)


def _in_order(futures: Sequence[Future[Any]]) -> Iterator[Any]:
    try:
        for future in futures:
            yield future.result()
    finally:
        for future in futures:
            future.cancel()
