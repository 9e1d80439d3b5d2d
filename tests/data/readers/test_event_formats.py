"""Binary logs of TensorBoard and W&B, read where their packages are installed."""

import runpy
import sys
from pathlib import Path

import pytest

from bayescpt.data.readers.find import read_log_files
from bayescpt.data.readers.formats.wandb_run import records
from bayescpt.data.readers.join import join_runs
from bayescpt.data.readers.record import ReadOptions
from bayescpt.data.readers.registry import find_reader
from bayescpt.data.readers.tidy import tidy
from bayescpt.errors import MissingExtraError, StudyError

HERE = Path(__file__).parent
SAMPLES = HERE / "samples"
MADE = runpy.run_path(str(HERE / "make_text_samples.py"))
loss, val, cosine, STEPS = (MADE[name] for name in ("loss", "val", "cosine", "STEPS"))
MICRO = SAMPLES / "wandb_run/run-micro123/run-micro123.wandb"
LOG_CALLS = SAMPLES / "wandb_run/run-abcd1234/run-abcd1234.wandb"


def events(name):
    return sorted((SAMPLES / "tensorboard" / name).iterdir())


def read_one(path, kind):
    reader = find_reader(path)
    assert reader is not None
    assert reader.name == kind
    (run,) = reader.read(path, ReadOptions())
    return run


def curve(run, domain):
    rows = run.evals[run.evals["domain"] == domain]
    return dict(zip(rows["step"].astype(int), rows["loss"], strict=True))


def expected(steps, name=""):
    return pytest.approx({step: val(step, name) for step in steps}, 1e-6)


@pytest.mark.parametrize(
    ("path", "package", "extra"),
    [(events("tensors")[0], "tensorboard", "tensorboard"), (MICRO, "wandb", "wandb")],
)
def test_without_the_package_the_error_names_the_extra(monkeypatch, path, package, extra):
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    reader = find_reader(path)
    with pytest.raises(MissingExtraError, match=rf'pip install "bayescpt\[{extra}\]"'):
        reader.read(path, ReadOptions())


