"""Beta prior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayescpt.model.priors.distribution import Distribution
from bayescpt.model.priors.registry import register


@register
class Beta(Distribution):
    """Beta on 0..1 with shapes ``alpha`` and ``beta``."""

    name = "Beta"
    arguments = ("alpha", "beta")
    positive = ("alpha", "beta")
    examples = ({"alpha": 2.0, "beta": 3.0}, {"alpha": 0.7, "beta": 5.0})

    def frozen(self, args: Mapping[str, float]) -> Any:
        """Return ``scipy.stats.beta``.

        Parameters
        ----------
        args : Mapping
            Valid arguments.

        Returns
        -------
        scipy.stats.rv_frozen
        """
        from scipy import stats

        return stats.beta(args["alpha"], args["beta"])
