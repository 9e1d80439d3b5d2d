"""Histories of metrics: Lightning, LitGPT, W&B and MLflow, with their traps."""

import json
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescpt.data.readers.find import read_log_files
from bayescpt.data.readers.history import history_run
from bayescpt.data.readers.join import join_runs
from bayescpt.data.readers.record import ReadOptions
from bayescpt.data.readers.registry import find_reader
from bayescpt.data.readers.tidy import tidy
from bayescpt.errors import StudyError

HERE = Path(__file__).parent
SAMPLES = HERE / "samples"
MADE = runpy.run_path(str(HERE / "make_text_samples.py"))
loss, val, cosine, STEPS = (MADE[name] for name in ("loss", "val", "cosine", "STEPS"))


def read(path, kind):
    reader = find_reader(path)
    assert reader is not None
    assert reader.name == kind
    return reader.read(path, ReadOptions())


def curve(run, domain):
    rows = run.evals[run.evals["domain"] == domain]
    return dict(zip(rows["step"].astype(int), rows["loss"], strict=True))


def expected(steps, name=""):
    return pytest.approx({step: val(step, name) for step in steps}, 1e-6)


# Lightning and LitGPT


def test_lightning_counts_from_0_and_keeps_the_mean_loss():
    (run,) = read(SAMPLES / "lightning/pilot/version_0/metrics.csv", "lightning")
    # Rows at 49 and 99; val_perplexity is not the exponential of val_loss, and is not used.
    assert curve(run, "val") == expected([50, 100])
    assert run.train["step"].tolist() == list(range(10, 101, 10))
    assert run.lr["step"].tolist() == list(range(10, 101, 10))
    assert run.lr["lr"].tolist() == pytest.approx([cosine(k - 1) for k in range(10, 101, 10)], 1e-6)
    assert (run.name, run.part) == ("pilot", "version_0")


def test_lightning_validates_at_updates_done_after_a_resume():
    (run,) = read(SAMPLES / "lightning/pilot/version_1/metrics.csv", "lightning")
    assert curve(run, "val") == expected([150, 200])
    assert run.train["step"].tolist() == list(range(110, 201, 10))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("epoch,step,loss\n0,49,3.0\n0,99,2.9\n1,149,2.8\n", "lightning"),
        ("epoch,loss,step,val_loss\n0,3.0,0,\n0,2.9,1,\n0,,1,3.1\n", "lightning"),
        # A Trainer's log history as a table: steps count updates.
        ("epoch,step,loss\n0.1,50,3.0\n0.2,100,2.9\n0.3,150,2.8\n", "table"),
        ("epoch,step,eval_loss\n0,0,3.0\n0.2,100,2.9\n", "table"),
        # A trainer of one's own, which evaluates the start checkpoint.
        ("epoch,step,train_loss,val_loss\n0,0,9.0,9.1\n0,1,8.0,\n0,2,7.0,7.1\n", "table"),
        ("epoch,step,loss\n0,49,3.0\n0,99,2.9,extra\n1,149\n1,199,2.7\n", "lightning"),
    ],
)
def test_a_table_is_lightnings_by_its_steps(tmp_path, text, kind):
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    assert find_reader(path).name == kind


def test_litgpt_steps_are_micro_iterations():
    (run,) = read(SAMPLES / "litgpt/pilot/logs/csv/version_0/metrics.csv", "lightning")
    assert run.steps_are == "micro"
    assert run.name == "pilot"
    # 64 sequences a step, by two devices of 8: four micro-iterations.
    assert run.config == {"accumulation": 4, "tokens_per_step": 64 * 2048}
    done = tidy(run)
    assert curve(done, "val") == expected([50, 100, 150, 200])
    assert done.lr["step"].tolist() == list(range(10, 201, 10))
    # The rate changes at each micro-iteration; an update has that of its last.
    rates = [cosine(k - 0.25) for k in range(10, 201, 10)]
    assert done.lr["lr"].tolist() == pytest.approx(rates, 1e-6)


