"""Notebooks about studies: what they hold, that it runs, and that names in them are text."""

import ast
import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

import bayescpt as bc
from bayescpt.cli import main
from bayescpt.cli.demo import PLANS
from bayescpt.errors import CardError, MissingExtraError, PlanError, StudyError, WriteError
from bayescpt.evaluate.baselines import last_value
from bayescpt.present.notebook.markup import markdown, python
from bayescpt.present.notebook.suggest import suggest
from tests.test_cli import made_up_fit

SECTIONS = [
    "The data", "The goal", "The fit", "Can it be believed", "Recipes that nobody has run",
    "The answer", "What would change the answer",
]  # fmt: skip
EVIL = "<script>alert('x')</script> $x_1$ \\( **b** `c` [d](e) \x1b[31m\u202e"


def cells(path, kind):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    return [cell.source for cell in book.cells if cell.cell_type == kind]


def code_of(path):
    return "\n".join(cells(path, "code")).replace("%matplotlib inline", "")


def heads(path):
    lines = "\n".join(cells(path, "markdown")).splitlines()
    return [line.removeprefix("## ") for line in lines if line.startswith("## ")]


def run_cells(path, monkeypatch, capsys):
    """Run the code in the notebook's folder with draws that nobody sampled; what it prints."""
    monkeypatch.chdir(Path(path).parent)
    monkeypatch.setenv("BAYESCPT_NOTEBOOK", "small")

    def fit(study, card, **_):
        return made_up_fit(study)

    def backtest(study, card, runs, seed, **_):
        return partial(bc.evaluate.backtest, method=last_value)(study, runs=runs, seed=seed)

    monkeypatch.setattr(bc, "fit", fit)
    monkeypatch.setattr(bc, "backtest", backtest)
    names = {}
    exec(compile(code_of(path), str(path), "exec"), names)  # noqa: S102
    plt.close("all")
    return names, capsys.readouterr().out


@pytest.fixture(scope="module")
def study():
    return bc.load_example("cpt_micro")


@pytest.fixture
def folder(study, tmp_path):
    """A study in a folder, beside that of the notebooks."""
    few = study.select(["de_r25_cos", "de_r0_wsd", "de_r50_wsd"])
    (tmp_path / "notes").mkdir()
    return bc.write_study(few, tmp_path / "mine")


def test_the_sections_are_those_of_a_case_study(folder, tmp_path):
    path = bc.write_notebook("cpt_micro", tmp_path / "a.ipynb")
    assert heads(path) == SECTIONS
    again = bc.write_notebook("cpt_micro", tmp_path / "b.ipynb")
    assert path.read_text().replace("a.ipynb", "b.ipynb") == again.read_text()
    few = bc.write_notebook(folder, tmp_path / "few.ipynb")
    assert "HELD_OUT" in code_of(path)
    assert "HELD_OUT" not in code_of(few)


def test_its_cells_run_on_an_example(tmp_path, monkeypatch, capsys):
    path = bc.write_notebook("cpt_micro", tmp_path / "a.ipynb")
    names, out = run_cells(path, monkeypatch, capsys)
    assert {plan.schedule.n_steps for plan in names["plans"]} == {2000}
    assert {plan.start for plan in names["plans"]} == {"pt_r0"}
    assert len(names["plans"]) == 2 * len(names["PEAKS"]) * len(names["REPLAY"])
    assert names["chosen"] in names["chances"].index
    assert f"chosen: {names['chosen']}, P(goal) = " in out
    assert list(names["levels"]) == ["general", "german"]


def test_its_cells_run_from_its_folder_with_a_goal_plans_and_a_card(
    folder, tmp_path, monkeypatch, capsys
):
    (tmp_path / "plans.toml").write_text(PLANS)
    card = (Path(bc.__file__).parents[1] / "models" / "cpt_fade.toml").read_text()
    (tmp_path / "own.toml").write_text(card)
    monkeypatch.chdir(tmp_path)
    words = ["--plans", "plans.toml", "--goal", "general=+5%", "--goal", "german=3.1"]
    with pytest.raises(SystemExit) as ended:
        main(["notebook", "mine", "-o", "notes/n.ipynb", "--card", "own.toml", *words])
    assert not ended.value.code
    assert "jupyter execute --inplace notes/n.ipynb" in capsys.readouterr().out
    path = tmp_path / "notes" / "n.ipynb"
    code = code_of(path)
    assert 'bc.read_study("../mine")' in code
    assert 'CARD = "../own.toml"' in code
    assert '["../plans.toml"]' in code
    names, _ = run_cells(path, monkeypatch, capsys)
    assert names["GOAL"] == {"general": "+5%", "german": 3.1}
    assert [plan.name for plan in names["plans"]] == ["wsd_r30", "cos_r40"]


