"""Studies on disk: written studies are restored exactly, and errors name the file."""

import re

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import read_study, schedules, write_study
from bayescpt.errors import StudyError


@pytest.fixture
def folder(tables, tmp_path):
    """The tiny study as a person would write it, all CSV."""
    path = tmp_path / "tiny"
    path.mkdir()
    (path / "study.toml").write_text('[study]\nname = "tiny"\ngeneral = "general"\n')
    tables.runs.to_csv(path / "runs.csv", index=False)
    tables.curves.to_csv(path / "curves.csv", index=False)
    tables.lrs.to_csv(path / "lrs.csv", index=False)
    return path


def test_reads_a_folder_of_csv(folder, study):
    read = read_study(str(folder))
    assert read.digest == study.digest
    assert (read.name, read.loss_unit, read.notes) == ("tiny", "nat/token", "")


def test_parquet_in_place_of_csv(folder, tables, study):
    for table in ("runs", "curves", "lrs"):
        (folder / f"{table}.csv").unlink()
        getattr(tables, table).to_parquet(folder / f"{table}.parquet")
    assert read_study(folder).digest == study.digest


def test_writing_and_reading_is_exact(tables, tmp_path):
    rng = np.random.default_rng(1)
    tables.curves["loss"] = rng.uniform(1, 10, len(tables.curves))  # every last bit counts
    tables.lrs["replay"] = np.where(tables.lrs["run"] == "mix", tables.lrs["step"] / 7, np.nan)
    study = tables.study(name='a "b"', general="german", notes="two\nlines \\ \x7f ü")
    folder = write_study(study, tmp_path / "new" / "out")
    read = read_study(folder)
    assert read.digest == study.digest
    assert (read.name, read.general, read.notes) == (study.name, study.general, study.notes)
    pd.testing.assert_frame_equal(read.runs, study.runs)
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_allow_mixed_and_loss_unit_survive_writing(tables, tmp_path):
    tables.set_run("mix", n_params=2e6)
    study = tables.study(allow_mixed="n_params", loss_unit="bit/byte")
    folder = write_study(study, tmp_path / "out")
    read = read_study(folder)
    assert (read.allow_mixed, read.loss_unit) == (("n_params",), "bit/byte")
    assert 'allow_mixed = ["n_params"]' in (folder / "study.toml").read_text()


def test_study_toml_without_allow_mixed_is_written_as_before(study, tmp_path):
    text = (write_study(study, tmp_path / "out") / "study.toml").read_text()
    assert "allow_mixed" not in text
    assert read_study(tmp_path / "out").allow_mixed == ()


def test_no_general_domain_survives_writing(tables, tmp_path):
    read = read_study(write_study(tables.study(general=""), tmp_path / "out"))
    assert read.general is None


def test_write_refuses_a_folder_in_use(study, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StudyError, match="exists and is not empty"):
        write_study(study, tmp_path)


