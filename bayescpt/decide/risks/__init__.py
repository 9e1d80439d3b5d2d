"""Risk measures: one file each, found when this package is imported.

`RiskMeasure` says how to add one.
"""

from importlib import import_module
from pkgutil import iter_modules

from bayescpt.decide.risks.base import RiskMeasure, check_level
from bayescpt.decide.risks.registry import get, measures, names, register, unregister

__all__ = [
    "RiskMeasure",
    "check_level",
    "get",
    "measures",
    "names",
    "register",
    "unregister",
]

# Importing a measure's file registers it.
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
