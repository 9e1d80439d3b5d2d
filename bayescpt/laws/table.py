"""What a law's parameter is: symbol, unit, range, default prior, source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Parameter:
    """One parameter of a law component.

    Attributes
    ----------
    name : str
        Name in cards and in the posterior.
    symbol : str
        Symbol in the paper.
    unit : str
        Unit of the value; ``nat`` for losses, ``step`` for memory, ``1`` for none.
    dims : tuple of str
        Named dimensions: ``domain``, ``pair`` (domain, target) or ``checkpoint``.
    lower, upper : float
        Range of values that mean something; the prior must stay inside.
    default : Mapping
        Default prior: ``dist`` and its arguments.
    reason : str
        Why the default prior is what it is.
    source : str
        Where the equation stands.
    start : float or None
        Where sampling starts; None means at the prior's centre.
    """

    name: str
    symbol: str
    unit: str
    dims: tuple[str, ...]
    lower: float
    upper: float
    default: Mapping[str, object]
    reason: str
    source: str
    start: float | None = None
