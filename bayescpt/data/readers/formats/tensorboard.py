"""Event files of TensorBoard, by any writer, where the tensorboard package is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bayescpt.data.readers.collect import RowCollector
from bayescpt.data.readers.megatron_arguments import config_of
from bayescpt.data.readers.names import name_of_path
from bayescpt.data.readers.recipe import recipe
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.registry import Reader, register_reader
from bayescpt.data.readers.wide import split_wide
from bayescpt.errors import MissingExtraError


@register_reader
class TensorBoard(Reader):
    """One event file; files of one folder are restarts of one run.

    The file is read record by record: TensorBoard's own accumulator keeps a sample of 10,000 points
    a tag and drops, after a restart, points of some tags and not of others.
    """

    name = "tensorboard"
    what = "TensorBoard event file"
    priority = 15

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is a file of events."""
        # A first record of some ten bytes: a wall time and "brain.Event:N".
        return b"brain.Event:" in head[:64] and len(head) > 12

    def read(self, path: Path, options: ReadOptions) -> list[LogRun]:
        """Return the run of the file, which may be one of its restarts."""
        rows, steps = RowCollector(options.columns), list[float]()
        row: dict[str, float] = {}
        texts: dict[str, str] = {}
        tags: set[str] = set()
        for step, tag, value in _values(path):
            if isinstance(value, str):
                texts.setdefault(tag.removesuffix("/text_summary"), value)
                continue
            if row and (step != steps[-1] or tag in row):
                rows.add(row)
                row = {}
            if not row:
                steps.append(step)
            row[tag] = value
            tags.add(tag)
        if row:
            rows.add(row)
        from_zero = bool(tags & _LIGHTNING)
        parts = split_wide(
            rows.frame(), np.array(steps, dtype=np.float64) + from_zero, options.columns
        )
        name, part = name_of_path(path)
        run = LogRun(name, self.name, (path,), parts.evals, parts.lr, parts.train, part=part)
        run.config, run.notes = _config(texts), parts.notes
        if from_zero:
            run.notes.append("steps count from 0, as Lightning logs them: one is added")
        return [run]


# Lightning's logger adds the epoch to each row, and counts steps from 0.
_LIGHTNING = {"epoch", "hp_metric"}


def _values(path: Path) -> Iterator[tuple[int, str, float | str]]:
    """Step, tag and value of each scalar and text in an event file, in its order."""
    try:
        from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError as error:
        raise MissingExtraError("tensorboard", "tensorboard") from error
    for event in LegacyEventFileLoader(str(path)).Load():
        for value in event.summary.value:
            if value.HasField("simple_value"):
                yield event.step, value.tag, value.simple_value
            elif value.HasField("tensor"):
                array = make_ndarray(value.tensor)
                if array.size == 1:
                    item = array.ravel()[0]
                    is_text = isinstance(item, bytes)
                    yield event.step, value.tag, item.decode() if is_text else float(item)


def _config(texts: Mapping[str, str]) -> dict[str, Any]:
    """The recipe among the texts: transformers writes its arguments as one JSON, Megatron each."""
    if "train_iters" in texts:
        return config_of(texts)[0]
    try:
        settings = json.loads(texts.get("args", "{}"))
    except ValueError:
        return {}
    return recipe(settings) if isinstance(settings, dict) else {}
