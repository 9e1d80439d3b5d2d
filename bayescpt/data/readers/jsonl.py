"""Lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bayescpt.errors import StudyError


def json_lines(path: Path, collect: Callable[[dict[str, Any]], None], notes: list[str]) -> None:
    """Read a file of one JSON object a line.

    Parameters
    ----------
    path : Path
        The file.
    collect : callable
        Called with each object.
    notes : list of str
        Gets a sentence if the last line is cut off, as in the log of a run in flight.

    Raises
    ------
    StudyError
        If another line is not a JSON object.
    """
    broken: tuple[int, str] | None = None
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            if broken is not None:
                raise StudyError(f"{path}: line {broken[0]} is no JSON object: {broken[1]}")
            try:
                row = json.loads(line)
            except ValueError as error:
                broken = (number, str(error))
                continue
            if not isinstance(row, dict):
                raise StudyError(f"{path}: line {number} is no JSON object: {line.strip()[:60]}")
            collect(row)
    if broken is not None:
        notes.append(f"the last line, {broken[0]}, is cut off and left out")
