"""What a parameter of the law is: symbol, unit, dimensions, range, default prior, source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bayescpt.laws.pilots import Change


class Advice(NamedTuple):
    """Question left open by a weakly informed parameter, and the pilot runs that would answer it.

    Attributes
    ----------
    question : str
        What the pilot runs do not determine, such as "the replay response".
    changes : tuple of callable
        Functions of `bayescpt.laws.pilots`, best first: each proposes a run to add, one of the
        pilots with one change, or None where the study leaves no such run to add. A function of
        your own takes the `Pilots` and returns a `Proposal`.

    Examples
    --------
    >>> from bayescpt.laws.pilots import another_peak, another_replay
    >>> Advice("the replay response", (another_replay, another_peak)).question
    'the replay response'
    """

    question: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a term of the law, or of the noise.

    Attributes
    ----------
    name : str
        Name in cards and in the posterior.
    symbol : str
        Symbol in the paper.
    unit : str
        Unit of the value; ``nat`` for losses, ``step`` for memory, ``1`` for none.
    dims : tuple of str
        Named dimensions, any number: ``domain`` (evaluated domain), ``pair`` (evaluated domain and
        target), ``sized`` (the same at every model size), ``side`` (of the general set, of
        targets or of other sets; for populations of targets only), ``other`` (evaluated domain but
        the first).
    lower, upper : float
        Range of values that mean something; the prior must stay inside.
    default : Mapping
        Default prior: ``dist`` and its arguments.
    reason : str
        Why the default prior is what it is.
    source : str
        Source of the equation.
    advice : Advice or None
        Pilot runs that would determine it; None for parameters of the noise.
    start : float or None
        Where sampling starts; None means at the prior's centre.
    outside : float
        Prior mass that may lie outside the range.

    Examples
    --------
    >>> Parameter(
    ...     "alpha_s1", "alpha", "1", ("domain",), 0.0, 10.0,
    ...     {"dist": "LogNormal", "mu": -0.6, "sigma": 0.15}, "published fits", "arXiv 2505.07796",
    ... ).unit
    '1'
    """  # fmt: skip

    name: str
    symbol: str
    unit: str
    dims: tuple[str, ...]
    lower: float
    upper: float
    default: Mapping[str, object]
    reason: str
    source: str
    advice: Advice | None = None
    start: float | None = None
    outside: float = 1e-3