def test_any_path_can_be_written_and_copied(folder, tmp_path, monkeypatch, capsys):
    odd = tmp_path / 'it\'s "my" $HOME `x` dir é'
    odd.mkdir()
    shutil.copytree(folder, odd / "study 1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["notebook", f"{odd.name}/study 1", "-o", f"{odd.name}/n 1.ipynb"])
    assert not ended.value.code
    out = capsys.readouterr().out
    assert shlex.split(out.partition("next: ")[2])[-1] == f"{odd.name}/n 1.ipynb"
    for file in (odd / "n 1.ipynb", bc.write_notebook(odd / "study 1", tmp_path / "n.ipynb")):
        code = code_of(file)
        (line,) = [line for line in code.splitlines() if "read_study(" in line]
        (call,) = [n for n in ast.walk(ast.parse(line)) if isinstance(n, ast.Call)]
        assert (file.parent / ast.literal_eval(call.args[0])).resolve() == odd / "study 1"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mine", "mpl_25m"])
def test_jupyter_executes_it(name, folder, tmp_path):
    source = folder if name == "mine" else name
    path = bc.write_notebook(source, tmp_path / "notes" / "n.ipynb")
    subprocess.run(  # noqa: S603
        [sys.executable, "-m", "jupyter", "execute", "--inplace", "--timeout=600", str(path)],
        env=os.environ | {"BAYESCPT_NOTEBOOK": "small"},
        check=True,
        capture_output=True,
    )
    book = nbformat.read(path, as_version=4)
    made = [out for cell in book.cells for out in cell.get("outputs", [])]
    assert sum("image/png" in out.get("data", {}) for out in made) >= 5
    assert any("chosen: " in out.get("text", "") for out in made)


# --- what a study suggests --------------------------------------------------------------------


def test_suggestions_lie_within_the_pilots_and_are_longer(study):
    found = suggest(study)
    runs = [study.run(name) for name in found.pilots]
    assert {run.parent for run in runs} == {found.start} == {"pt_r0"}
    ratios = [run.replay_ratio for run in runs]
    assert min(ratios) == min(found.ratios)
    assert max(ratios) == max(found.ratios)
    assert {float(f"{run.schedule.peak_lr:.3g}") for run in runs} == set(found.peaks)
    assert found.n_steps == 2 * max(run.schedule.n_steps for run in runs)
    ends = [study.curve(name, "german")["loss"].iloc[-1] for name in found.pilots]
    assert found.goal["german"] == pytest.approx(min(ends), abs=1e-3)
    # Not one of three that differ by their seed only, which is no test.
    assert found.held_out is not None
    assert "_s" not in found.held_out


def test_pre_training_alone_has_no_replay_and_no_start(tmp_path):
    path = bc.write_notebook("mpl_25m", tmp_path / "a.ipynb")
    assert heads(path) == SECTIONS
    code = code_of(path)
    assert "start=" not in code
    assert "REPLAY" not in code
    assert 'CARD = "annealing"' in code
    names = {"bc": bc}
    start = code.index("STEPS =")
    exec(code[start : code.index("ends_at")], names)  # noqa: S102
    assert all(plan.start is None for plan in names["plans"])


def test_an_open_base_and_varying_replay(study, tmp_path, monkeypatch):
    part = study.select(["de_r25_cos", "de_r0_wsd"])
    runs = part.runs[part.runs["phase"] == "cpt"].assign(parent=None)
    curves = part.curves[part.curves["run"].isin(runs["run"])]
    steps = np.arange(1, 1001)
    lrs = pd.concat(
        pd.DataFrame({"run": name, "step": steps, "lr": part.lrs[name], "replay": ratio})
        for name, ratio in (("de_r25_cos", np.linspace(0.1, 0.4, 1000)), ("de_r0_wsd", 0.0))
    )
    base = bc.Study.from_frames(curves, runs, lrs, name="open", general="general")
    assert base.open_bases == ("base",)
    bc.write_study(base, tmp_path / "open")
    path = bc.write_notebook(tmp_path / "open", tmp_path / "a.ipynb")
    assert 'start="base"' in code_of(path)
    ends = code_of(path).split("study = ")[1].split("bc.plot")[0]
    monkeypatch.chdir(tmp_path)
    names = {"bc": bc, "np": np, "pd": pd}
    exec("study = " + ends, names)  # noqa: S102
    assert names["ends"].loc["de_r25_cos", "replay"] == pytest.approx(0.25)


# --- names of people --------------------------------------------------------------------------


@pytest.fixture
def named(study, tmp_path):
    """Study whose names Markdown, HTML, MathJax and Python would take for more."""
    few = study.select(["de_r25_cos", "de_r0_wsd", "de_r50_wsd"])
    names = {run: f"{EVIL}'\"{k}" for k, run in enumerate(few.runs["run"])}
    runs = few.runs.assign(
        run=few.runs["run"].map(names),
        parent=few.runs["parent"].map(names),
        branch_of=few.runs["branch_of"].map(names),
        domain=few.runs["domain"].replace("german", "<i>_g_</i>"),
    )
    curves = few.curves.assign(
        run=few.curves["run"].map(names),
        domain=few.curves["domain"].replace("german", "<i>_g_</i>"),
    )
    lrs = {names[run]: lr for run, lr in few.lrs.items()}
    made = replace(few, name=EVIL, notes=f"# {EVIL}\n\n- x", runs=runs, curves=curves, lrs=lrs)
    return bc.write_study(made, tmp_path / "<b>&'named")


def test_names_are_text(named, tmp_path, monkeypatch):
    path = bc.write_notebook(named, tmp_path / "$(x)`.ipynb")
    shown = "".join(MarkdownIt().render(text) for text in cells(path, "markdown"))
    assert "<script" not in shown
    assert "<i>" not in shown
    assert "<a " not in shown
    assert "&lt;script&gt;alert('x')&lt;/script&gt; $x_1$ \\( **b** `c` [d](e)" in shown
    # MathJax looks at the source: an unescaped dollar begins a formula.
    source = "".join(cells(path, "markdown")).replace("$(x)`.ipynb", "")
    assert "$" not in source
    assert "\\\\" not in source
    assert "\x1b" not in path.read_text()
    assert "\u202e" not in path.read_text()
    monkeypatch.chdir(tmp_path)
    names = {}
    code = code_of(path).replace("bc.plot.study(study);", "")
    compile(code, "all", "exec")
    exec(code[: code.index("card = bc.load_card")], names)  # noqa: S102
    assert "<i>_g_</i>" in names["GOAL"]
    assert set(names["ends"].index) == set(names["PILOTS"])


@pytest.mark.parametrize(
    "text", [EVIL, "1. a", "# a", "- a\n\n> b", "a | b\n--|--", "~~x~~", "&amp;"]
)
def test_markdown_shows_text_as_it_is(text):
    html = MarkdownIt().enable("table").render(markdown(text))
    assert html.startswith("<p>")
    assert html.count("<") == 2


@pytest.mark.parametrize("value", [EVIL, '"', "'\"", "é\ud800", ["a"] * 40, {"a": 0.1, "b'": None}])
def test_python_evaluates_to_the_value(value):
    assert eval(python(value)) == value  # noqa: S307
    assert max(map(len, python(value).splitlines())) <= 100 or isinstance(value, str)


# --- what cannot be written -------------------------------------------------------------------


def test_a_file_that_is_there_is_kept_unless_asked(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text("mine")
    with pytest.raises(WriteError, match="--overwrite"):
        bc.write_notebook("cpt_micro", path)
    assert path.read_text() == "mine"
    bc.write_notebook("cpt_micro", path, overwrite=True)
    assert json.loads(path.read_text())["nbformat"] == 4
    assert [p.name for p in tmp_path.iterdir()] == ["a.ipynb"]


def test_what_is_wrong_is_said_before_anything_is_written(tmp_path, monkeypatch):
    path = tmp_path / "a.ipynb"
    (tmp_path / "p.toml").write_text('[[plan]]\nname = "x"\n')
    with pytest.raises(WriteError, match=r"ends in \.ipynb"):
        bc.write_notebook("cpt_micro", tmp_path / "a.py")
    with pytest.raises(StudyError, match="no folder or example study"):
        bc.write_notebook("cpt_macro", path)
    with pytest.raises(StudyError, match="final losses only"):
        bc.write_notebook("ibrahim_405m_german", path)
    with pytest.raises(PlanError, match="no losses on that domain; it has general, german, code"):
        bc.write_notebook("cpt_micro", path, goal={"gernam": 3})
    for goal, told in (
        ({"general": 34.5}, "did you mean"),
        ({"german": "+30"}, "far above the start"),
    ):
        with pytest.raises(PlanError, match=told):
            bc.write_notebook("cpt_micro", path, goal=goal)
    with pytest.raises(PlanError, match="bytes_per_token"):
        bc.write_notebook("cpt_micro", path, goal={"general": "bpb:0.9"})
    with pytest.raises(PlanError, match="schedule"):
        bc.write_notebook("cpt_micro", path, plan_files=[tmp_path / "p.toml"])
    with pytest.raises(CardError, match="no card 'none'"):
        bc.write_notebook("cpt_micro", path, card="none")
    monkeypatch.setitem(sys.modules, "nbformat", None)
    with pytest.raises(MissingExtraError, match=r"bayescpt\[notebook\]"):
        bc.write_notebook("cpt_micro", path)
    assert [p.name for p in tmp_path.iterdir()] == ["p.toml"]