def test_logs_beside_event_files_are_read_without_the_package(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    folder = tmp_path / "pilot"
    (folder / "runs" / "Mar01_12-00-00_node7").mkdir(parents=True)
    event = events("megatron")[0]
    (folder / "runs" / "Mar01_12-00-00_node7" / event.name).write_bytes(event.read_bytes())
    with pytest.raises(MissingExtraError):
        read_log_files([folder], ReadOptions())
    log = (SAMPLES / "megatron/named_sets.log").read_text()
    (folder / "train.log").write_text(log)
    (run,) = read_log_files([folder], ReadOptions())
    assert run.kind == "megatron"
    (note,) = run.notes
    assert event.name in note
    assert "bayescpt[tensorboard]" in note


def test_what_a_run_of_wandb_printed_is_not_read_again(tmp_path):
    pytest.importorskip("wandb")
    folder = tmp_path / "run-20260301_120000-micro123"
    (folder / "files").mkdir(parents=True)
    (folder / MICRO.name).write_bytes(MICRO.read_bytes())
    printed = (SAMPLES / "nanogpt/train.log").read_text()
    (folder / "files" / "output.log").write_text(printed)
    assert [run.kind for run in read_log_files([tmp_path], ReadOptions())] == ["wandb_run"]


def test_an_event_file_and_the_output_of_one_run_are_one(tmp_path):
    pytest.importorskip("tensorboard")
    folder = tmp_path / "pilot"
    (folder / "tensorboard").mkdir(parents=True)
    event = events("megatron")[0]
    (folder / "tensorboard" / event.name).write_bytes(event.read_bytes())
    (folder / "train.log").write_text((SAMPLES / "megatron/named_sets.log").read_text())
    runs = join_runs([tidy(run) for run in read_log_files([tmp_path], ReadOptions())])
    assert [run.name for run in runs] == ["pilot"]


def test_tensorboard_restarts_of_transformers():
    pytest.importorskip("tensorboard")
    first, second = (read_one(path, "tensorboard") for path in events("transformers"))
    assert (first.name, first.part) == (second.name, second.part)  # one run, to be joined
    assert curve(first, "greek") == expected([0, 50, 100], "greek")
    assert curve(second, "web") == expected([150, 200], "web")
    # No point is sampled away or purged: the first went on to 120, the second starts at 100.
    assert first.lr["step"].tolist() == list(range(10, 121, 10))
    assert second.lr["step"].tolist() == list(range(110, 201, 10))
    assert second.lr["lr"].tolist() == pytest.approx(
        [cosine(k - 1) for k in range(110, 201, 10)], 1e-6
    )
    assert first.config["scheduler"] == "cosine_with_min_lr"
    assert first.config["min_lr"] == 2e-5


def test_tensorboard_folders_of_a_trainer_are_parts_of_a_run(tmp_path):
    pytest.importorskip("tensorboard")
    # transformers' default: OUTPUT/runs/Mar01_12-00-00_host, one for each start.
    for day, path in zip(("01", "02"), events("transformers"), strict=True):
        folder = tmp_path / "replay-25" / "runs" / f"Mar{day}_12-00-00_node7"
        folder.mkdir(parents=True)
        (folder / path.name).write_bytes(path.read_bytes())
    runs = read_log_files([tmp_path], ReadOptions())
    assert [run.name for run in runs] == ["replay-25", "replay-25"]
    (joined,) = join_runs([tidy(run) for run in runs])
    assert curve(joined, "greek") == expected([0, 50, 100, 150, 200], "greek")
    assert joined.lr["step"].tolist() == list(range(10, 201, 10))


def test_tensorboard_of_megatron_without_values_against_samples():
    pytest.importorskip("tensorboard")
    run = read_one(*events("megatron"), "tensorboard")
    assert curve(run, "greek") == expected([50, 100, 150, 200], "greek")
    assert curve(run, "web") == expected([50, 100, 150, 200], "web")
    assert run.train["step"].tolist() == list(range(10, 201, 10))
    assert run.lr["step"].tolist() == list(range(10, 201, 10))
    assert run.config["tokens_per_step"] == 64 * 4096


def test_tensorboard_of_lightning_counts_from_0():
    pytest.importorskip("tensorboard")
    run = read_one(*events("lightning"), "tensorboard")
    assert curve(run, "val") == expected([50, 100])
    assert run.lr["step"].tolist() == list(range(10, 101, 10))


def test_tensorboard_scalars_as_tensors():
    pytest.importorskip("tensorboard")
    run = read_one(*events("tensors"), "tensorboard")
    assert curve(run, "val") == expected([0, 50, 100, 150, 200])
    assert run.lr["step"].tolist() == [0, 50, 100, 150, 200]


def test_tensorboard_file_that_is_cut_off(tmp_path):
    pytest.importorskip("tensorboard")
    content = events("megatron")[0].read_bytes()
    path = tmp_path / "events.out.tfevents.1.host"
    path.write_bytes(content[: len(content) - 20])
    assert curve(read_one(path, "tensorboard"), "greek") == expected([50, 100, 150, 200], "greek")


def test_wandb_file_with_log_calls_as_steps():
    pytest.importorskip("wandb")
    run = read_one(LOG_CALLS, "wandb_run")
    assert (run.name, run.part) == ("greek-r25", "abcd1234")
    assert curve(run, "greek") == expected([0, 50, 100, 150, 200], "greek")
    assert run.train["step"].tolist() == list(range(5, 201, 5))
    assert run.config == {"scheduler": "cosine", "peak_lr": 2e-4, "warmup_steps": 20, "steps": 200}


def test_wandb_file_with_micro_iterations_as_steps():
    pytest.importorskip("wandb")
    run = tidy(read_one(MICRO, "wandb_run"))
    assert curve(run, "val") == expected([50, 100, 150, 200])
    assert run.lr["step"].tolist() == list(range(10, 201, 10))
    copy = read_one(SAMPLES / "wandb_run/copy-of-latest-run/run-micro123.wandb", "wandb_run")
    assert (copy.name, copy.part) == (run.name, run.part)
    assert curve(copy, "val") == curve(run, "val")


def test_records_of_a_wandb_file_go_over_blocks(tmp_path):
    # LevelDB's layout: pieces in blocks of 32 KiB, the second record in three of them.
    def piece(kind, content):
        return bytes(4) + len(content).to_bytes(2, "little") + bytes([kind]) + content

    small, large = b"a" * 100, b"b" * 60_000
    start = b":W&B\xe1\xbe\x00" + piece(1, small)
    first = 32_768 - len(start) - 7
    middle = 32_768 - 7
    content = start + piece(2, large[:first]) + piece(3, large[first : first + middle])
    content += piece(4, large[first + middle :])
    path = tmp_path / "run.wandb"
    path.write_bytes(content)
    assert list(records(path)) == [small, large]
    path.write_bytes(content[:-10])  # still being written
    assert list(records(path)) == [small]
    path.write_bytes(start + piece(3, b"c"))
    with pytest.raises(StudyError, match="damaged at byte"):
        list(records(path))


def test_records_that_end_just_before_a_block(tmp_path):
    head = b":W&B\xe1\xbe\x00"
    first = b"a" * (32_768 - len(head) - 7 - 4)  # four bytes are left, too few for a header
    path = tmp_path / "run.wandb"
    content = head + bytes(4) + len(first).to_bytes(2, "little") + b"\x01" + first + bytes(4)
    path.write_bytes(content + bytes(4) + (3).to_bytes(2, "little") + b"\x01" + b"end")
    assert list(records(path)) == [first, b"end"]
