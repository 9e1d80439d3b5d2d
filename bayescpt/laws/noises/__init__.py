"""Noise models, one file each: importing the package registers them all."""

from importlib import import_module
from pkgutil import iter_modules

from bayescpt.laws.noise import NOISES

for _found in iter_modules(__path__):
    import_module(f"{__name__}.{_found.name}")

__all__ = ["NOISES"]
