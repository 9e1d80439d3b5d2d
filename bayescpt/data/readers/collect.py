"""Rows of a log collected into columns: only what has a meaning, so that large logs fit."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
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
        self._kept: dict[str, tuple[array[int], array[float]] | None] = {}
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
            if kept is not None and len(kept[0]):
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
        for key, value in row.items():
            if value is None:
                continue
            name = prefix + key if prefix else key
            if isinstance(value, float | int):
                if name not in self._kept:
                    self._kept[name] = self._new(name)
                if (kept := self._kept[name]) is not None:
                    kept[0].append(self.rows)
                    kept[1].append(value if value == value else math.inf)
            elif isinstance(value, str):
                self._add_text(name, value)
            elif isinstance(value, Mapping):
                self._add(value, f"{name}/")

    def _add_text(self, name: str, value: str) -> None:
        if name in self._kept and self._kept[name] is None:
            return
        if name not in self._text:
            if not has_meaning(name, self._columns):
                self._kept[name] = None
                return
            self._text[name] = ([], [])
        rows, texts = self._text[name]
        rows.append(self.rows)
        texts.append(self._names.setdefault(value, value))

    def _new(self, name: str) -> tuple[array[int], array[float]] | None:
        return (array("q"), array("d")) if has_meaning(name, self._columns) else None


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
