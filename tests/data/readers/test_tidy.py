"""Counters, restarts within a log, and losses that are no numbers."""

import numpy as np
import pytest

from bayescpt.data.readers.tidy import tidy
from bayescpt.errors import StudyError


def steps(frame):
    return frame["step"].tolist()


def test_after_a_resume_the_later_rows_win_and_abandoned_ones_go(log_run):
    train = [(s, 3.0) for s in (10, 20, 30, 40)] + [(s, 2.0) for s in (30, 40, 50)]
    evals = [(20, "de", 3.0), (40, "de", 3.0), (40, "de", 2.0)]
    run = tidy(log_run(evals=evals, train=train))
    assert run.train["loss"].tolist() == [3.0, 3.0, 2.0, 2.0, 2.0]
    assert run.evals["loss"].tolist() == [3.0, 2.0]
    assert (
        "the log resumes at step 30: rows from there on that came before are dropped" in run.notes
    )


def test_rows_between_the_new_ones_are_of_the_abandoned_part(log_run):
    # Resumed at 20; steps 25 and 35 were logged only by the part that was left behind.
    run = tidy(log_run(train=[(s, 3.0) for s in (10, 20, 25, 35)] + [(30, 2.0), (40, 2.0)]))
    assert steps(run.train) == [10, 20, 25, 30, 40]
    run = tidy(log_run(train=[(s, 3.0) for s in (10, 20, 25, 35)] + [(20, 2.0), (40, 2.0)]))
    assert steps(run.train) == [10, 20, 40]


def test_an_evaluation_past_the_last_update_was_abandoned(log_run):
    train = [(s, 3.0) for s in (10, 20, 30, 40)] + [(s, 2.0) for s in (20, 30)]
    run = tidy(log_run(evals=[(20, "de", 3.0), (40, "de", 3.0)], train=train))
    assert steps(run.evals) == [20]


def test_a_step_that_is_evaluated_twice_counts_once(log_run):
    evals = [(10, "de", 3.0), (20, "de", 2.0), (20, "de", 2.1), (20, "en", 2.0)]
    run = tidy(log_run(evals=evals))
    assert run.evals[run.evals["domain"] == "de"]["loss"].tolist() == [3.0, 2.1]
    assert any("1 steps are logged twice with different values" in note for note in run.notes)
    # The same value twice is nothing to speak of.
    assert not tidy(log_run(evals=[(10, "de", 3.0), (10, "de", 3.0)])).notes


def test_rows_in_no_order_are_sorted(log_run):
    order = np.random.default_rng(0).permutation(np.arange(1, 101))
    run = tidy(log_run(train=[(s, 3.0 - s / 100) for s in order]))
    assert steps(run.train) == list(range(1, 101))
    assert not run.notes


def test_updates_that_are_counted_from_zero(log_run):
    run = tidy(
        log_run(
            evals=[(0, "de", 3.0), (10, "de", 2.0)],
            train=[(s, 3.0) for s in range(10)],
            lr=[(s, 1e-3) for s in range(10)],
        )
    )
    assert steps(run.train) == steps(run.lr) == list(range(1, 11))
    assert steps(run.evals) == [0, 10]  # updates done: the start checkpoint is one of them
    assert "updates are counted from 0: step 0 is update 1" in run.notes


def test_steps_one_short_of_round_ones_count_from_zero(log_run):
    evals = [(s, "de", 3.0) for s in (49, 99, 149, 170)]
    run = tidy(log_run(evals=evals, train=[(s, 3.0) for s in (9, 19, 29, 39)]))
    assert steps(run.evals) == [50, 100, 150, 171]
    assert steps(run.train) == [10, 20, 30, 40]
    assert any("at step 49, 50 updates are done" in note for note in run.notes)


def test_steps_that_count_from_one_stay(log_run):
    run = tidy(log_run(evals=[(50, "de", 3.0), (100, "de", 2.0)], train=[(1, 3.0), (10, 3.0)]))
    assert steps(run.evals) == [50, 100]
    assert steps(run.train) == [1, 10]
    assert not run.notes


def test_tokens_in_place_of_steps(log_run):
    evals = [(0, "de", 3.0), (2_097_152, "de", 2.0)]
    run = log_run(evals=evals, steps_are="tokens", config={"tokens_per_step": 65_536})
    done = tidy(run)
    assert steps(done.evals) == [0, 32]
    assert done.steps_are == "updates"
    assert "step counts tokens: divided by 65,536 per update" in done.notes
    kept = tidy(log_run(evals=evals, lr=[(2_097_152, 1e-4)], steps_are="tokens"))
    assert steps(kept.evals) == [0, 2_097_152]
    assert kept.steps_are == "tokens"
    assert kept.lr.empty
    assert any("import again with --overwrite" in note for note in kept.notes)


def test_micro_iterations_in_place_of_updates(log_run):
    run = log_run(train=[(8, 3.0), (16, 2.0)], steps_are="micro", config={"accumulation": 8})
    assert steps(tidy(run).train) == [1, 2]
    with pytest.raises(StudyError, match="its step counts micro-iterations, and how many"):
        tidy(log_run(train=[(8, 3.0)], steps_are="micro"))


@pytest.mark.parametrize("bad", [np.inf, -np.inf, 0.0, -1.0])
def test_losses_that_are_no_losses_are_left_out_and_said(log_run, bad):
    run = tidy(log_run(evals=[(10, "de", 3.0), (20, "de", bad), (30, "de", 2.0)]))
    assert steps(run.evals) == [10, 30]
    assert any("1 of 3 values of evaluation" in note and "step 20" in note for note in run.notes)


def test_rows_without_a_whole_step_are_left_out_and_said(log_run):
    run = tidy(log_run(evals=[(10, "de", 3.0), (20.5, "de", 2.0), (np.nan, "de", 2.0)]))
    assert steps(run.evals) == [10]
    assert "2 rows of evaluation without a whole step are left out" in run.notes
