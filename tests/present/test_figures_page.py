"""The code of docs/figures.md runs, line by line, on a fit without a sampler."""

import re
from pathlib import Path

import pytest
import typer
from matplotlib import pyplot

import bayescpt as bc
from bayescpt.cli import app
from tests.test_cli import made_up_fit

PAGE = Path(__file__).parents[2] / "docs" / "figures.md"
BLOCKS = re.findall(r"(<!-- parsed.*?-->\n)?```(\w*)\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_every_figure_is_on_the_page():
    text = PAGE.read_text()
    assert [name for name in bc.plot.__all__ if f"bc.plot.{name}(" not in text] == []


def test_the_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known = bc.load_example("cpt_micro").select(["de_r25_wsd_s1", "de_r0_wsd", "de_r50_wsd"])
    made_up_fit(known).save("fit.nc")
    names = {}
    for skipped, language, text in BLOCKS:
        if language == "python" and not skipped:
            exec(compile(text, str(PAGE), "exec"), names)  # noqa: S102
            assert all(figure_has_content(number) for number in pyplot.get_fignums())
            pyplot.close("all")
    assert (tmp_path / "mine.png").stat().st_size > 10_000


def figure_has_content(number):
    axes = pyplot.figure(number).axes
    return bool(axes) and all(ax.has_data() or ax.texts for ax in axes)


@pytest.mark.parametrize(
    "line", [c for _, kind, text in BLOCKS if not kind for c in text.splitlines()]
)
def test_commands_are_known(line):
    words = line.split()[1:]
    group = typer.main.get_command(app)
    top = group.make_context("bayescpt", words, resilient_parsing=True)
    name, command, rest = group.resolve_command(top, words)
    context = command.make_context(name, list(rest), parent=top)
    assert not context.args
