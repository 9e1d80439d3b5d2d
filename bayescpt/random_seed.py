"""The name of random seeds: ``random_seed``, as in PyMC, or ``seed``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps


def takes_seed[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Let a function with a parameter ``random_seed`` take it as ``seed`` too.

    Parameters
    ----------
    function : callable
        Function or method with a parameter ``random_seed``.

    Returns
    -------
    callable
        The same function; an error is raised if it is called with both names.

    Examples
    --------
    >>> @takes_seed
    ... def draw(n, random_seed=0):
    ...     return n, random_seed
    >>> draw(2, seed=7), draw(2, random_seed=7), draw(2, 7)
    ((2, 7), (2, 7), (2, 7))
    """

    @wraps(function)
    def _call(*args: P.args, **kwargs: P.kwargs) -> R:
        if "seed" in kwargs:
            if "random_seed" in kwargs:
                raise TypeError(
                    f"{function.__name__}() got both random_seed and seed, which are the same; "
                    "give one"
                )
            kwargs["random_seed"] = kwargs.pop("seed")
        return function(*args, **kwargs)

    return _call
