"""SQLite store of MLflow."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from bayescpt.data.readers.names import meaning
from bayescpt.data.readers.recipe import recipe
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.registry import Reader, register_reader
from bayescpt.data.readers.wide import split_wide
from bayescpt.errors import StudyError


@register_reader
class MLflow(Reader):
    """Runs in an SQLite file of MLflow (``mlflow.db``), less those that were deleted."""

    name = "mlflow"
    what = "SQLite store of MLflow"
    priority = 40

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is an SQLite file with MLflow's tables."""
        if not head.startswith(b"SQLite format 3\x00"):
            return False
        try:
            with closing(_open(path)) as store:
                tables = {t for (t,) in store.execute("SELECT name FROM sqlite_master")}
        except sqlite3.Error:
            return False
        return {"runs", "metrics", "params"} <= tables

    def read(self, path: Path, options: ReadOptions) -> list[LogRun]:
        """Return the runs that were not deleted."""
        try:
            with closing(_open(path)) as store:
                runs = store.execute(
                    "SELECT run_uuid, name FROM runs WHERE lifecycle_stage = 'active' "
                    "ORDER BY start_time"
                ).fetchall()
                found = [_read_run(store, path, run_id, name, options) for run_id, name in runs]
        except sqlite3.Error as error:
            raise StudyError(f"{path}: cannot be read as a store of MLflow: {error}") from error
        return [run for run in found if len(run.evals) or len(run.lr) or len(run.train)]


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _read_run(
    store: sqlite3.Connection, path: Path, run_id: str, name: str | None, options: ReadOptions
) -> LogRun:
    keys = [
        key
        for (key,) in store.execute(
            "SELECT DISTINCT key FROM metrics WHERE run_uuid = ?", (run_id,)
        )
        if meaning(key, options.columns).role in ("eval", "ppl", "train", "lr")
    ]
    marks = ", ".join("?" * len(keys))
    # MLflow stores NaN as 0 with a flag. Order of logging: the later value of a step counts.
    rows = store.execute(
        "SELECT key, step, CASE WHEN is_nan THEN NULL ELSE value END, is_nan FROM metrics "  # noqa: S608
        f"WHERE run_uuid = ? AND key IN ({marks}) ORDER BY timestamp, step",
        (run_id, *keys),
    ).fetchall()
    log = pd.DataFrame(rows, columns=["key", "step", "value", "is_nan"])
    log.loc[log["is_nan"].astype(bool), "value"] = float("inf")  # it diverged; a blank it is not
    values = log["value"].astype("float64")
    wide = pd.DataFrame({key: values.where(log["key"] == key) for key in keys}, index=log.index)
    parts = split_wide(wide, log["step"].to_numpy("float64"), options.columns)
    settings: dict[str, Any] = dict(
        store.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run_id,)).fetchall()
    )
    return LogRun(
        name or run_id,
        MLflow.name,
        (path,),
        parts.evals,
        parts.lr,
        parts.train,
        recipe(settings),
        run_id,
        notes=parts.notes,
    )
