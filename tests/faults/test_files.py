"""Files that are damaged, in another encoding or absurd: one line that names them, never less."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

import bayescpt as bc
from bayescpt.cli import main
from bayescpt.cli.import_logs import read_map
from bayescpt.data import Study, write_study
from bayescpt.data import io as io_module
from bayescpt.errors import LONGEST, BayescptError, CardError, FitError, StudyError
from bayescpt.evaluate import simulate_study
from bayescpt.forecast.plan_file import read_plans
from bayescpt.inference import fit_file, load_fit
from bayescpt.inference.idata import prior_draws
from bayescpt.inference.sealed import seal, unseal
from bayescpt.model.card_file import load_card, parse_card
from bayescpt.model.rows import make_rows
from tests.faults.mutations import FORMATS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def study():
    made = simulate_study(
        replays=(0.0, 0.25), cpt_schedules=("wsd",), eval_every=60, pt_eval_every=100,
        pt_steps=400, cpt_steps=120, peak_lr=2e-3, memory=20.0,
    )  # fmt: skip
    return made.study


# fits


@pytest.fixture(scope="module")
def sound(study, tmp_path_factory):
    """The file of a fit whose draws are those of the prior, and its content without a digest."""
    card = load_card("cpt_replay")
    rows = make_rows(study, card)
    draws = prior_draws(card, rows, np.random.default_rng(1), 150)
    stats = draws["sigma"].isel(domain=0, drop=True).to_dataset(name="energy")
    stats = stats.assign(diverging=stats["energy"] < 0, reached_max_treedepth=stats["energy"] < 0)
    fit = bc.Fit(card, study, rows, draws, stats, 1).with_discrepancy()
    return fit.save(tmp_path_factory.mktemp("fit") / "fit.nc")


def damage(path: Path, name: str) -> None:
    """Change the draws, the checks, the card or the study in a fit file, through HDF5."""
    with h5py.File(path, "r+") as file:
        text = json.loads(file.attrs["bayescpt"])
        if name == "draws":
            file["posterior/sigma"][...] *= 0.5
        elif name == "checks":
            text["checks"][0].update(value=1.001, status="ok", advice="")
        elif name == "card":
            text["card"]["priors"]["sigma"]["reason"] = "another"
        else:
            text["study"] = text["study"].replace(text["study"][30:40], "x" * 10)
        file.attrs["bayescpt"] = json.dumps(text)


@pytest.mark.parametrize("name", ["draws", "checks", "card", "study"])
def test_a_fit_that_was_edited_is_refused(sound, tmp_path, name):
    path = tmp_path / "fit.nc"
    path.write_bytes(sound.read_bytes())
    damage(path, name)
    with pytest.raises(FitError, match=r"fit\.nc was damaged or changed after it was written"):
        load_fit(path)


def test_a_damaged_fit_is_refused_before_hdf5_sees_it(sound, tmp_path, monkeypatch):
    monkeypatch.setattr(fit_file, "read_content", None)
    content = sound.read_bytes()
    path = tmp_path / "fit.nc"
    rng = np.random.default_rng(1)
    for at in (*rng.integers(0, len(content) - 600, 50), len(content) - 40, len(content) - 1):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(FitError, match=r"fit\.nc was damaged or changed"):
            load_fit(path)


def test_a_fit_remains_a_netcdf_file(sound):
    import xarray as xr

    with xr.open_datatree(sound) as tree:
        assert "sigma" in tree["posterior"]


def test_a_fit_that_lost_its_end_is_refused(sound, tmp_path):
    path = tmp_path / "fit.nc"
    whole = sound.read_bytes()
    for content in (whole[:-1], whole[:-60], whole[: len(whole) // 2], whole[:7], b""):
        path.write_bytes(content)
        with pytest.raises(FitError) as caught:
            load_fit(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def old_fit(sound: Path, path: Path) -> None:
    """Write a file of format 5, which has no digest."""
    content = bytes(unseal(sound.read_bytes(), fit_file._MARK))
    path.write_bytes(content.replace(b'{"format": 6', b'{"format": 5'))


def test_a_fit_of_format_5_is_read(sound, tmp_path):
    old_fit(sound, tmp_path / "old.nc")
    back, made = load_fit(tmp_path / "old.nc"), load_fit(sound)
    assert back.posterior.identical(made.posterior)
    assert back.card == made.card


def test_an_old_fit_that_hangs_or_ends_hdf5_is_refused(sound, tmp_path, monkeypatch):
    path = tmp_path / "old.nc"
    old_fit(sound, path)
    reader = tmp_path / "reader.py"
    monkeypatch.setattr(fit_file.netcdf, "__file__", str(reader))
    reader.write_text("import time\ndef read_content(content): time.sleep(600)\n")
    monkeypatch.setattr(fit_file, "_TIME_LIMIT", 2.0)
    with pytest.raises(FitError, match=r"old\.nc was not read in 2 s: .*damaged"):
        load_fit(path)
    code = "import os\ndef read_content(content): os.kill(os.getpid(), 11)\n"
    reader.write_text(code)
    monkeypatch.setattr(fit_file, "_TIME_LIMIT", 60.0)
    with pytest.raises(FitError, match=rf"reading it ended Python \(-{signal.SIGSEGV.value}\)"):
        load_fit(path)


def test_a_sealed_file_that_is_no_fit_is_refused(tmp_path):
    path = tmp_path / "fit.nc"
    path.write_bytes(seal(b"no HDF5", fit_file._MARK))
    with pytest.raises(FitError, match=r"fit\.nc is not a bayescpt fit"):
        load_fit(path)


# text


def read_study_toml(path):
    target = path.with_name("study.toml")
    target.write_bytes(path.read_bytes())
    return bc.read_study(target.parent)


READERS = {
    "card": load_card,
    "plans": read_plans,
    "goal": bc.read_goal,
    "space": bc.read_space,
    "map": read_map,
    "study": read_study_toml,
}
TEXTS = {
    "Latin-1": 'name = "größer"\n'.encode("latin-1"),
    "UTF-16": 'name = "a"\n'.encode("utf-16"),
    "nested": b"a = " + b"[" * 100_000,
    "nested tables": b"a = " + b"{a=" * 100_000,
    "nested 200": b"a = " + b"[" * 200 + b"]" * 200,
    "dotted": b".".join([b"a"] * 5000) + b" = 1\n",
    "digits": b"a = " + b"9" * 10_000,
    "large": b"a = 1" + b"0" * 400,
    "nul": b"a = 1\x00",
}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("kind", READERS)
def test_text_that_is_no_sound_toml_is_refused_in_one_line(kind, text, tmp_path):
    path = tmp_path / "some.toml"
    path.write_bytes(TEXTS[text])
    with pytest.raises(BayescptError, match="cannot be read") as caught:
        READERS[kind](path)
    said = str(caught.value)
    assert str(tmp_path) in said
    assert "\n" not in said
    assert len(said) < 500


def test_a_card_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "card.toml"
    path.write_bytes(b"\xef\xbb\xbf" + b'name = "plain"\ndescription = "Pre-training."\n')
    assert load_card(path).name == "plain"


def test_a_card_of_very_many_keys_names_a_few():
    text = "".join(f"key{k} = 1\n" for k in range(100_000))
    with pytest.raises(CardError, match=r"key4 and 99,995 more; allowed are name") as caught:
        parse_card(text)
    assert len(str(caught.value)) < 300


def test_few_of_very_many_keys_of_a_study_are_compared_with_the_known(study, tmp_path, monkeypatch):
    compared = []
    monkeypatch.setattr(io_module, "did_you_mean", lambda key, known: compared.append(key) or "")
    folder = write_study(study, tmp_path / "study")
    keys = "".join(f"key{k} = 1\n" for k in range(5000))
    (folder / "study.toml").write_text(f'[study]\nname = "mine"\n{keys}')
    assert bc.read_study(folder).name == "mine"
    assert len(compared) == 100


def test_messages_are_one_line_of_bounded_length():
    said = str(StudyError("first\r\n  second\u2028third " + "x" * 100_000 + " last"))
    assert said.startswith("first second third x")
    assert said.endswith("x last")
    assert len(said) < LONGEST + 10


# studies


@pytest.mark.parametrize("loop", [False, True])
def test_two_thousand_runs_chained_by_parent(loop, tmp_path, capsys):
    count = 2000
    names = [f"r{k}" for k in range(count)]
    runs = pd.DataFrame({"run": names, "phase": "cpt", "parent": [names[-1], *names[:-1]]})
    runs = runs.assign(domain="german", replay_ratio=0.1, steps=10)
    if not loop:
        runs.loc[0, ["phase", "parent", "domain", "replay_ratio"]] = ["pt", None, None, None]
    rng = np.random.default_rng(1)
    rows = [(run, 10, "german") for run in names]
    curves = pd.DataFrame(rows, columns=["run", "step", "domain"])
    curves["loss"] = 3 + rng.random(count)
    lrs = {run: np.full(10, 1e-3) for run in names}
    if loop:
        with pytest.raises(StudyError, match="descends from itself: r0 -> r1999 -> ") as caught:
            Study.from_frames(curves, runs, lrs)
        assert len(str(caught.value)) < LONGEST + 10
        return
    study = Study.from_frames(curves, runs, lrs)
    assert len(study.select([names[-1]]).runs) == count
    assert len(study.drop([names[-1]]).runs) == count - 1
    with pytest.raises(StudyError, match="cannot drop 'r7': run 'r8' starts from it"):
        study.drop(["r7"])


def test_curricula_nested_without_end_are_refused(study, tmp_path):
    folder = write_study(study, tmp_path / "study")
    runs = pd.read_csv(folder / "runs.csv").astype({"replay_ratio": "object"})
    runs.loc[runs["phase"] == "cpt", "replay_ratio"] = "[" * 100_000
    runs.to_csv(folder / "runs.csv", index=False)
    with pytest.raises(StudyError, match=r"study: runs\.csv: run 'r0_wsd': ") as caught:
        bc.read_study(folder)
    assert "\n" not in str(caught.value)


def test_a_changed_byte_in_the_learning_rates_is_seen(study, tmp_path):
    """Parquet has a checksum a page, which is written and verified."""
    folder = write_study(study, tmp_path / "study")
    path = folder / "lrs.parquet"
    content, digest = path.read_bytes(), study.digest
    seen = 0
    for at in range(4, len(content) // 2, max(1, len(content) // 200)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        try:
            assert bc.read_study(folder).digest == digest
        except StudyError:
            seen += 1
    assert seen > 50


# logs


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("trainer_state.json", b'{"log_history": ' + b"[" * 100_000),
        (
            "trainer_state.json",
            b'{"log_history": [{"step": 1, "loss": 2.0}], "global_step": [3], '
            b'"num_input_tokens_seen": [1]}',
        ),
        ("rows.jsonl", b'{"step": 1, "eval_loss": 3.0}\n' + b'{"a":' * 100_000 + b"\n{}\n"),
        ("rows.json", b'[{"step": 1, "eval_loss": ' + b"[" * 100_000),
        ("table.parquet", b"PAR1" + bytes(200) + b"PAR1"),
    ],
)
def test_a_damaged_log_is_refused_in_one_line(name, content, tmp_path, capsys):
    path = tmp_path / "log" / name
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        main(["import", str(path), "--out", str(tmp_path / "study")])
    assert ended.value.code == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("bayescpt: error: ")
    assert "\n" not in said
    assert name in said


# the campaign, of which this is a chosen part


def test_damaged_files_are_refused_or_read_as_they_were():
    names = [name for name in FORMATS if name != "cache"]  # whose sampler takes a while
    command = [sys.executable, "-m", "tests.faults", "mutations", "--only", *names, "--count", "12"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == names
