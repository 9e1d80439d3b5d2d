"""Plain values as bytes and back: nothing that is read can name a class or a function to call."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

_HEAD = 8  # bytes of the length of the text


def dump_values(value: Any) -> bytes:
    """Convert plain values to bytes.

    Parameters
    ----------
    value : object
        None, bool, number, text, bytes, array of numbers, record layout, slice, pandas index, or
        list, tuple or dict (with text as keys) of these. NumPy's numbers become Python's.

    Returns
    -------
    bytes

    Raises
    ------
    TypeError
        If a value is of another type.

    Examples
    --------
    >>> load_values(dump_values({"a": (1, None), "b": b"code"}))
    {'a': (1, None), 'b': b'code'}
    """
    blobs: list[bytes] = []
    text = json.dumps(_plain(value, blobs), separators=(",", ":")).encode()
    return b"".join([len(text).to_bytes(_HEAD, "little"), text, *blobs])


def load_values(content: bytes | memoryview) -> Any:
    """Restore the values of `dump_values`.

    Parameters
    ----------
    content : bytes or memoryview
        Result of `dump_values`.

    Returns
    -------
    object
        The values.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the content is of another kind.
    """
    view = memoryview(content)
    end = _HEAD + int.from_bytes(view[:_HEAD], "little")
    place = end

    def _take(size: int) -> memoryview:
        nonlocal place
        place += size
        if size < 0 or place > len(view):
            raise ValueError("the content is cut off")
        return view[place - size : place]

    return _restore(json.loads(bytes(view[_HEAD:end])), _take)


def _plain(value: Any, blobs: list[bytes]) -> Any:
    """JSON of a value: scalars as they are, all others as a list of a kind and its content."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return _plain(value.item(), blobs)
    if isinstance(value, bytes):
        blobs.append(value)
        return ["bytes", len(value)]
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        blobs.append(value.tobytes())
        return ["array", value.dtype.str, list(value.shape)]
    if isinstance(value, np.dtype):
        return ["layout", _described(value)]
    if isinstance(value, slice):
        return ["slice", *(_plain(part, blobs) for part in (value.start, value.stop, value.step))]
    if isinstance(value, pd.RangeIndex):
        return ["range", value.start, value.stop, value.step]
    if isinstance(value, list | tuple | pd.Index):
        kind = "index" if isinstance(value, pd.Index) else type(value).__name__
        return [kind, *(_plain(part, blobs) for part in value)]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return ["dict", {key: _plain(part, blobs) for key, part in value.items()}]
    raise TypeError(f"{type(value).__name__} is not a plain value")


def _restore(stored: Any, take: Callable[[int], memoryview]) -> Any:
    if not isinstance(stored, list):
        return stored
    kind, *rest = stored
    if kind == "dict":
        return {key: _restore(part, take) for key, part in rest[0].items()}
    if kind == "bytes":
        return bytes(take(rest[0]))
    if kind == "array":
        dtype, shape = np.dtype(rest[0]), tuple(rest[1])
        size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        return np.frombuffer(bytes(take(size)), dtype).reshape(shape).copy()
    if kind == "layout":
        return _layout(rest[0])
    if kind == "range":
        return pd.RangeIndex(*rest)
    parts = [_restore(part, take) for part in rest]
    made: dict[str, Callable[[], Any]] = {
        "list": lambda: parts,
        "tuple": lambda: tuple(parts),
        "index": lambda: pd.Index(parts),
        "slice": lambda: slice(*parts),
    }
    return made[kind]()


def _described(dtype: np.dtype[Any]) -> Any:
    """Layout of records without padding, field by field."""
    if dtype.names is None or dtype.fields is None:
        return dtype.str
    fields = []
    for name in dtype.names:
        inner, shape = dtype.fields[name][0], ()
        if inner.subdtype is not None:
            inner, shape = inner.subdtype
        fields.append([name, _described(inner), list(shape)])
    if _layout(fields) != dtype:
        raise TypeError(f"layout {dtype} has padding")
    return fields


def _layout(described: Any) -> np.dtype[Any]:
    if isinstance(described, str):
        return np.dtype(described)
    return np.dtype([(name, _layout(inner), tuple(shape)) for name, inner, shape in described])
