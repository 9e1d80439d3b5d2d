"""Uniform prior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayescpt.model.priors.distribution import Distribution
from bayescpt.model.priors.registry import register


@register
class Uniform(Distribution):
    """Uniform from ``lower`` to ``upper``."""

    name = "Uniform"
    arguments = ("lower", "upper")
    examples = ({"lower": -0.95, "upper": 0.95},)

    def frozen(self, args: Mapping[str, float]) -> Any:
        """Return ``scipy.stats.uniform``.

        Parameters
        ----------
        args : Mapping
            Valid arguments.

        Returns
        -------
        scipy.stats.rv_frozen
        """
        from scipy import stats

        return stats.uniform(args["lower"], args["upper"] - args["lower"])

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
        width = args["upper"] - args["lower"]
        below = min(max((x - args["lower"]) / width, 0.0), 1.0)
        return below, 1.0 - below
