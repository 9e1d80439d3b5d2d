"""Fenced blocks of a Markdown page, with what the comment before each says."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import typer

from bayescpt.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    ROOT / "bayescpt" / "data" / "examples" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "api").glob("*.md")),
]
MARK = re.compile(r"<!-- (file|slow|parsed)\b:?(.*?)-->", re.DOTALL)
STARTERS = ("bayescpt", "uv", "bash", "pip", "python")
COMMANDS = set(typer.main.get_command(app).commands)


@dataclass
class Block:
    """A fenced block: language, text, line on its page, and its marks by kind."""

    language: str
    text: str
    line: int
    marks: dict[str, str] = field(default_factory=dict)

    @property
    def is_shell(self) -> bool:
        """Whether its first line is a command."""
        first = (self.text.split() or [""])[0]
        return not self.language and first in STARTERS and "file" not in self.marks

    def kind(self, command: str = "") -> str:
        """``quick``, ``slow`` or ``parsed``, of the whole block or of a command in it."""
        for mark in ("slow", "parsed"):
            said = self.marks.get(mark)
            if said is None:
                continue
            named = set(said.split(", "))
            # A reason, or nothing, is about the whole block.
            if not named <= COMMANDS or command in named:
                return mark
        return "quick"

    def commands(self) -> list[list[str]]:
        """Words of each command, without comments."""
        joined = self.text.replace("\\\n", " ")
        parts = (part for line in joined.splitlines() for part in line.split("&&"))
        lines = (shlex.split(part, comments=True) for part in parts)
        return [words for words in lines if words]


def blocks_of(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    found: list[Block] = []
    marks: dict[str, str] = {}
    inside: Block | None = None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if inside is not None:
            if line.startswith("```"):
                found.append(inside)
                inside = None
            else:
                inside.text += line + "\n"
        elif line.startswith("```"):
            inside, marks = Block(line[3:].strip(), "", number + 1, marks), {}
        elif line.strip():
            said = {kind: text.strip() for kind, text in MARK.findall(line)}
            marks = {**marks, **said} if said else {}
    assert inside is None, f"{page}: a block is not closed"
    return found
