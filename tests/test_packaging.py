"""The built wheel and an editable install both bring the cards and the example studies."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from bayescpt.data import example_studies

ROOT = Path(__file__).parents[1]
LOOK = """
import bayescpt
from bayescpt.model.folder import cards_folder
print(bayescpt.__file__)
print(cards_folder())
print(*sorted(path.name for path in cards_folder().glob("*.toml")))
print(*(len(bayescpt.load_example(name).runs) for name in bayescpt.example_studies()))
"""
CARDS = sorted(path.name for path in (ROOT / "models").glob("*.toml"))

pytestmark = pytest.mark.slow


def run(*command: object) -> str:
    """Output of a command that must succeed, in the repository, away from any other environment."""
    hidden = {"PYTHONPATH", "VIRTUAL_ENV", "UV_NO_SYNC"}
    done = subprocess.run(  # noqa: S603
        [str(part) for part in command],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key not in hidden},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def uv():
    """uv itself (`uv run` says where), or no test."""
    found = os.environ.get("UV") or shutil.which("uv")
    if not found:
        pytest.skip("uv is not installed")
    return found


@pytest.fixture(scope="module")
def built(uv, tmp_path_factory):
    """Folder with the source distribution and the wheel built from it."""
    out = tmp_path_factory.mktemp("dist")
    run(uv, "build", "--no-build-isolation", "--python", sys.executable, "--out-dir", out, ROOT)
    return out


@pytest.fixture
def environment(uv, tmp_path):
    """Python of a new environment that sees this one's libraries, but not its bayescpt."""
    run(uv, "venv", "--python", sys.executable, tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    # A path named in a .pth file is searched, but its own .pth files (our editable install) are
    # not read.
    (Path(site) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def look(python: Path) -> tuple[Path, Path, list[str], list[int]]:
    """Places of the package and of its cards, the cards, and the runs of each example study."""
    package, cards, names, runs = run(python, "-I", "-c", LOOK).splitlines()
    return Path(package), Path(cards), names.split(), [int(count) for count in runs.split()]


def test_wheel_brings_cards_and_examples(uv, built, environment):
    (wheel,) = built.glob("*.whl")
    run(uv, "pip", "install", "--python", environment, "--no-deps", wheel)
    package, cards, names, runs = look(environment)
    assert package.is_relative_to(environment.parents[1])
    assert cards == package.parent / "_cards"
    assert names == CARDS
    assert CARDS
    assert len(runs) == len(example_studies())
    assert all(runs)
    assert (package.parent / "py.typed").is_file()
    assert "Usage" in run(environment.parent / "bayescpt", "--help")


def test_wheel_holds_the_package_its_data_and_nothing_else(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        names = set(files.namelist())
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        said = files.read(metadata).decode()
    assert {name.partition("/")[0] for name in names} == {"bayescpt", metadata.partition("/")[0]}
    assert {f"bayescpt/_cards/{name}" for name in CARDS} <= names
    assert {"bayescpt/py.typed", "bayescpt/data/examples/README.md"} <= names
    assert f"{metadata.partition('/')[0]}/licenses/LICENSE" in names
    assert "License-Expression: Apache-2.0" in said
    assert "Description-Content-Type: text/markdown" in said
    # All files of the package that git knows, and no cache of this machine.
    here = {
        str(path.relative_to(ROOT)) for path in (ROOT / "bayescpt").rglob("*") if path.is_file()
    }
    packed = {name for name in names if name.startswith("bayescpt/") and "/_cards/" not in name}
    assert packed == {name for name in here if "__pycache__" not in name}
    assert sum(info.file_size for info in zipfile.ZipFile(wheel).infolist()) < 30_000_000


def test_editable_install_reads_the_repository(uv, environment):
    run(
        *(uv, "pip", "install", "--python", environment, "--no-deps", "--no-build-isolation"),
        *("--editable", ROOT),
    )
    package, cards, names, runs = look(environment)
    assert package == ROOT / "bayescpt" / "__init__.py"
    assert cards == ROOT / "models"
    assert names == CARDS
    assert all(runs)
    # No copy of a card that could grow old.
    assert not list(environment.parents[1].rglob("*.toml"))


def test_source_distribution_brings_tests_and_lock(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        names = {name.partition("/")[2] for name in files.getnames()}
    assert {"tests/test_packaging.py", "requirements.lock", "LICENSE", "CHANGELOG.md"} <= names
    assert {"docs/index.md", "docs/conf.py", "CITATION.cff", "CODE_OF_CONDUCT.md"} <= names
    assert {f"models/{name}" for name in CARDS} <= names
    examples = "bayescpt/data/examples"
    assert {f"{examples}/fleet/fleet_code_330k/curves.parquet", f"{examples}/README.md"} <= names
    assert f"{examples}/variants/variant_curricula/lrs.parquet" in names
