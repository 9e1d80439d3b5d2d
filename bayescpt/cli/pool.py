"""Processes that end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

from bayescpt.interruption import SIGNALS


class Pool(ProcessPoolExecutor):
    """Spawned workers that a key press does not reach: this process hears it, and ends them.

    Parameters
    ----------
    workers : int
        Number of processes.
    """

    def __init__(self, workers: int) -> None:
        super().__init__(workers, multiprocessing.get_context("spawn"), _begin)

    def submit(  # numpydoc ignore=PR01
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        """Submit a call, as `ProcessPoolExecutor.submit`; this starts workers."""
        if not hasattr(signal, "pthread_sigmask"):
            return super().submit(fn, *args, **kwargs)
        # A new process has the signals blocked too, from its first instruction on.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def end(self) -> None:
        """Kill the workers, also one that was just being started."""
        for process in multiprocessing.active_children():
            process.kill()
        self.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """Let a worker end with the process that started it, even if that is killed."""
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
