"""Compiled samplers on disk: the same density, or none."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from bayescpt.inference import compile as compiled
from bayescpt.inference import stored
from bayescpt.inference.compile import compiled_sampler, pad, structure
from bayescpt.inference.start import Centred, log_density
from bayescpt.model.rows import make_rows

# A process of its own: what is in memory here must not help it.
FIT = """
import sys
from pathlib import Path
import bayescpt as bc
from bayescpt.data import Study
study = Study.from_json(Path(sys.argv[1]).read_text())
fit = bc.fit(study, "cpt_replay", seed=3, draws=20, tune=60, chains=2, progress=False)
assert "pymc" not in sys.modules and "pytensor" not in sys.modules
fit.posterior.to_netcdf(sys.argv[2])
"""


@pytest.fixture(scope="module")
def compiled_here(small_fit):
    """A sampler compiled in this process: as it was compiled, and with the data set."""
    rows = pad(small_fit.rows, small_fit.card)
    made = compiled_sampler(rows, small_fit.card)
    return compiled._COMPILED[structure(rows, small_fit.card)], made


def test_what_is_read_gives_the_density_of_what_was_written(compiled_here, tmp_path):
    first, with_data = compiled_here
    file = tmp_path / "new" / "a.sampler"
    assert stored.write_sampler(file, first)
    assert [path.name for path in file.parent.iterdir()] == ["a.sampler"]
    read = stored.read_sampler(file)
    data = {key.name: with_data.shared_data[k] for key, k in with_data.shared_var_keys.items()}
    updated = read.with_data(**data)
    one, other = log_density(with_data), log_density(updated)
    for seed in range(5):
        point = with_data.initial_point_func(seed)
        np.testing.assert_array_equal(updated.initial_point_func(seed), point)
        (value, gradient), (again, slopes) = one(point), other(point)
        assert np.isfinite(value)
        assert again == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(slopes, gradient, rtol=1e-9, atol=1e-9 * np.abs(gradient).max())
    assert other(np.full(point.size, np.nan))[0] == -np.inf


@pytest.mark.parametrize("spoil", ["cut", "density", "not a pickle", "gone"])
def test_a_file_that_does_not_work_is_no_sampler(compiled_here, tmp_path, spoil):
    file = tmp_path / "a.sampler"
    assert stored.write_sampler(file, compiled_here[0])
    whole = file.read_bytes()
    if spoil == "cut":
        file.write_bytes(whole[: len(whole) // 2])
    elif spoil == "density":
        kept = pickle.loads(whole)  # noqa: S301
        file.write_bytes(pickle.dumps(kept | {"value": kept["value"] * (1 + 1e-8)}))
    elif spoil == "not a pickle":
        file.write_text("no")
    else:
        file.unlink()
    assert stored.read_sampler(file) is None


def test_code_with_addresses_of_this_process_is_not_written(tmp_path):
    function = SimpleNamespace(_library=SimpleNamespace(has_dynamic_globals=True))
    fake = SimpleNamespace(compiled_logp_func=function, compiled_expand_func=function)
    assert not stored.write_sampler(tmp_path / "a.sampler", fake)
    assert not any(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_no_error(compiled_here, tmp_path):
    (tmp_path / "file").write_text("")
    assert not stored.write_sampler(tmp_path / "file" / "a.sampler", compiled_here[0])


def test_the_oldest_files_go(compiled_here, tmp_path):
    for n in range(stored.KEPT + 3):
        old = tmp_path / f"{n}.sampler"
        old.touch()
        os.utime(old, (n, n))
    assert stored.write_sampler(tmp_path / "new.sampler", compiled_here[0])
    left = {path.stem for path in tmp_path.iterdir()}
    assert left == {"new", *(str(n) for n in range(4, stored.KEPT + 3))}


def test_a_file_is_of_one_structure_and_of_these_sources(monkeypatch, tmp_path):
    monkeypatch.setenv(stored.VARIABLE, str(tmp_path))
    file = stored.sampler_file(("a", 1))
    assert file.parent == tmp_path
    assert stored.sampler_file(("a", 1)) == file
    assert stored.sampler_file(("a", 2)) != file
    monkeypatch.setattr(stored, "SOURCES", b"others")
    assert stored.sampler_file(("a", 1)) != file
    monkeypatch.setenv(stored.VARIABLE, "")
    assert stored.sampler_file(("a", 1)) is None


def test_every_source_of_the_density_counts(tmp_path):
    package = Path(stored.__file__).parents[1]
    shutil.copytree(package, tmp_path / "copy", ignore=shutil.ignore_patterns("*.pyc", "examples"))
    digest = stored.sources_digest(tmp_path / "copy")
    assert digest == stored.SOURCES
    for name in ("laws/shift.py", "model/vector_math.py", "model/likelihood.py", "data/areas.py"):
        with (tmp_path / "copy" / name).open("a") as file:
            file.write("# changed")
        assert stored.sources_digest(tmp_path / "copy") != digest
        digest = stored.sources_digest(tmp_path / "copy")


@pytest.mark.slow
def test_processes_without_pymc_draw_the_same(small_fit, study, tmp_path):
    """What this process compiled, or a former one, is read by another."""
    rows = pad(make_rows(study, small_fit.card), small_fit.card)
    assert stored.sampler_file(structure(rows, small_fit.card)).is_file()
    (tmp_path / "study.json").write_text(study.to_json())
    found = []
    for name in ("one.nc", "two.nc"):
        command = [sys.executable, "-c", FIT, str(tmp_path / "study.json"), str(tmp_path / name)]
        subprocess.run(command, check=True, cwd=Path(__file__).parents[2])  # noqa: S603
        found.append(xr.load_dataset(tmp_path / name))
    xr.testing.assert_equal(*found)
    # Few draws, but of the same posterior.
    expected = small_fit.posterior
    for name in ("sigma", "shift_ref", "anneal_ref"):
        middle, spread = expected[name].median(("chain", "draw")), expected[name].std()
        np.testing.assert_allclose(
            found[0][name].median(("chain", "draw")), middle, atol=3 * float(spread), err_msg=name
        )


def test_centred_starts_lie_within_1_of_the_center():
    start = Centred(np.array([3.0, -2.0]))
    points = np.stack([start(seed) for seed in range(200)]) - start.center
    assert np.abs(points).max() <= 1.0
    assert np.abs(points).max() > 0.95
    np.testing.assert_array_equal(start(7), start(7))
