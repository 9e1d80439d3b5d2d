"""What nanoGPT and build-nanogpt print."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bayescpt.data.readers.names import set_name
from bayescpt.data.readers.recipe import recipe
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.registry import Reader, register_reader
from bayescpt.data.readers.textlog import TextRun, number, shows


@register_reader
class NanoGPT(Reader):
    """Standard output of nanoGPT, and the log file and standard output of build-nanogpt."""

    name = "nanogpt"
    what = "nanoGPT text"
    priority = 24

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is text with lines of training or validation."""
        return shows(_MARK, path, head)

    def read(self, path: Path, options: ReadOptions) -> list[LogRun]:
        """Return the one run."""
        found = TextRun()
        said: dict[str, str] = {}
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                _read_line(line, found, said)
        found.place_pending()
        return found.log_runs(self.name, path, _config(said))


_MARK = re.compile(
    rb"(?m)^[^\n]{0,40}\b[Ss]tep +\d+: train loss [\d.naif]+, \w+ loss "
    rb"|^[^\n]{0,40}\biter +\d+: loss [\d.naif]+, time "
    rb"|^\d+ (?:train|val) \d+\.\d+\r?\n(?:\d+ \w+ \d+\.\d+\r?\n)+"
    rb"|^[^\n]{0,40}\bstep +\d+ \| loss: [\d.naif]+ \| lr "
)
# `step` is printed before that update: as many updates are done. `iter` has the loss of the next.
_STEP = re.compile(r"\b[Ss]tep +(\d+): (.*)")
_NAMED_LOSS = re.compile(r"([\w./-]+) loss (\S+?)(?:,|\s|$)")
_ITER = re.compile(r"\biter +(\d+): loss (\S+?)(?:,|\s|$)(?:.*\blr[ :=]+([\d.eE+-]+))?")
_BUILD = re.compile(r"(\d+) (train|val) (\d+\.\d+)$")
_BUILD_STEP = re.compile(r"\bstep +(\d+) \| loss: (\S+) \| lr ([\d.eE+-]+)")
_BUILD_VAL = re.compile(r"validation loss: (\S+)")
_SETTING = re.compile(r"(?:Overriding: )?(\w+) = ([^\s#]+)")
_TOKENS = re.compile(r"tokens per iteration will be: ([\d,]+)")
_PARAMETERS = re.compile(r"number of parameters: ([\d.]+)M")
_SETTINGS = {"learning_rate", "min_lr", "warmup_iters", "lr_decay_iters", "max_iters", "decay_lr"}


def _read_line(line: str, found: TextRun, said: dict[str, str]) -> None:
    if match := _ITER.search(line):
        found.add_train(int(match[1]) + 1, match[2], match[3])
    elif match := _STEP.search(line):
        for name, loss in _NAMED_LOSS.findall(match[2]):
            if name != "train":
                found.add_eval(int(match[1]), set_name(name), loss)
    elif match := _BUILD.match(line):
        if match[2] == "val":
            found.add_eval(int(match[1]), "val", match[3])
        else:
            found.add_train(int(match[1]) + 1, match[3])
    elif match := _BUILD_STEP.search(line):
        found.add_train(int(match[1]) + 1, match[2], match[3])
    elif match := _BUILD_VAL.search(line):
        found.add_pending("val", match[1])
    elif match := _TOKENS.search(line):
        said["tokens"] = match[1].replace(",", "")
    elif match := _PARAMETERS.search(line):
        said["parameters"] = match[1]
    elif (match := _SETTING.match(line)) and match[1] in _SETTINGS:
        said[match[1]] = match[2]


def _config(said: Mapping[str, str]) -> dict[str, Any]:
    """The recipe, as far as it is printed: settings left at their defaults are not."""
    config = recipe(said)
    tokens, millions = number(said.get("tokens")), number(said.get("parameters"))
    if tokens is not None:
        config["tokens_per_step"] = int(tokens)
    if millions is not None:
        config["n_params"] = round(millions * 1e6)
    if "peak_lr" in config:
        config["scheduler"] = "constant" if said.get("decay_lr") == "False" else "cosine"
    return config
