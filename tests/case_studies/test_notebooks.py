"""Case studies as they are committed: with outputs, and no number in prose that none printed."""

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "case_studies"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# Code, links, papers, equations and numbered lists state no result.
NO_RESULT = re.compile(
    r"```.*?```|`[^`]*`|\]\([^)]*\)|(arXiv )?\d{4}\.\d{5}|Eq\. \d+|^\d+\. ",
    re.DOTALL | re.MULTILINE,
)
NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?%?(?![\w])")


def cells(path, kind):
    return [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == kind]


def printed(path):
    """All text that the cells of a notebook put out or were given."""
    parts = []
    for cell in cells(path, "code"):
        parts.append("".join(cell["source"]))
        for output in cell["outputs"]:
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            parts.append("".join(text))
    return "\n".join(parts)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_with_outputs_and_without_times(path):
    made = cells(path, "code")
    assert any(cell["outputs"] for cell in made)
    assert all(cell["execution_count"] for cell in made)
    assert not any("execution" in cell["metadata"] for cell in made)
    kinds = {output["output_type"] for cell in made for output in cell["outputs"]}
    assert "error" not in kinds


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_numbers_in_prose_are_printed(path):
    shown = {word.rstrip("%") for word in NUMBER.findall(printed(path))}
    for cell in cells(path, "markdown"):
        prose = NO_RESULT.sub(" ", "".join(cell["source"]))
        stated = {word.rstrip("%") for word in NUMBER.findall(prose)}
        assert stated <= shown, f"{path.name}, cell {cell['id']}: {sorted(stated - shown)}"
