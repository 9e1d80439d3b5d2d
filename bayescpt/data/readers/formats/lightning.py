"""``metrics.csv`` of Lightning's CSVLogger, and of LitGPT, which uses it."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data.readers.collect import has_meaning
from bayescpt.data.readers.delimited import header_of, read_delimited
from bayescpt.data.readers.names import meaning, name_of_path
from bayescpt.data.readers.recipe import recipe_beside
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.registry import HEAD_BYTES, Reader, register_reader
from bayescpt.data.readers.wide import split_wide


@register_reader
class Lightning(Reader):
    """Metrics of Lightning's CSVLogger.

    Steps count from 0: row 49 is written after 50 updates, whether its losses are of training or of
    validation. LitGPT's steps are micro-iterations, of which several make an update.
    """

    name = "lightning"
    what = "metrics.csv of Lightning or LitGPT"
    priority = 32

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is a table with epochs and steps that count from 0."""
        found = header_of(head)
        if found is None or found[1] != "," or "step" not in found[0]:
            return False
        header = set(found[0])
        return _LITGPT <= header or ("epoch" in header and _counts_from_zero(head, found[0]))

    def read(self, path: Path, options: ReadOptions) -> list[LogRun]:
        """Return the one run."""
        with path.open("rb") as file:
            header, delimiter = header_of(file.read(HEAD_BYTES)) or ([], ",")
        litgpt = set(header) >= _LITGPT
        notes: list[str] = []
        counts = _LITGPT_COUNTS if litgpt else ()
        wanted = {n for n in header if n in counts or has_meaning(n, options.columns)}
        frame = read_delimited(
            path, header, delimiter, lambda name: "number" if name in wanted else "", notes
        )
        steps = frame["step"].to_numpy(np.float64) + 1
        name, part = name_of_path(path)
        parts = split_wide(frame, steps, options.columns)
        run = LogRun(name, self.name, (path,), parts.evals, parts.lr, parts.train, part=part)
        run.config = recipe_beside(path)
        run.notes = [*notes, "steps count from 0: one is added", *parts.notes]
        _uncount_evals(run)
        if litgpt:
            if name == "csv":  # RUN/logs/csv/version_0
                run.name = name_of_path(path.parents[2] / path.name)[0]
            run.steps_are = "micro"
            run.config |= _litgpt_config(path, frame, run.notes)
        return [run]


_LITGPT = {"iter", "iter_time", "remaining_time"}
_LITGPT_COUNTS = ("iter", "total_tokens")


def _counts_from_zero(head: bytes, header: list[str]) -> bool:
    """Whether a table with epochs and steps is Lightning's, whose steps count from 0.

    Its keys tell, or its steps: a row of training at step 0, or steps such as 49, 99, 149.
    """
    if any(re.search(r"loss_(step|epoch)$", name) for name in header):
        return True
    text = head.decode("utf-8", "ignore").rpartition("\n")[0]
    frame = pd.read_csv(io.StringIO(text), on_bad_lines="skip", skipinitialspace=True)
    frame = frame.set_axis(header[: frame.shape[1]], axis="columns")
    roles = {name: meaning(name).role for name in frame.columns}
    steps = pd.to_numeric(frame["step"], errors="coerce")

    def steps_of(*wanted: str) -> NDArray[np.int64]:
        columns = [name for name, role in roles.items() if role in wanted]
        return steps[frame[columns].notna().any(axis=1)].dropna().to_numpy().astype(np.int64)

    trained, evaluated = steps_of("train"), steps_of("eval", "ppl")
    logged = np.concatenate([trained, evaluated, steps_of("lr")])
    if len(logged) < 2 or (evaluated == 0).any():  # the start checkpoint, which Lightning skips
        return False
    return bool((trained == 0).any() or np.gcd.reduce(logged + 1) > 1 == np.gcd.reduce(logged))


def _uncount_evals(run: LogRun) -> None:
    """Take back the one from validations that count updates done.

    In a run that goes on from a checkpoint at the end of another, Lightning has counted the last
    update already when it validates: training is at 149 then, and validation at 150.
    """
    trained = np.concatenate([run.train["step"], run.lr["step"]]).astype(np.int64)
    evaluated = run.evals["step"].to_numpy(np.int64)
    every = int(np.gcd.reduce(trained, initial=0))
    if every > 1 and len(evaluated) and ((evaluated - 1) % every == 0).all():
        run.evals["step"] -= 1
        run.notes.append("steps of validation count updates done, as after a resume")


def _litgpt_config(path: Path, frame: pd.DataFrame, notes: list[str]) -> dict[str, Any]:
    """Micro-iterations and tokens per update, from LitGPT's hyperparameters.yaml.

    It stands in each folder of a checkpoint, as logs/csv/version_0 stands beside them.
    """
    folders = list(path.parents)[:5]
    files = [file for folder in folders for file in folder.glob("hyperparameters.yaml")]
    files += [file for folder in folders for file in folder.glob("*/hyperparameters.yaml")]
    if not files:
        notes.append(
            "steps are micro-iterations; how many make an update stands in hyperparameters.yaml, "
            "which was not found beside the logs"
        )
        return {}
    text = files[0].read_text(encoding="utf-8", errors="replace")
    found = dict(_YAML_NUMBER.findall(text))
    devices = int(found.get("devices", 1)) * int(found.get("num_nodes", 1))
    batch, micro = int(found.get("global_batch_size", 0)), int(found.get("micro_batch_size", 0))
    if not batch or not micro:
        return {}
    config: dict[str, Any] = {"accumulation": max(1, batch // devices // micro)}
    if {"iter", "total_tokens"} <= set(frame.columns):
        tokens: NDArray[np.float64] = (frame["total_tokens"] / frame["iter"]).dropna().to_numpy()
        if len(tokens):
            config["tokens_per_step"] = round(float(tokens[-1]) * config["accumulation"])
    return config


_YAML_NUMBER = re.compile(
    r"(?m)^\s*(devices|num_nodes|global_batch_size|micro_batch_size): *(\d+)\s*$"
)
