"""Help texts say what was written: brackets of TOML are not taken for markup, no word is cut."""

import os
import re
import subprocess
import sys

import pytest
import typer

from bayescpt.cli import app
from bayescpt.forecast.plan_file import read_plans

GROUP = typer.main.get_command(app)
NAMES = [*GROUP.commands]


def help_of(name):
    command = GROUP.commands[name]
    with command.make_context(name, ["--help"], resilient_parsing=True) as context:
        return command.get_help(context)


def plain(text):
    return " ".join(text.split())


@pytest.mark.parametrize("name", NAMES)
def test_every_word_of_every_option_is_shown(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = help_of(name)
    assert max(map(len, shown.splitlines())) <= 80
    for parameter in GROUP.commands[name].params:
        assert plain(parameter.help or "") in plain(shown)
        for option in parameter.opts if parameter.param_type_name == "option" else ():
            assert option in shown


def test_brackets_of_toml_are_shown():
    assert "File with [[plan]] tables." in plain(help_of("forecast"))
    assert "a table [space]:" in plain(help_of("optimise"))


@pytest.mark.parametrize("name", ["forecast", "goal", "compare", "report"])
def test_the_plan_in_the_help_is_one(name, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = help_of(name).splitlines()
    begin = next(i for i, line in enumerate(lines) if line.strip() == "[[plan]]")
    end = next(i for i, line in enumerate(lines) if line.strip().startswith("and, where"))
    file = tmp_path / "plans.toml"
    file.write_text("\n".join(lines[begin:end]))
    (plan,) = read_plans(file)
    assert plan.schedule.peak_lr == 2e-4
    assert plan.replay_ratio == 0.2


def test_summaries_in_the_list_of_commands_are_whole(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with GROUP.make_context("bayescpt", ["--help"], resilient_parsing=True) as context:
        shown = GROUP.get_help(context)
    assert "..." not in shown.partition("Commands:")[2]
    assert all(re.search(rf"^  {name} ", shown, re.MULTILINE) for name in NAMES)


@pytest.mark.parametrize("option", ["--random-seed", "--seed"])
@pytest.mark.parametrize(
    "name",
    ["demo", "fit", "forecast", "goal", "compare", "optimise", "report", "backtest", "calibrate"],
)
def test_seeds_have_both_names(name, option):
    assert any(option in parameter.opts for parameter in GROUP.commands[name].params)


def test_shells_complete_the_names_of_commands():
    asked = {"_BAYESCPT_COMPLETE": "complete_bash", "COMP_WORDS": "bayescpt fo", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", "from bayescpt.cli import app; app(prog_name='bayescpt')"],
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["forecast"]
