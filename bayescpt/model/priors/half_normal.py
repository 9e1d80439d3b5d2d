"""Half-normal prior."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bayescpt.model.priors.distribution import Distribution
from bayescpt.model.priors.normal import normal_tails
from bayescpt.model.priors.registry import register


@register
class HalfNormal(Distribution):
    """Absolute value of a normal with mean 0 and standard deviation ``sigma``."""

    name = "HalfNormal"
    arguments = ("sigma",)
    positive = ("sigma",)
    examples = ({"sigma": 0.02}, {"sigma": 3.0})

    def frozen(self, args: Mapping[str, float]) -> Any:
        """Return ``scipy.stats.halfnorm``.

        Parameters
        ----------
        args : Mapping
            Valid arguments.

        Returns
        -------
        scipy.stats.rv_frozen
        """
        from scipy import stats

        return stats.halfnorm(scale=args["sigma"])

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
        z = x / args["sigma"]
        # erf is accurate near 0, where 1 - erfc is not.
        return math.erf(z / math.sqrt(2.0)), 2.0 * normal_tails(z)[1]
