"""Sampling progress on a terminal, as one line that is overwritten."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from bayescpt.text import printable

Callback = Callable[[Sequence[Any]], None]

# ANSI: return to the start of the line and clear it.
_CLEAR = "\r\x1b[2K"


def say(progress: bool, text: str) -> None:
    """Write a line about a fit to standard error.

    Parameters
    ----------
    progress : bool
        Whether anyone wants to know.
    text : str
        The line.
    """
    if progress:
        sys.stderr.write(f"bayescpt: {printable(text)}\n")


def progress_line(chains: Sequence[Any], elapsed: float) -> str:
    """Progress line: chains and draws done, divergences and seconds left.

    Parameters
    ----------
    chains : sequence
        nutpie's progress of each chain: finished_draws, total_draws, divergences, tuning.
    elapsed : float
        Seconds since the start.

    Returns
    -------
    str
    """
    done = sum(chain.finished_draws for chain in chains)
    total = sum(chain.total_draws for chain in chains)
    ended = sum(chain.finished_draws >= chain.total_draws for chain in chains)
    tuning = sum(chain.tuning for chain in chains)
    left = f"about {elapsed * (total - done) / done:.0f} s left" if done else "starting"
    return (
        f"{ended} of {len(chains)} chains done, {tuning} tuning; {done:,} of {total:,} draws, "
        f"{sum(chain.divergences for chain in chains)} divergences; {left}"
    )


@contextmanager
def live_progress(stream: TextIO | None = None) -> Iterator[Callback | None]:
    """Sampler callback that updates one line of a terminal.

    Parameters
    ----------
    stream : text file, optional
        Output stream; by default standard error.

    Yields
    ------
    callable or None
        None if the stream is not a terminal.
    """
    out = sys.stderr if stream is None else stream
    if not out.isatty():
        yield None
        return
    start = time.monotonic()

    def _show(chains: Sequence[Any]) -> None:
        line = f"bayescpt: {progress_line(chains, time.monotonic() - start)}"
        # A wrapped line could not be overwritten.
        out.write(_CLEAR + line[: shutil.get_terminal_size().columns - 1])
        out.flush()

    try:
        yield _show
    finally:
        out.write(_CLEAR)
        out.flush()
