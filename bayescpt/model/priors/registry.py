"""Which distributions a card may name as priors."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bayescpt.errors import CardError
from bayescpt.model.priors.distribution import Distribution

_registered: dict[str, Distribution] = {}

# Read-only view by name; it follows later registrations.
DISTRIBUTIONS: Mapping[str, Distribution] = MappingProxyType(_registered)

# Keys of a card's prior that are not arguments.
RESERVED = ("dist", "reason")


def register[D: Distribution](cls: type[D]) -> type[D]:
    """Let cards name a distribution as a prior; use it as a class decorator.

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
        If `name` or `arguments` is missing, an argument has a reserved or a repeated name, or
        another class has registered the name. Defining the same class again, as a notebook cell
        that is run twice does, replaces it.
    """
    made, where = cls(), cls.__qualname__
    name = getattr(made, "name", None)
    if not isinstance(name, str) or not name:
        raise CardError(f"{where}: `name` must be PyMC's name of the distribution, not {name!r}")
    keys = (*getattr(made, "arguments", ()), *made.optional)
    if not getattr(made, "arguments", ()) or len(set(keys) - set(RESERVED)) < len(keys):
        raise CardError(
            f"{where}: `arguments` and `optional` must name at least one argument, each once and "
            f"none {' or '.join(RESERVED)}; they have {', '.join(keys) or 'none'}"
        )
    unknown = set(made.positive) - set(keys)
    if unknown:
        raise CardError(f"{where}: `positive` names no argument: {', '.join(sorted(unknown))}")
    other = type(_registered.get(name, made))
    if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
        raise CardError(
            f"{where}: {other.__module__}.{other.__qualname__} has registered {name!r} already; "
            "unregister it first"
        )
    _registered[name] = made
    return cls


def unregister(name: str) -> None:
    """Take a distribution out of the registry.

    Parameters
    ----------
    name : str
        Its name in cards.

    Raises
    ------
    CardError
        If no distribution of that name is registered.
    """
    find(name)
    del _registered[name]


def find(name: object) -> Distribution:
    """Registered distribution of a name.

    Parameters
    ----------
    name : object
        Name in cards; anything but the name of a registered distribution is an error.

    Returns
    -------
    Distribution

    Raises
    ------
    CardError
        If no distribution of that name is registered; the message lists those that are.
    """
    if not isinstance(name, str) or name not in _registered:
        raise CardError(f"unknown distribution {name!r}; allowed are {', '.join(_registered)}")
    return _registered[name]
