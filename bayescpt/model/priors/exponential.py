"""Exponential prior."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bayescpt.model.priors.distribution import Distribution
from bayescpt.model.priors.registry import register


@register
class Exponential(Distribution):
    """Exponential with rate ``lam``."""

    name = "Exponential"
    arguments = ("lam",)
    positive = ("lam",)
    examples = ({"lam": 4.0},)

    def frozen(self, args: Mapping[str, float]) -> Any:
        """Return ``scipy.stats.expon``.

        Parameters
        ----------
        args : Mapping
            Valid arguments.

        Returns
        -------
        scipy.stats.rv_frozen
        """
        from scipy import stats

        return stats.expon(scale=1.0 / args["lam"])

    def tails(self, x: float, args: Mapping[str, float]) -> tuple[float, float]:
        """Probability below and above a value.

        Parameters
        ----------
        x : float
            The value.
        args : Mapping
            Valid arguments.

        Returns
        -------
        below, above : float
        """
        if x <= 0:
            return 0.0, 1.0
        return -math.expm1(-args["lam"] * x), math.exp(-args["lam"] * x)
