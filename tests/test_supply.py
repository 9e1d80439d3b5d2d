"""Scripts about versions and supply chain: they parse, and name what there is."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = [ROOT / ".ci" / name for name in ("run", "versions", "processors", "supply", "release")]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

if not SCRIPTS[0].exists():
    pytest.skip("a source distribution has no .ci", allow_module_level=True)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_parse_and_name_no_host(script):
    bash = shutil.which("bash")
    assert bash
    done = subprocess.run([bash, "-n", script], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert "://" not in script.read_text()


def test_each_tool_of_the_supply_script_is_in_its_group():
    text = (ROOT / ".ci" / "supply").read_text()
    group = {re.match(r"[\w-]+", entry)[0] for entry in PYPROJECT["dependency-groups"]["audit"]}
    commands = {"pip-audit": "pip-audit", "pip-licenses": "pip-licenses"} | {
        "cyclonedx-py": "cyclonedx-bom"
    }
    used = set(re.findall(r"tools/bin/([\w-]+)", text))
    assert used == set(commands)
    assert {commands[name] for name in used} == group


def test_the_supply_script_says_what_it_does():
    bash = shutil.which("bash")
    script = ROOT / ".ci" / "supply"
    done = subprocess.run([bash, script], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 2
    for word in ("audit", "licences", "sbom FILE"):
        assert f"bash .ci/supply {word}" in done.stderr


def test_pythons_that_are_tested_are_those_that_are_named():
    text = (ROOT / ".ci" / "versions").read_text()
    tested = re.search(r"PYTHONS:-([\d. ]+)", text)[1].split()
    named = [
        line.rpartition(" ")[2]
        for line in PYPROJECT["project"]["classifiers"]
        if re.search(r"Python :: 3\.\d+$", line)
    ]
    assert set(named) <= set(tested)
    assert PYPROJECT["project"]["requires-python"].startswith(f">={min(named)}")
