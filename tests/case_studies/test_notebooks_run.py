"""Case studies run from beginning to end on small settings (minutes each; `pytest -m slow`)."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "case_studies"


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_case_study_runs(path, tmp_path):
    made = tmp_path / path.name
    subprocess.run(  # noqa: S603
        [
            sys.executable,
            "-m",
            "jupyter",
            "execute",
            f"--output={made}",
            "--timeout=900",
            str(path),
        ],
        env=os.environ | {"BAYESCPT_NOTEBOOK": "small"},
        check=True,
        capture_output=True,
    )
    cells = nbformat.read(made, as_version=4).cells
    assert all(cell.execution_count for cell in cells if cell.cell_type == "code")
