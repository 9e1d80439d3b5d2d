"""Every registered reader, on a small file by its writer."""

from pathlib import Path

import numpy as np
import pytest

from bayescpt.data.readers.join import join_runs
from bayescpt.data.readers.record import EVAL_COLUMNS, LR_COLUMNS, TRAIN_COLUMNS, ReadOptions
from bayescpt.data.readers.registry import HEAD_BYTES, find_reader, registered_readers
from bayescpt.data.readers.tidy import tidy

SAMPLES_FOLDER = Path(__file__).parent / "samples"

# Of each reader: a file below samples/, and by run its sets, last step and logged learning rates.
SAMPLES = {
    "hf_trainer": (
        "hf_trainer/r25/trainer_state.json",
        {"r25": (["general", "medical"], 200, 20)},
    ),
    "llama_factory": ("llama_factory/pilot/trainer_log.jsonl", {"pilot": (["val"], 60, 12)}),
    "table": (
        "table/long.csv",
        {"a": (["general", "greek"], 100, 0), "b": (["general", "greek"], 100, 0)},
    ),
    "megatron": ("megatron/named_sets.log", {"named_sets": (["greek", "web"], 200, 20)}),
    "nanogpt": ("nanogpt/train.log", {"nanogpt": (["val"], 200, 0)}),
    "modded_nanogpt": ("modded_nanogpt/run.txt", {"modded_nanogpt": (["val"], 200, 0)}),
    "llm_c": ("llm_c/main.log", {"llm_c": (["val"], 200, 200)}),
    "olmo_console": ("olmo_core/console.log", {"console": (["c4_en", "greek"], 200, 21)}),
    "olmo_metrics": (
        "olmo_core/metrics/metrics_step200.json",
        {"metrics": (["greek"], 200, 1)},
    ),
    "lightning": ("lightning/pilot/version_0/metrics.csv", {"pilot": (["val"], 100, 10)}),
    "tensorboard": (
        "tensorboard/megatron/events.out.tfevents.1700000000.host.0",
        {"megatron": (["greek", "web"], 200, 20)},
    ),
    "wandb_run": (
        "wandb_run/run-abcd1234/run-abcd1234.wandb",
        {"greek-r25": (["greek", "web"], 200, 40)},
    ),
    "wandb_history": (
        "wandb_history/from_parquet.parquet",
        {"from_parquet": (["greek", "web"], 200, 20)},
    ),
    "wandb_export": (
        "wandb_export/two_runs.csv",
        {"greek - r25": (["greek"], 200, 20), "greek - r50": (["greek"], 200, 20)},
    ),
    "mlflow": (
        "mlflow/mlflow.db",
        {"greek-r25": (["val"], 200, 20), "greek-r50": (["val"], 200, 20)},
    ),
}
# Readers that need a package which the tests do not ask for.
PACKAGES = {"tensorboard": "tensorboard", "wandb_run": "wandb"}
READERS = {reader.name: reader for reader in registered_readers()}


def test_every_reader_has_a_sample():
    assert set(SAMPLES) == set(READERS)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_reader_is_the_first_to_recognise_its_files(name):
    assert find_reader(SAMPLES_FOLDER / SAMPLES[name][0]).name == name


@pytest.mark.parametrize("name", SAMPLES)
def test_a_reader_fills_the_tables_of_a_run(name):
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    file, expected = SAMPLES[name]
    runs = READERS[name].read(SAMPLES_FOLDER / file, ReadOptions())
    for run in runs:
        assert run.kind == name
        assert run.sources == (SAMPLES_FOLDER / file,)
        assert list(run.evals) == list(EVAL_COLUMNS)
        assert list(run.lr) == list(LR_COLUMNS)
        assert list(run.train) == list(TRAIN_COLUMNS)
    found = {run.name: run for run in join_runs([tidy(run) for run in runs])}
    assert set(found) == set(expected)
    for run, (sets, last, rates) in expected.items():
        assert sorted(set(found[run].evals["domain"])) == sets
        assert found[run].evals["step"].max() == last
        assert len(found[run].lr) == rates
        assert np.isfinite(found[run].evals["loss"]).all()


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"# notes\nnothing here\n", b"{", b"\n"])
def test_a_reader_does_not_take_what_is_no_log(reader, content, tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(content)
    assert not reader.recognises(path, content[:HEAD_BYTES])


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_reader_says_what_it_reads(reader):
    assert reader.what
    assert reader.__doc__
    assert not reader.what.endswith(".")
