"""The one writer: whole files or none, whoever is killed; what may not be written is refused."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bayescpt import files
from bayescpt.errors import BayescptError, WriteError
from bayescpt.files import (
    check_writable,
    remove_dead_drafts,
    write_bytes,
    write_file,
    write_files,
    write_new_folder,
    write_text,
)

# A process that begins to write and waits in the middle.
HALF = """
import sys, time
from bayescpt.files import write_file
def half(draft):
    draft.write_bytes(b"half")
    print("begun", flush=True)
    time.sleep(60)
write_file(sys.argv[1], half)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fail(draft):
    draft.write_text("half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def killed_while_writing(path):
    """Start to write a file in another process, which is killed in the middle."""
    command = [sys.executable, "-c", HALF, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout.readline() == b"begun\n"
        draft = next(name for name in names(path.parent) if ".part" in name)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    return draft


def test_a_killed_writer_leaves_the_old_file_and_its_draft_is_removed_by_the_next(tmp_path):
    path = write_text(tmp_path / "rows.csv", "old")
    draft = killed_while_writing(path)
    assert names(tmp_path) == [draft, "rows.csv"]
    assert path.read_text() == "old"
    write_text(tmp_path / "other.txt", "x")
    assert names(tmp_path) == ["other.txt", "rows.csv"]


def test_drafts_of_writers_that_live_stay(tmp_path):
    def write(draft):
        draft.write_text("first")
        assert not remove_dead_drafts(tmp_path)
        write_text(tmp_path / "b.txt", "second")
        assert draft.exists()

    write_file(tmp_path / "a.txt", write)
    assert names(tmp_path) == ["a.txt", "b.txt"]


@pytest.mark.parametrize(("age", "stays"), [(0.0, True), (100_000.0, False)])
def test_drafts_of_other_machines_are_removed_once_they_are_old(tmp_path, age, stays):
    draft = tmp_path / ".a.csv.00000000-7-00000000-0.part.csv"
    draft.write_text("half")
    when = time.time() - age
    os.utime(draft, (when, when))
    remove_dead_drafts(tmp_path)
    assert draft.exists() is stays


def test_a_draft_of_an_earlier_process_of_our_number_is_dead(tmp_path, monkeypatch):
    draft = files._draft(tmp_path / "a.csv")
    draft.write_text("half")
    assert not remove_dead_drafts(tmp_path)
    monkeypatch.setattr(files, "_PROCESS", "00000000")
    assert remove_dead_drafts(tmp_path) == [draft]


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = write_text(tmp_path / "a.txt", "old")
    with pytest.raises(WriteError, match=r"cannot write .*a\.txt: No space left") as caught:
        write_file(path, fail)
    assert caught.value.errno == errno.ENOSPC
    assert isinstance(caught.value, OSError)
    assert isinstance(caught.value, BayescptError)
    assert names(tmp_path) == ["a.txt"]
    assert path.read_text() == "old"


def test_files_that_belong_together_change_together(tmp_path):
    folder = tmp_path / "made"
    good = {name: lambda draft: draft.write_text("new") for name in ("a", "b")}
    with pytest.raises(WriteError):
        write_files(folder, {**good, "c": fail})
    assert not folder.exists()
    folder.mkdir()
    write_text(folder / "a", "old")
    with pytest.raises(WriteError):
        write_files(folder, {**good, "c": fail})
    assert names(folder) == ["a"]
    assert (folder / "a").read_text() == "old"
    assert write_files(folder, good) == [folder / "a", folder / "b"]
    assert names(folder) == ["a", "b"]


def test_a_new_folder_appears_with_all_of_its_files(tmp_path):
    writers = {"a.txt": lambda draft: draft.write_text("whole")}
    with pytest.raises(WriteError):
        write_new_folder(tmp_path / "deep" / "made", {**writers, "b.txt": fail})
    assert names(tmp_path / "deep") == []
    made = write_new_folder(tmp_path / "deep" / "made", writers)
    assert names(made) == ["a.txt"]
    assert names(tmp_path / "deep") == ["made"]


def test_links_modes_and_long_names_are_kept(tmp_path):
    (tmp_path / "there").mkdir()
    real = write_text(tmp_path / "there" / ("n" * 240), "old")
    real.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(real)
    write_text(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o640
    before = os.umask(0o027)
    try:
        assert write_text(tmp_path / "fresh", "x").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)
    for name in ("fresh", "newer"):
        private = write_bytes(tmp_path / name, b"x", mode=0o600)
        assert private.stat().st_mode & 0o777 == 0o600


def test_a_device_is_written_to_and_not_replaced(tmp_path):
    check_writable("/dev/null")
    write_text("/dev/null", "gone")
    assert Path("/dev/null").is_char_device()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_writable(pipe)
    assert pipe.is_fifo()


def test_what_cannot_be_written_is_refused_before(tmp_path):
    file = write_text(tmp_path / "file", "x")
    for path, reason in (
        (tmp_path, "is a folder"),
        (file / "a.csv", "Not a directory"),
        (file / "deep" / "a.csv", "Not a directory"),
        ("/proc/none/a.csv", ""),
    ):
        with pytest.raises(WriteError, match=f"cannot write .*{reason}"):
            check_writable(path)
    check_writable(tmp_path / "new" / "deep" / "a.csv")
    check_writable(file)
    assert names(tmp_path) == ["file"]
    assert file.read_text() == "x"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_permissions_are_respected(tmp_path):
    file = write_text(tmp_path / "file", "x")
    file.chmod(0o444)
    with pytest.raises(WriteError, match="read-only"):
        check_writable(file)
    with pytest.raises(WriteError, match="read-only"):
        write_text(file, "y")
    tmp_path.chmod(0o555)
    with pytest.raises(WriteError, match="Permission denied"):
        check_writable(tmp_path / "other")
    tmp_path.chmod(0o755)
