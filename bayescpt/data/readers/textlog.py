"""What the readers of text logs share: a long look at a file, and the tables of what was found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescpt.data.readers.names import name_of_path
from bayescpt.data.readers.record import LogRun
from bayescpt.data.readers.registry import HEAD_BYTES

# A log may begin with its script, thousands of lines of warnings or an argument dump.
SAMPLE_BYTES = 4 * 1024**2
# Bytes that no text has: such a file would only be searched in vain.
_BINARY = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")


def shows(pattern: re.Pattern[bytes], path: Path, head: bytes) -> bool:
    """Whether a pattern occurs in the first part of a text file.

    Parameters
    ----------
    pattern : Pattern of bytes
        What is looked for.
    path : Path
        The file.
    head : bytes
        Its first bytes, as `Reader.recognises` gets them.

    Returns
    -------
    bool
        Whether it is in the head or, if the file is longer text, in its first `SAMPLE_BYTES`.
    """
    if pattern.search(head):
        return True
    if len(head) < HEAD_BYTES or _BINARY.search(head):
        return False
    status = path.stat()
    return pattern.search(_sample(path, status.st_mtime_ns, status.st_size)) is not None


@lru_cache(maxsize=1)
def _sample(path: Path, _mtime: int, _size: int) -> bytes:
    """First part of a file, kept for the reader that asks next."""
    with path.open("rb") as file:
        return file.read(SAMPLE_BYTES)


@dataclass
class TextRun:
    """What the lines of a text log gave so far.

    Numbers come as the text of the log: one that cannot be read, in a line that was cut short or
    that two processes wrote at once, is left out and counted.

    Parameters
    ----------
    evals : list of (step, domain, loss)
        Evaluations; the step counts the updates done.
    train, rates : list of (step, value)
        Training losses and learning rates by update, from 1.
    pending : list of (domain, loss)
        Evaluations whose step only the next line of training tells.
    lr_text : str
        The longest learning rate, as printed.
    broken : int
        Numbers that could not be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> from bayescpt.data.readers.textlog import TextRun
    >>> found = TextRun()
    >>> found.add_train(1, "3.2", "1.5e-04")
    >>> found.add_eval(1, "val", "3.3")
    >>> found.log_runs("nanogpt", Path("pilot.log"), {})[0].lr
       step       lr
    0   1.0  0.00015
    """

    evals: list[tuple[int, str, float]] = field(default_factory=list)
    train: list[tuple[int, float]] = field(default_factory=list)
    rates: list[tuple[int, float]] = field(default_factory=list)
    pending: list[tuple[str, str]] = field(default_factory=list)
    lr_text: str = ""
    broken: int = 0

    def __bool__(self) -> bool:
        return bool(self.evals or self.rates)

    def add_eval(self, step: int, domain: str, text: str) -> None:
        """Add the loss on a set after `step` updates.

        Parameters
        ----------
        step : int
            Updates done.
        domain : str
            Name of the set.
        text : str
            The loss, as printed.
        """
        if (value := self._value(text)) is not None:
            self.evals.append((step, domain, value))

    def add_train(self, step: int, text: str, lr: str | None = None) -> None:
        """Add the training loss of update `step`, and its learning rate.

        Parameters
        ----------
        step : int
            The update, from 1.
        text : str
            The loss, as printed.
        lr : str, optional
            The learning rate, as printed.
        """
        self.place_pending(step - 1)
        if (value := self._value(text)) is not None:
            self.train.append((step, value))
        if lr is not None:
            self.add_lr(step, lr)

    def add_lr(self, step: int, text: str) -> None:
        """Add the learning rate in the row of update `step`.

        Parameters
        ----------
        step : int
            The update, from 1.
        text : str
            The learning rate, as printed.
        """
        if (value := self._value(text)) is not None:
            self.rates.append((step, value))
            self.lr_text = max(self.lr_text, text, key=len)

    def add_pending(self, domain: str, text: str) -> None:
        """Add a loss that stands before the next line of training.

        Parameters
        ----------
        domain : str
            Name of the set.
        text : str
            The loss, as printed.
        """
        self.pending.append((domain, text))

    def place_pending(self, step: int | None = None) -> None:
        """Place the losses that wait at a step; by default at the last update, at the end.

        Parameters
        ----------
        step : int, optional
            Updates done; by default those of the last line of training.
        """
        if step is None:
            step = self.train[-1][0] if self.train else 0
        for domain, text in self.pending:
            self.add_eval(step, domain, text)
        self.pending.clear()

    @property
    def lr_decimals(self) -> int | None:
        """Decimals of learning rates without an exponent; None if they have one."""
        if not self.lr_text or "e" in self.lr_text.lower():
            return None
        return len(self.lr_text.partition(".")[2])

    def log_runs(self, kind: str, path: Path, config: dict[str, Any]) -> list[LogRun]:
        """The run, with a note of what was left out.

        Parameters
        ----------
        kind : str
            Name of the reader.
        path : Path
            The log, which names the run.
        config : dict
            Configuration that the log tells.

        Returns
        -------
        list of LogRun
            One, or none if no line gave anything.
        """
        if not self:
            return []
        name, part = name_of_path(path)
        rates = list(zip(*self.rates, strict=True)) or [(), ()]
        train = list(zip(*self.train, strict=True)) or [(), ()]
        run = LogRun(
            name,
            kind,
            (path,),
            eval_table(self.evals),
            step_table(rates[0], "lr", rates[1]),
            step_table(train[0], "loss", train[1]),
            config=config,
            part=part,
            lr_decimals=self.lr_decimals,
            notes=[f"damaged numbers left out: {self.broken}"] if self.broken else [],
        )
        return [run]

    def _value(self, text: str) -> float | None:
        value = number(text)
        self.broken += value is None
        return value


def number(text: str | None) -> float | None:
    """Number in a text.

    Parameters
    ----------
    text : str or None
        The text.

    Returns
    -------
    float or None
        None if it is none.
    """
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def eval_table(rows: Sequence[tuple[float, str, float]]) -> pd.DataFrame:
    """Table of evaluations.

    Parameters
    ----------
    rows : sequence of (step, domain, loss)
        In the order of the log.

    Returns
    -------
    DataFrame
        Columns ``step``, ``domain`` and ``loss``.
    """
    steps, domains, losses = zip(*rows, strict=True) if rows else ((), (), ())
    return pd.DataFrame(
        {
            "step": np.array(steps, dtype=np.float64),
            "domain": pd.Series(domains, dtype="str"),
            "loss": np.array(losses, dtype=np.float64),
        }
    )


def step_table(steps: Sequence[float], column: str, values: Sequence[float]) -> pd.DataFrame:
    """Table of a value by step.

    Parameters
    ----------
    steps : sequence of float
        Steps, in the order of the log.
    column : str
        Name of the value: ``lr`` or ``loss``.
    values : sequence of float
        One a step.

    Returns
    -------
    DataFrame
        Columns ``step`` and `column`.
    """
    return pd.DataFrame(
        {
            "step": np.asarray(steps, dtype=np.float64),
            column: np.asarray(values, dtype=np.float64),
        }
    )
