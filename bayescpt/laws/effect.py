"""Effects of runs: shapes by which a whole run deviates from the law, and their sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from bayescpt.laws.parameter import Parameter

if TYPE_CHECKING:
    from bayescpt.laws.view import View


@dataclass(frozen=True)
class Effect:
    """One kind of deviation of a whole run, with a column that gives its size on every row.

    Attributes
    ----------
    name : str
        Name in cards (``noise.run_effects``).
    column : callable
        Takes the term that has the effect and a `View` of n steps; gives what an effect of 1 nat
        does to the loss, shape (n,). A function with a name, for cards are sent to other processes.
    group : str
        Effects of one group share the ratio of their size to their unit.
    share : float or None
        Unit as a share of the parameter that `size` names; None: the unit of the course, see
        `bayescpt.forecast.discrepancy.spread`.
    size : Mapping of str to str
        By phase, the parameter whose share is the unit.
    inherited : bool
        Whether a branch has it from its trunk, as it carries on with the trunk's weights.
    grows : bool
        Whether it grows along a run.
    ratio : float
        Its size relative to that of other effects, in a likelihood that has them: such a card has
        one size, ``run_sd``.

    Examples
    --------
    A run that is off by more and more:

    >>> effect = Effect("bend", lambda term, view: view.fraction**2)
    >>> effect.group, effect.grows, effect.inherited
    ('course', True, False)
    """

    name: str
    column: Callable[[Any, View], NDArray[Any]]
    group: str = "course"
    share: float | None = None
    size: Mapping[str, str] | None = None
    inherited: bool = False
    grows: bool = True
    ratio: float = 1.0


RUN_SD = Parameter(
    "run_sd", "tau", "nat", ("domain",), 0.0, 1.0,
    {"dist": "LogNormal", "mu": -4.6, "sigma": 1.0},
    "a run differs from the law by about as much as its losses do: .01 nats on small models, a "
    "tenth of that on large ones",
    "bayescpt: standard deviation of an effect of runs over its ratio, see Effect",
    start=0.03,
)  # fmt: skip
