"""Histories of W&B runs: CSV, JSON and Parquet as its API and its artifacts give them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bayescpt.data.readers.collect import RowCollector, has_meaning
from bayescpt.data.readers.delimited import header_of, read_delimited
from bayescpt.data.readers.history import LOG_CALLS, history_run
from bayescpt.data.readers.jsonl import json_lines
from bayescpt.data.readers.names import meaning, name_of_path
from bayescpt.data.readers.recipe import recipe_beside
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.registry import HEAD_BYTES, Reader, register_reader
from bayescpt.errors import StudyError

# Keys that W&B adds to each row, besides `_step`.
_ADDED = ("_runtime", "_timestamp")


@register_reader
class WandbHistory(Reader):
    """History of one W&B run: rows with ``_step`` and ``_runtime`` or ``_timestamp``."""

    name = "wandb_history"
    what = "history of a W&B run (CSV, JSON or Parquet)"
    priority = 31

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is a table with ``_step`` and another key that W&B adds."""
        if head.startswith(b"PAR1"):
            return _is_history(_parquet_columns(path))
        if head.lstrip()[:1] in (b"{", b"["):
            return bool(_JSON_ROW.search(head)) and any(key.encode() in head for key in _ADDED)
        found = header_of(head)
        return found is not None and _is_history(found[0])

    def read(self, path: Path, options: ReadOptions) -> list[LogRun]:
        """Return the one run, or the runs that a column of names tells apart."""
        notes: list[str] = []
        frame = _read_frame(path, options, notes)
        name, part = name_of_path(path)
        named = [c for c in frame.columns if meaning(str(c), options.columns).role == "run"]
        named = named or [c for c in frame.columns if c == "name"]
        groups = frame.groupby(named[0], sort=False) if named else [(name, frame)]
        runs = []
        for run_name, rows in groups:
            rows = rows.drop(columns=named).reset_index(drop=True)
            run = history_run(rows, str(run_name), self.name, path, options.columns)
            run.notes = notes + run.notes
            if not named:
                run.part, run.config = part, recipe_beside(path)
            runs.append(run)
        return runs


# A first row that is flat; a summary file is one object too, but of one row.
_JSON_ROW = re.compile(rb'^\s*(?:\[\s*)?\{[^{}]*"_step"\s*:')


def _is_history(columns: list[str]) -> bool:
    return LOG_CALLS in columns and any(key in columns for key in _ADDED)


def _parquet_columns(path: Path) -> list[str]:
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError):
        return []


def _read_frame(path: Path, options: ReadOptions, notes: list[str]) -> pd.DataFrame:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(b"PAR1"):
        wanted = [c for c in _parquet_columns(path) if has_meaning(c, options.columns)]
        return pq.read_table(path, columns=wanted).to_pandas()
    if head.lstrip()[:1] in (b"{", b"["):
        return _read_json(path, head, options, notes)
    header, delimiter = header_of(head) or ([], ",")
    kinds = {name: "number" for name in header if has_meaning(name, options.columns)}
    for name in kinds:
        if name == "name" or meaning(name, options.columns).role == "run":
            kinds[name] = "text"
    return read_delimited(path, header, delimiter, lambda name: kinds.get(name, ""), notes)


def _read_json(path: Path, head: bytes, options: ReadOptions, notes: list[str]) -> pd.DataFrame:
    rows = RowCollector(options.columns)
    if head.lstrip()[:1] == b"{":
        json_lines(path, rows.add, notes)
        return rows.frame()
    try:
        # Rows are collected as they are parsed: a list of them would take ten times the file.
        json.loads(path.read_text(encoding="utf-8"), object_hook=lambda row: _collect(row, rows))
    except ValueError as error:
        raise StudyError(f"{path}: cannot be read as JSON: {error}") from error
    return rows.frame()


def _collect(row: dict[str, Any], rows: RowCollector) -> dict[str, Any] | None:
    if LOG_CALLS not in row:  # a part of a row
        return row
    rows.add(row)
    return None
