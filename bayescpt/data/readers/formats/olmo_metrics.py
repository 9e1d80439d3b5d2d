"""``metrics_stepN.json`` of OLMo-core, which hold only the latest value of each metric."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from bayescpt.data.readers.names import meaning, name_of_path
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.registry import Reader, register_reader
from bayescpt.data.readers.textlog import eval_table, step_table
from bayescpt.errors import StudyError


@register_reader
class OlmoMetrics(Reader):
    """One file of OLMo-core's metric saver; the files of a folder together give the curve."""

    name = "olmo_metrics"
    what = "metrics_stepN.json of OLMo-core"
    priority = 28

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is a JSON object with metrics of OLMo-core."""
        return bool(_MARK.match(head))

    def read(self, path: Path, options: ReadOptions) -> list[LogRun]:
        """Return the run at the step of the file."""
        name, part = name_of_path(path.with_name("metrics.json"))
        run = LogRun(name, self.name, (path,), part=part)
        match = _STEP.search(path.stem)
        if match is None:
            siblings = [f for f in path.parent.glob("*.json") if _STEP.search(f.stem)]
            if siblings:
                return []  # it repeats the last of them, and does not say its step
            raise StudyError(
                f"{path}: holds the latest values only, and not their step; save at steps "
                "(MetricSaverCallback.save_interval), or read the console output or W&B's export"
            )
        step, values = int(match[1]), _load(path)
        before = _load_before(path, step)
        evals, stale = [], []
        for key, value in values.items():
            found = meaning(key, options.columns)
            if found.role == "eval":
                # The same value as in the file before is of an evaluation before that.
                if before.get(key) == value:
                    stale.append(found.domain)
                else:
                    evals.append((step, found.domain, float(value)))
            elif found.role == "lr":
                run.lr = step_table([step], "lr", [float(value)])
            elif found.role == "train":
                run.train = step_table([step], "loss", [float(value)])
        run.evals = eval_table(evals)
        if stale:
            run.notes.append(f"step {step}: {', '.join(stale)} not evaluated since the file before")
        return [run]


_MARK = re.compile(
    rb'\s*\{(?:[^{}\[\]]*,\s*)?"(?:train/CE loss|optim/LR \(group 0\)|eval/lm/[^"]+)":'
)
_STEP = re.compile(r"step_?(\d+)$")


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StudyError(f"{path}: cannot be read as JSON: {error}") from error
    numbers = content.items() if isinstance(content, dict) else ()
    return {key: value for key, value in numbers if isinstance(value, int | float)}


def _load_before(path: Path, step: int) -> dict[str, Any]:
    """Values of the last file before a step; empty if there is none."""
    steps = {int(m[1]): f for f in path.parent.glob("*.json") if (m := _STEP.search(f.stem))}
    earlier = [s for s in steps if s < step]
    return _load(steps[max(earlier)]) if earlier else {}
