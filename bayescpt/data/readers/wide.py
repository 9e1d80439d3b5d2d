"""A wide table of metrics, one column a key, split into evaluations, learning rates and training.

Most loggers write such a table, each in a file format of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data.readers.names import Meaning, meaning
from bayescpt.data.readers.record import EVAL_COLUMNS, LR_COLUMNS, TRAIN_COLUMNS, empty_frame


@dataclass
class WideParts:
    """Tables of a `LogRun`, and what was left out of them.

    Parameters
    ----------
    evals, lr, train : DataFrame
        As in `LogRun`.
    notes : list of str
        What was handled.
    """

    evals: pd.DataFrame
    lr: pd.DataFrame
    train: pd.DataFrame
    notes: list[str] = field(default_factory=list)


def split_wide(
    frame: pd.DataFrame, steps: NDArray[np.float64], columns: Mapping[str, str] | None = None
) -> WideParts:
    """Split a wide table by what its columns mean.

    A perplexity column counts only where its set has no loss: it is then converted, since the mean
    of a perplexity need not be the exponential of the mean loss.

    Parameters
    ----------
    frame : DataFrame
        One row per log call, one column per key; blanks are NaN.
    steps : ndarray, shape (rows,)
        Step of each row, as `LogRun` counts them. Rows whose step is NaN are left out.
    columns : mapping of str to str, optional
        What the user says of some keys, as in `ReadOptions`.

    Returns
    -------
    WideParts
        The three tables, with their rows in the order of the log.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from bayescpt.data.readers.wide import split_wide
    >>> log = pd.DataFrame({"step": [10, 10], "lr": [1e-3, np.nan], "eval_de_loss": [np.nan, 2.5]})
    >>> split_wide(log, log["step"].to_numpy(float)).evals
       step domain  loss
    0  10.0     de   2.5
    """
    meanings = {column: meaning(str(column), columns) for column in frame.columns}
    notes: list[str] = []
    evals: list[tuple[NDArray[np.int64], pd.DataFrame]] = []
    for column, domain, is_ppl in _eval_columns(meanings, notes):
        values = _numbers(frame[column])
        rows = np.flatnonzero(frame[column].notna().to_numpy() & ~np.isnan(steps))
        with np.errstate(divide="ignore", invalid="ignore"):
            loss = np.log(values[rows]) if is_ppl else values[rows]
        part = pd.DataFrame({"step": steps[rows], "domain": domain, "loss": loss})
        evals.append((rows, part))
    parts = WideParts(
        empty_frame(EVAL_COLUMNS), empty_frame(LR_COLUMNS), empty_frame(TRAIN_COLUMNS)
    )
    if any(len(part) for _, part in evals):
        order = np.argsort(np.concatenate([rows for rows, _ in evals]), kind="stable")
        joined = pd.concat([part for _, part in evals], ignore_index=True)
        parts.evals = joined.iloc[order].reset_index(drop=True)
    lr = _first(frame, steps, meanings, "lr", notes)
    train = _first(frame, steps, meanings, "train", notes)
    parts.lr = pd.DataFrame({"step": lr[0], "lr": lr[1]})
    parts.train = pd.DataFrame({"step": train[0], "loss": train[1]})
    parts.notes = notes
    return parts


def _eval_columns(meanings: Mapping[str, Meaning], notes: list[str]) -> list[tuple[str, str, bool]]:
    """Column, set and whether it is a perplexity: the best column of each set."""
    chosen: dict[str, tuple[str, bool]] = {}
    for role in ("eval", "ppl"):
        for column, found in meanings.items():
            if found.role != role:
                continue
            if found.domain not in chosen:
                chosen[found.domain] = (column, role == "ppl")
                if role == "ppl":
                    notes.append(f"{column} is converted to a loss by its logarithm")
            elif role == "eval":
                taken = chosen[found.domain][0]
                notes.append(f"{column} is left out: {taken} is the loss of {found.domain!r}")
    return [(column, domain, is_ppl) for domain, (column, is_ppl) in chosen.items()]


def _first(
    frame: pd.DataFrame,
    steps: NDArray[np.float64],
    meanings: Mapping[str, Meaning],
    role: str,
    notes: list[str],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Steps and values of the first column of a role that has any."""
    columns = [column for column, found in meanings.items() if found.role == role]
    columns = [column for column in columns if frame[column].notna().any()]
    if not columns:
        return np.empty(0), np.empty(0)
    if len(columns) > 1:
        notes.append(f"{', '.join(map(str, columns[1:]))} left out: {columns[0]} is taken")
    values = frame[columns[0]]
    rows = np.flatnonzero(values.notna().to_numpy() & ~np.isnan(steps))
    return steps[rows], _numbers(values)[rows]


def _numbers(values: pd.Series[float]) -> NDArray[np.float64]:
    return pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
