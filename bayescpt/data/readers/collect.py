"""Rows of a log collected into columns: only what has a meaning, so that large logs fit."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bayescpt.data.readers.names import meaning

# Columns that take part in what a row means, besides those with a role of their own.
_LONG_KEYS = ("metric", "metric_name", "key", "tag", "variable", "value")


class RowCollector:
    """Collects rows, given as dicts, into one table.

    A logged NaN becomes inf, so that a loss that diverged is told from a blank.

    Parameters
    ----------
    columns : mapping of str to str
        What the user says of some keys, as in `ReadOptions`.

    Examples
    --------
    >>> from bayescpt.data.readers.collect import RowCollector
    >>> rows = RowCollector({})
    >>> rows.add({"step": 10, "loss": 2.5, "grad_norm": 1.0})
    >>> rows.add({"step": 20, "eval": {"de_loss": 3.0}, "loss": None})
    >>> rows.frame()
       step  loss  eval/de_loss
    0  10.0   2.5           NaN
    1  20.0   NaN           3.0
    """

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = columns
        # Rows and values of each key, and how to append to them; None for keys without a meaning.
        self._kept: dict[str, tuple[array[int], array[float]]] = {}
        self._append: dict[str, tuple[Callable[[int], None], Callable[[float], None]] | None] = {}
        self._text: dict[str, tuple[list[int], list[str]]] = {}
        self._names: dict[str, str] = {}
        self.rows = 0

    def add(self, row: Mapping[str, Any], prefix: str = "") -> None:
        """Add one row; nested dicts are part of it, with keys joined by a slash.

        Parameters
        ----------
        row : mapping of str to object
            Values by key. Numbers and names are kept, None is a blank.
        prefix : str
            Put in front of each key.
        """
        self._add(row, prefix)
        self.rows += 1

    def frame(self) -> pd.DataFrame:
        """The rows so far.

        Returns
        -------
        DataFrame
            One row per call of `add`, with the columns that have a meaning.
        """
        out: dict[str, Any] = {}
        for key, kept in self._kept.items():
            if len(kept[0]):
                values = np.full(self.rows, np.nan)
                values[np.frombuffer(kept[0], dtype=np.int64)] = np.frombuffer(kept[1])
                out[key] = values
        for key, (rows, texts) in self._text.items():
            column = pd.Series(pd.NA, index=range(self.rows), dtype="object")
            column.iloc[rows] = texts
            if key in out:  # numbers in some rows, text such as "NaN" in others
                numbers = pd.to_numeric(column, errors="coerce").astype("float64")
                out[key] = pd.Series(out[key]).astype("float64").fillna(numbers).to_numpy()
            else:
                out[key] = column
        return pd.DataFrame(out, index=range(self.rows))

    def _add(self, row: Mapping[str, Any], prefix: str) -> None:
        at, appends = self.rows, self._append
        for key, value in row.items():
            name = prefix + key if prefix else key
            append = appends.get(name, _NEW)
            if append is None:
                continue
            kind = type(value)
            if kind is float or kind is int:
                if append is _NEW:
                    append = self._new(name)
                if append is not None:
                    append[0](at)
                    append[1](value if value == value else math.inf)
            elif kind is str:
                self._add_text(name, value)
            elif isinstance(value, Mapping):
                self._add(value, f"{name}/")

    def _new(self, name: str) -> tuple[Callable[[int], None], Callable[[float], None]] | None:
        if has_meaning(name, self._columns):
            kept = self._kept[name] = (array("q"), array("d"))
            self._append[name] = (kept[0].append, kept[1].append)
        else:
            self._append[name] = None
        return self._append[name]

    def _add_text(self, name: str, value: str) -> None:
        if name not in self._text:
            if not has_meaning(name, self._columns):
                self._append[name] = None
                return
            self._text[name] = ([], [])
        rows, texts = self._text[name]
        rows.append(self.rows)
        texts.append(self._names.setdefault(value, value))


def _nothing(_: float) -> None: ...


# A key that no row had before.
_NEW: tuple[Callable[[int], None], Callable[[float], None]] = (_nothing, _nothing)


def has_meaning(key: str, columns: Mapping[str, str]) -> bool:
    """Whether a column is worth keeping.

    Parameters
    ----------
    key : str
        Its name.
    columns : mapping of str to str
        What the user says of some keys.

    Returns
    -------
    bool
    """
    return meaning(key, columns).role != "ignore" or key.strip().lower() in _LONG_KEYS
