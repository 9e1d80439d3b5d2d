"""What Megatron-LM and its descendants print: training and validation lines, and the arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from bayescpt.data.readers.megatron_arguments import config_of, validation_names
from bayescpt.data.readers.names import UNNAMED, name_of_path, set_name
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.registry import Reader, register_reader
from bayescpt.data.readers.textlog import eval_table, shows, step_table


@register_reader
class Megatron(Reader):
    """Standard output of Megatron-LM and its descendants: DeepSpeed's, Bridge, GPT-NeoX."""

    name = "megatron"
    what = "Megatron-LM standard output"
    priority = 20

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is text with a line of training or validation, or the argument dump."""
        return shows(_MARK, path, head)

    def read(self, path: Path, options: ReadOptions) -> list[LogRun]:
        """Return the one run."""
        found = _read_lines(path)
        if not found.evals and not found.lr_steps:
            return []
        name, part = name_of_path(path)
        config, notes = config_of(found.arguments)
        if found.parameters:
            config["n_params"] = sum(found.parameters.values())
        evals, named = _named(found)
        return [
            LogRun(
                name,
                self.name,
                (path,),
                eval_table(evals),
                step_table(found.lr_steps, "lr", found.lr),
                step_table(found.loss_steps, "loss", found.loss),
                config,
                part,
                notes=[*notes, *named, *_left_out(found)],
            )
        ]


# A line of training or validation, or the argument dump, whatever the rank's prefix.
_MARK = re.compile(
    rb"iteration\s+\d+/\s*\d+ \||validation[^\n|]{0,80} (?:loss|results) at [^\n|]{1,80}\|"
    rb"|-{4,} arguments -{4,}\s[^\n]{0,40}\w+ \.{2,}"
)
_VALIDATION = re.compile(
    rb"validation(?P<suffix>[-_/][^|]*?)? (?:loss|results) at (?P<where>[^|]*?)\s*\|(?P<losses>.*)"
)
_ITERATION = re.compile(rb"(?:iteration|iter|step)\s+(\d+)\s*(?:(?:on|for)\s+(.*))?")
_LOSS = re.compile(rb"(?:^|\|)\s*(?:(?:lm|LM)[ _])?loss(?: value)?: *([^\s|]+)")
_ARGUMENT = re.compile(rb"(?:^|[\s>:\]])(\w+) \.{2,}\s+(.*?)\s*$")
_SKIPPED = re.compile(rb"skipped iterations: *(\d+)")
_PARAMETERS = re.compile(rb"number of parameters on[^(]*\([^)]*\)[^(]*(\([^)]*\)): *(\d+)")


@dataclass
class _Found:
    """What the lines of one file gave."""

    lr_steps: list[int] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    loss_steps: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    evals: list[tuple[int, str, float]] = field(default_factory=list)
    arguments: dict[str, str] = field(default_factory=dict)
    parameters: dict[bytes, int] = field(default_factory=dict)  # by model-parallel rank
    skipped: int = 0
    broken: int = 0
    tests: int = 0
    second_evals: list[int] = field(default_factory=list)


def _read_lines(path: Path) -> _Found:
    """Read a log line by line; a million lines of training take two or three seconds."""
    found = _Found()
    lr_steps, rates, loss_steps, losses = found.lr_steps, found.lr, found.loss_steps, found.loss
    with path.open("rb") as file:
        for line in file:
            # Almost all lines are of this kind, so it is tested first, and without a regex.
            at = line.find(b" learning rate: ")
            start = line.find(b"iteration") if at >= 0 else -1
            if start < 0:
                _read_other(line, found)
                continue
            try:
                step = int(line[start + 9 : line.find(b"/", start)])
                end = line.find(b" ", at + 16)
                rate = float(line[at + 16 : end])
                at = line.find(b" lm loss: ", end)
                if at < 0:
                    at = line.find(b" lm_loss: ", end)  # GPT-NeoX
                loss = float(line[at + 10 : line.find(b" ", at + 10)]) if at >= 0 else None
            except ValueError:  # cut short, or two processes wrote at once
                found.broken += 1
                continue
            lr_steps.append(step)
            rates.append(rate)
            if loss is not None:
                loss_steps.append(step)
                losses.append(loss)
            if line.find(b"skipped iterations:   0", end) < 0:
                _read_skipped(line, found)
    return found


def _read_other(line: bytes, found: _Found) -> None:
    """Read a line that is not one of training."""
    if b"validation" in line and (b" loss at " in line or b" results at " in line):
        _read_validation(line, found)
    elif b" .." in line:
        if match := _ARGUMENT.search(line):
            key, value = (text.decode("utf-8", "replace") for text in match.groups())
            found.arguments[key] = value
    elif b"number of parameters on" in line and (match := _PARAMETERS.search(line)):
        found.parameters[match[1]] = int(match[2])


def _read_validation(line: bytes, found: _Found) -> None:
    match = _VALIDATION.search(line)
    if match is None:
        return
    loss = _LOSS.search(match["losses"])
    try:
        value = float(loss[1]) if loss else None
    except ValueError:
        value = None
    if value is None:
        found.broken += 1
        return
    where = _ITERATION.search(match["where"])
    if where is not None:
        step, said = int(where[1]), where[2]
    else:  # "the end of training for val data"
        step = found.loss_steps[-1] if found.loss_steps else 0
        said = match["where"].rpartition(b" for ")[2]
    name = (match["suffix"] or said or b"").decode("utf-8", "replace").strip(" -_/")
    name = re.sub(r"\b(set|data)$", "", name).strip()
    name = set_name(name) if name else UNNAMED
    if name == "test":
        found.tests += 1
    elif said and found.evals and (step, name) == found.evals[-1][:2]:
        found.second_evals.append(step)
    else:
        found.evals.append((step, name, value))


def _read_skipped(line: bytes, found: _Found) -> None:
    if match := _SKIPPED.search(line):
        found.skipped += int(match[1])


def _named(found: _Found) -> tuple[list[tuple[int, str, float]], list[str]]:
    """Evaluations with numbered sets named by the argument dump, and a note of that."""
    numbered = sorted({name for _, name, _ in found.evals if re.fullmatch(r"val_\d+", name)})
    names = validation_names(found.arguments, len(numbered))
    if not names:
        return found.evals, []
    by_number = {f"val_{k}": name for k, name in enumerate(names)}
    said = ", ".join(f"{number} is {name}" for number, name in by_number.items())
    evals = [(step, by_number.get(name, name), loss) for step, name, loss in found.evals]
    return evals, [f"validation sets are named after valid_data_path: {said}"]


def _left_out(found: _Found) -> list[str]:
    notes = []
    if found.tests:
        notes.append(f"losses on the test set left out: {found.tests}")
    if found.second_evals:
        notes.append(
            f"a second evaluation of step {found.second_evals[-1]}, after training, left out"
        )
    if found.skipped:
        notes.append(
            f"{found.skipped} skipped updates (overflow or NaN) are counted as steps, and did not "
            "advance the learning rate"
        )
    if found.broken:
        notes.append(f"damaged lines left out: {found.broken}")
    return notes
