"""Start the command line in a process group of its own, and end it at a chosen moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

# Seconds within which a process must have ended after a signal, on a busy machine.
PATIENCE = 60.0
_LOOK = 0.001


@dataclass(frozen=True)
class Ended:
    """A process that has ended: its exit code, output, seconds, and those after the signal."""

    code: int
    out: str
    err: str
    seconds: float
    after: float
    killed: bool

    @property
    def lines(self) -> list[str]:
        """Lines on standard error but those of progress."""
        told = ("bayescpt: interrupted", "bayescpt: error", "Traceback", "  ")
        return [
            line
            for line in self.err.splitlines()
            if not line.startswith("bayescpt: ") or line.startswith(told)
        ]


def run(
    words: Sequence[object],
    folder: Path,
    *,
    when: Callable[[float], bool] | None = None,
    number: int = signal.SIGINT,
    everyone: bool = True,
    program: Sequence[str] = ("-m", "bayescpt"),
) -> Ended:
    """Run a command in a folder, and send a signal once.

    Parameters
    ----------
    words : sequence
        Arguments of the command.
    folder : Path
        Where it runs.
    when : callable, optional
        Called with the seconds since the start until it is true: the moment of the signal.
    number : int
        The signal.
    everyone : bool
        Send it to all processes of the group, as a terminal does; otherwise to the first only.
    program : sequence of str
        What Python runs.
    """
    command = [sys.executable, *program, *map(str, words)]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # In the background of a script the signal is ignored, and would be by the command too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    out, err = folder / ".stdout", folder / ".stderr"
    begun = time.monotonic()
    with out.open("wb") as to, err.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=folder, stdout=to, stderr=errors, start_new_session=True
        )
        sent = None
        while process.poll() is None:
            now = time.monotonic()
            if when is not None and sent is None and when(now - begun):
                (os.killpg if everyone else os.kill)(process.pid, number)
                sent = time.monotonic()
            if sent is not None and now - sent > PATIENCE:
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(_LOOK)
    ended = time.monotonic()
    texts = [path.read_text(errors="replace") for path in (out, err)]
    out.unlink()
    err.unlink()
    after = 0.0 if sent is None else ended - sent
    return Ended(process.returncode, *texts, ended - begun, after, sent is not None)


def left_behind(group: int | None = None, seconds: float = 5.0) -> list[str]:
    """Command lines of processes of this session's children that still run after some seconds."""
    end = time.monotonic() + seconds
    while (found := _spawned()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def _spawned() -> list[str]:
    """Workers and their helpers whose parent is gone, of this environment's Python."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        ours = words[0] == sys.executable.encode() and any(b"multiprocessing" in w for w in words)
        if ours and parent == 1:
            found.append(b" ".join(words).decode(errors="replace"))
    return found
