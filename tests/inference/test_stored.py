"""Compiled samplers on disk: the same density, or none."""

import ctypes
import os
import pickle
import shutil
import signal
import socket
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from llvmlite import binding

from bayescpt.inference import compile as compiled
from bayescpt.inference import stored
from bayescpt.inference.compile import compiled_sampler, pad, structure
from bayescpt.inference.plain_values import dump_values, load_values
from bayescpt.inference.private_files import writable_by_others
from bayescpt.inference.sealed import seal, unseal
from bayescpt.inference.start import Centred, log_density

# A process of its own: what is in memory here must not help it.
FIT = """
import sys
from pathlib import Path
import bayescpt as bc
from bayescpt.data import Study
study = Study.from_json(Path(sys.argv[1]).read_text())
fit = bc.fit(study, "cpt_replay", seed=3, draws=20, tune=60, chains=2, progress=False)
assert ("pymc" in sys.modules) == ("compiles" in sys.argv)
fit.posterior.to_netcdf(sys.argv[2])
"""


@pytest.fixture(scope="module")
def with_data(small_fit):
    """A sampler of this process, with a study's data."""
    return compiled_sampler(pad(small_fit.rows, small_fit.card), small_fit.card)


@pytest.fixture(scope="module")
def packed(with_data, small_fit):
    """What this process or a former one has written of it."""
    rows = pad(small_fit.rows, small_fit.card)
    return stored.sampler_file(structure(rows, small_fit.card)).read_bytes()


def test_what_is_read_gives_the_density_of_what_was_written(packed, with_data, tmp_path):
    file = tmp_path / "new" / "a.sampler"
    assert stored.write_sampler(file, packed)
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
        assert again == value
        np.testing.assert_array_equal(slopes, gradient)
    assert other(np.full(point.size, np.nan))[0] == -np.inf


@pytest.mark.parametrize("spoil", ["cut", "density", "a pickle", "gone"])
def test_a_file_that_does_not_work_is_no_sampler(packed, tmp_path, spoil):
    file = tmp_path / "a.sampler"
    assert stored.write_sampler(file, packed)
    assert stored.read_sampler(file) is not None
    if spoil == "cut":
        file.write_bytes(packed[: len(packed) // 2])
    elif spoil == "density":
        kept = load_values(unseal(packed, stored._MARK))
        file.write_bytes(
            seal(dump_values(kept | {"value": kept["value"] * (1 + 1e-8)}), stored._MARK)
        )
    elif spoil == "a pickle":
        file.write_bytes(seal(pickled_payload(tmp_path / "ran"), stored._MARK))
    else:
        file.unlink()
    assert stored.read_sampler(file) is None
    assert not (tmp_path / "ran").exists()


def pickled_payload(path: Path) -> bytes:
    """A pickle that makes a folder when it is loaded."""

    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(path),)

    return pickle.dumps(Payload())


# files that others could write, and files that end Python


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owners here")
@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_folder_that_others_can_write_is_not_used(packed, tmp_path, monkeypatch, mode):
    folder = tmp_path / "shared"
    monkeypatch.setenv(stored.VARIABLE, str(folder))
    file = stored.sampler_file(("a", 1))
    assert stored.write_sampler(file, packed)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stored.cache_refusal() == ""
    folder.chmod(mode)
    assert stored.sampler_file(("a", 1)) is None
    assert stored.read_sampler(file) is None
    assert str(folder) in stored.cache_refusal()
    assert "chmod go-w" in stored.cache_refusal()
    folder.chmod(0o755)
    assert stored.read_sampler(file) is not None


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owners here")
def test_a_file_that_others_can_write_is_not_read(packed, tmp_path):
    file = tmp_path / "a.sampler"
    assert stored.write_sampler(file, packed)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o620)
    assert stored.read_sampler(file) is None


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owners here")
def test_a_folder_of_another_user_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    if tmp_path.stat().st_uid == 0:
        assert not writable_by_others(tmp_path)  # root may put a cache there for all
        os.chown(tmp_path, 12_345, -1)
    assert writable_by_others(tmp_path)


# Loading that ends the process, as damaged machine code does.
CRASH = """
import os, signal, sys
from pathlib import Path
from bayescpt.inference import stored
stored.unpack_sampler = lambda packed: os.kill(os.getpid(), signal.SIGKILL)
stored.read_sampler(Path(sys.argv[1]))
"""


