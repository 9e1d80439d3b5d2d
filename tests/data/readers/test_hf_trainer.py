"""Logs of transformers and LLaMA-Factory, with their traps."""

import json
from pathlib import Path

import numpy as np
import pytest

from bayescpt.data.readers.assemble import assemble
from bayescpt.errors import StudyError

SAMPLES = Path(__file__).parent / "samples" / "hf_trainer"
STATE = {"global_step": 30, "max_steps": 30, "log_history": []}


def state(*rows, **fields):
    return STATE | {"log_history": list(rows)} | fields


def row(step, loss=2.5, **values):
    return {"epoch": step / 30, "loss": loss, "learning_rate": 1e-4, "step": step} | values


def test_checkpoints_of_a_run_are_copies_of_which_the_longest_counts(read):
    runs = read(SAMPLES / "r00")
    assert list(runs) == ["r00"]
    assert runs["r00"].train["step"].tolist() == list(range(10, 201, 10))
    assert runs["r00"].evals["step"].max() == 200
    assert "3 logs are copies of one run: the longest counts" in runs["r00"].notes


def test_a_checkpoint_alone_is_the_run_up_to_it(read):
    run = read(SAMPLES / "r00" / "checkpoint-100")["r00"]
    assert run.train["step"].max() == 100
    assert run.config["steps"] == 200


def test_a_folder_of_runs_is_one_run_each(read):
    assert sorted(read(SAMPLES)) == ["r00", "r10", "r25", "r25_low"]


def test_named_evaluation_sets_and_the_start_checkpoint(read):
    evals = read(SAMPLES / "r10")["r10"].evals
    assert sorted(set(evals["domain"])) == ["general", "medical"]
    assert evals.loc[evals["domain"] == "medical", "step"].tolist() == [0, 50, 100, 150, 200]


def test_tokens_seen_give_the_batch(read):
    assert read(SAMPLES / "r10")["r10"].config["tokens_per_step"] == 65_536


def test_the_mean_of_the_whole_run_is_no_training_loss(write, read):
    summary = {"epoch": 1.0, "train_loss": 9.0, "train_runtime": 10.0, "step": 30}
    run = read(write("a/trainer_state.json", state(row(10), row(20), row(30), summary)))["a"]
    assert run.train["loss"].tolist() == [2.5, 2.5, 2.5]
    assert any("mean of the whole run" in note for note in run.notes)


def test_rows_of_predictions_have_no_step(write, read):
    found = state(row(10), row(20), {"predict_loss": 2.2, "predict_runtime": 1.0})
    run = read(write("a/trainer_state.json", found))["a"]
    assert len(run.train) == 2
    assert run.evals.empty
    assert any("1 rows of predictions without a step" in note for note in run.notes)


def test_losses_that_are_nan_are_left_out_and_said(write, read):
    text = json.dumps(state(row(10), row(20, float("nan")), row(30, float("inf"))))
    run = read(write("a/trainer_state.json", text))["a"]
    assert run.train["step"].tolist() == [10]
    assert any("2 of 3 values of training" in n and "at step 20" in n for n in run.notes)


def test_a_cut_off_file_is_an_error_that_names_it(write, read):
    path = write("a/trainer_state.json", json.dumps(state(row(10)))[:-9])
    with pytest.raises(StudyError, match=r"a/trainer_state.json: cannot be read as JSON"):
        read(path)


def test_a_file_that_is_called_like_a_state_but_is_none(write, read):
    with pytest.raises(StudyError, match=r"trainer_state.json: has no list log_history"):
        read(write("a/trainer_state.json", {"a": 1}))


def old_style(step, **values):
    blank = {"loss": None, "eval_loss": None, "predict_loss": None, "learning_rate": None}
    return {"current_steps": step, "total_steps": 30} | blank | values


def test_old_llama_factory_logs_have_nulls_and_a_last_row_of_nothing(write, read):
    rows = [old_style(s, loss=2.0, learning_rate=1e-4) for s in (10, 20, 30)]
    run = read(write("a/trainer_log.jsonl", [*rows, old_style(30)]))["a"]
    assert run.train["step"].tolist() == [10, 20, 30]
    assert run.lr["lr"].tolist() == [1e-4] * 3
    assert run.evals.empty


def test_new_llama_factory_logs_leave_keys_out_and_evaluations_have_no_rate(write, read):
    rows = [
        {"current_steps": 10, "total_steps": 40, "loss": 2.0, "lr": 1e-4},
        {"current_steps": 10, "total_steps": 40, "eval_loss": 2.1},
        {"current_steps": 20, "total_steps": 40, "loss": 1.9, "lr": 9e-5},
        {"current_steps": 20, "total_steps": 40},
    ]
    run = read(write("a/trainer_log.jsonl", rows))["a"]
    assert run.evals.to_dict("list") == {"step": [10], "domain": ["val"], "loss": [2.1]}
    assert run.lr["step"].tolist() == [10, 20]
    assert run.config["steps"] == 40


def test_llama_factory_and_transformers_logs_of_one_run_are_one_run(write, read):
    logged = [old_style(s, loss=2.0 + s, learning_rate=1e-4) for s in (10, 20, 30)]
    named = {"epoch": 1.0, "eval_code_loss": 1.5, "step": 30}
    write("a/trainer_state.json", state(*(row(s, 2.0 + s) for s in (10, 20, 30)), named))
    path = write("a/trainer_log.jsonl", logged)
    runs = read(path.parent)
    assert list(runs) == ["a"]
    assert len(runs["a"].train) == 3
    assert runs["a"].evals["domain"].tolist() == ["code"]
    assert set(map(lambda p: p.name, runs["a"].sources)) == {
        "trainer_state.json",
        "trainer_log.jsonl",
    }


def test_a_configuration_beside_the_log_gives_the_scheduler(write):
    config = "learning_rate: 1.0e-4\nlr_scheduler_type: cosine\nwarmup_ratio: 0.1\n"
    write("a/config.yaml", config)
    rows = [
        {
            "current_steps": s,
            "total_steps": 100,
            "loss": 2.0,
            "eval_loss": 2.0,
            "lr": 1e-4 * 0.5 * (1 + np.cos(np.pi * (s - 1 - 10) / 90)),
        }
        for s in (40, 60)
    ]
    made = assemble(write("a/trainer_log.jsonl", rows))
    # Two rows fit many schedules: the configuration says which.
    assert made.runs["schedule"].dropna().tolist() == ["cosine"]
    assert "num_warmup_steps=10" in made.runs["schedule_params"].iloc[-1]
    assert made.runs["planned_peak_lr"].iloc[-1] == 1e-4
