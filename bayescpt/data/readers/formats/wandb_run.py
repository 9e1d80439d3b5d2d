"""Local ``.wandb`` files, where the wandb package is installed."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bayescpt.data.readers.collect import RowCollector
from bayescpt.data.readers.history import history_run
from bayescpt.data.readers.recipe import recipe
from bayescpt.data.readers.record import LogRun, ReadOptions
from bayescpt.data.readers.registry import Reader, register_reader
from bayescpt.errors import MissingExtraError, StudyError


@register_reader
class WandbRun(Reader):
    """Transaction log of a W&B run, ``wandb/run-*/run-ID.wandb``, online or offline."""

    name = "wandb_run"
    what = "local .wandb file"
    priority = 16

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is a transaction log."""
        return head.startswith(_IDENT)

    def read(self, path: Path, options: ReadOptions) -> list[LogRun]:
        """Return the one run."""
        try:
            from wandb.proto.wandb_internal_pb2 import Record
        except ImportError as error:
            raise MissingExtraError("wandb", "wandb") from error
        rows = RowCollector(options.columns)
        settings: dict[str, Any] = {}
        name = part = path.stem.removeprefix("run-")
        for content in records(path):
            record = Record()
            record.ParseFromString(content)
            kind = record.WhichOneof("record_type")
            if kind == "history":
                rows.add({_key(item): _value(item) for item in record.history.item})
            elif kind == "run":
                name, part = record.run.display_name or name, record.run.run_id or part
                settings |= {_key(item): _value(item) for item in record.run.config.update}
            elif kind == "config":
                settings |= {_key(item): _value(item) for item in record.config.update}
        frame = rows.frame()
        if frame.empty:
            return []
        run = history_run(frame, name, self.name, path, options.columns)
        run.part, run.config = part, recipe(settings)
        return [run]


_IDENT = b":W&B\xe1\xbe"
# The file is in LevelDB's log format: blocks, in which records or pieces of them stand, each with
# a header of checksum, length and type. The wandb package no longer has a reader of it.
_HEADER_BYTES, _BLOCK_BYTES = 7, 32_768
_PIECE = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def records(path: Path) -> Iterator[bytes]:
    """Records of a ``.wandb`` file.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    bytes
        One record: a message of W&B's protocol. The end of a file that is still being written, or
        was cut off, may lack the last.

    Raises
    ------
    StudyError
        If the file is damaged.
    """
    with path.open("rb") as file:
        file.seek(_HEADER_BYTES)
        position, pieces = _HEADER_BYTES, list[bytes]()
        while True:
            left = _BLOCK_BYTES - position % _BLOCK_BYTES
            if left < _PIECE.size:  # the rest of a block that is too short for a header
                file.seek(left, 1)
                position += left
            header = file.read(_PIECE.size)
            if len(header) < _PIECE.size:
                return
            _, length, kind = _PIECE.unpack(header)
            content = file.read(length)
            position += _PIECE.size + length
            if len(content) < length or kind == 0:
                return
            if kind > _LAST or (kind in (_MIDDLE, _LAST)) != bool(pieces):
                raise StudyError(f"{path}: damaged at byte {position - length}; sync the run again")
            pieces.append(content)
            if kind in (_FULL, _LAST):
                yield b"".join(pieces)
                pieces.clear()


def _key(item: Any) -> str:
    return item.key or "/".join(item.nested_key)


def _value(item: Any) -> Any:
    try:
        return json.loads(item.value_json)
    except ValueError:
        return None
