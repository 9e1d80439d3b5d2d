"""What of a cache may be loaded as code: files that nobody else could write, and that load."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Age of another machine's mark, after which its load must have ended: it takes a second.
_ENDED = 60.0
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def writable_by_others(path: Path) -> bool:
    """Whether others than this user and root could have written a file or folder.

    Parameters
    ----------
    path : Path
        File or folder; what does not exist is nobody's.

    Returns
    -------
    bool
        False where files have no owners (Windows, whose cache folder belongs to one user).
    """
    try:
        return _by_others(path.stat())
    except OSError:
        return False


def _by_others(status: os.stat_result) -> bool:
    if not hasattr(os, "getuid"):
        return False
    return bool(status.st_mode & _OTHERS) or status.st_uid not in (os.getuid(), 0)


def read_private(path: Path) -> bytes | None:
    """Content of a file that only this user and root can write.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    bytes or None
        None if there is no such file, or others can write it or its folder.
    """
    if writable_by_others(path.parent):
        return None
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if _by_others(status) or not stat.S_ISREG(status.st_mode):
                return None
            return file.read()
    except OSError:
        return None


@contextmanager
def loading(path: Path) -> Iterator[None]:
    """Mark a file as being loaded; the mark stays only if loading ends the process.

    Parameters
    ----------
    path : Path
        The file.
    """
    mark = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.loading")
    # A folder that is only read has no marks; what is in it was put there by hand.
    with suppress(OSError):
        mark.touch(mode=0o600)
    try:
        yield
    finally:
        with suppress(OSError):
            mark.unlink()


def crashed(path: Path) -> bool:
    """Whether loading a file once ended a process; its marks are removed.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    bool
        True if there is a mark of a process that no longer runs.
    """
    found, start = False, f".{path.name}."
    for mark in path.parent.glob(f"{start}*.loading"):
        host, _, pid = mark.name[len(start) : -len(".loading")].rpartition(".")
        with suppress(OSError):
            if _left_behind(mark, host, pid):
                mark.unlink()
                found = True
    return found


def _left_behind(mark: Path, host: str, pid: str) -> bool:
    if host == socket.gethostname() and pid.isdigit() and os.name == "posix":
        return not _runs(int(pid))
    return time.time() - mark.stat().st_mtime > _ENDED


def _runs(pid: int) -> bool:
    if pid == os.getpid():
        # One thread loads at a time: the mark is of an earlier process of this number.
        return False
    try:
        os.kill(pid, 0)  # asks only
    except PermissionError:
        return True  # another user's
    except (OSError, OverflowError):
        return False
    return True
