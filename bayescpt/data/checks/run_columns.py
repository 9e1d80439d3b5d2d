"""Checks of the columns of runs.csv: misspelt ones, and cells that must not be blank."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import numpy as np
import pandas as pd

from bayescpt.errors import StudyError

# Columns that the study, its reader and the import of logs know.
KNOWN_COLUMNS = (
    *("run", "phase", "parent", "domain", "replay_ratio", "steps", "branch_of", "branch_step"),
    *("seed", "n_params", "tokens_per_step", "tokens", "schedule", "schedule_params"),
    *("planned_peak_lr", "step_offset", "accumulation", "vocab_size"),
)
# What people call them.
_SYNONYMS = {
    "replay": "replay_ratio",
    "replay_fraction": "replay_ratio",
    "replay_frac": "replay_ratio",
    "replay_share": "replay_ratio",
    "general_ratio": "replay_ratio",
    "run_name": "run",
    "run_tag": "run",
    "target": "domain",
    "target_domain": "domain",
    "params": "n_params",
    "num_params": "n_params",
    "parameters": "n_params",
    "model_size": "n_params",
    "batch_tokens": "tokens_per_step",
    "tokens_per_batch": "tokens_per_step",
    "tokens_per_update": "tokens_per_step",
    "scheduler": "schedule",
    "lr_scheduler_type": "schedule",
    "vocabulary_size": "vocab_size",
    "n_vocab": "vocab_size",
    "base": "parent",
    "start": "parent",
}
# Below, a column is one of the user's own, such as `peak_lr`.
_SIMILAR = 0.8


def check_run_columns(columns: Iterable[object], table: str = "runs") -> None:
    """Check that no column of runs is a misspelt one that would silently count for nothing.

    Parameters
    ----------
    columns : iterable of str
        Columns of the table; those like none that is known are the user's own, and are kept.
    table : str
        Name of the table in messages.

    Raises
    ------
    StudyError
        If a column is much like a known one that the table lacks; the message suggests it.

    Examples
    --------
    >>> from bayescpt.data.checks.run_columns import check_run_columns
    >>> check_run_columns(["run", "phase", "replay_ration"])
    Traceback (most recent call last):
    ...
    bayescpt.errors.StudyError: runs: unknown column 'replay_ration'; did you mean 'replay_ratio'?
    """
    present = [str(column) for column in columns]
    for column in present:
        if column in KNOWN_COLUMNS:
            continue
        plain = column.strip().lower().replace("-", "_").replace(" ", "_")
        close = difflib.get_close_matches(plain, KNOWN_COLUMNS, n=1, cutoff=_SIMILAR)
        meant = _SYNONYMS.get(plain) or next(iter(close), None)
        if meant is not None and meant not in present:
            raise StudyError(f"{table}: unknown column {column!r}; did you mean {meant!r}?")


def blank_cells(runs: pd.DataFrame, column: str, needed: pd.Series[bool]) -> str:
    """Rows whose cell of a column is blank where it is needed, for a message.

    Parameters
    ----------
    runs : DataFrame
        Table of runs.
    column : str
        The column.
    needed : Series of bool
        Rows that need it.

    Returns
    -------
    str
        Such as "row 2 (run 'a'), row 3 (run 'b')"; "" if there is none.
    """
    rows = np.flatnonzero(needed.to_numpy() & runs[column].isna().to_numpy())
    shown = [f"row {row + 1} (run {runs['run'].iloc[row]!r})" for row in rows[:6]]
    more = f" and {rows.size - 6} more" if rows.size > 6 else ""
    return ", ".join(shown) + more
