"""LLaMA-Factory: ``trainer_log.jsonl``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bayescpt.data.readers.collect import RowCollector
from bayescpt.data.readers.jsonl import json_lines
from bayescpt.data.readers.names import name_of_path
from bayescpt.data.readers.recipe import recipe_beside
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.registry import Reader, register_reader
from bayescpt.data.readers.wide import split_wide


@register_reader
class LlamaFactory(Reader):
    """Reads LLaMA-Factory's own log, which stands beside a ``trainer_state.json`` of the same run.

    Old versions write ``learning_rate``, and null for what a row does not have; new ones write
    ``lr`` and leave keys out. Rows of evaluations repeat ``current_steps`` and have no learning
    rate; the last row has neither.
    """

    name = "llama_factory"
    what = "trainer_log.jsonl of LLaMA-Factory"
    priority = 15

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether its first line has LLaMA-Factory's counters."""
        line = head.lstrip().split(b"\n", 1)[0]
        return line.startswith(b"{") and b'"current_steps"' in line and b'"total_steps"' in line

    def read(self, path: Path, options: ReadOptions) -> list[LogRun]:
        """Return the one run that the file tells of."""
        rows = RowCollector(options.columns)
        planned = 0
        notes: list[str] = []

        def _collect(row: dict[str, Any]) -> None:
            nonlocal planned
            planned = row.get("total_steps") or planned
            rows.add(row)

        json_lines(path, _collect, notes)
        frame = rows.frame()
        steps = frame["current_steps"].to_numpy(np.float64)
        parts = split_wide(frame.drop(columns="current_steps"), steps, options.columns)
        name, part = name_of_path(path)
        run = LogRun(name, self.name, (path,), parts.evals, parts.lr, parts.train, part=part)
        run.config = recipe_beside(path) | ({"steps": int(planned)} if planned else {})
        run.notes = notes + parts.notes
        return [run]
