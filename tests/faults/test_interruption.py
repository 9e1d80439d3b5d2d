"""A chosen part of ``python -m tests.faults kills``, and what is refused before the work begins."""

import random
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from typer.main import get_command

import bayescpt as bc
from bayescpt import evaluate, inference
from bayescpt.cli import app, calibrate, main
from bayescpt.errors import WriteError
from bayescpt.work import Work, pieces
from tests.faults.kills import CASES, OLD, PLANNED, faults_of, is_remains, moment, snapshot
from tests.faults.processes import left_behind, run

FIT = ("fit", "../study", "--card", "cpt_replay", "--draws", 300, "--tune", 100, "--chains", 3)
FIT = (*FIT, "--cores", 1, "--extend", 1, "--seed", 2)
# A file may not be larger: to the program that is a full disk, though of another name. Python would
# cut short the bytecode that it keeps, for all others too.
LIMITED = (
    "import sys; sys.dont_write_bytecode = True; "
    "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); "
    "from bayescpt.__main__ import main; main()"
)


@pytest.fixture(scope="module")
def root(simulated_study, tmp_path_factory) -> Path:
    """Folder with a study, its fit by an undisturbed process, and plans."""
    folder = tmp_path_factory.mktemp("kills")
    bc.write_study(simulated_study, folder / "study")
    options = {"draws": 300, "tune": 100, "chains": 3, "extend": 1, "seed": 2, "progress": False}
    bc.fit(simulated_study, "cpt_replay", **options).save(folder / "fit.nc")
    (folder / "plans.toml").write_text(
        '[[plan]]\nname = "a"\nschedule = "cosine"\nlr = 2e-3\nnum_training_steps = 200\n'
        'replay_ratio = 0.3\nstart = "pt"\n'
    )
    return folder


@pytest.fixture
def work(root):
    """An empty folder beside the study."""
    return Path(mkdtemp(dir=root))


def kept(folder: Path, count: int):
    """Moment at which so many pieces are finished."""
    return lambda _seconds: len(list(folder.rglob("[!.]*.piece"))) >= count


@pytest.mark.parametrize("killed", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_fit_is_interrupted_and_goes_on(root, work, monkeypatch, capsys, killed):
    (work / "fit.nc").write_bytes(OLD)
    ended = run(FIT, work, when=kept(work, 1))
    assert ended.code == 130
    assert len(ended.lines) == 1
    assert "finished chain" in ended.lines[0]
    assert "kept in fit.nc.work" in ended.lines[0]
    monkeypatch.chdir(work)
    with pytest.raises(SystemExit) as refused:
        main([str(word) for word in FIT])
    assert refused.value.code == 2
    assert "add --resume to go on" in capsys.readouterr().err
    if killed:
        ended = run((*FIT, "--resume"), work, when=kept(work, 2), number=signal.SIGKILL)
        assert ended.code == -signal.SIGKILL
    assert (work / "fit.nc").read_bytes() == OLD
    whole = run((*FIT, "--resume"), work)
    assert whole.code == 1, whole.err
    assert "going on from" in whole.err
    assert (work / "fit.nc").read_bytes() == (root / "fit.nc").read_bytes()
    assert [path.name for path in work.iterdir()] == ["fit.nc"]


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        signal.SIGKILL,
    ],
)
def test_no_worker_outlives_a_backtest(root, work, number):
    words = ("backtest", "../study", "--card", "cpt_replay", "--draws", 100, "--tune", 100)
    words = (*words, "--chains", 2, "--workers", 2, "--out", "rows.csv")

    def begun(_seconds: float) -> bool:
        return bool(list(work.rglob("work.json"))) and kept(work, number == signal.SIGINT)(0)

    ended = run(words, work, when=begun, number=number, everyone=number == signal.SIGINT)
    assert ended.code == (-number if number == signal.SIGKILL else 128 + number)
    if number != signal.SIGKILL:
        assert len(ended.lines) == 1, ended.err
        assert ended.lines[0].startswith("bayescpt: interrupted")
    assert not left_behind()
    assert not (work / "rows.csv").exists()


