"""Interpolation at Chebyshev nodes: a fixed matrix times weights that a sampler differentiates."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_NEARLY_1 = 1.0 - 1e-12


def chebyshev_nodes(n_nodes: int, low: float, high: float) -> Array:
    """Chebyshev nodes of an interval.

    Parameters
    ----------
    n_nodes : int
        Number of nodes J.
    low, high : float
        Ends of the interval.

    Returns
    -------
    ndarray, shape (n_nodes,)
        In ascending order, inside the interval.

    Examples
    --------
    >>> from bayescpt.data.chebyshev import chebyshev_nodes
    >>> chebyshev_nodes(2, -1.0, 1.0).round(3).tolist()
    [-0.707, 0.707]
    """
    angles = np.pi * (2.0 * np.arange(n_nodes) + 1.0) / (2.0 * n_nodes)
    return (low + high) / 2.0 - (high - low) / 2.0 * np.cos(angles)


def chebyshev_weights(x: Any, nodes: ArrayLike, xp: ModuleType = np) -> Any:
    """Weights of the nodes for the interpolation at a point.

    The polynomial through the nodes x_j = cos((j + 1/2) pi / J) is a cosine series: with
    x = cos(theta), w_j = (1 + 2 sum_{k=1..J-1} cos(k theta_j) cos(k theta)) / J. It takes J cosines
    and a fixed matrix, whereas Lagrange's form has J^2 factors.

    Parameters
    ----------
    x : float, array or PyTensor variable, shape (...)
        Where to interpolate; values outside the interval are set to its ends.
    nodes : array_like, shape (J,)
        From `chebyshev_nodes`.
    xp : module
        Module with ``cos``, ``arccos`` and ``clip``: numpy, or pytensor.tensor for a symbol.

    Returns
    -------
    array of the kind of `x`, shape (..., J)
        Weights; they sum to 1.

    Examples
    --------
    >>> from bayescpt.data.chebyshev import chebyshev_nodes, chebyshev_weights
    >>> nodes = chebyshev_nodes(8, 0.0, 1.0)
    >>> (chebyshev_weights(np.array(0.3), nodes) @ np.exp(nodes) / np.exp(0.3)).round(7).item()
    1.0
    """
    at = np.asarray(nodes, dtype=np.float64)
    orders = np.arange(at.size)
    # `chebyshev_nodes` is in ascending order, its angles are in descending order.
    angles = np.pi * (orders[::-1] + 0.5) / at.size
    series = np.where(orders[:, None] == 0, 1.0, 2.0) * np.cos(np.outer(orders, angles)) / at.size
    center = (at[0] + at[-1]) / 2.0
    reach = (at[-1] - at[0]) / (2.0 * np.cos(angles[-1])) if at.size > 1 else np.inf
    # The derivative of arccos is infinite at -1 and 1.
    scaled = xp.clip((x - center) / reach, -_NEARLY_1, _NEARLY_1)
    cosines = xp.cos(xp.arccos(scaled)[..., None] * orders)
    return (cosines[..., None] * series).sum(axis=-2)
