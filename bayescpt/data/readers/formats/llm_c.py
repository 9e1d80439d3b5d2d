"""What llm.c writes: main.log, or standard output."""

from __future__ import annotations

import re
from pathlib import Path

from bayescpt.data.readers.names import UNNAMED
from bayescpt.data.readers.recipe import recipe
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.registry import Reader, register_reader
from bayescpt.data.readers.textlog import TextRun, shows


@register_reader
class LlmC(Reader):
    """File main.log of llm.c, or its standard output."""

    name = "llm_c"
    what = "llm.c main.log"
    priority = 26

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is text with lines of main.log or of standard output."""
        return shows(_MARK, path, head)

    def read(self, path: Path, options: ReadOptions) -> list[LogRun]:
        """Return the one run."""
        found = TextRun()
        said: dict[str, str] = {}
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                _read_line(line, found, said)
        found.place_pending()
        config = recipe({_SETTINGS[key]: value for key, value in said.items()})
        return found.log_runs(self.name, path, config)


_MARK = re.compile(
    rb"(?m)^s:\d+ (?:trl|tel):[\d.naif]+|^step +\d+/\d+ \| loss [\d.naif-]+ \([^)\n]*z\) ?\|"
)
# The file: tel and trl count the updates done before, so trl is of the update after.
_EVAL = re.compile(r"s:(\d+) tel:(\S+)")
_TRAIN = re.compile(r"s:(\d+) trl:(\S+)(?: lr:(\S+))?")
# Standard output: the step counts from 1, and a validation loss comes before its step.
_STDOUT = re.compile(r"step +(\d+)/(\d+) \| (?:train )?loss (\S+).*?\| lr (\S+)")
_STDOUT_EVAL = re.compile(r"val loss (\S+)\s*$")
_ROW = re.compile(r"\| ([\w() ]+?) +\| (\S+) +\|\s*$")


def _read_line(line: str, found: TextRun, said: dict[str, str]) -> None:
    if match := _TRAIN.match(line):
        found.add_train(int(match[1]) + 1, match[2], match[3])
    elif match := _EVAL.match(line):
        found.add_eval(int(match[1]), UNNAMED, match[2])
    elif match := _STDOUT.match(line):
        said["train_num_batches"] = match[2]
        found.add_train(int(match[1]), match[3], match[4])
    elif match := _STDOUT_EVAL.match(line):
        found.add_pending(UNNAMED, match[1])
    elif (match := _ROW.match(line)) and match[1] in _SETTINGS:
        said[match[1]] = match[2]


# Rows of the table at the top of standard output, by the names that `recipe` knows.
_SETTINGS = {
    "LR scheduler": "lr_scheduler",
    "learning rate (LR)": "learning_rate",
    "warmup iterations": "warmup_iters",
    "final LR fraction": "min_lr_ratio",
    "train_num_batches": "train_steps",
    "total batch size": "tokens_per_batch",
    "num_parameters": "num_parameters",
}
