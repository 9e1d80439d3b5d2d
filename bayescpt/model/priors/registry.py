"""Registry of the distributions available as priors."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bayescpt.errors import CardError
from bayescpt.model.priors.distribution import Distribution

_registered: dict[str, Distribution] = {}

# Read-only live view by name.
DISTRIBUTIONS: Mapping[str, Distribution] = MappingProxyType(_registered)

# Keys of a card's prior that are not arguments.
RESERVED = ("dist", "reason")


def register[D: Distribution](cls: type[D]) -> type[D]:
    """Register a distribution as a prior; use as a class decorator.

    Parameters
    ----------
    cls : type
        Class derived from `Distribution`.

    Returns
    -------
    type
        The same class.

    Raises
    ------
    CardError
        If `name` or `arguments` is missing, an argument name is reserved or repeated, or another
        class has registered the name. Redefining the same class, as when a notebook cell is rerun,
        replaces it.
    """
    distribution, where = cls(), cls.__qualname__
    name = getattr(distribution, "name", None)
    if not isinstance(name, str) or not name:
        raise CardError(f"{where}: `name` must be PyMC's name of the distribution, not {name!r}")
    keys = (*getattr(distribution, "arguments", ()), *distribution.optional)
    if not getattr(distribution, "arguments", ()) or len(set(keys) - set(RESERVED)) < len(keys):
        raise CardError(
            f"{where}: `arguments` and `optional` must name at least one argument, each once, "
            f"and none called {' or '.join(RESERVED)}; got {', '.join(keys) or 'none'}"
        )
    unknown = set(distribution.positive) - set(keys)
    if unknown:
        raise CardError(f"{where}: `positive` has unknown arguments: {', '.join(sorted(unknown))}")
    other = type(_registered.get(name, distribution))
    if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
        raise CardError(
            f"{where}: {other.__module__}.{other.__qualname__} has already registered {name!r}; "
            "unregister it first"
        )
    _registered[name] = distribution
    return cls


def unregister(name: str) -> None:
    """Remove a distribution from the registry.

    Parameters
    ----------
    name : str
        Name in cards.

    Raises
    ------
    CardError
        If no distribution of that name is registered.
    """
    find(name)
    del _registered[name]


def find(name: object) -> Distribution:
    """Look up a registered distribution by name.

    Parameters
    ----------
    name : object
        Name in cards.

    Returns
    -------
    Distribution

    Raises
    ------
    CardError
        If no distribution of that name is registered; the message lists the registered ones.
    """
    if not isinstance(name, str) or name not in _registered:
        raise CardError(f"unknown distribution {name!r}; allowed are {', '.join(_registered)}")
    return _registered[name]
