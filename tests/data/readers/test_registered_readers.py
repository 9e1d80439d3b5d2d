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
}
READERS = {reader.name: reader for reader in registered_readers()}


def test_every_reader_has_a_sample():
    assert set(SAMPLES) == set(READERS)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_reader_is_the_first_to_recognise_its_files(name):
    assert find_reader(SAMPLES_FOLDER / SAMPLES[name][0]).name == name


@pytest.mark.parametrize("name", SAMPLES)
def test_a_reader_fills_the_tables_of_a_run(name):
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