@pytest.mark.skipif(os.name != "posix", reason="processes end in another way here")
def test_a_file_that_ended_a_process_is_deleted(packed, tmp_path):
    file = tmp_path / "a.sampler"
    assert stored.write_sampler(file, packed)
    command = [sys.executable, "-c", CRASH, str(file)]
    place = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=place)  # noqa: S603
    assert done.returncode == -signal.SIGKILL
    assert file.exists()
    assert stored.read_sampler(file) is None
    assert list(tmp_path.iterdir()) == []
    # What is compiled in its place is read again.
    assert stored.write_sampler(file, packed)
    assert stored.read_sampler(file) is not None
    assert [path.name for path in tmp_path.iterdir()] == ["a.sampler"]


def test_a_file_that_another_process_is_loading_is_read(packed, tmp_path):
    file = tmp_path / "a.sampler"
    assert stored.write_sampler(file, packed)
    # Of the process that started this one, and of another machine a moment ago.
    for name in (f"{socket.gethostname()}.{os.getppid()}", "elsewhere.12"):
        (tmp_path / f".a.sampler.{name}.loading").touch()
    assert stored.read_sampler(file) is not None
    os.utime(tmp_path / ".a.sampler.elsewhere.12.loading", (0, 0))
    assert stored.read_sampler(file) is None


@pytest.mark.parametrize("share", range(20))
def test_a_changed_byte_is_seen_before_anything_is_used(packed, monkeypatch, share):
    monkeypatch.setattr(stored, "NativeFunction", None)
    at = share * (len(packed) - 1) // 19
    damaged = bytearray(packed)
    damaged[at] ^= 1
    with pytest.raises(ValueError, match="digest"):
        unseal(bytes(damaged), stored._MARK)
    assert stored.unpack_sampler(bytes(damaged)) is None


def test_plain_values_come_back(tmp_path):
    layout = np.dtype([("shared", [("a", "<u8"), ("shape", "<u8", (2,))]), ("n", "<i4")])
    values = {
        "plain": [None, True, 3, 2.5, "größer", b"\x00\xff", (), slice(0, 4, None)],
        "array": np.arange(6, dtype=np.int32).reshape(2, 3),
        "layout": layout,
        "labels": pd.Index(["a", "b"]),
        "range": pd.RangeIndex(0, 8, 2),
    }
    back = load_values(dump_values(values))
    np.testing.assert_array_equal(back.pop("array"), values.pop("array"))
    assert back.pop("labels").equals(values.pop("labels"))
    assert back.pop("range").equals(values.pop("range"))
    assert back == values
    for other in (print, object(), {3: 4}, np.dtype([("a", "<u8"), ("b", "u1")], align=True)):
        with pytest.raises(TypeError):
            dump_values(other)


def test_code_with_addresses_of_this_process_is_not_packed():
    function = SimpleNamespace(_library=SimpleNamespace(has_dynamic_globals=True))
    fake = SimpleNamespace(compiled_logp_func=function, compiled_expand_func=function)
    assert stored.pack_sampler(fake) is None


def test_machine_code_takes_nothing_from_its_process():
    """Helpers of the same name that the process has, of other instructions, are not called."""

    @numba.njit(inline="never")
    def helper(x):
        return np.exp(x) + 1.0

    @numba.cfunc("float64(float64)")
    def function(x):
        return helper(x) * 2.0

    code, name = stored.standalone(function._library, function.native_name)
    module = binding.parse_bitcode(code[2][1])
    defined = [part.name for part in module.functions if not part.is_declaration]
    assert len(defined) > 1
    shared = [part for part in module.functions if part.linkage != binding.Linkage.internal]
    assert [part.name for part in shared if not part.is_declaration] == [name]
    read = stored.NativeFunction(code, name)
    call = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(read.address)
    assert call(0.7) == function.ctypes(0.7)


def test_a_folder_that_cannot_be_written_is_no_error(packed, tmp_path):
    (tmp_path / "file").write_text("")
    assert not stored.write_sampler(tmp_path / "file" / "a.sampler", packed)


def test_the_oldest_files_go(packed, tmp_path):
    for n in range(stored.KEPT + 3):
        old = tmp_path / f"{n}.sampler"
        old.touch()
        os.utime(old, (n, n))
    # What another process is writing is no file yet.
    draft = tmp_path / ".new.sampler.part.sampler"
    draft.touch()
    os.utime(draft, (1, 1))
    assert stored.write_sampler(tmp_path / "new.sampler", packed)
    left = {path.stem for path in tmp_path.iterdir() if path != draft}
    assert left == {"new", *(str(n) for n in range(4, stored.KEPT + 3))}
    assert draft.exists()


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


