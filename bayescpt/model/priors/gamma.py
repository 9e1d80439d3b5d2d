"""Gamma prior."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bayescpt.model.priors.distribution import Distribution
from bayescpt.model.priors.registry import register


@register
class Gamma(Distribution):
    """Gamma with shape ``alpha`` and rate ``beta``."""

    name = "Gamma"
    arguments = ("alpha", "beta")
    positive = ("alpha", "beta")
    examples = (
        {"alpha": 2.0, "beta": 5.0},
        {"alpha": 0.4, "beta": 1.0},
        {"alpha": 40.3, "beta": 0.1},
    )

    def frozen(self, args: Mapping[str, float]) -> Any:
        """Return ``scipy.stats.gamma``.

        Parameters
        ----------
        args : Mapping
            Valid arguments.

        Returns
        -------
        scipy.stats.rv_frozen
        """
        from scipy import stats

        return stats.gamma(args["alpha"], scale=1.0 / args["beta"])

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
        return (0.0, 1.0) if x <= 0 else _gamma_tails(args["alpha"], args["beta"] * x)


def _gamma_tails(shape: float, x: float) -> tuple[float, float]:
    """Tails for a rate of 1, by the series of the incomplete gamma function (DLMF 8.7.1)."""
    if x > shape + 10.0 * math.sqrt(shape) + 100.0:
        return 1.0, 0.0
    term = total = 1.0 / shape
    n = 0
    while term > 1e-17 * total:
        n += 1
        term *= x / (shape + n)
        total += term
    below = min(total * math.exp(shape * math.log(x) - x - math.lgamma(shape)), 1.0)
    return below, 1.0 - below