def test_failed_write_leaves_nothing(study, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", fail)
    with pytest.raises(OSError, match="disk full"):
        write_study(study, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_named_schedules_in_place_of_lrs(folder, tables):
    (folder / "lrs.csv").unlink()
    runs = tables.runs.assign(
        schedule=["constant", "wsd", "cosine", "constant"],
        schedule_params=[
            "lr=2e-3;num_training_steps=8",
            "lr=2e-3;num_training_steps=8;num_decay_steps=2",
            "lr=1e-3; num_training_steps=4; min_lr_ratio=.1",
            "lr=1e-3;num_training_steps=4",
        ],
    )
    runs.to_csv(folder / "runs.csv", index=False)
    study = read_study(folder)
    np.testing.assert_array_equal(
        study.run("mix").schedule.lr, schedules.cosine(1e-3, 4, min_lr_ratio=0.1).lr
    )
    assert study.run("mix").schedule.name == "cosine"
    assert study.trunk_step("annealed") == 6  # the decay starts from the peak at update 7


def test_learning_rates_of_the_file_take_precedence_over_named_schedules(folder, tables, study):
    runs = tables.runs.assign(schedule="as in the paper", schedule_params="warmup=30")
    runs.to_csv(folder / "runs.csv", index=False)
    read = read_study(folder)
    assert read.digest == study.digest
    assert read.runs["schedule_params"].tolist() == ["warmup=30"] * 4


def test_named_schedule_only_where_lrs_has_none(folder, tables):
    tables.lrs.query("run != 'pure'").to_csv(folder / "lrs.csv", index=False)
    runs = tables.runs.assign(
        schedule=[None, None, None, "linear"],
        schedule_params=[None, None, None, "lr=1e-3;num_training_steps=4"],
    )
    runs.to_csv(folder / "runs.csv", index=False)
    assert read_study(folder).run("pure").schedule == schedules.linear(1e-3, 4)


def test_unknown_named_schedule_names_run_and_folder(folder, tables):
    (folder / "lrs.csv").unlink()
    tables.runs.assign(schedule="cosin").to_csv(folder / "runs.csv", index=False)
    with pytest.raises(
        StudyError,
        match=r"tiny: runs.csv: run 'base': unknown schedule 'cosin'; did you mean 'cosine'\? kno",
    ):
        read_study(folder)


def test_defect_names_the_folder(folder, tables):
    tables.set_loss("mix", 2, "german", -1.0)
    tables.curves.to_csv(folder / "curves.csv", index=False)
    message = f"study {re.escape(str(folder))}: curves.csv: run 'mix', step 2, .*: loss is -1;"
    with pytest.raises(StudyError, match=message):
        read_study(folder)


def test_nan_in_a_file_is_named_as_such(folder):
    text = (folder / "curves.csv").read_text().replace("mix,2,german,5.0", "mix,2,german,nan")
    (folder / "curves.csv").write_text(text)
    with pytest.raises(StudyError, match=r"run 'mix', step 2, domain 'german': loss is nan"):
        read_study(folder)


def test_names_that_look_like_blanks_or_numbers_stay(folder, tables):
    names = {"base": "NA", "annealed": "007", "mix": "None", "pure": "1e3"}
    for table in ("runs", "curves", "lrs"):
        frame = getattr(tables, table).replace(names)
        frame.to_csv(folder / f"{table}.csv", index=False)
    assert read_study(folder).runs["run"].tolist() == ["NA", "007", "None", "1e3"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "study.toml").unlink(), r"study\.toml: no such file"),
        (lambda f: (f / "study.toml").write_text("name = "), r"study\.toml: cannot be read: "),
        (lambda f: (f / "study.toml").write_text("study = 3"), r"study\.toml: expected a table"),
        (lambda f: (f / "study.toml").write_text("general = 3"), r"study\.toml: expected a table"),
        (
            lambda f: (f / "study.toml").write_text('loss_unit = "nats/token"'),
            r"study\.toml: loss_unit is 'nats/token'; did you mean 'nat/token'\? known units: nat/",
        ),
        (
            lambda f: (f / "study.toml").write_text('loss_units = "bit/byte"'),
            r"study\.toml: unknown key 'loss_units'; did you mean 'loss_unit'\? known keys: name",
        ),
        (
            lambda f: (f / "study.toml").write_text('allow_mixed = "n_params"'),
            r"study\.toml: allow_mixed is 'n_params'; expected a list of names",
        ),
        (
            lambda f: (f / "study.toml").write_text('allow_mixed = ["n_param"]'),
            r"study\.toml: allow_mixed has 'n_param'; did you mean 'n_params'\? known names: n_pa",
        ),
        (lambda f: (f / "runs.csv").unlink(), r"no runs\.csv or runs\.parquet; found: curves"),
        (lambda f: (f / "curves.parquet").touch(), r"has both curves\.csv and curves\.parquet"),
        (lambda f: (f / "curves.csv").write_text(""), r"curves\.csv: cannot be read: "),
        (lambda f: (f / "runs.csv").write_bytes(b"run\n\xff"), r"runs\.csv: cannot be read: "),
        (
            lambda f: (f / "lrs.csv").rename(f / "lrs.parquet"),
            r"lrs\.parquet: cannot be read: ",
        ),
    ],
)
def test_unreadable_files_are_named(folder, spoil, message):
    spoil(folder)
    with pytest.raises(StudyError, match=message):
        read_study(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b.replace(b",", b";"), "separated by semicolons; expected commas"),
        (lambda b: b"sep=;\n" + b.replace(b",", b";"), "separated by semicolons"),
        (lambda b: b.replace(b",", b"\t"), "separated by tabs; expected commas"),
        (lambda b: b.decode().encode("utf-16"), "save it as CSV in UTF-8"),
        # The first field of each row would become an index, and all others move to the left.
        (lambda b: re.sub(rb"(\d)\.(\d)", rb"\1,\2", b), "decimal comma"),
        (lambda b: re.sub(rb"(\d)\.(\d)", rb"\1,\2", b, count=1), "decimal comma|more fields"),
        (
            lambda b: b.replace(b"\n", b",\n").replace(b"loss,", b"loss"),
            "more fields than its head",
        ),
        (
            lambda b: re.sub(rb"(\d)\.(\d+)", rb'"\1,\2"', b),
            r"loss is '\d,\d*'; expected a number: w",
        ),
    ],
)
def test_tables_of_spreadsheets_say_what_to_change(folder, change, message):
    path = folder / "curves.csv"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(StudyError, match=message) as caught:
        read_study(folder)
    assert "curves.csv" in str(caught.value)


@pytest.mark.parametrize(
    "change", [lambda b: b"\xef\xbb\xbf" + b, lambda b: b.replace(b"\n", b"\r\n")]
)
def test_byte_order_marks_and_line_ends_change_nothing(folder, change):
    before = read_study(folder).digest
    for name in ("runs.csv", "curves.csv", "lrs.csv"):
        path = folder / name
        path.write_bytes(change(path.read_bytes()))
    assert read_study(folder).digest == before


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("0,25", "write 0.25"), ("25%", "write 0.25"), ("12.5 %", "write 0.125"),
        ("1,200,000", "write 1200000"), ("3,437", "write 3437 or 3.437"), ("1.2M", "write 1.2e6"),
        ("7B", "write 7e9"), ("12/03/2026", "expected a number"), ("1e-3x", "expected a number"),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them_get_a_hint(folder, text, hint):
    runs = pd.read_csv(folder / "runs.csv").astype({"replay_ratio": "object"})
    runs.loc[runs["run"] == "mix", "replay_ratio"] = text
    runs.to_csv(folder / "runs.csv", index=False)
    with pytest.raises(StudyError) as caught:
        read_study(folder)
    assert str(caught.value).endswith(hint)


def test_no_such_folder(tmp_path):
    with pytest.raises(StudyError, match=r"nowhere: no such folder; a study is a folder"):
        read_study(tmp_path / "nowhere")


def test_name_defaults_to_the_folders(folder):
    (folder / "study.toml").write_text("")
    assert read_study(folder).name == "tiny"
