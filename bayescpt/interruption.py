"""Interruption by Ctrl-C or a scheduler, as an error that no library on the way swallows."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

# Signals that ask a process to end; a scheduler sends the second before it kills.
SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A terminal and a wrapper such as `uv run` may both send the signal of one key press.
_SAME_PRESS = 1.0


class Interrupted(BaseException):
    """The process was asked to end. Its notes say what is kept.

    Parameters
    ----------
    number : int
        The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number

    @property
    def line(self) -> str:
        """What is kept, or that nothing is."""
        notes = getattr(self, "__notes__", [])
        return f"interrupted; {'; '.join(notes) or 'nothing was written'}"


# When the first signal of this command arrived.
_FIRST: list[float] = []


def _stop(number: int, _frame: Any) -> None:
    """Raise the first signal; a later one, which is not of the same key press, ends at once."""
    if not _FIRST:
        _FIRST.append(time.monotonic())
        raise Interrupted(number)
    if time.monotonic() - _FIRST[0] > _SAME_PRESS:
        os.write(2, b"bayescpt: interrupted twice; ended at once\n")
        os._exit(128 + number)


def _end(code: int) -> None:
    """End the process as it is, with what it has printed."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


@contextmanager
def interruptible(last: bool = False) -> Iterator[None]:
    """Raise `Interrupted` on a signal; if it arrives here, say so in one line and exit.

    A second signal, a second later or more, ends the process at once.

    Parameters
    ----------
    last : bool
        The process ends afterwards: a signal then causes no traceback, and after an interruption
        Python does not clear its memory, which a chain may still be sampling in.

    Raises
    ------
    SystemExit
        With 128 plus the number of the signal: 130 for Ctrl-C.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A signal that is ignored, as under nohup or in the background of a script, stays so.
    before = {
        one: handler for one in SIGNALS if (handler := signal.getsignal(one)) != signal.SIG_IGN
    }
    if _stop not in before.values():
        _FIRST.clear()
    for one in before:
        signal.signal(one, _stop)
    try:
        yield
    except Interrupted as stop:
        # After the echo of the key.
        start = "\n" if sys.stderr.isatty() else ""
        sys.stderr.write(f"{start}bayescpt: {stop.line}\n")
        sys.stderr.flush()
        if last:
            _end(stop.code)
        raise SystemExit(stop.code) from None
    except SystemExit as stop:
        if last and _FIRST and isinstance(stop.code, int):
            _end(stop.code)
        raise
    finally:
        quiet = signal.SIG_IGN if _FIRST else signal.SIG_DFL
        for one, handler in before.items():
            signal.signal(one, quiet if last else handler)
