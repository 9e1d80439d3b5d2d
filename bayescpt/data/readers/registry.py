"""The registry of log formats: readers by name, in the order in which they are tried."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from pathlib import Path
from typing import ClassVar

from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.errors import StudyError

# Bytes of a file that `Reader.recognises` is shown.
HEAD_BYTES = 65_536

_REGISTRY: dict[str, Reader] = {}


class Reader(ABC):
    """A reader of one log format.

    To add a format:

    1. Write one file ``bayescpt/data/readers/formats/<name>.py`` with a subclass of `Reader`,
       decorated with `register_reader`. It is found by itself.
    2. Set `name`, `what` (a phrase for the list of formats in help and errors) and `priority`:
       readers are tried from the lowest on, and the first that recognises a file reads it. Formats
       with a mark that no other has (10 to 40) come before those that any table fits (80).
    3. `recognises` looks at the content first: `head` holds the first bytes of the file. It is
       called for every file of a folder, so it must be quick, and false for what it cannot read.
    4. `read` copies what it finds into one `LogRun` per run: see its docstring for what each table
       means. Steps count updates done; a format that counts from 0 adds the one. Keys of metrics
       and columns go through `names.meaning` (or `wide.split_wide` for a whole table), so that a
       set has the same name in every format. Duplicates, restarts, NaN, tokens in place of steps
       and the offset of learning rates are handled afterwards, for all formats alike.
    5. A file that is recognised but damaged is a `StudyError` that names the file, the line and
       what would be right. Packages beyond pandas and pyarrow are imported in `read`, and one that
       is missing is a `MissingExtraError`.
    6. Put a small file by the real writer into ``tests/data/readers/samples/<name>/``, and what it
       holds into ``SAMPLES`` of ``tests/data/readers/test_registered_readers.py``, whose tests run
       on every registered reader. Traps of the format get tests of their own.
    """

    name: ClassVar[str]
    what: ClassVar[str]
    priority: ClassVar[int] = 50

    @abstractmethod
    def recognises(self, path: Path, head: bytes) -> bool:
        """Whether this reader can read a file.

        Parameters
        ----------
        path : Path
            The file.
        head : bytes
            Its first `HEAD_BYTES` bytes.

        Returns
        -------
        bool
        """

    @abstractmethod
    def read(self, path: Path, options: ReadOptions) -> list[LogRun]:
        """Read a file that this reader recognises.

        Parameters
        ----------
        path : Path
            The file.
        options : ReadOptions
            What the user says about its columns.

        Returns
        -------
        list of LogRun
            The runs in it; empty if it holds no losses and no learning rates.

        Raises
        ------
        StudyError
            If the file is damaged.
        """


def register_reader[R: type[Reader]](reader: R) -> R:
    """Register a reader; see `Reader` for how to write one.

    Parameters
    ----------
    reader : type
        Subclass of `Reader` with a `name`.

    Returns
    -------
    type
        The same class.

    Raises
    ------
    StudyError
        If another module has registered a reader of that name.
    """
    earlier = _REGISTRY.get(reader.name)
    if earlier is not None and type(earlier).__module__ != reader.__module__:
        raise StudyError(
            f"reader {reader.name!r} of {reader.__module__} is registered already, by "
            f"{type(earlier).__module__}; choose another name"
        )
    _REGISTRY[reader.name] = reader()
    return reader


def registered_readers() -> tuple[Reader, ...]:
    """All readers, in the order in which they are tried.

    Returns
    -------
    tuple of Reader

    Examples
    --------
    >>> from bayescpt.data.readers.registry import registered_readers
    >>> "table" in [reader.name for reader in registered_readers()]
    True
    """
    import_module("bayescpt.data.readers.formats")  # registers them

    return tuple(sorted(_REGISTRY.values(), key=lambda reader: (reader.priority, reader.name)))


def find_reader(path: Path) -> Reader | None:
    """The first reader that recognises a file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Reader or None
        None if no reader does.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return next((r for r in registered_readers() if r.recognises(path, head)), None)
