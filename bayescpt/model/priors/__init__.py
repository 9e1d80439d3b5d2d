"""Prior distributions of cards; `Distribution` documents how to add one."""

import pkgutil
from importlib import import_module

from bayescpt.model.priors.distribution import Distribution
from bayescpt.model.priors.prior import Prior, parse_prior
from bayescpt.model.priors.registry import DISTRIBUTIONS, find, register, unregister

__all__ = [
    "DISTRIBUTIONS",
    "Distribution",
    "Prior",
    "find",
    "parse_prior",
    "register",
    "unregister",
]

# Each module of this package that defines a distribution registers it on import.
for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    import_module(_module.name)
