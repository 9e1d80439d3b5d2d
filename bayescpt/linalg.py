"""QR and singular values that no processor stumbles over.

OpenBLAS in the wheels of NumPy 2.5 ends the process (a segmentation fault) in a QR decomposition of
more than 128 columns on one thread, with its kernels for AVX2 without AVX-512, as most laptops have
it; `numpy.linalg.svd`, ``lstsq`` and ``pinv`` do too. Larger ones are left to SciPy's LAPACK, which
takes long to import: most commands do without.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# LAPACK decomposes up to so many columns at once, in another routine.
SMALL = 128


def svd(matrix: Array) -> tuple[Array, Array, Array]:
    """Thin singular value decomposition.

    Parameters
    ----------
    matrix : ndarray, shape (M, N)
        Real matrix.

    Returns
    -------
    left : ndarray, shape (M, K)
        K is the smaller of M and N.
    scale : ndarray, shape (K,)
        Singular values, descending.
    right : ndarray, shape (K, N)
        ``(left * scale) @ right`` is the matrix.

    Examples
    --------
    >>> left, scale, right = svd(np.array([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]]))
    >>> scale.tolist()
    [4.0, 3.0]
    """
    if min(matrix.shape) <= SMALL:
        return np.linalg.svd(matrix, full_matrices=False)  # noqa: TID251
    from scipy import linalg

    left, scale, right = linalg.svd(matrix, full_matrices=False, check_finite=False)
    return left, scale, right


def triangle(matrix: Array) -> Array:
    """Triangular factor of a QR decomposition.

    Parameters
    ----------
    matrix : ndarray, shape (M, N)
        Real matrix.

    Returns
    -------
    ndarray, shape (K, N)
        Upper triangular, K the smaller of M and N; ``R.T @ R`` is ``matrix.T @ matrix``.

    Examples
    --------
    >>> abs(triangle(np.array([[3.0], [4.0]]))).round(12).tolist()
    [[5.0]]
    """
    if min(matrix.shape) <= SMALL:
        return np.linalg.qr(matrix, mode="r")  # noqa: TID251
    from scipy import linalg

    (factor,) = linalg.qr(matrix, mode="r", check_finite=False)
    return np.asarray(factor[: min(matrix.shape)])
