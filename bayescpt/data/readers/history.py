"""A history of metrics as W&B keeps it: rows of log calls, several counters of steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data.readers.names import step_counter
from bayescpt.data.readers.record import LogRun
from bayescpt.data.readers.wide import split_wide
from bayescpt.errors import StudyError

LOG_CALLS = "_step"
# `Run.history()` of W&B's API gives so many rows, drawn at random from those there are.
_SAMPLED_ROWS = 500
# Steps that are multiples of this many are tokens: a batch is a number of sequences whose length
# is a power of two, and evaluations come at round numbers of updates.
_TOKEN_UNIT, _LEAST_TOKENS = 1024, 16_384
_LEAST_LAST = 1_000_000  # fewer tokens are no run


def history_run(
    frame: pd.DataFrame, name: str, kind: str, path: Path, columns: Mapping[str, str]
) -> LogRun:
    """The run that a history tells of.

    ``_step`` counts log calls, or micro-iterations where the trainer gives it. A counter of updates
    such as ``train/global_step`` is preferred; rows that lack it, as those of an evaluation may,
    are placed by ``_step``.

    Parameters
    ----------
    frame : DataFrame
        One row per log call, one column per key; blanks are NaN.
    name : str
        Name of the run.
    kind : str
        Name of the reader.
    path : Path
        File that it comes from.
    columns : mapping of str to str
        What the user says of some keys, as in `ReadOptions`.

    Returns
    -------
    LogRun
        The run, without its configuration.

    Raises
    ------
    StudyError
        If no key counts steps.

    Examples
    --------
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from bayescpt.data.readers.history import history_run
    >>> nan = float("nan")
    >>> log = {"_step": [0, 1, 2], "global_step": [10, nan, 20], "eval_loss": [nan, 3.1, nan]}
    >>> history_run(pd.DataFrame(log), "pilot", "wandb_history", Path("log.csv"), {}).evals
       step domain  loss
    0  10.0    val   3.1
    """
    counter = step_counter(frame.columns, columns)
    if counter is None:
        raise StudyError(
            f"{path}: no key counts steps; found: {', '.join(map(str, frame.columns))}. Name it in "
            'a column map, such as iteration = "step"'
        )
    key, steps_are = counter
    notes: list[str] = []
    if LOG_CALLS in frame and not frame[LOG_CALLS].is_monotonic_increasing:
        frame = frame.sort_values(LOG_CALLS, kind="stable").reset_index(drop=True)
    steps = frame[key].to_numpy(np.float64, na_value=np.nan)
    if key == LOG_CALLS:
        if len(steps) > 2 and (np.diff(steps) == 1).all():
            notes.append(
                "the only counter is _step, which goes up by one a row: if it counts log calls and "
                "not updates, log a counter of updates (global_step) and export again"
            )
    elif LOG_CALLS in frame and np.isnan(steps).any():
        calls = frame[LOG_CALLS].to_numpy(np.float64, na_value=np.nan)
        steps = _fill(steps, calls, key, notes)
    if steps_are == "updates" and looks_like_tokens(steps):
        steps_are = "tokens"
        notes.append(
            f"all steps ({key}) are multiples of {_unit(steps):,}: they are read as tokens"
        )
    if len(frame) == _SAMPLED_ROWS:
        notes.append(
            "there are exactly 500 rows, as history() of W&B's API draws them at random: "
            "scan_history() gives all"
        )
    parts = split_wide(frame, steps, columns)
    return LogRun(
        name,
        kind,
        (path,),
        parts.evals,
        parts.lr,
        parts.train,
        steps_are=steps_are,
        notes=notes + parts.notes,
    )


def looks_like_tokens(steps: NDArray[np.float64]) -> bool:
    """Whether steps are numbers of tokens, though their name does not say so.

    Parameters
    ----------
    steps : ndarray
        Steps of a log; NaN where there is none.

    Returns
    -------
    bool
        Whether all are multiples of a number of tokens that a batch may have.

    Examples
    --------
    >>> import numpy as np
    >>> from bayescpt.data.readers.history import looks_like_tokens
    >>> looks_like_tokens(np.array([204800.0, 409600.0, 2048000.0]))
    True
    >>> looks_like_tokens(np.array([10_000.0, 20_000.0]))
    False
    """
    unit = _unit(steps)
    is_large = np.nanmax(steps, initial=0.0) >= max(_LEAST_LAST, 2 * unit)
    return bool(is_large) and unit >= _LEAST_TOKENS and unit % _TOKEN_UNIT == 0


def _unit(steps: NDArray[np.float64]) -> int:
    """The largest number that all steps are multiples of; 0 if they are not whole."""
    known = steps[np.isfinite(steps)]
    if (known % 1 != 0).any() or (known < 0).any() or (known > 2**62).any():
        return 0
    return int(np.gcd.reduce(known.astype(np.int64), initial=0))


def _fill(
    steps: NDArray[np.float64], calls: NDArray[np.float64], key: str, notes: list[str]
) -> NDArray[np.float64]:
    """Updates done at the rows that do not say, by `_step`."""
    known = np.flatnonzero(~np.isnan(steps) & ~np.isnan(calls))
    blank = np.isnan(steps)
    filled = steps.copy()
    if len(known) > 2 and np.ptp(calls[known]) > 0:
        slope, intercept = np.polyfit(calls[known], steps[known], 1)
        line = slope * calls + intercept
        if slope > 0 and np.abs(line[known] - steps[known]).max() < 0.02 * max(slope, 1.0):
            filled[blank] = np.floor(line[blank] + 1e-3).clip(min=0)
            notes.append(
                f"{blank.sum()} rows lack {key}: it is taken from _step, of which it is "
                f"{_ratio(slope)}"
            )
            return filled
    notes.append(f"{blank.sum()} rows lack {key}: they are placed at that of the row before")
    return np.asarray(pd.Series(steps).ffill().fillna(0.0), dtype=np.float64)


def _ratio(slope: float) -> str:
    return f"1/{1 / slope:.4g}" if slope < 1 else f"{slope:.4g} times"
