"""Log-normal prior."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bayescpt.model.priors.distribution import Distribution
from bayescpt.model.priors.normal import normal_tails
from bayescpt.model.priors.registry import register


@register
class LogNormal(Distribution):
    """Exponential of a normal with mean ``mu`` and standard deviation ``sigma``."""

    name = "LogNormal"
    arguments = ("mu", "sigma")
    positive = ("sigma",)
    examples = ({"mu": -2.3, "sigma": 0.8}, {"mu": 4.0, "sigma": 2.0})

    def frozen(self, args: Mapping[str, float]) -> Any:
        """Return ``scipy.stats.lognorm``.

        Parameters
        ----------
        args : Mapping
            Valid arguments.

        Returns
        -------
        scipy.stats.rv_frozen
        """
        from scipy import stats

        return stats.lognorm(args["sigma"], scale=math.exp(args["mu"]))

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
        return normal_tails((math.log(x) - args["mu"]) / args["sigma"])
