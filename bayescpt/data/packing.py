"""Arrays and tables as text, exactly: base64 of zlib of their bytes, for JSON."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def pack(array: NDArray[Any]) -> dict[str, str]:
    """Pack a one-dimensional numeric array.

    Parameters
    ----------
    array : ndarray, shape (n,)
        Numbers.

    Returns
    -------
    dict
        Type and bytes, as text.
    """
    array = array.astype(array.dtype.newbyteorder("<"))
    return {
        "dtype": array.dtype.str,
        "zlib": base64.b64encode(zlib.compress(array.tobytes(), 9)).decode("ascii"),
    }


def unpack(packed: dict[str, str]) -> NDArray[Any]:
    """Read what `pack` wrote.

    Parameters
    ----------
    packed : dict
        Type and bytes.

    Returns
    -------
    ndarray, shape (n,)
        The numbers, read-only.
    """
    content = zlib.decompress(base64.b64decode(packed["zlib"]))
    return np.frombuffer(content, dtype=np.dtype(packed["dtype"]))


def pack_frame(frame: pd.DataFrame) -> dict[str, Any]:
    """Pack a table column by column.

    Parameters
    ----------
    frame : DataFrame
        Columns of numbers are packed as bytes, text as codes and the distinct values.

    Returns
    -------
    dict
        Columns by name.
    """
    columns: dict[str, Any] = {}
    for name, values in frame.items():
        if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iuf":
            columns[str(name)] = pack(values.to_numpy())
        else:
            codes, distinct = pd.factorize(values)
            known = [item.item() if isinstance(item, np.generic) else item for item in distinct]
            columns[str(name)] = {
                "dtype": str(values.dtype),
                "codes": pack(codes.astype(np.int32)),
                "values": known,
            }
    return columns


def unpack_frame(columns: dict[str, Any]) -> pd.DataFrame:
    """Read what `pack_frame` wrote.

    Parameters
    ----------
    columns : dict
        Columns by name.

    Returns
    -------
    DataFrame
        The table, index 0...
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
