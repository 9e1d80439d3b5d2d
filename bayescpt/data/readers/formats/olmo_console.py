"""What OLMo-core prints on the console."""

from __future__ import annotations

import re
from pathlib import Path

from bayescpt.data.readers.names import meaning
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.registry import Reader, register_reader
from bayescpt.data.readers.textlog import TextRun, number, shows


@register_reader
class OlmoConsole(Reader):
    """Console output of OLMo-core."""

    name = "olmo_console"
    what = "OLMo-core console output"
    priority = 27

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is text with a progress marker."""
        return shows(_MARK, path, head)

    def read(self, path: Path, options: ReadOptions) -> list[LogRun]:
        """Return the one run."""
        found, planned, step, evaluator = TextRun(), None, 0, ""
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if match := _STEP.search(line):
                    step, planned, evaluator = int(match[1]), number(match[2]), ""
                elif match := _EVALS.search(line):
                    evaluator = match[1]
                elif match := _VALUE.match(line):
                    key = f"eval/{evaluator}/{match[1]}" if evaluator else match[1]
                    role = meaning(key, options.columns)
                    if role.role == "eval":
                        found.add_eval(step, role.domain, match[2])
                    elif role.role == "lr":
                        found.add_lr(step, match[2])
                    elif role.role == "train":
                        found.add_train(step, match[2])
        return found.log_runs(self.name, path, {"steps": int(planned)} if planned else {})


_MARK = re.compile(
    rb"\[step=\d+/(?:\d+|\?\?\?),epoch=\d+[^\]\n]*\]|Finished lm evals in [\d.]+ sec"
)
_STEP = re.compile(r"\[step=(\d+)/(\d+|\?\?\?),epoch=")
_EVALS = re.compile(r"Finished (\w+) evals in .*Metrics:")
_VALUE = re.compile(r"\s+(\S[^=]*)=(\S+)\s*$")
