"""Damage to the content of Parquet and HDF5 files, which stay sound as files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bayescpt.inference.fit_file import seal_fit

_TYPES = (
    *(pa.string(), pa.large_string(), pa.float16(), pa.float32(), pa.float64(), pa.int8()),
    *(pa.int64(), pa.uint64(), pa.bool_(), pa.binary(), pa.decimal128(38, 9), pa.timestamp("ns")),
    *(pa.date32(), pa.dictionary(pa.int32(), pa.string()), pa.null(), pa.duration("s")),
)


def change_table(rng: Random, content: bytes) -> bytes:
    """A Parquet file with a column of another type, name or content."""
    table = pq.read_table(io.BytesIO(content))
    at = rng.randrange(table.num_columns)
    name, column = table.column_names[at], table.column(at)
    kind = rng.randrange(8)
    if kind == 0:
        table = table.drop_columns([name])
    elif kind == 1:
        table = table.append_column(name, column)
    elif kind == 2:
        names = [rng.choice(("", "run", name.upper(), "é", "x")) if n == name else n
                 for n in table.column_names]  # fmt: skip
        table = table.rename_columns(names)
    elif kind == 3:
        order = list(range(table.num_rows))
        rng.shuffle(order)
        table = table.take(order)
    elif kind == 4:
        table = table.slice(rng.randrange(table.num_rows), rng.randrange(table.num_rows))
    elif kind == 5:
        values: list[Any] = column.to_pylist()
        for row in rng.sample(range(len(values)), min(len(values), rng.choice((1, 3, 1000)))):
            values[row] = None
        table = table.set_column(at, name, pa.array(values, column.type))
    else:
        made = _as_type(rng, column)
        table = table.set_column(at, name, made)
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def _as_type(rng: Random, column: pa.ChunkedArray) -> pa.Array:
    if rng.random() < 0.3:
        return pa.array([[value] for value in column.to_pylist()])
    if rng.random() < 0.2:
        return pa.array([{"a": value} for value in column.to_pylist()])
    try:
        return column.cast(rng.choice(_TYPES), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.nulls(len(column), rng.choice(_TYPES))


# In place of a value in the text of a fit.
_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 3.5, 1e308, 10**30, "", "x", "é", [], {}, [1], {"a": 1}, [[[]]]),
    *([None] * 3, "[" * 10_000, float("nan"), float("inf"), {"dist": "Normal"}),
)


def change_fit(rng: Random, path: Path) -> None:
    """Change one thing inside a fit file, and give it the digest of what it then holds."""
    with h5py.File(path, "r+") as file:
        if rng.random() < 0.6:
            _change_text(rng, file)
        else:
            _change_arrays(rng, file[rng.choice(("posterior", "sample_stats"))])
    path.write_bytes(seal_fit(path.read_bytes()))


def _change_text(rng: Random, file: h5py.File) -> None:
    kind = rng.randrange(12)
    stored = file.attrs["bayescpt"]
    if kind == 0:
        del file.attrs["bayescpt"]
    elif kind == 1:
        other: Any = rng.choice((3, [1.0, 2.0], np.bytes_(b"\xff\xfe"), h5py.Empty("f"), "{", "[]"))
        file.attrs["bayescpt"] = other
    else:
        text = json.loads(stored)
        holder, key = _place(rng, text)
        if rng.random() < 0.2:
            del holder[key]
        else:
            holder[key] = rng.choice(_VALUES)
        file.attrs["bayescpt"] = json.dumps(text)


def _place(rng: Random, text: Any) -> tuple[Any, Any]:
    """A random place in the text, and what holds it."""
    holder, key = text, rng.choice(list(text))
    while rng.random() < 0.8:
        inner = holder[key]
        if key == "study" and isinstance(inner, str):
            return holder, key
        if not isinstance(inner, dict | list) or not inner:
            break
        holder = inner
        key = rng.choice(list(inner)) if isinstance(inner, dict) else rng.randrange(len(inner))
    return holder, key


def _change_arrays(rng: Random, group: h5py.Group) -> None:
    name = rng.choice(list(group))
    kind, stored = rng.randrange(6), group[name]
    if kind == 0:
        del group[name]
    elif kind == 1:
        group.move(name, rng.choice(("x", "é", f"{name}2")))
    elif kind == 2:
        keys = list(stored.attrs)
        if keys:
            del stored.attrs[rng.choice(keys)]
    elif kind == 3:
        keys = list(stored.attrs) or ["a"]
        stored.attrs[rng.choice(keys)] = rng.choice((3, "x", np.arange(3), h5py.Empty("f")))
    else:
        values = stored[()]
        del group[name]
        made: Any = values
        if kind == 4:
            made = np.asarray(values).ravel()[:3] if np.ndim(values) else np.zeros(2)
        else:
            made = np.array([b"x"] * 3) if rng.random() < 0.5 else np.zeros((2, 2), "complex64")
        group[name] = made
