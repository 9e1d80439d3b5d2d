"""What all logs have wrong, put right once: counters, restarts, losses that are no numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data.readers.record import LogRun
from bayescpt.errors import StudyError

Floats = NDArray[np.float64]

# Share of rows that go back beyond which a table is in no order, rather than resumed.
_UNSORTED = 0.05


def tidy(run: LogRun) -> LogRun:
    """One log of a run, with whole steps that count updates, increase, and finite losses.

    Parameters
    ----------
    run : LogRun
        As read. ``config`` may give ``tokens_per_step`` or ``accumulation``, which convert steps
        that count tokens or micro-iterations. Without the first, tokens stay, and learning rates
        are left out.

    Returns
    -------
    LogRun
        The tidied run; its notes say what was done.

    Raises
    ------
    StudyError
        If steps count micro-iterations, and how many there are in an update is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> from bayescpt.data.readers.record import LogRun
    >>> from bayescpt.data.readers.tidy import tidy
    >>> rows = pd.DataFrame({"step": [10, 20, 30, 20, 30], "loss": [3.0, 2.9, 2.8, 2.7, 2.6]})
    >>> done = tidy(LogRun("pilot", "table", train=rows))
    >>> done.train["loss"].tolist()
    [3.0, 2.7, 2.6]
    >>> done.notes
    ['the log resumes at step 20: rows from there on that came before are dropped']
    """
    notes = list(run.notes)
    in_tokens = run.steps_are == "tokens" and not run.config.get("tokens_per_step")
    if in_tokens:
        notes.append("step counts tokens: give tokens_per_step in runs.csv")
        if len(run.lr):
            notes.append(
                "learning rates by tokens are left out: with tokens_per_step in runs.csv, import "
                "again with --overwrite"
            )
            run = replace(run, lr=run.lr[:0])
    per_update, unit = _per_update(run)
    frames = {}
    for table in ("evals", "lr", "train"):
        frame = getattr(run, table)
        frames[table] = _whole_steps(frame, per_update, table, notes)
    if unit:
        notes.append(f"step counts {unit}: divided by {per_update:,.12g} per update")
    frames = {table: _finite(frame, table, notes) for table, frame in frames.items()}
    if not in_tokens:
        _count_from_one(frames, notes)
    frames = _without_repeats(frames, notes)
    return replace(
        run,
        evals=frames["evals"],
        lr=frames["lr"],
        train=frames["train"],
        steps_are="tokens" if in_tokens else "updates",
        notes=notes,
    )


def _per_update(run: LogRun) -> tuple[float, str]:
    """Steps of the log per update, and what they count where that is not updates."""
    if run.steps_are == "updates":
        return 1.0, ""
    if run.steps_are == "tokens":
        size = run.config.get("tokens_per_step")
        return (float(size), "tokens") if size else (1.0, "")
    value = run.config.get("accumulation")
    if not value:
        raise StudyError(
            f"{_where(run)}: its step counts micro-iterations, and how many there are in an update "
            "is not known: give a table of runs (--runs runs.csv) with the two lines "
            f"'run,accumulation' and '{run.name},8'"
        )
    return float(value), "micro-iterations"


def _whole_steps(
    frame: pd.DataFrame, per_update: float, table: str, notes: list[str]
) -> pd.DataFrame:
    steps = frame["step"].to_numpy(np.float64) / per_update
    whole = np.round(steps)
    known = np.isfinite(steps) & (steps >= 0)
    if per_update == 1:
        known &= np.abs(steps - whole) < 1e-6
    if lost := int((~known).sum()):
        notes.append(f"{lost} rows of {_called(table)} without a whole step are left out")
    return frame.assign(step=np.where(known, whole, 0).astype(np.int64))[known]


def _finite(frame: pd.DataFrame, table: str, notes: list[str]) -> pd.DataFrame:
    values = frame["lr" if table == "lr" else "loss"].to_numpy(np.float64)
    good = np.isfinite(values) & ((values >= 0) if table == "lr" else (values > 0))
    if not good.all():
        first = int(np.argmin(good))
        written = "NaN or infinite" if np.isposinf(values[first]) else f"{values[first]:g}"
        notes.append(
            f"{int((~good).sum())} of {good.size} values of {_called(table)} are no finite number "
            f"above 0 and are left out: the first is {written}, at step {frame['step'].iloc[first]}"
        )
    return frame[good]


def _count_from_one(frames: dict[str, pd.DataFrame], notes: list[str]) -> None:
    """Add the one where a log counts updates from 0."""
    logged = [frames[table]["step"].to_numpy() for table in ("train", "lr") if len(frames[table])]
    steps = distinct_steps(*logged)
    evaluated = distinct_steps(frames["evals"]["step"].to_numpy())
    if steps.size and (steps[0] == 0 or _one_short(steps)):
        for table in ("train", "lr"):
            frames[table] = frames[table].assign(step=frames[table]["step"] + 1)
        notes.append(f"updates are counted from 0: step {steps[0]} is update {steps[0] + 1}")
    # An evaluation at step 0 is of the start checkpoint, so the others count updates done.
    if evaluated.size and _one_short(evaluated):
        frames["evals"] = frames["evals"].assign(step=frames["evals"]["step"] + 1)
        notes.append(
            f"evaluations are counted from 0: at step {evaluated[0]}, {evaluated[0] + 1} updates "
            "are done"
        )


def _one_short(steps: NDArray[np.int64]) -> bool:
    """Whether steps are one below multiples of their spacing (49, 99, ...), but for the last."""
    if steps.size < 3:
        return False
    spacing = int(np.diff(steps[:-1]).min())
    return spacing > 1 and bool(((steps[:-1] + 1) % spacing == 0).all())


def _without_repeats(frames: dict[str, pd.DataFrame], notes: list[str]) -> dict[str, pd.DataFrame]:
    resumed: list[int] = []
    changed = 0
    out = {}
    for table, frame in frames.items():
        groups = frame.groupby("domain", sort=False) if table == "evals" else [("", frame)]
        parts = []
        for _, rows in groups:
            kept, back, differ = _later_wins(rows, "lr" if table == "lr" else "loss")
            parts.append(kept)
            resumed += back
            changed += differ
        out[table] = pd.concat(parts, ignore_index=True) if parts else frame
    if resumed:
        at = sorted(set(resumed))
        times = "" if len(at) == 1 else f" (and {len(at) - 1} times more)"
        notes.append(
            f"the log resumes at step {at[0]}{times}: rows from there on that came before are "
            "dropped"
        )
        _drop_abandoned(out)
    elif changed:
        notes.append(f"{changed} steps are logged twice with different values: the later counts")
    return out


def _later_wins(rows: pd.DataFrame, column: str) -> tuple[pd.DataFrame, list[int], int]:
    """Rows with increasing steps, the steps at which the log goes back, and values replaced."""
    steps = rows["step"].to_numpy()
    back = np.flatnonzero(np.diff(steps) < 0)
    if back.size > max(3, _UNSORTED * steps.size):
        rows, back = rows.sort_values("step", kind="stable"), back[:0]
        steps = rows["step"].to_numpy()
    if not steps.size:
        return rows, [], 0
    after = np.minimum.accumulate(steps[::-1])[::-1]
    keep = np.append(steps[:-1] < after[1:], True)
    lost = rows[~keep].drop_duplicates("step", keep="last")
    both = lost.merge(rows[keep], on="step")
    differ = int((both[f"{column}_x"] != both[f"{column}_y"]).sum())
    # A copy of rows that are there already is no resume.
    resumed = [int(s) for s in steps[back + 1]] if differ or len(both) < len(lost) else []
    return rows[keep], resumed, differ


def _drop_abandoned(frames: dict[str, pd.DataFrame]) -> None:
    """Drop evaluations past the last update of a log that resumes, of the part left behind."""
    last = max((int(frames[t]["step"].max()) for t in ("train", "lr") if len(frames[t])), default=0)
    if last:
        frames["evals"] = frames["evals"][frames["evals"]["step"] <= last]


def _called(table: str) -> str:
    return {"evals": "evaluation", "lr": "learning rates", "train": "training"}[table]


def _where(run: LogRun) -> str:
    files = ", ".join(str(path) for path in run.sources[:1])
    return f"{files}: run {run.name!r}" if files else f"run {run.name!r}"


def distinct_steps(*steps: NDArray[Any]) -> NDArray[Any]:
    """Steps of some tables, increasing and each once.

    Parameters
    ----------
    *steps : ndarray, shape (rows,)
        Steps.

    Returns
    -------
    ndarray
    """
    # np.unique hashes whole numbers, which takes ten times as long as sorting what is sorted.
    ordered = np.sort(np.concatenate([np.empty(0, np.int64), *steps]), kind="stable")
    return ordered[np.append(True, np.diff(ordered) > 0)] if ordered.size else ordered


def spacing_of(steps: Floats | NDArray[np.int64]) -> float:
    """Usual distance between steps.

    Parameters
    ----------
    steps : ndarray, shape (rows,)
        Increasing steps.

    Returns
    -------
    float
        Median difference; 0 for fewer than two.
    """
    return float(np.median(np.diff(steps))) if len(steps) > 1 else 0.0
