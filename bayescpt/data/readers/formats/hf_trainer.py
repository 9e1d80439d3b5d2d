"""Hugging Face Trainer: ``trainer_state.json``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from bayescpt.data.readers.collect import RowCollector
from bayescpt.data.readers.names import name_of_path
from bayescpt.data.readers.recipe import recipe, recipe_beside
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.registry import Reader, register_reader
from bayescpt.data.readers.wide import split_wide
from bayescpt.errors import StudyError


@register_reader
class HFTrainer(Reader):
    """Reads the log history of transformers' ``TrainerState``.

    Each checkpoint holds a copy of the history up to it. A row has ``step``, the updates done, and
    either a training loss (mean since the last row) with a learning rate, or ``eval_loss`` or
    ``eval_NAME_loss``. The row at the end with ``train_loss``, the mean of the whole run, is left
    out, and so are predictions, which have no step.
    """

    name = "hf_trainer"
    what = "trainer_state.json of Hugging Face's Trainer"
    priority = 10

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is a JSON object with a log history."""
        if not head.lstrip().startswith(b"{"):
            return False
        return path.name == "trainer_state.json" or bool(
            re.search(rb'"log_history"\s*:\s*\[', head) and b'"global_step"' in head
        )

    def read(self, path: Path, options: ReadOptions) -> list[LogRun]:
        """Return the one run that the file tells of."""
        rows = RowCollector(options.columns)
        left_out: dict[str, int] = {}

        def _collect(found: dict[str, Any]) -> Any:
            if "log_history" in found:
                return found
            if "step" in found:
                if "train_runtime" in found:  # train_loss is the mean of the whole run
                    left_out["summary"] = left_out.get("summary", 0) + 1
                else:
                    rows.add(found)
                return None
            if any(key.startswith(("predict_", "test_", "eval_")) for key in found):
                left_out["prediction"] = left_out.get("prediction", 0) + 1
            return found

        try:
            with path.open(encoding="utf-8") as file:
                # Rows are taken as they are parsed: a list of dicts would be five times as large.
                state = json.load(file, object_hook=_collect)
        except (ValueError, OSError) as error:
            raise StudyError(f"{path}: cannot be read as JSON: {error}") from error
        if not isinstance(state, dict) or not isinstance(state.get("log_history"), list):
            raise StudyError(f"{path}: has no list log_history; expected a TrainerState")
        frame = rows.frame()
        steps = frame["step"].to_numpy(np.float64) if len(frame) else np.empty(0)
        parts = split_wide(frame.drop(columns="step", errors="ignore"), steps, options.columns)
        name, part = name_of_path(path)
        run = LogRun(name, self.name, (path,), parts.evals, parts.lr, parts.train, part=part)
        run.config = recipe_beside(path) | recipe({"max_steps": state.get("max_steps")})
        seen, done = state.get("num_input_tokens_seen"), state.get("global_step")
        if seen and done and seen % done == 0:
            run.config["tokens_per_step"] = seen // done
        run.notes = parts.notes
        if left_out.get("prediction"):
            run.notes.append(
                f"{left_out['prediction']} rows of predictions without a step left out"
            )
        if left_out.get("summary"):
            run.notes.append("train_loss of the last row is the mean of the whole run: left out")
        return [run]
