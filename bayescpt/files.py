"""The one writer of files: whole under their name, or not at all.

A file is written under a temporary name in its own folder, flushed to the disk and renamed, so that
whoever is killed, or finds the disk full, leaves what was there before. What a killed process left
under a temporary name is removed by the next one that writes to the folder.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import platform
import re
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bayescpt.errors import WriteError

# Bytes that a place must take to count as writable: a full disk still makes empty files.
_PROBE = 4096
# Seconds after which an untouched draft is dead, whoever wrote it; none takes so long to write.
_OLD = 86_400.0
# Most characters of a name within that of its draft: names have at most 255 bytes.
_STEM = 60
_DRAFT = re.compile(r"\..*\.(?P<node>[0-9a-f]{8})-(?P<pid>\d+)-(?P<process>[0-9a-f]{8})-\d+\.part")
# Tells this process from an earlier one with its number, as those of containers often have.
_PROCESS = secrets.token_hex(4)
_COUNT = itertools.count()

Write = Callable[[Path], Any]


def write_file(path: str | Path, write: Write, mode: int | None = None) -> Path:
    """Write a file so that its name only ever has whole content.

    Parameters
    ----------
    path : str or Path
        File to write, replaced if it exists; its folder is made. A device or pipe is written to as
        it is.
    write : callable
        Called with the path of the draft to write, whose name ends like that of the file.
    mode : int, optional
        Permissions of the file; by default those of the file that is replaced, or of a new one.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    WriteError
        If it cannot be written; what was there before is unchanged.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = write_file(f"{folder}/a.txt", lambda draft: draft.write_text("whole"))
    ...     path.read_text()
    'whole'
    """
    target = Path(path)
    with _write_errors(target):
        if _is_special(target):
            write(target)
            return target
        with _drafts(target.parent, {target.name: write}, mode) as drafts:
            for draft, place in drafts.items():
                draft.replace(place)
        _sync(target.parent)
    return target


def write_text(path: str | Path, text: str) -> Path:
    """Write text as UTF-8, as `write_file` does.

    Parameters
    ----------
    path : str or Path
        File to write.
    text : str
        All of its content.

    Returns
    -------
    Path
        The file.
    """
    return write_bytes(path, text.encode())


def write_bytes(path: str | Path, data: bytes | memoryview, mode: int | None = None) -> Path:
    """Write bytes, as `write_file` does.

    Parameters
    ----------
    path : str or Path
        File to write.
    data : bytes or memoryview
        All of its content.
    mode : int, optional
        Permissions of the file, as in `write_file`.

    Returns
    -------
    Path
        The file.
    """
    return write_file(path, lambda draft: draft.write_bytes(data), mode)


def write_files(folder: str | Path, writers: Mapping[str, Write]) -> list[Path]:
    """Write files of a folder that belong together: none is replaced before all are whole.

    Parameters
    ----------
    folder : str or Path
        The folder; it is made.
    writers : Mapping of str to callable
        By name of the file, as in `write_file`.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    WriteError
        If one cannot be written; then none is changed.
    """
    place = Path(folder)
    with _write_errors(place):
        made = not place.exists()
        try:
            with _drafts(place, writers) as drafts, _held_signals():
                for draft, target in drafts.items():
                    draft.replace(target)
        except BaseException:
            if made:
                with suppress(OSError):
                    place.rmdir()
            raise
        _sync(place)
    return [place / name for name in writers]


def write_new_folder(folder: str | Path, writers: Mapping[str, Write]) -> Path:
    """Write a folder that appears with all of its files at once.

    Parameters
    ----------
    folder : str or Path
        Folder that does not exist, or is empty.
    writers : Mapping of str to callable
        By name of the file, as in `write_file`.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    WriteError
        If it cannot be written; then there is no folder.
    """
    target = Path(folder)
    with _write_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_dead_drafts(target.parent)
        draft = _draft(target)
        try:
            draft.mkdir()
            for name, write in writers.items():
                write(draft / name)
                _sync(draft / name)
            _sync(draft)
            draft.replace(target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        _sync(target.parent)
    return target


def check_writable(path: str | Path) -> None:
    """Raise an error if a file could not be written, without changing anything.

    Parameters
    ----------
    path : str or Path
        The file that is to be written later, after hours of work perhaps.

    Raises
    ------
    WriteError
        If its folder cannot be made or written to, is full, or the name is that of a folder or of a
        file that may not be written to.

    Examples
    --------
    >>> check_writable("/proc/out.csv")
    Traceback (most recent call last):
        ...
    bayescpt.errors.WriteError: cannot write /proc/out.csv: ...
    """
    target = Path(path)
    with _write_errors(target):
        _check_target(target)
        if _is_special(target):
            return
        folder = target.parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        draft = _draft(folder / target.name)
        try:
            draft.write_bytes(bytes(_PROBE))
        finally:
            # Only a folder under which nothing can be made has no such file to remove.
            with suppress(OSError):
                draft.unlink()


def remove_dead_drafts(folder: str | Path) -> list[Path]:
    """Remove what killed processes left half-written in a folder.

    Parameters
    ----------
    folder : str or Path
        The folder.

    Returns
    -------
    list of Path
        What was removed.
    """
    removed = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _DRAFT.match(entry.name)
            if match is None or not _is_dead(match, Path(entry.path)):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with suppress(OSError):
                    os.unlink(entry.path)
            removed.append(Path(entry.path))
    return removed


@contextmanager
def _write_errors(target: Path) -> Iterator[None]:
    """Errors of the system, with the file that was to be written."""
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise WriteError(f"cannot write {target}: {reason}", error.errno) from error


@contextmanager
def _drafts(
    folder: Path, writers: Mapping[str, Write], mode: int | None = None
) -> Iterator[dict[Path, Path]]:
    """Whole drafts, on the disk, of files of a folder; the path of each file by its draft."""
    folder.mkdir(parents=True, exist_ok=True)
    # A link is followed: the file that it names is replaced, not the link.
    targets = [Path(os.path.realpath(folder / name)) for name in writers]
    drafts = {_draft(target): target for target in targets}
    for place in {target.parent for target in targets}:
        remove_dead_drafts(place)
    try:
        for (draft, target), write in zip(drafts.items(), writers.values(), strict=True):
            _check_target(target)
            write(draft)
            if mode is not None:
                draft.chmod(mode)
            elif target.exists():
                shutil.copymode(target, draft)
            _sync(draft)
        yield drafts
    finally:
        for draft in drafts:
            with suppress(OSError):
                draft.unlink()


def _draft(target: Path) -> Path:
    """Temporary name for a file or folder; it ends like its own, which tells formats."""
    owner = f"{_node()}-{os.getpid()}-{_PROCESS}-{next(_COUNT)}"
    return target.with_name(f".{target.name[:_STEM]}.{owner}.part{target.suffix}")


def _node() -> str:
    """Return the machine and, in a container, the space in which its process numbers count."""
    space = 0
    with suppress(OSError):
        space = os.stat("/proc/self/ns/pid").st_ino
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]


def _is_dead(match: re.Match[str], draft: Path) -> bool:
    """Whether nobody can still be writing a draft."""
    pid = int(match["pid"])
    if match["node"] == _node() and os.name == "posix":
        if pid == os.getpid():
            return match["process"] != _PROCESS
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            return False
    try:
        return time.time() - draft.stat().st_mtime > _OLD
    except OSError:
        return False


def _is_special(target: Path) -> bool:
    """Whether a name is that of a device or pipe, which must not be replaced by a file."""
    return target.exists() and not target.is_file() and not target.is_dir()


def _check_target(target: Path) -> None:
    """Refuse the name of a folder, and a file that the user may not write to."""
    if target.is_dir():
        raise WriteError(f"cannot write {target}: it is a folder; give the name of a file")
    if target.exists() and not os.access(target, os.W_OK):
        raise WriteError(f"cannot write {target}: the file is there and is read-only")


def _sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    try:
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    except PermissionError:
        # A folder that may be written to but not listed, or a file copied as read-only.
        return
    try:
        os.fsync(handle)
    except OSError as error:
        # Some file systems cannot flush a folder; a full disk is another matter.
        if not path.is_dir():
            raise error
    finally:
        os.close(handle)


@contextmanager
def _held_signals() -> Iterator[None]:
    """No interruption between two renames."""
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