# `tests/test_files.py` kills the writer itself with every run.
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_kill_while_writing_leaves_old_or_whole_files(root, work, number):
    words = ("forecast", "../fit.nc", *PLANNED, "--csv", "a.csv", "--figure", "a.png")
    words = (*words, "--allow-failed")
    case = next(case for case in CASES if case.name.startswith("forecast"))
    assert run(words, work).code == 1
    whole = snapshot(work, case)
    assert set(whole) == set(case.outputs)
    for name in case.outputs:
        (work / name).write_bytes(OLD)
    before = snapshot(work, case)
    rng = random.Random(number)  # noqa: S311
    ended = run(words, work, when=moment(work, 0.0, rng, True, 1), number=number)
    assert not faults_of(case, ended, number, before, snapshot(work, case), whole)
    assert run(words, work).code == 1
    assert snapshot(work, case) == whole
    assert not [path for path in work.rglob("*") if is_remains(path)]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(FIT, marks=pytest.mark.slow, id="fit"),
        pytest.param(
            ("forecast", "../fit.nc", *PLANNED, "--allow-failed", "--figure", "a.png"),
            id="forecast",
        ),
        pytest.param(
            ("report", "../fit.nc", *PLANNED, "--allow-failed", "-g", "general=3.4"),
            marks=pytest.mark.slow,
            id="report",
        ),
        pytest.param(("notebook", "cpt_micro"), id="notebook"),
    ],
)
def test_a_full_disk_is_one_line_and_exit_2(root, work, words):
    (work / "fit.nc").write_bytes(OLD)
    ended = run(words, work, program=("-c", LIMITED))
    assert ended.code == 2, ended.err
    assert len(ended.lines) == 1, ended.err
    assert "bayescpt: error: cannot write" in ended.lines[0]
    assert "File too large" in ended.lines[0]
    assert (work / "fit.nc").read_bytes() == OLD
    assert [path.name for path in work.iterdir()] == ["fit.nc"]


def test_standard_output_that_is_full_is_one_line_and_exit_2(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bayescpt", "cards"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("bayescpt: error: ")
    assert line.endswith("No space left on device")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("fit", "cpt_micro", "--out", "/proc/none/fit.nc"), "cannot write /proc/none/fit.nc"),
        (("fit", "cpt_micro", "--out", "."), "is a folder"),
        (("demo", "--out", "/proc/none"), "cannot write /proc/none/fit.nc"),
        (("backtest", "cpt_micro", "--out", "/proc/none/a.csv"), "cannot write"),
        (("backtest", "cpt_micro", "--figure", "/proc/none/a.png"), "cannot write"),
        (("backtest", "cpt_micro", "--pit-figure", "a.xyz"), "a figure ends in one of .png"),
        (("backtest", "cpt_micro", "--figure", "a.png", "--runs-figure", "./a.png"), "replace the"),
        (("backtest", "cpt_micro", "--resume"), "give --work FOLDER"),
        (("calibrate", "cpt", "--resume"), "give --work FOLDER"),
        (("calibrate", "cpt", "--work", "/proc/none"), "cannot write"),
        (("forecast", "fit.nc", "--csv", "fit.nc"), "which this command reads"),
        (("forecast", "fit.nc", "--figure", "/proc/none/a.png"), "cannot write"),
        (("goal", "fit.nc", "-g", "general=3", "--figure", "a"), "a figure ends in one of"),
        (("report", "fit.nc", "--out", "/proc/none/a.html"), "cannot write /proc/none/a.html"),
        (("report", "fit.nc", "--plans", "p.toml", "--out", "p.toml"), "which this command reads"),
        (("import", "logs", "--out", "/proc/none/made"), "cannot write"),
        (("import", "logs", "--out", "made", "--figure", "/proc/a.png"), "cannot write"),
    ],
)
def test_what_cannot_be_written_is_refused_first(words, part, tmp_path, monkeypatch, capsys):
    def too_late(*_args, **_options):
        raise AssertionError("sampled in vain")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inference, "fit", too_late)
    monkeypatch.setattr(inference, "load_fit", too_late)
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert part in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_every_command_that_writes_is_killed():
    commands = get_command(app).commands
    writing = {
        name
        for name, command in commands.items()
        for option in (word for param in command.params for word in param.opts)
        if option in ("--out", "--csv") or option.endswith("figure")
    }
    assert {"fit", "report", "notebook", "cards", "import"} <= writing
    assert writing <= {str(case.words[0]) for case in CASES}


