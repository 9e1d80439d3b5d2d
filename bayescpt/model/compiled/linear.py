"""Matrix-vector products with the bases, sixteen rows at a time, for numba kernels."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from bayescpt.model.compiled.lanes import WIDTH, load, spread, store, total

INLINED: dict[str, Any] = {"error_model": "numpy", "forceinline": True}


@numba.njit(error_model="numpy")
def combine(weights: Any, columns: Any) -> Any:
    """Weighted sum of columns.

    Parameters
    ----------
    weights : ndarray, shape (column,)
        Weights.
    columns : ndarray, shape (column, n)
        Columns, contiguous.

    Returns
    -------
    ndarray, shape (n,)
    """
    n, columns = columns.shape[1], np.ascontiguousarray(columns)
    out = np.empty(n)
    # Four independent sums.
    for i in range(0, n, 4 * WIDTH):
        a = b = c = d = spread(0.0)
        for k in range(weights.shape[0]):
            w, at = weights[k], k * n + i
            a += w * load(columns, at, n - i)
            b += w * load(columns, at + WIDTH, n - i - WIDTH)
            c += w * load(columns, at + 2 * WIDTH, n - i - 2 * WIDTH)
            d += w * load(columns, at + 3 * WIDTH, n - i - 3 * WIDTH)
        store(out, i, a, n - i)
        store(out, i + WIDTH, b, n - i - WIDTH)
        store(out, i + 2 * WIDTH, c, n - i - 2 * WIDTH)
        store(out, i + 3 * WIDTH, d, n - i - 3 * WIDTH)
    return out


@numba.njit(error_model="numpy")
def project(rows: Any, columns: Any) -> Any:
    """Inner products with columns, the transpose of `combine`.

    Parameters
    ----------
    rows : ndarray, shape (n,)
        One number per row.
    columns : ndarray, shape (column, n)
        Columns, contiguous.

    Returns
    -------
    ndarray, shape (column,)
    """
    n, rows, columns = rows.shape[0], np.ascontiguousarray(rows), np.ascontiguousarray(columns)
    size = columns.shape[0]
    out = np.empty(size)
    # Four columns at a time, so that a row is read once for four; the last column may repeat.
    for k in range(0, size, 4):
        a = b = c = d = spread(0.0)
        at = k * n
        more = min(k + 1, size - 1) * n, min(k + 2, size - 1) * n, min(k + 3, size - 1) * n
        for i in range(0, n, WIDTH):
            row = load(rows, i, n - i)
            a += row * load(columns, at + i, n - i)
            b += row * load(columns, more[0] + i, n - i)
            c += row * load(columns, more[1] + i, n - i)
            d += row * load(columns, more[2] + i, n - i)
        for j, lanes in enumerate((a, b, c, d)):
            if k + j < size:
                out[k + j] = total(lanes)
    return out


@numba.njit(**INLINED)
def segment_rows(first: Any, s: Any, n: Any) -> Any:
    """First row of a segment, and the row after the last.

    Parameters
    ----------
    first : ndarray of int, shape (segment,)
        First rows, increasing.
    s : int
        Segment.
    n : int
        Number of rows.

    Returns
    -------
    begin, end : int
    """
    return first[s], first[s + 1] if s + 1 < first.shape[0] else n


@numba.njit(error_model="numpy")
def segment_sums(cotangent: Any, partials: Any, first: Any) -> Any:
    """Sums over the rows of each segment.

    Parameters
    ----------
    cotangent : ndarray, shape (n,)
        Weight of each row.
    partials : ndarray, shape (k, n)
        Numbers to sum.
    first : ndarray of int, shape (segment,)
        First rows, increasing.

    Returns
    -------
    ndarray, shape (k + 1, segment)
        The last row sums the weights alone.
    """
    size, n = partials.shape
    out = np.zeros((size + 1, first.shape[0]))
    for s in range(first.shape[0]):
        begin, end = segment_rows(first, s, n)
        for i in range(begin, end):
            out[size, s] += cotangent[i]
        for k in range(size):
            weighted = 0.0
            for i in range(begin, end):
                weighted += cotangent[i] * partials[k, i]
            out[k, s] = weighted
    return out


@numba.njit(error_model="numpy")
def place_sums(values: Any, place: Any, columns: Any) -> Any:
    """Sums over the rows at each place.

    Parameters
    ----------
    values : ndarray, shape (n,)
        One number per row.
    place : ndarray of int, shape (n,)
        Places.
    columns : ndarray, shape (column, size)
        Columns of a basis; their length is the number of places.

    Returns
    -------
    ndarray, shape (size,)
    """
    out = np.zeros(columns.shape[1])
    for i in range(values.shape[0]):
        out[place[i]] += values[i]
    return out