def test_a_file_is_of_one_processor():
    asked = "from bayescpt.inference import stored; print(stored.sampler_file((1, ())))"
    files = {}
    # Other names, and the same name with other instructions.
    for kind in (("generic", ""), ("haswell", ""), ("haswell", "-fma")):
        chosen = dict(zip(("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"), kind, strict=True))
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", asked], env=os.environ | chosen, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        files[kind] = Path(done.stdout.strip())
    own = stored.sampler_file((1, ()))
    assert {file.parent for file in files.values()} == {own.parent}
    assert len(set(files.values())) == 3
    # These tests themselves may run as one of them (.ci/processors).
    here = (os.environ.get("NUMBA_CPU_NAME"), os.environ.get("NUMBA_CPU_FEATURES"))
    assert [kind for kind, file in files.items() if file == own] == [here] * (here in files)


def test_every_source_of_the_density_counts(tmp_path):
    package = Path(stored.__file__).parents[1]
    shutil.copytree(package, tmp_path / "copy", ignore=shutil.ignore_patterns("*.pyc", "examples"))
    digest = stored.sources_digest(tmp_path / "copy")
    assert digest == stored.SOURCES
    for name in (
        "laws/shift.py",
        "model/compiled/vector_math.py",
        "model/build.py",
        "data/areas.py",
    ):
        with (tmp_path / "copy" / name).open("a") as file:
            file.write("# changed")
        assert stored.sources_digest(tmp_path / "copy") != digest
        digest = stored.sources_digest(tmp_path / "copy")


@pytest.mark.slow
def test_standalone_code_gives_the_density_of_what_was_compiled(small_fit, with_data, monkeypatch):
    monkeypatch.setattr(compiled, "unpack_sampler", lambda packed: None)
    rows, card = pad(small_fit.rows, small_fit.card), small_fit.card
    own = compiled._compile(partial(compiled._model, rows, card), structure(rows, card), True)
    assert not isinstance(own.compiled_logp_func, stored.NativeFunction)
    assert isinstance(with_data.compiled_logp_func, stored.NativeFunction)
    one, other = log_density(own), log_density(with_data)
    for seed in range(5):
        point = with_data.initial_point_func(seed)
        (value, gradient), (again, slopes) = one(point), other(point)
        assert again == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(slopes, gradient, rtol=1e-9, atol=1e-9 * np.abs(gradient).max())


@pytest.mark.slow
def test_a_process_that_reads_draws_what_one_that_compiles_does(small_fit, study, tmp_path):
    """The second one needs no PyMC."""
    (tmp_path / "study.json").write_text(study.to_json())
    place = os.environ | {stored.VARIABLE: str(tmp_path / "cache")}
    found = []
    for does in ("compiles", "reads"):
        file = tmp_path / f"{does}.nc"
        command = [sys.executable, "-c", FIT, str(tmp_path / "study.json"), str(file), does]
        where = Path(__file__).parents[2]
        subprocess.run(command, check=True, cwd=where, env=place)  # noqa: S603
        found.append(xr.load_dataset(file))
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


OPTIMA = """
import sys
import numpy as np
from bayescpt.data import Study
from bayescpt.inference.compile import compiled_sampler, pad
from bayescpt.inference.start import find_optima
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows

# Where arrays lie must not matter.
held = [np.empty(n) for n in np.random.default_rng().integers(1, 5000, 200)]
card = load_card("cpt_fade")
study = Study.from_json(open(sys.argv[1]).read())
sampler = compiled_sampler(pad(make_rows(study, card), card), card)
np.save(sys.argv[2], find_optima(sampler, 1))
"""


@pytest.mark.slow
def test_effects_in_the_likelihood_are_summed_alike_in_every_process(study, tmp_path):
    """Sums that may be reordered differ in the last bits, and then whole chains do."""
    (tmp_path / "study.json").write_text(study.to_json())
    found = []
    for number in range(3):
        file = tmp_path / f"{number}.npy"
        command = [sys.executable, "-c", OPTIMA, str(tmp_path / "study.json"), str(file)]
        subprocess.run(command, check=True, cwd=Path(__file__).parents[2])  # noqa: S603
        found.append(np.load(file))
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
