"""Exponentials and logarithms of lanes, as plain arithmetic.

Those of the C library are calls for one number at a time. These are accurate to 2 units in the last
place and several times faster.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from bayescpt.laws.functions import SERIES_BELOW
from bayescpt.model.compiled.lanes import ROUND, below, exponent, mantissa, power_of_two, spread

_INLINED: dict[str, Any] = {"error_model": "numpy", "forceinline": True}

_TINY = 1e-300
_LOG2_E = 1.4426950408889634
# log 2 as a sum, the first part with trailing zeros (fdlibm).
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# exp over- or underflows soon beyond these limits; arguments are clipped to them.
_LOWEST, _HIGHEST = -708.0, 709.0


@numba.njit(**_INLINED)
def _reduced(x: Any) -> Any:
    """2^k and expm1(r), for x = k log 2 + r with abs(r) <= log(2) / 2; NaN propagates."""
    lowest, highest = spread(_LOWEST), spread(_HIGHEST)
    within = below(x, lowest, lowest, below(highest, x, highest, x))
    bits = within * _LOG2_E + ROUND
    k = bits - ROUND
    r = (within - k * _LN2_HIGH) - k * _LN2_LOW
    # Taylor: 14 terms leave 2e-17 at log(2) / 2. Terms are paired to shorten dependency chains.
    r2 = r * r
    r4 = r2 * r2
    low = (0.5 + r * (1.0 / 6.0)) + r2 * (1.0 / 24.0 + r * (1.0 / 120.0))
    mid = (1.0 / 720.0 + r * (1.0 / 5040.0)) + r2 * (1.0 / 40320.0 + r * (1.0 / 362880.0))
    high = (1.0 / 3628800.0 + r * (1.0 / 39916800.0)) + r2 * (
        1.0 / 479001600.0 + r * (1.0 / 6227020800.0) + r2 * (1.0 / 87178291200.0)
    )
    p = low + r4 * (mid + r4 * high)
    return power_of_two(bits), r + r2 * p


@numba.njit(**_INLINED)
def exp(x: Any) -> Any:
    """Exponential.

    Parameters
    ----------
    x : lanes
        Clipped to -708..709.

    Returns
    -------
    lanes
    """
    scale, rest = _reduced(x)
    return scale + scale * rest


@numba.njit(**_INLINED)
def expm1(x: Any) -> Any:
    """Exponential minus 1, accurate for small x.

    Parameters
    ----------
    x : lanes
        As for `exp`.

    Returns
    -------
    lanes
    """
    scale, rest = _reduced(x)
    return scale * rest + (scale - 1.0)


@numba.njit(**_INLINED)
def log(x: Any) -> Any:
    """Natural logarithm.

    Parameters
    ----------
    x : lanes
        Not denormal; inf and NaN propagate.

    Returns
    -------
    lanes
        -inf for 0, NaN for negative numbers.
    """
    none = spread(0.0)
    # For NaN neither comparison holds, and NaN - inf is NaN.
    return below(none, x, _log_positive(x), below(x, none, spread(np.nan), x - np.inf))


@numba.njit(**_INLINED)
def _log_positive(x: Any) -> Any:
    """Logarithm of a positive number."""
    f = mantissa(x) - 1.0
    s = f / (f + 2.0)
    z = s * s
    # fdlibm's polynomial for log(1 + f) = log((1 + s) / (1 - s)), with error below 2^-58.
    w = z * z
    even = 1.818357216161805012e-01 + w * 1.479819860511658591e-01
    even = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01 + w * even))
    odd = 2.222219843214978396e-01 + w * 1.531383769920937332e-01
    odd = w * (3.999999999940941908e-01 + w * odd)
    half = 0.5 * f * f
    whole = exponent(x) - ROUND
    result = whole * _LN2_HIGH - ((half - (s * (half + (odd + even)) + whole * _LN2_LOW)) - f)
    return below(x, spread(np.inf), result, x)


@numba.njit(**_INLINED)
def log1p_inverse(x: Any) -> Any:
    """Logarithm of 1 + x, and 1 / (1 + x), a by-product.

    Parameters
    ----------
    x : lanes
        Above -1.

    Returns
    -------
    logarithm, inverse : lanes
    """
    t = x + 1.0
    inverse = 1.0 / t
    # Correct for the rounding of the sum.
    return _log_positive(t) + (x - (t - 1.0)) * inverse, inverse


@numba.njit(**_INLINED)
def expm1_ratio(x: Any) -> Any:
    """``expm1(x) / x`` and its derivative, both smooth through x = 0.

    Parameters
    ----------
    x : lanes
        As for `exp`.

    Returns
    -------
    ratio, slope : lanes
    """
    # Avoid 0 / 0 at x = 0, where the ratio is 1.
    moved = x + _TINY
    left, inverse = expm1(moved), 1.0 / moved
    ratio = left * inverse
    series = 0.5 + x * (1.0 / 3.0 + x * (0.125 + x * (1.0 / 30.0)))
    away = (1.0 + left - ratio) * inverse
    size = below(x, spread(0.0), -x, x)
    return ratio, below(size, spread(SERIES_BELOW), series, away)
