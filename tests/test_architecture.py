"""Who may import whom: floors, and the heavy libraries behind few doors."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bayescpt

PACKAGE = Path(bayescpt.__file__).parent

# Each imports only from those before it. "bayescpt" is the package's own __init__, which offers
# what lies below; only the command line builds on it.
FLOORS = (
    "errors",
    "text",
    "linalg",
    "toml_file",
    "random_seed",
    "files",
    "interruption",
    "work",
    "data",
    "laws",
    "model",
    "forecast",
    "inference",
    "decide",
    "evaluate",
    "present",
    "bayescpt",
    "cli",
)
DOORS = {
    "pymc": {"model", "inference"},
    "pytensor": {"model", "inference"},
    "nutpie": {"model", "inference"},
    "matplotlib": {"present"},
    "jinja2": {"present"},
    "markupsafe": {"present"},
    "nbformat": {"present"},
    "marimo": {"present"},
    "uvicorn": {"present"},
}


def floor(module: str) -> str:
    """Name in FLOORS of a module such as ``bayescpt.data.areas``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def imports(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Line and absolute name of all that a module imports, inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above * bool(node.level), *filter(None, [node.module])])
            for alias in node.names:
                # `from bayescpt import data` imports bayescpt.data, `from bayescpt import fit`
                # what its __init__ offers.
                named = f"{base}.{alias.name}"
                yield node.lineno, named if base == "bayescpt" and floor(named) in FLOORS else base


def faults(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Imports of a module that go against FLOORS or DOORS."""
    own = floor(module)
    package = module if is_package else module.rpartition(".")[0]
    found = []
    for line, name in imports(source, package):
        top = name.split(".")[0]
        if own not in DOORS.get(top, {own}):
            found.append(f"{module}:{line} imports {name}: only {sorted(DOORS[top])} may")
        if top == "bayescpt" and FLOORS.index(floor(name)) > FLOORS.index(own):
            found.append(f"{module}:{line} imports {name}, which lies on a floor above")
        if name == "bayescpt" and own not in ("bayescpt", "cli"):
            found.append(f"{module}:{line} imports the whole package")
    return found


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def test_every_part_of_the_package_has_a_floor():
    assert {floor(name) for name, _ in modules()} <= {*FLOORS, "__main__"}


def test_imports_go_down_only_and_through_the_doors():
    found = [
        fault
        for name, path in modules()
        if floor(name) != "__main__"
        for fault in faults(path.read_text(), name, is_package=path.name == "__init__.py")
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "module", "count"),
    [
        ("from bayescpt.decide import Goal", "bayescpt.data.study", 1),
        ("def f():\n    from bayescpt.decide import Goal", "bayescpt.data.study", 1),
        ("from bayescpt import decide", "bayescpt.data.study", 1),
        ("from ..decide import Goal", "bayescpt.data.study", 1),
        ("from .. import decide", "bayescpt.data.study", 1),
        ("from . import areas", "bayescpt.data.study", 0),
        ("from bayescpt.data import Study", "bayescpt.decide.goals", 0),
        ("import bayescpt", "bayescpt.decide.goals", 2),
        ("import bayescpt as bc", "bayescpt.cli", 0),
        ("import pymc as pm", "bayescpt.laws.terms.base", 1),
        ("from pytensor import tensor as pt", "bayescpt.forecast.forecast", 1),
        ("import pymc as pm", "bayescpt.model.build", 0),
        ("import matplotlib.pyplot as plt", "bayescpt.cli", 1),
        ("import matplotlib.pyplot as plt", "bayescpt.present.plots", 0),
    ],
)
def test_the_rules_catch_what_they_should(source, module, count):
    assert len(faults(source, module)) == count


def test_relative_imports_of_an_init_are_its_own_package():
    assert not faults("from .study import Study", "bayescpt.data", is_package=True)
    assert faults("from ..decide import Goal", "bayescpt.data", is_package=True)


def loaded_by(code: str) -> set[str]:
    """Top-level modules in memory after some code ran in a process of its own."""
    report = "\nimport sys\nprint('\\n', *{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code + report], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_light_floors_load_no_sampler_and_no_plotting():
    light = {"errors", "data", "laws", "forecast", "decide", "present", "bayescpt"}
    scripts = {"bayescpt.present.explorer.app"}  # what marimo runs; no other module imports it
    names = [name for name, _ in modules() if floor(name) in light and name not in scripts]
    code = "\n".join(f"import {name}" for name in names)
    assert not loaded_by(code) & set(DOORS)


def test_the_command_line_starts_without_slow_imports():
    assert not loaded_by("import bayescpt.cli") & {*DOORS, "arviz", "pandas", "scipy", "xarray"}


@pytest.mark.slow
def test_a_saved_fit_is_loaded_and_forecast_without_the_sampler(tmp_path):
    study = bayescpt.load_example("cpt_micro")
    fit = bayescpt.fit(study, draws=20, tune=50, chains=2, seed=1, progress=False)
    fit.save(tmp_path / "fit.nc")
    run = study.cpt_runs[0]
    loaded = loaded_by(
        "import bayescpt as bc\n"
        f"fit = bc.load_fit({str(tmp_path / 'fit.nc')!r})\n"
        f"plan = bc.Plan.from_run(bc.load_example('cpt_micro').run({run!r}))\n"
        "forecast = fit.forecast([plan], steps=[10, 1000], allow_failed=True)\n"
        "bc.goal_probability(forecast, {'general': 3.3})\n"
    )
    assert not loaded & set(DOORS)
