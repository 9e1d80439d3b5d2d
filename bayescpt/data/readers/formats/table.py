"""Tables of any logger: CSV, TSV, JSON lines and Parquet, long or wide."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bayescpt.data.readers.collect import RowCollector
from bayescpt.data.readers.delimited import header_of, read_delimited
from bayescpt.data.readers.jsonl import json_lines
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.registry import HEAD_BYTES, Reader, register_reader
from bayescpt.data.readers.tables_of_rows import column_kind, is_log_table, runs_of_table
from bayescpt.errors import StudyError


@register_reader
class Table(Reader):
    """Reads a table whose columns say what they are, or are named by a column map.

    It is wide (a column a metric), long by set (``run, step, domain, loss``) or long by metric
    (``run, step, metric, value``), and holds one run or several.
    """

    name = "table"
    what = "a table of losses by step: CSV, TSV, JSON lines or Parquet, long or wide"
    priority = 80

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is Parquet, lines of JSON objects, or has a header of names."""
        if head.startswith(b"PAR1"):
            return True
        first = head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1]
        if first == b"{":
            line = head.strip().split(b"\n", 1)[0].strip()
            return line.endswith(b"}") or len(line) == HEAD_BYTES
        if first == b"[":
            return path.suffix == ".json"
        return path.suffix != ".txt" and header_of(head) is not None

    def read(self, path: Path, options: ReadOptions) -> list[LogRun]:
        """Return the runs in the table."""
        notes: list[str] = []
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        kind = column_kind(options.columns)
        if head.startswith(b"PAR1"):
            try:
                names = pq.read_schema(path).names
                frame = pq.read_table(path, columns=[n for n in names if kind(n)]).to_pandas()
            except (pa.ArrowInvalid, OSError) as error:
                raise StudyError(f"{path}: cannot be read as Parquet: {error}") from error
        elif head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"["):
            frame = _read_json(path, head, options, notes)
            names = [str(c) for c in frame.columns]
        else:
            names, delimiter = header_of(head) or ([], ",")
            if not is_log_table(names, options.columns):
                return []
            frame = read_delimited(path, names, delimiter, kind, notes)
        if not is_log_table(names, options.columns) or frame.empty:
            return []
        runs = runs_of_table(frame, path, self.name, options)
        for run in runs:
            run.notes = notes + run.notes
        return runs


def _read_json(path: Path, head: bytes, options: ReadOptions, notes: list[str]) -> pd.DataFrame:
    rows = RowCollector(options.columns)
    if head.lstrip()[:1] == b"{":
        json_lines(path, rows.add, notes)
        return rows.frame()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StudyError(f"{path}: cannot be read as JSON: {error}") from error
    for row in content:
        if isinstance(row, dict):
            rows.add(row)
    return rows.frame()
