"""Every file is written by `bayescpt.files`: no other module opens one for writing."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import bayescpt

PACKAGE = Path(bayescpt.__file__).parent
# Methods that write a file of the name they are given.
WRITERS = {"write_text", "write_bytes", "savefig", "to_csv", "to_parquet", "to_netcdf", "to_json"}
# What these are given in place of a name: the draft of `write_file`, a stream in memory, nothing.
DRAFTS = {"draft", "stream", "picture", "None"}
# Opened for writing elsewhere: the lock of a work folder, and what stands for a closed stdout.
OTHERS = {"work.py": "(folder / _LOCK).open('a')", "cli/__init__.py": "open(os.devnull, 'w')"}


def writes(source: str) -> Iterator[str]:
    """Calls in a module that may write a file by its name."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        given = [ast.unparse(argument) for argument in node.args]
        if name == "open":
            # `open(path, mode)` and `path.open(mode)`, and what opens no file for writing.
            modes = given[0 if isinstance(node.func, ast.Attribute) else 1 :]
            modes += [ast.unparse(k.value) for k in node.keywords if k.arg == "mode"]
            if any(mode.strip("'\"rbt+") in {"w", "a", "x"} for mode in modes):
                yield ast.unparse(node)
        elif name in WRITERS and isinstance(node.func, ast.Attribute):
            # Without a name, `to_csv()` and `to_json()` give text.
            if given and given[0] not in DRAFTS:
                yield ast.unparse(node)


def test_no_module_writes_but_through_the_one_writer():
    found = [
        f"{path.relative_to(PACKAGE)}: {call}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "files.py" or path.parent != PACKAGE
        for call in writes(path.read_text(encoding="utf-8"))
        if OTHERS.get(path.relative_to(PACKAGE).as_posix()) != call
    ]
    assert not found


@pytest.mark.parametrize(
    "code",
    [
        "path.write_text(text)",
        "table.to_csv(path)",
        "figure.savefig(path, dpi=100)",
        "open(path, 'w')",
        "path.open('ab')",
        "path.open(mode='x')",
        "gzip.open(path, 'wt')",
    ],
)
def test_the_rule_catches_what_it_should(code):
    assert list(writes(code))


@pytest.mark.parametrize(
    "code", ["path.open('rb')", "open(path)", "table.to_csv()", "write_text(p)"]
)
def test_the_rule_lets_readers_pass(code):
    assert not list(writes(code))
