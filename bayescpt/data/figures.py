"""How objects of all floors draw themselves: ``present`` has the figures and is loaded by name.

Nothing below ``present`` depends on it; the ``plot`` methods are another way to call it.
"""

from __future__ import annotations

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


def figure(name: str, *args: Any, **options: Any) -> Figure:
    """Draw with a function of `bayescpt.plot`, which loads matplotlib only then.

    Parameters
    ----------
    name : str
        Name of the function.
    *args, **options : Any
        Its arguments.

    Returns
    -------
    matplotlib.figure.Figure
        A new figure outside pyplot's state.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> len(figure("study", load_example("cpt_micro")).axes)
    4
    """
    present = import_module("bayescpt.present")
    drawn: Figure = present.page(getattr(present.plot, name), *args, **options)
    return drawn