def test_litgpt_without_its_hyperparameters_asks(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text((SAMPLES / "litgpt/pilot/logs/csv/version_0/metrics.csv").read_text())
    (run,) = read(path, "lightning")
    assert any("hyperparameters.yaml, which was not found" in note for note in run.notes)
    with pytest.raises(StudyError, match="accumulation"):
        tidy(run)


# W&B


def test_wandb_export_has_a_column_a_run_and_key():
    first, second = read(SAMPLES / "wandb_export/two_runs.csv", "wandb_export")
    assert (first.name, second.name) == ("greek - r25", "greek - r50")
    assert curve(first, "greek") == expected([50, 100, 150, 200], "greek")
    assert second.evals["loss"].to_numpy() == pytest.approx(first.evals["loss"].to_numpy() + 0.1)
    assert first.lr["lr"].tolist() == pytest.approx([cosine(k - 1) for k in range(10, 201, 10)])
    assert first.steps_are == "updates"


def test_wandb_exports_of_two_panels_are_of_the_same_runs(tmp_path):
    frame = pd.read_csv(SAMPLES / "wandb_export/two_runs.csv", dtype="str")
    for key, name in (("loss", "losses.csv"), ("learning_rate", "rates.csv")):
        kept = frame[["train/global_step", *(c for c in frame.columns if key in c)]]
        kept.to_csv(tmp_path / name, index=False)
    runs = join_runs([tidy(run) for run in read_log_files([tmp_path], ReadOptions())])
    assert [run.name for run in runs] == ["greek - r25", "greek - r50"]
    for run in runs:
        assert len(run.evals) == 4
        assert len(run.lr) == 20


def test_wandb_history_of_olmo_core(tmp_path):
    path = tmp_path / "history.csv"
    pd.DataFrame(
        {
            "_step": [10, 20],
            "_runtime": [1.0, 2.0],
            "optim/LR (group 0)": [1e-4, 2e-4],
            "train/CE loss": [3.0, 2.9],
            "train/PPL": [20.1, 18.2],
            "throughput/total tokens": [1e6, 2e6],
            "eval/lm/c4_en-validation/CE loss": [np.nan, 2.8],
            "eval/lm/c4_en-validation/PPL": [np.nan, 16.4],
            "eval/downstream/arc_easy (CE loss v2)": [np.nan, 1.4],
        }
    ).to_csv(path, index=False)
    (run,) = read(path, "wandb_history")
    assert run.evals.to_numpy().tolist() == [[20, "c4_en", 2.8]]
    assert run.lr.to_numpy().tolist() == [[10, 1e-4], [20, 2e-4]]
    assert run.train["loss"].tolist() == [3.0, 2.9]


def test_wandb_export_of_groups_by_tokens():
    (run,) = read(SAMPLES / "wandb_export/groups_by_tokens.csv", "wandb_export")
    assert run.name == "medium"
    assert run.steps_are == "tokens"
    said = " ".join(run.notes)
    assert "multiples of 204,800: they are read as tokens" in said
    assert "means over a group of runs" in said
    run.config["tokens_per_step"] = 20480
    assert list(curve(tidy(run), "tokens")) == list(range(10, 201, 10))


def test_wandb_export_by_time_is_refused(tmp_path):
    path = tmp_path / "export.csv"
    text = (SAMPLES / "wandb_export/two_runs.csv").read_text()
    path.write_text(text.replace("train/global_step", "Relative Time (Process)", 1))
    with pytest.raises(StudyError, match=r"x axis is 'Relative Time .Process.', which counts no"):
        read(path, "wandb_export")
    # Unless the user says that it counts.
    options = ReadOptions({"Relative Time (Process)": "step"})
    assert len(find_reader(path).read(path, options)) == 2


@pytest.mark.parametrize(
    "name", ["from_csv.csv", "from_json.json", "from_jsonl.jsonl", "from_parquet.parquet"]
)
def test_wandb_history_prefers_the_counter_of_updates(name):
    (run,) = read(SAMPLES / "wandb_history" / name, "wandb_history")
    # Rows of validation have _step alone, which counts log calls.
    assert curve(run, "greek") == expected([0, 50, 100, 150, 200], "greek")
    assert curve(run, "web") == expected([0, 50, 100, 150, 200], "web")
    assert run.train["step"].tolist() == list(range(10, 201, 10))
    assert run.lr["lr"].tolist() == pytest.approx([cosine(k - 1) for k in range(10, 201, 10)])
    assert "5 rows lack train/global_step" in run.notes[0]


@pytest.mark.parametrize("column", ["run_name", "name"])
@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_wandb_histories_of_several_runs_in_one_table(tmp_path, column, kind):
    rows = pd.read_csv(SAMPLES / "wandb_history/from_csv.csv", index_col=0)
    both = pd.concat([rows.assign(**{column: name}) for name in ("r25", "r50")])
    path = tmp_path / f"histories.{kind}"
    if kind == "csv":
        both.to_csv(path, index=False)
    elif kind == "parquet":
        both.to_parquet(path)
    else:
        both.to_json(path, orient="records", lines=True)
    runs = read(path, "wandb_history")
    assert [run.name for run in runs] == ["r25", "r50"]
    for run in runs:
        assert curve(run, "greek") == expected([0, 50, 100, 150, 200], "greek")


def test_wandb_export_without_the_extremes(tmp_path):
    path = tmp_path / "export.csv"
    path.write_text('"Step","r25 - eval/loss","r50 - eval/loss"\n"10","3.0","3.1"\n"20","2.9",""\n')
    first, second = read(path, "wandb_export")
    assert (first.name, len(first.evals)) == ("r25", 2)
    assert (second.name, len(second.evals)) == ("r50", 1)


def history(**columns):
    return history_run(pd.DataFrame(columns), "pilot", "wandb_history", Path("h.csv"), {})


def test_rows_without_an_update_follow_micro_iterations_exactly():
    calls = np.arange(0.0, 801.0, 4.0)
    updates = np.where(calls % 80 == 0, calls / 8, np.nan)
    run = history(
        _step=calls,
        update_step=updates,
        loss=np.where(calls % 80 == 0, 3.0, np.nan),
        eval_loss=np.where(calls == 404, 2.5, np.nan),
    )
    # Micro-iteration 404 is half an update after update 50.
    assert run.evals["step"].tolist() == [50]
    assert "of which it is 1/8" in run.notes[0]


def test_a_lone_step_that_counts_rows_is_doubted():
    def doubted(steps):
        return "counts log calls" in " ".join(history(_step=steps, eval_loss=[3.0] * 4).notes)

    assert doubted([0, 1, 2, 3])
    assert not doubted([0, 100, 200, 300])


def test_a_sample_of_a_history_is_said():
    notes = history(_step=np.arange(0, 1000, 2), eval_loss=np.full(500, 3.0)).notes
    assert "scan_history() gives all" in " ".join(notes)


def test_a_summary_of_wandb_is_no_history(tmp_path):
    path = tmp_path / "wandb-summary.json"
    path.write_text(json.dumps({"_wandb": {"runtime": 3}, "_step": 9, "_runtime": 3, "loss": 2.0}))
    reader = find_reader(path)
    assert reader is None or reader.name != "wandb_history"


# MLflow


def test_mlflow_gives_the_runs_that_were_not_deleted():
    first, second = read(SAMPLES / "mlflow/mlflow.db", "mlflow")
    assert (first.name, second.name) == ("greek-r25", "greek-r50")
    assert curve(first, "val") == expected([0, 50, 100, 150, 200])
    assert first.lr["lr"].tolist() == pytest.approx([cosine(k - 1) for k in range(10, 201, 10)])
    assert first.config == {"peak_lr": 2e-4, "steps": 200}
    # MLflow stores a NaN as 0 and a flag.
    done = tidy(second)
    assert curve(done, "val") == expected([0, 50, 100, 200])
    assert any("NaN or infinite, at step 150" in note for note in done.notes)


def test_another_sqlite_file_is_not_mlflows(tmp_path):
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(tmp_path / "other.db")) as store:
        store.execute("CREATE TABLE runs (a)")
        store.commit()
    assert find_reader(tmp_path / "other.db") is None


# All


def test_an_unknown_file_is_refused_with_the_kinds_that_are_known(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("monday: the run looks fine\n")
    with pytest.raises(StudyError) as error:
        read_log_files([path], ReadOptions())
    for kind in ("Megatron-LM", "W&B", "TensorBoard", "nanoGPT", "llm.c", "OLMo-core", "MLflow"):
        assert kind in str(error.value)
    assert "monday: the run looks fine" in str(error.value)
