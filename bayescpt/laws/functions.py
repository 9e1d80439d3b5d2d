"""Functions shared by the equations of the law, for NumPy, xarray, PyTensor and screening alike.

An equation is written once, for arrays of any kind: it takes ``exp``, ``log`` and so on from the
module ``xp`` passed to it. If an array type has a better implementation than the plain formula,
such as a symbol with a custom derivative, ``xp`` provides it under the function's name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Below this the Taylor series of expm1(x)/x is exact to the last bit and its derivative does not
# suffer from cancellation.
SERIES_BELOW = 1e-3


def select(condition: Any, yes: Any, no: Any, xp: Any = np) -> Any:
    """One of two values, where a condition holds and where it does not.

    Parameters
    ----------
    condition : bool, float or array
        True or 1 where it holds, False or 0 elsewhere.
    yes, no : array, or function of no argument that gives it
        Finite where they are not selected, too. A function is called only if its value is needed:
        screening spends its time on exponentials.
    xp : module
        ``numpy`` (also for xarray objects), ``pytensor.tensor``, or a substitute.

    Returns
    -------
    array
        Broadcast shape of the arguments; `yes` or `no` itself if the condition is one number.

    Examples
    --------
    >>> select(np.array([1.0, 0.0]), 2.0, 3.0).tolist()
    [2.0, 3.0]
    """
    if isinstance(condition, np.ndarray) and condition.size == 1:
        condition = condition.item()
    if isinstance(condition, bool | int | float | np.bool_):
        return _value(yes if condition else no)
    if hasattr(xp, "switch"):
        return xp.switch(condition, _value(yes), _value(no))
    holds = 1.0 * condition
    return holds * _value(yes) + (1.0 - holds) * _value(no)


def _value(given: Any) -> Any:
    return given() if callable(given) else given


def expm1_ratio(x: Any, xp: Any = np) -> Any:
    """``expm1(x) / x``, smooth and exact through x = 0.

    Parameters
    ----------
    x : array
        Any shape.
    xp : module
        ``numpy`` (also for xarray objects), ``pytensor.tensor``, or a substitute.

    Returns
    -------
    array
        Same shape as `x`; 1 at 0.

    Examples
    --------
    >>> expm1_ratio(np.array([0.0, np.log(2.0)])).round(4).tolist()
    [1.0, 1.4427]
    """
    if hasattr(xp, "expm1_ratio"):
        return xp.expm1_ratio(x)
    small = 1.0 * (abs(x) < SERIES_BELOW)
    near = small * x
    series = 1.0 + near / 2.0 * (1.0 + near / 3.0 * (1.0 + near / 4.0 * (1.0 + near / 5.0)))
    away = x * (1.0 - small) + small
    return small * series + (1.0 - small) * xp.expm1(away) / away


def log_gamma(x: Any, xp: Any = np) -> Any:
    """Logarithm of the gamma function.

    Parameters
    ----------
    x : array
        Positive.
    xp : module
        ``numpy`` or ``pytensor.tensor``.

    Returns
    -------
    array
        Same shape as `x`.

    Examples
    --------
    >>> log_gamma(5.0).round(4).item()  # of 4!
    3.1781
    """
    if hasattr(xp, "gammaln"):
        return xp.gammaln(x)
    from scipy.special import gammaln  # a second to import; most noise models do without

    return gammaln(x)
