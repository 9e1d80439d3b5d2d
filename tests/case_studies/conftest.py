"""The scripts that train the small real runs, as modules."""

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "case_studies" / "make_study"
SCRIPTS = ("recipes", "variants", "stream", "build_studies", "build_variants", "pace")


@pytest.fixture(scope="module")
def scripts_path():
    """Their folder, on the path."""
    if not FOLDER.is_dir():
        pytest.skip("the case studies are not installed")
    sys.path.insert(0, str(FOLDER))
    try:
        yield FOLDER
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def modules(scripts_path):
    """Those that need no PyTorch, by name."""
    return {name: importlib.import_module(name) for name in SCRIPTS}
