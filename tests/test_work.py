"""Finished pieces in a work folder: of one computation, whole, for one process at a time."""

import subprocess
import sys

import pytest

from bayescpt.errors import WorkError, WriteError
from bayescpt.work import Work, digest, others, pieces, remove_work

ABOUT = {"study": digest("study"), "draws": 100}


def test_pieces_are_there_again(tmp_path):
    folder = tmp_path / "deep" / "kept"
    with Work(folder, ABOUT) as work:
        work.write("chain-0", b"draws")
        assert work.read("chain-1") is None
    with Work(folder, dict(reversed(ABOUT.items()))) as work:
        assert work.read("chain-0") == b"draws"
    assert [path.name for path in pieces(folder)] == ["chain-0.piece"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"draws": 200}, "draws was 100 and is 200"),
        ({"study": digest("other")}, "the study changed"),
        ({"tune": 5}, "tune was None and is 5"),
    ],
)
def test_pieces_of_other_work_are_refused_and_kept(tmp_path, change, message):
    with Work(tmp_path, ABOUT) as work:
        work.write("chain-0", b"draws")
    with pytest.raises(WorkError, match=f"holds 1 finished piece of other work: {message}"):
        Work(tmp_path, {**ABOUT, **change})
    with Work(tmp_path, ABOUT) as work:
        assert work.read("chain-0") == b"draws"


def test_a_folder_without_pieces_is_anyone_s(tmp_path):
    with Work(tmp_path, ABOUT):
        pass
    with Work(tmp_path, {"draws": 7}) as work:
        work.write("a", b"")
        assert work.read("a") == b""


def test_pieces_of_other_code_are_refused(tmp_path, monkeypatch):
    with Work(tmp_path, ABOUT) as work:
        work.write("chain-0", b"draws")
    monkeypatch.setattr("bayescpt.work.code_digest", lambda: digest("changed"))
    with pytest.raises(WorkError, match="the code changed"):
        Work(tmp_path, ABOUT)


def test_a_damaged_piece_is_not_finished(tmp_path):
    with Work(tmp_path, ABOUT) as work:
        for name in ("a", "b", "c"):
            work.write(name, bytes(1000))
        whole = (tmp_path / "a.piece").read_bytes()
        for name, bad in (("a", whole[:-1]), ("b", whole[:500] + b"x" + whole[501:]), ("c", b"")):
            (tmp_path / f"{name}.piece").write_bytes(bad)
            assert work.read(name) is None
    # A piece of other work, copied by hand.
    with Work(tmp_path / "other", {"draws": 7}) as work:
        (tmp_path / "other" / "a.piece").write_bytes(whole)
        assert work.read("a") is None


def test_two_processes_do_not_share_a_folder(tmp_path):
    code = (
        "import sys\nfrom bayescpt.work import Work\n"
        "work = Work(sys.argv[1], {})\nprint('open', flush=True)\nsys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:  # noqa: S603
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(WorkError, match="another process works there"):
            Work(tmp_path, {})
        process.kill()
    with Work(tmp_path, {}):
        pass


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(WriteError, match="cannot write"):
        Work(tmp_path / "file" / "kept", ABOUT)


def test_only_what_work_put_there_is_removed(tmp_path):
    for name in ("one", "one/inner"):
        with Work(tmp_path / name, ABOUT) as work:
            work.write("a", b"")
    (tmp_path / "one" / "notes.txt").write_text("mine")
    remove_work(tmp_path / "one")
    assert [path.name for path in (tmp_path / "one").rglob("*")] == ["notes.txt"]
    (tmp_path / "one" / "notes.txt").unlink()
    remove_work(tmp_path / "one")
    assert not (tmp_path / "one").exists()


def test_work_of_others_and_empty_folders_stay(tmp_path):
    # A command with --work set to the folder in which another was interrupted.
    for name in (".", "own", "fit.nc.work"):
        with Work(tmp_path / name, ABOUT) as work:
            work.write("a", b"kept")
    draft = tmp_path / ".table.csv.0123abcd-7-0123abcd-0.part.csv"
    draft.write_text("being written by another process")
    for name in ("refs/tags", "deep/down.work"):
        (tmp_path / name).mkdir(parents=True)
    assert len(pieces(tmp_path)) == 2
    assert others(tmp_path) == [tmp_path / "deep", tmp_path / "fit.nc.work", tmp_path / "refs"]
    remove_work(tmp_path)
    assert draft.exists()
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["deep", "fit.nc.work", "refs"]
    assert (tmp_path / "refs" / "tags").is_dir()
    with Work(tmp_path / "fit.nc.work", ABOUT) as work:
        assert work.read("a") == b"kept"


def test_drafts_of_a_killed_process_go_with_the_work(tmp_path):
    folder = tmp_path / "kept"
    with Work(folder, ABOUT) as work:
        work.write("a", b"")
    for name in (".a.piece.0123abcd-7-0123abcd-0.part.piece", ".work.json.0-7-0-0.part.json"):
        (folder / name).write_text("half")
    remove_work(folder)
    assert not folder.exists()


def test_digests_of_sets_and_functions_hold_between_processes():
    assert digest({"b", "a"}) == digest({"a", "b"}) == digest(["a", "b"])
    assert digest(test_a_damaged_piece_is_not_finished) != digest(test_pieces_are_there_again)
