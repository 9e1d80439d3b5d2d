"""What goes with a release: citation, recipe, notes and templates agree with pyproject.toml."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Names on conda that differ.
CONDA = {"matplotlib": "matplotlib-base"}


def test_the_citation_has_the_version_and_the_licence():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["cff-version"] == "1.2.0"
    assert cited["version"] == PROJECT["version"]
    assert cited["license"] == PROJECT["license"]
    # What the schema requires, of the work and of its references.
    assert {"message", "title", "authors"} <= set(cited)
    assert all({"type", "title", "authors"} <= set(one) for one in cited["references"])


def recipe():
    """The recipe, with its placeholders filled in."""
    text = (ROOT / "recipe" / "meta.yaml").read_text()
    assert "://" not in text
    version = re.search(r'{% set version = "(.+)" %}', text)[1]
    lines = [line for line in text.splitlines() if not line.startswith("{%")]
    plain = "\n".join(lines).replace("{{ version }}", version).replace("{{ PYTHON }}", "python")
    return yaml.safe_load(plain)


def test_the_recipe_asks_for_what_the_package_asks_for():
    asked = {
        CONDA.get(need.name, need.name): need.specifier
        for need in map(Requirement, PROJECT["dependencies"])
    }
    given = {
        need.name: need.specifier for need in map(Requirement, recipe()["requirements"]["run"])
    }
    assert str(given.pop("python")) == PROJECT["requires-python"]
    assert given == asked


def test_the_recipe_has_the_version_the_licence_and_the_command():
    made = recipe()
    assert made["package"] == {"name": PROJECT["name"], "version": PROJECT["version"]}
    assert made["about"]["license"] == PROJECT["license"]
    (command,) = PROJECT["scripts"].items()
    assert made["build"]["entry_points"] == [" = ".join(command)]


def release(*words):
    script = ROOT / ".ci" / "release"
    if not script.exists():
        pytest.skip("a source distribution has no .ci")
    bash = shutil.which("bash")
    return subprocess.run([bash, script, *words], capture_output=True, text=True, check=False)  # noqa: S603


def test_release_notes_are_the_section_of_the_version():
    done = release("notes", "Unreleased")
    assert done.returncode == 0, done.stderr
    text = (ROOT / "CHANGELOG.md").read_text()
    assert done.stdout.strip() == re.split(r"^## .*$", text, flags=re.MULTILINE)[1].strip()
    done = release("notes", "99.9")
    assert done.returncode == 1
    assert "no section [99.9]" in done.stderr
    assert release().returncode == 2


def test_issue_templates_are_forms():
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    if not folder.exists():
        pytest.skip("a source distribution has no .github")
    for path in sorted(folder.glob("*.yml")):
        form = yaml.safe_load(path.read_text())
        if path.stem == "config":
            continue
        assert {"name", "description", "body"} <= set(form), path
        ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
        assert len(set(ids)) == len(ids), path
        assert all("label" in p["attributes"] for p in form["body"] if p["type"] != "markdown")