@pytest.mark.parametrize(
    "words",
    [
        ("fit", "study", "--out", "study/runs.csv"),
        ("fit", "study", "--out", "study/lrs.csv"),
        ("fit", "study", "--card", "card.toml", "--out", "card.toml"),
        ("backtest", "study", "--out", "study/curves.csv"),
        ("cards", "--compare", "study", "--out", "study/study.toml"),
        ("cards", "--compare", "study", "--card", "card.toml", "--out", "card.toml"),
        ("forecast", "fit.nc", "--study", "study", "--run", "a", "--csv", "study/curves.csv"),
        ("report", "fit.nc", "--study", "study", "--run", "a", "--out", "study/study.toml"),
        ("notebook", "study", "--card", "card.toml", "--out", "card.toml"),
        ("notebook", "study", "--out", "link/runs.csv"),
        ("import", "logs/one.csv", "logs/curves.csv", "--out", "logs", "--overwrite"),
        ("import", "logs", "--out", "./logs", "--overwrite"),
    ],
    ids=" ".join,
)
def test_what_a_command_reads_is_not_replaced(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("study/study.toml", "study/runs.csv", "study/curves.csv", "logs/curves.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(OLD)
    (tmp_path / "card.toml").write_bytes(OLD)
    (tmp_path / "link").symlink_to("study")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "which this command reads" in error or "is a folder of logs" in error
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_an_output_may_have_the_name_of_an_example(tmp_path, monkeypatch):
    from bayescpt.cli.output_files import check_outputs

    monkeypatch.chdir(tmp_path)
    check_outputs({"--out": Path("cpt_micro")}, {}, ["cpt_micro", None])


def test_a_work_folder_is_one_of_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_bytes(OLD)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", "cpt", "--work", "."])
    assert ended.value.code == 2
    assert "--work a folder that is new or empty" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "notes.txt"]


@pytest.mark.parametrize("fault", ["figure", "text"])
def test_what_is_finished_stays_until_all_of_it_is_written(tmp_path, monkeypatch, capsys, fault):
    """A calibration takes hours: a figure or a table that cannot be written does not lose them."""
    monkeypatch.chdir(tmp_path)

    def simulated(_card, *, n_simulations, work, **_options):
        with Work(work, {}) as kept:
            kept.write("simulation-0", b"ranks")
        spread = np.arange(n_simulations) % 100
        ranks = {"rank": spread, "control": np.where(spread < 50, 0, 99)}
        table = pd.DataFrame({"simulation": spread, "quantity": "beta", **ranks})
        return evaluate.Calibration(table, pd.DataFrame({"effective_draws": [99.0]}), 99)

    def full(*_args, **_options):
        raise WriteError("cannot write it: No space left on device")

    monkeypatch.setattr(evaluate, "calibrate", simulated)
    monkeypatch.setattr(calibrate, "save_figure" if fault == "figure" else "_show", full)
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", "cpt", "--simulations", "200", "--work", "kept", "--figure", "a.png"])
    assert ended.value.code == 2
    assert "1 finished simulation kept in kept: the same command" in capsys.readouterr().err
    assert [path.name for path in pieces("kept")] == ["simulation-0.piece"]


@pytest.mark.parametrize("after", ["1", "10", "-0.1", "nan"])
@pytest.mark.parametrize("words", [("backtest", "cpt_micro"), ("cards", "--compare", "cpt_micro")])
def test_a_share_that_leaves_nothing_to_score_is_refused_first(
    words, after, tmp_path, monkeypatch, capsys
):
    def too_late(*_args, **_options):
        raise AssertionError("sampled in vain")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inference, "fit", too_late)
    with pytest.raises(SystemExit) as ended:
        main([*words, "--after", after, "--out", f"a.{'nc' if words[0] == 'cards' else 'csv'}"])
    assert ended.value.code == 2
    assert "give a share of each run, from 0 to less than 1" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_figures_that_are_taken_can_be_drawn(tmp_path):
    from bayescpt.cli.output_files import FIGURES, save_figure

    drawn = Figure(figsize=(2, 2))
    drawn.subplots().plot([1, 2])
    for ending in FIGURES:
        save_figure(drawn, tmp_path / f"a{ending}")
    assert len(list(tmp_path.iterdir())) == len(FIGURES)


def test_signals_are_as_before_after_a_command(capsys):
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(SystemExit):
        main(["cards"])
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before
