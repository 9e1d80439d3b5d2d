"""requirements.lock holds all that pyproject.toml asks for, by version and hash only."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def asked_for() -> list[str]:
    # Benchmarks compare with the newest, an audit takes the newest tools. An extra is not locked
    # either: with Dask about, xarray
    # loads it at every start.
    unlocked = ("bench", "browser", "fleet", "audit", "release")
    groups = [g for name, g in PYPROJECT["dependency-groups"].items() if name not in unlocked]
    in_groups = [entry for group in groups for entry in group if isinstance(entry, str)]
    return [*PYPROJECT["project"]["dependencies"], *in_groups]


@pytest.mark.parametrize("wanted", asked_for())
def test_each_requirement_is_locked_at_a_version_it_allows(wanted):
    requirement = Requirement(wanted)
    pin = re.compile(rf"^{re.escape(canonicalize_name(requirement.name))}==([^\s;]+)", re.MULTILINE)
    versions = pin.findall(LOCK)
    assert versions, f"{requirement.name} is not in requirements.lock: make it again"
    assert all(requirement.specifier.contains(version, prereleases=True) for version in versions)


def test_each_pin_has_hashes_and_no_address():
    pins = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(pins) > 50
    assert all("--hash=sha256:" in pin for pin in pins)
    assert "://" not in LOCK
