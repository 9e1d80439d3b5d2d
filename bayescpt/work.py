"""Finished pieces of a long computation, kept on disk so that it can go on after an interruption.

A work folder holds one file for each finished piece, such as a chain of a fit or a refit of a
backtest, and `work.json`, which says of what: the study, the card, the settings and the code.
Pieces of anything else are never used. A piece that is damaged counts as not finished.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bayescpt.errors import WorkError
from bayescpt.files import check_writable, write_bytes, write_text

FORMAT = 1
_ABOUT = "work.json"
_LOCK = "work.lock"
_SUFFIX = ".piece"
# Ends the name of the work folder beside an output file.
FOLDER_SUFFIX = ".work"
_DIGEST = 32


class Work:
    """Folder with the finished pieces of one computation, for this process alone.

    Parameters
    ----------
    folder : str or Path
        The folder; it is made. What it holds is used.
    about : Mapping
        What the pieces depend on: values by name, such as ``draws``, and a `digest` of what is too
        long to be shown, such as ``study``.

    Raises
    ------
    WorkError
        If the folder holds pieces of something else, or another process works there.
    WriteError
        If the folder cannot be written to.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with Work(folder, {"draws": 100}) as work:
    ...         work.write("chain-0", b"draws")
    ...     with Work(folder, {"draws": 100}) as work:
    ...         work.read("chain-0"), work.read("chain-1")
    (b'draws', None)
    """

    def __init__(self, folder: str | Path, about: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        check_writable(self.folder / _ABOUT)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.folder)
        try:
            whole = {"format": FORMAT, "code": code_digest(), **about}
            self.about = json.loads(json.dumps(whole, default=_plain))
            kept = _read_about(self.folder)
            if kept is not None and kept != self.about and pieces(self.folder):
                raise WorkError(_differs(self.folder, kept, self.about))
            if kept != self.about:
                write_text(self.folder / _ABOUT, json.dumps(self.about, indent=1) + "\n")
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.close()

    def read(self, name: str) -> bytes | None:
        """Content of a finished piece.

        Parameters
        ----------
        name : str
            Name of the piece.

        Returns
        -------
        bytes or None
            None if it is not finished, or damaged.
        """
        try:
            stored = self._file(name).read_bytes()
        except OSError:
            return None
        return stored[_DIGEST:] if stored[:_DIGEST] == self._digest(stored[_DIGEST:]) else None

    def write(self, name: str, content: bytes) -> None:
        """Keep a finished piece.

        Parameters
        ----------
        name : str
            Name of the piece: letters, digits and hyphens.
        content : bytes
            The piece.

        Raises
        ------
        WriteError
            If it cannot be written.
        """
        write_bytes(self._file(name), self._digest(content) + content)

    def _file(self, name: str) -> Path:
        if not re.fullmatch(r"[\w-]+", name):
            raise ValueError(f"{name!r}: a piece is named by letters, digits and hyphens")
        return self.folder / f"{name}{_SUFFIX}"

    def _digest(self, content: bytes) -> bytes:
        """Digest of a piece and what it is a piece of."""
        about = json.dumps(self.about, sort_keys=True).encode()
        return hashlib.sha256(hashlib.sha256(about).digest() + content).digest()


def pieces(folder: str | Path) -> list[Path]:
    """Files of the finished pieces in a work folder and the work folders in it.

    Parameters
    ----------
    folder : str or Path
        The folder; it need not exist.

    Returns
    -------
    list of Path
    """
    return sorted(file for place in _folders(folder) for file in place.glob(f"[!.]*{_SUFFIX}"))


def others(folder: str | Path) -> list[Path]:
    """What lies in a folder that is no work; what is hidden or an empty folder does not count.

    Parameters
    ----------
    folder : str or Path
        The folder; it need not exist.

    Returns
    -------
    list of Path
    """
    own = _folders(folder)
    found = (path for path in sorted(Path(folder).glob("[!.]*")) if path not in own)
    return [
        path
        for path in found
        if path.name not in (_ABOUT, _LOCK)
        and path.suffix != _SUFFIX
        and not (path.is_dir() and not any(path.iterdir()))
    ]


def _folders(folder: str | Path) -> list[Path]:
    """A work folder and those in it, as of the refits of each card that are compared.

    ``FILE.work`` beside an output is that of another command.
    """
    place = Path(folder)
    inner = (path for path in place.glob("[!.]*") if (path / _LOCK).is_file())
    return [place, *(path for path in inner if path.suffix != FOLDER_SUFFIX)]


def remove_work(folder: str | Path) -> None:
    """Remove a work folder, once its result is saved.

    Parameters
    ----------
    folder : str or Path
        The folder. Files that no work put there stay, and so does the folder then.
    """
    place = Path(folder)
    for own in reversed(_folders(place)):
        drafts = (*own.glob(f".*.part{_SUFFIX}"), *own.glob(f".{_ABOUT}.*.part.json"))
        for file in (*own.glob(f"[!.]*{_SUFFIX}"), *drafts, own / _ABOUT, own / _LOCK):
            with suppress(OSError):
                file.unlink()
        with suppress(OSError):
            own.rmdir()


def digest(*content: Any) -> str:
    """Digest of plain values, text and bytes; functions count by their names.

    Parameters
    ----------
    *content : object
        The values.

    Returns
    -------
    str
        SHA-256 in hexadecimal.

    Examples
    --------
    >>> digest("a", {"b": 1}) == digest("a", {"b": 1}), digest("a") == digest("b")
    (True, False)
    """
    text = json.dumps(content, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if callable(value):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


@cache
def code_digest() -> str:
    """Digest of the package's own sources, those of the command line and of figures apart."""
    root = Path(__file__).parent
    hashed = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        if file.relative_to(root).parts[0] not in ("cli", "present"):
            hashed.update(file.read_bytes())
    return hashed.hexdigest()


def _locked(folder: Path) -> Any:
    """Open lock file of a folder; the lock ends with the process that holds it."""
    file = (folder / _LOCK).open("a")
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise WorkError(
            f"{folder}: another process works there; wait for it, or give another folder"
        ) from None
    except (ImportError, OSError):
        # No such locks on this system, or this file system.
        pass
    return file


def _read_about(folder: Path) -> dict[str, Any] | None:
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return about if isinstance(about, dict) else None


def _differs(folder: Path, kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Why kept pieces cannot be used."""
    parts = []
    for name in [*wanted, *(name for name in kept if name not in wanted)]:
        before, now = kept.get(name), wanted.get(name)
        if before == now:
            continue
        long = any(isinstance(v, str) and re.fullmatch(r"[0-9a-f]{64}", v) for v in (before, now))
        parts.append(f"the {name} changed" if long else f"{name} was {before!r} and is {now!r}")
    count = len(pieces(folder))
    return (
        f"{folder} holds {count} finished piece{'s' * (count > 1)} of other work: "
        f"{', '.join(parts)}; repeat that command, or delete the folder to begin anew"
    )
