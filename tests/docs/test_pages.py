"""Every block of code in README and docs/ runs."""

import contextlib
import importlib.util
import io
import subprocess
import sys
import tomllib
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import typer

import bayescpt as bc
from bayescpt.cli import app, main
from bayescpt.data import write_study
from tests.docs.blocks import COMMANDS, PAGES, ROOT, STARTERS, Block, blocks_of

GROUPS = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
# What stands for something of the reader's own.
PLACEHOLDERS = {"STUDY": "mine"}
TOOLS = {"pytest", "ruff", "mypy", "numpydoc", "sphinx-build", "twine", "jupyter"}
# It registers things, which other tests would find.
OWN_PROCESS = ROOT / "docs" / "extending.md"

PARAMETERS = [
    pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES if blocks_of(page)
]


def where(page: Path, block: Block) -> str:
    return f"{page.relative_to(ROOT)}:{block.line}"


def filled(words):
    return [PLACEHOLDERS.get(word, word) for word in words]


def parse(words):
    """Let the real parser read a command without running it."""
    group = typer.main.get_command(app)
    top = group.make_context("bayescpt", filled(words), resilient_parsing=True)
    name, command, rest = group.resolve_command(top, filled(words))
    command.make_context(name, rest, parent=top)


def run(words):
    """Run a command in this process; what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as ended:
        main(filled(words))
    assert not ended.value.code, f"bayescpt {' '.join(words)}: exit code {ended.value.code}"
    return out.getvalue()


def look_up(words):
    """Check what a command that is not ours names; its own words, if it starts bayescpt."""
    rest = list(words)
    if rest[:2] == ["uv", "run"]:
        rest = rest[2:]
        if rest[0] == "--group":
            assert rest[1] in GROUPS, words
            rest = rest[2:]
    if rest[0] == "bayescpt":
        return rest[1:]
    if rest[0] == "bash":
        assert (ROOT / rest[1]).is_file(), words
    elif rest[:2] == ["python", "-m"]:
        assert rest[2] in {"build", "twine"} or importlib.util.find_spec(rest[2]), words
    else:
        assert rest[0] in TOOLS | {"pip"}, words
    paths = [word for word in rest[1:] if word.endswith(".py") or word.startswith("tests/")]
    assert all((ROOT / path).exists() for path in paths), words
    return None


def do_shell(block, slow):
    for words in block.commands():
        assert words[0] in STARTERS, words
        mine = words[1:] if words[0] == "bayescpt" else look_up(words)
        if mine is None or mine[0].startswith("--") or "COMMAND" in mine:
            continue
        kind = block.kind(mine[0])
        if kind == "quick" or (kind == "slow" and slow):
            run(mine)
        else:
            parse(mine)


def do_python(block, names, slow, place):
    code = compile("\n" * (block.line - 1) + block.text, place, "exec")
    kind = block.kind()
    if kind == "quick" or (kind == "slow" and slow):
        with contextlib.redirect_stdout(io.StringIO()):
            exec(code, names)  # noqa: S102
        plt.close("all")
    else:
        used = {name for name in code.co_names if hasattr(bc, name)}
        assert used or "bc." not in block.text, place


def plan_targets(study, targets):
    """Plan the run on German for other targets too, on which the base was evaluated."""
    for name, of in (("runs.csv", "de_r0_wsd,"), ("curves.csv", "pt_")):
        text = (study / name).read_text()
        own = [row for row in text.splitlines(keepends=True) if row.startswith(of)]
        for target in {*targets} - {"german"}:
            new = (row.replace("de_r0_wsd", f"on_{target}") for row in own if ",german," in row)
            text += "".join(row.replace(",german,", f",{target},") for row in new)
        (study / name).write_text(text)


def do_toml(block, folder):
    """Read TOML by what it is."""
    path = folder / block.marks.get("file", "block.toml")
    path.write_text(block.text)
    held = tomllib.loads(block.text)
    if "plan" in held:
        from bayescpt.forecast.plan_file import read_plans

        assert len(read_plans(path, bc.load_fit("fit.nc").study)) == len(held["plan"])
    elif "goal" in held:
        bc.read_goal(path)
    elif "space" in held:
        bc.read_space(path)
    elif "study" in held:
        place = folder / f"of_toml_{len([*folder.glob('of_toml_*')])}"
        study = write_study(bc.load_example("cpt_micro").select(["de_r0_wsd"]), place)
        target = next(iter(set(held["study"].get("bytes_per_token", {})) - {"general"}), "german")
        for name in ("runs.csv", "curves.csv"):
            # A third set would be in no table of bytes, but one may be out of domain.
            lines = (study / name).read_text().splitlines(keepends=True)
            drop = ",code," if "out_of_domain" not in held["study"] else "no set"
            kept = "".join(line for line in lines if drop not in line)
            (study / name).write_text(kept.replace("german", target))
        plan_targets(study, held["study"].get("distances", {}))
        (study / "study.toml").write_text(block.text)
        bc.read_study(study)
    elif "law" in held and "file" not in block.marks:
        assert bc.load_card(path).name == held["name"]


def do_page(page, folder, slow):
    fit = bc.load_fit("fit.nc")
    plans = folder / "plans.toml"
    from bayescpt.forecast.plan_file import read_plans

    names = {"bc": bc, "study": fit.study, "fit": fit, "plans": read_plans(plans, fit.study)}
    blocks = blocks_of(page)
    for block in blocks:
        if "file" in block.marks:
            (folder / block.marks["file"]).write_text(block.text)
    for block in blocks:
        place = where(page, block)
        if block.language == "toml":
            do_toml(block, folder)
        elif block.language == "python" and page != OWN_PROCESS:
            do_python(block, names, slow, place)
        elif block.is_shell:
            do_shell(block, slow)


@pytest.mark.parametrize("page", PARAMETERS)
def test_code_of_a_page_runs(page, workplace, saved):
    folder = workplace(saved, page.read_text())
    do_page(page, folder, slow=False)
    if page == OWN_PROCESS:
        code = "\n".join(b.text for b in blocks_of(page) if b.language == "python")
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PARAMETERS if "<!-- slow" in p.values[0].read_text()])
def test_slow_code_of_a_page_runs(page, workplace, sampled):
    do_page(page, workplace(sampled, page.read_text()), slow=True)


def test_each_command_that_a_mark_names_stands_in_its_block():
    for page in PAGES:
        for block in blocks_of(page):
            words = [word for line in block.commands() for word in line] if block.is_shell else []
            named = {name for said in block.marks.values() for name in said.split(", ")}
            assert named & COMMANDS <= set(words), where(page, block)
