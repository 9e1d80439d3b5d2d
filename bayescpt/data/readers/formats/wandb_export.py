"""Tables exported from panels of W&B: one column a run and key, each with its __MIN and __MAX."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd

from bayescpt.data.readers.delimited import header_of, read_delimited
from bayescpt.data.readers.history import LOG_CALLS, history_run
from bayescpt.data.readers.names import meaning, step_counter
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.registry import HEAD_BYTES, Reader, register_reader
from bayescpt.errors import StudyError


@register_reader
class WandbExport(Reader):
    """CSV of a W&B panel, with a column ``RUN - key`` or ``Group: GROUP - key`` a curve."""

    name = "wandb_export"
    what = "CSV export of W&B"
    priority = 30

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is a table with ``__MIN`` columns, or of ``RUN - key`` columns only."""
        found = header_of(head)
        if found is None:
            return False
        axis, *others = found[0]
        if any(name.endswith("__MIN") for name in others):
            return True
        return step_counter([axis]) is not None and all(" - " in name for name in others)

    def read(self, path: Path, options: ReadOptions) -> list[LogRun]:
        """Return the runs or groups in it."""
        with path.open("rb") as file:
            header, delimiter = header_of(file.read(HEAD_BYTES)) or ([], ",")
        axis, curves = header[0], _curves(header[1:], options)
        counter = step_counter([axis], options.columns)
        if counter is None:
            raise StudyError(
                f"{path}: the x axis is {axis!r}, which counts no steps; set the x axis of the "
                f'panel to Step and export again, or say in a column map: "{axis}" = "step"'
            )
        notes: list[str] = []
        wanted = {axis} | {name + end for name in curves for end in ("", "__MIN", "__MAX")}
        frame = read_delimited(
            path, header, delimiter, lambda name: "number" if name in wanted else "", notes
        )
        by_run: dict[str, dict[str, pd.Series[float]]] = defaultdict(dict)
        for column, (owner, key) in curves.items():
            by_run[owner][key] = frame[column]
        runs = []
        for name, series in by_run.items():
            rows = pd.DataFrame({axis: frame[axis], **series}).dropna(subset=[*series], how="all")
            run = history_run(rows, name, self.name, path, {**options.columns, axis: "step"})
            if run.steps_are == "updates":
                run.steps_are = counter[1]
            run.notes = notes + run.notes
            if _differs(frame, [c for c, (owner, _) in curves.items() if owner == name]):
                run.notes.append(
                    "its curves are means over a group of runs (__MIN and __MAX differ): export "
                    "ungrouped for the runs themselves"
                )
            runs.append(run)
        return runs


def _curves(names: list[str], options: ReadOptions) -> dict[str, tuple[str, str]]:
    """Run and key of each column that holds a curve."""
    curves = {}
    for name in names:
        run, dash, key = name.rpartition(" - ")
        if not dash or key.endswith(("__MIN", "__MAX")) or key == LOG_CALLS:
            continue
        if meaning(key, options.columns).role in ("eval", "ppl", "train", "lr"):
            curves[name] = (run.removeprefix("Group: ").removeprefix("name: "), key)
    return curves


def _differs(frame: pd.DataFrame, columns: list[str]) -> bool:
    for column in columns:
        low, high = f"{column}__MIN", f"{column}__MAX"
        if {low, high} <= set(frame.columns):
            gap = (frame[high] - frame[low]).to_numpy()
            if np.nanmax(np.abs(gap), initial=0.0) > 0:
                return True
    return False
