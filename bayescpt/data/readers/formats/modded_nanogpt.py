"""The log files of modded-nanogpt, which begin with the code of the script."""

from __future__ import annotations

import re
from pathlib import Path

from bayescpt.data.readers.names import UNNAMED
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.registry import Reader, register_reader
from bayescpt.data.readers.textlog import TextRun, shows


@register_reader
class ModdedNanoGPT(Reader):
    """Log file or standard output of modded-nanogpt."""

    name = "modded_nanogpt"
    what = "modded-nanogpt text"
    priority = 25

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is text with a line of validation, after the code of the script."""
        return shows(_MARK, path, head)

    def read(self, path: Path, options: ReadOptions) -> list[LogRun]:
        """Return the one run."""
        found, planned = TextRun(), 0
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                match = _LINE.search(line)
                if match is None:
                    continue
                step, planned = int(match[1]), int(match[2] or planned)
                # Both lines print the number of updates done.
                if match[3] == "val":
                    found.add_eval(step, UNNAMED, match[4])
                elif step:
                    found.add_train(step, match[4])
        return found.log_runs(self.name, path, {"steps": planned} if planned else {})


_MARK = re.compile(rb"\bstep:\d+(?:/\d+)? +(?:val|train)_(?:loss|time):\d")
_LINE = re.compile(r"\bstep:(\d+)(?:/(\d+))? +(val|train)_loss:([\d.naif]+)")
