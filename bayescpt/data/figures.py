"""How objects of all floors draw themselves: ``present`` has the figures and is loaded by name.

Nothing below ``present`` depends on it; the ``plot`` methods are another way to call it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol


class Figure(Protocol):
    """What is drawn: a `matplotlib.figure.Figure`, of which this is the part to save it."""

    def savefig(self, fname: Any, **kwargs: Any) -> None:
        """Write the figure to a file.

        Parameters
        ----------
        fname : str or Path
            The file.
        **kwargs
            Such as ``dpi``.
        """
        ...  # pragma: no cover


def figure(name: str) -> Callable[..., Any]:
    """Return a function of `bayescpt.present`, which loads matplotlib when it is called.

    Parameters
    ----------
    name : str
        Name of the function.

    Returns
    -------
    callable

    Examples
    --------
    >>> figure("plot_forecast").__name__
    'plot_forecast'
    """
    function: Callable[..., Any] = getattr(import_module("bayescpt.present"), name)
    return function
