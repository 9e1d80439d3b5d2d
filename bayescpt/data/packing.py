"""Lossless text form of arrays and tables for JSON: their bytes, compressed, in base64."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def pack(array: NDArray[Any]) -> dict[str, str]:
    """Convert a one-dimensional numeric array to text.

    Parameters
    ----------
    array : ndarray, shape (n,)
        The array.

    Returns
    -------
    dict
        Data type and bytes as text.
    """
    array = array.astype(array.dtype.newbyteorder("<"))
    return {
        "dtype": array.dtype.str,
        "zlib": base64.b64encode(zlib.compress(array.tobytes())).decode("ascii"),
    }


def unpack(packed: dict[str, str]) -> NDArray[Any]:
    """Restore the array of `pack`.

    Parameters
    ----------
    packed : dict
        Result of `pack`.

    Returns
    -------
    ndarray, shape (n,)
        The array, read-only.
    """
    content = zlib.decompress(base64.b64decode(packed["zlib"]))
    return np.frombuffer(content, dtype=np.dtype(packed["dtype"]))


def pack_frame(frame: pd.DataFrame) -> dict[str, Any]:
    """Convert a table to text, column by column.

    Parameters
    ----------
    frame : DataFrame
        The table. Columns of numbers are stored as bytes, others as codes and distinct values.

    Returns
    -------
    dict
        Columns as text by name.
    """
    columns: dict[str, Any] = {}
    for name, values in frame.items():
        if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iuf":
            columns[str(name)] = pack(values.to_numpy())
        else:
            codes, distinct = pd.factorize(values)
            plain = [item.item() if isinstance(item, np.generic) else item for item in distinct]
            columns[str(name)] = {
                "dtype": str(values.dtype),
                "codes": pack(codes.astype(np.int32)),
                "values": plain,
            }
    return columns


def unpack_frame(columns: dict[str, Any]) -> pd.DataFrame:
    """Restore the table of `pack_frame`.

    Parameters
    ----------
    columns : dict
        Result of `pack_frame`.

    Returns
    -------
    DataFrame
        The table, with index 0, 1, ...
    """
    frame = {}
    for name, column in columns.items():
        if "codes" in column:
            values = [*column["values"], None]  # code -1, a missing value, is the last item
            items = [values[code] for code in unpack(column["codes"])]
            frame[name] = pd.Series(items, dtype=column["dtype"])
        else:
            frame[name] = pd.Series(unpack(column).copy())
    return pd.DataFrame(frame)
