"""The registered risk measures, by name."""

from __future__ import annotations

from bayescpt.decide.risks.base import RiskMeasure
from bayescpt.errors import PlanError

_MEASURES: dict[str, RiskMeasure] = {}
# Columns of the tables of `compare` and `screen` that belong to no measure.
RESERVED = ("best_step", "eligible", "joint", "mcse", "outside", "prob_best")


def register[M: RiskMeasure](measure: type[M]) -> type[M]:
    """Register a risk measure; for use as a decorator.

    Parameters
    ----------
    measure : type
        Class derived from `RiskMeasure`. A class of the same module and name replaces the earlier
        one, so that a notebook cell can be run twice.

    Returns
    -------
    type
        The same class.

    Raises
    ------
    PlanError
        If it is not a complete risk measure, has no name, or its name or column is taken.

    Examples
    --------
    >>> from bayescpt.decide.risks import RiskMeasure, names, register, unregister
    >>> @register
    ... class Squared(RiskMeasure):
    ...     name = "squared"
    ...
    ...     def contributions(self, losses, level=0.9):
    ...         return losses**2
    >>> "squared" in names()
    True
    >>> unregister("squared")
    """
    if not (isinstance(measure, type) and issubclass(measure, RiskMeasure)):
        raise PlanError(f"{measure!r} is not a risk measure; derive a class from RiskMeasure")
    missing = sorted(measure.__abstractmethods__)
    if missing:
        raise PlanError(f"risk measure {measure.__name__} lacks {', '.join(missing)}")
    if not measure.name:
        raise PlanError(f"risk measure {measure.__name__} has no name; set its class attribute")
    added = measure()
    for other in _MEASURES.values():
        if _identity(type(other)) == _identity(measure):
            continue
        if other.name == added.name:
            raise PlanError(
                f"a risk measure {added.name!r} exists ({type(other).__name__}); choose another "
                "name, or unregister it first"
            )
        if other.column == added.column:
            raise PlanError(
                f"column {added.column!r} of risk measure {added.name!r} is that of {other.name!r}"
            )
    if added.column in RESERVED:
        raise PlanError(
            f"column {added.column!r} of risk measure {added.name!r} is taken; none of "
            f"{list(RESERVED)} will do"
        )
    _MEASURES[added.name] = added
    return measure


def _identity(measure: type[RiskMeasure]) -> tuple[str, str]:
    return measure.__module__, measure.__qualname__


def unregister(name: str) -> None:
    """Remove a registered risk measure.

    Parameters
    ----------
    name : str
        Name of the measure.

    Raises
    ------
    PlanError
        If no measure has that name.
    """
    get(name)
    del _MEASURES[name]


def get(name: str) -> RiskMeasure:
    """Return the risk measure of a name.

    Parameters
    ----------
    name : str
        Name of the measure.

    Returns
    -------
    RiskMeasure
        The registered instance.

    Raises
    ------
    PlanError
        If no measure has that name; the message lists those there are.

    Examples
    --------
    >>> from bayescpt.decide import risks
    >>> print(risks.get("cvar").value([3.0, 3.1, 3.2, 3.5], level=0.75))
    3.5
    """
    if not isinstance(name, str) or name not in _MEASURES:
        raise PlanError(f"risk is {name!r}; it must be one of {names()}")
    return _MEASURES[name]


def names() -> list[str]:
    """Return the names of the registered risk measures.

    Returns
    -------
    list of str
        In the order of `measures`.

    Examples
    --------
    >>> from bayescpt.decide import risks
    >>> "cvar" in risks.names()
    True
    """
    return [measure.name for measure in measures()]


def measures() -> list[RiskMeasure]:
    """Return the registered risk measures.

    Returns
    -------
    list of RiskMeasure
        By their `position`, and those of equal position in the order of registration.
    """
    return sorted(_MEASURES.values(), key=lambda measure: measure.position)
