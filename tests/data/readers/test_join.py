"""Logs of one run in several files, and runs that carry on another's count."""

import pytest

from bayescpt.data.readers.carry import own_steps


def rows(first, last, loss=2.0, by=10):
    lines = [f"{s},{loss + s / 1e4},1e-4" for s in range(first, last + 1, by)]
    return "step,loss,lr\n" + "\n".join(lines) + "\n"


def test_restarts_in_several_files_are_joined_and_the_later_wins(write, read):
    write("a/version_0/metrics.csv", rows(10, 60))
    write("a/version_1/metrics.csv", rows(50, 90, loss=1.0))
    path = write("a/version_10/metrics.csv", rows(80, 100, loss=0.5))
    run = read(path.parent.parent)["a"]
    assert run.train["step"].tolist() == list(range(10, 101, 10))
    assert run.train["loss"].iloc[[3, 4, 7]].round(2).tolist() == [2.0, 1.0, 0.51]
    assert "joined from 3 logs: steps 10-60, 50-90, 80-100" in run.notes


def test_what_the_earlier_log_has_beyond_the_restart_was_abandoned(write, read):
    write("a/log_1.csv", rows(10, 100))
    path = write("a/log_2.csv", rows(51, 71, loss=1.0))
    run = read(path.parent)["a"]
    assert run.train["step"].tolist() == [10, 20, 30, 40, 50, 51, 61, 71]


@pytest.mark.parametrize(
    "names", [("r_restart1", "r_restart2"), ("r", "r-resumed"), ("r.part1", "r.part2")]
)
def test_restarts_that_the_name_of_the_file_tells(write, read, names):
    write(f"x/{names[0]}.csv", rows(10, 50))
    path = write(f"x/{names[1]}.csv", rows(60, 100))
    run = read(path.parent)["r"]
    assert run.train["step"].max() == 100


def test_versions_that_start_anew_are_runs_of_their_own(write, read):
    write("a/version_0/metrics.csv", rows(10, 60))
    path = write("a/version_1/metrics.csv", rows(10, 60, loss=3.0))
    assert sorted(read(path.parent.parent)) == ["a-version_0", "a-version_1"]


def test_training_and_evaluations_in_files_of_their_own(write, read):
    write("r/train.csv", rows(10, 50))
    path = write("r/eval.csv", "step,val_loss\n20,2.0\n40,1.9\n")
    runs = read(path.parent)
    assert list(runs) == ["r"]
    assert (len(runs["r"].train), len(runs["r"].evals)) == (5, 2)


def test_runs_of_one_name_in_different_folders_are_two(write, read, tmp_path):
    write("x/pilot/metrics.csv", rows(10, 50))
    write("y/pilot/metrics.csv", rows(10, 50, loss=3.0))
    assert sorted(read(tmp_path)) == ["x-pilot", "y-pilot"]


def test_a_run_named_in_its_log_is_joined_across_folders(write, read, tmp_path):
    write("x/one.csv", "run,step,val_loss\nr,10,2.0\nr,20,1.9\n")
    write("y/two.csv", "run,step,val_loss\nr,30,1.8\nr,40,1.7\n")
    assert read(tmp_path)["r"].evals["step"].tolist() == [10, 20, 30, 40]


def test_a_run_that_carries_on_the_count_of_another(write, read, tmp_path):
    write("base.csv", rows(10, 3000))
    write("cpt.csv", rows(3010, 3500))
    runs = own_steps(read(tmp_path).values())
    cpt = next(run for run in runs if run.name == "cpt")
    assert cpt.train["step"].tolist() == list(range(10, 501, 10))
    assert cpt.config["step_offset"] == 3000
    assert any("run 'base' ends there: if it is the parent" in note for note in cpt.notes)
    base = next(run for run in runs if run.name == "base")
    assert base.train["step"].max() == 3000


def test_a_run_that_carries_on_a_count_that_no_log_has(log_run):
    train = [(s, 2.0) for s in range(140_010, 140_500, 10)]
    evals = [(140_000, "de", 3.0), (140_250, "de", 2.9)]
    run = own_steps([log_run(train=train, evals=evals)])[0]
    assert run.train["step"].iloc[0] == 10
    assert run.evals["step"].tolist() == [0, 250]
    assert any("carries on from 140000" in note for note in run.notes)


def test_the_user_may_say_where_a_run_starts(log_run):
    train = [(s, 2.0) for s in range(1010, 1500, 10)]
    kept = own_steps([log_run(train=train, config={"step_offset": 0})])[0]
    assert kept.train["step"].iloc[0] == 1010
    moved = own_steps([log_run(train=train, config={"step_offset": 1005})])[0]
    assert moved.train["step"].iloc[0] == 5


def test_a_run_whose_first_rows_are_missing_carries_on_nothing(log_run):
    train = [(s, 2.0) for s in range(110, 500, 10)]
    run = own_steps([log_run(train=train, evals=[(0, "de", 3.0), (100, "de", 2.0)])])[0]
    assert run.train["step"].iloc[0] == 110
