"""Normal prior, truncated if bounds are given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bayescpt.model.priors.distribution import Distribution
from bayescpt.model.priors.registry import register

# Far out in a tail, even log densities lose accuracy.
_LEAST_MASS = 1e-100


@register
class Normal(Distribution):
    """Normal with mean ``mu`` and standard deviation ``sigma``, both before any truncation."""

    name = "Normal"
    arguments = ("mu", "sigma")
    optional = ("lower", "upper")
    positive = ("sigma",)
    examples = (
        {"mu": 0.3, "sigma": 1.2},
        {"mu": 4.6, "sigma": 1.5, "lower": 0.7, "upper": 8.5},
        {"mu": 0.5, "sigma": 2.0, "lower": 0.0},
        {"mu": 0.5, "sigma": 2.0, "upper": 1.0},
    )

    def complaint(self, args: Mapping[str, float]) -> str | None:
        """Describe an error in the values of the arguments, or return None.

        Parameters
        ----------
        args : Mapping
            ``mu``, ``sigma`` and any bounds.

        Returns
        -------
        str or None
        """
        complaint = super().complaint(args)
        if complaint is None:
            low, high = ((at - args["mu"]) / args["sigma"] for at in _bounds(args))
            if _between(low, high) < _LEAST_MASS:
                complaint = (
                    f"Normal(mu={args['mu']:g}, sigma={args['sigma']:g}) has no mass "
                    f"between lower = {_bounds(args)[0]:g} and upper = {_bounds(args)[1]:g}"
                )
        return complaint

    def pymc_name(self, args: Mapping[str, float]) -> str:
        """``TruncatedNormal`` if there are bounds, else ``Normal``.

        Parameters
        ----------
        args : Mapping
            Valid arguments.

        Returns
        -------
        str
        """
        return "TruncatedNormal" if {"lower", "upper"} & set(args) else "Normal"

    def frozen(self, args: Mapping[str, float]) -> Any:
        """Return ``scipy.stats.norm`` or ``scipy.stats.truncnorm``.

        Parameters
        ----------
        args : Mapping
            Valid arguments.

        Returns
        -------
        scipy.stats.rv_frozen
        """
        from scipy import stats

        mu, sigma = args["mu"], args["sigma"]
        if self.pymc_name(args) == "Normal":
            return stats.norm(mu, sigma)
        low, high = _bounds(args)
        return stats.truncnorm((low - mu) / sigma, (high - mu) / sigma, loc=mu, scale=sigma)

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
        low, high = _bounds(args)
        low, x, high = (
            (at - args["mu"]) / args["sigma"] for at in (low, min(max(x, low), high), high)
        )
        whole = _between(low, high)
        return _between(low, x) / whole, _between(x, high) / whole


def normal_tails(z: float) -> tuple[float, float]:
    """Probability below and above a value under the standard normal.

    Parameters
    ----------
    z : float
        The value.

    Returns
    -------
    below, above : float
    """
    return 0.5 * math.erfc(-z / math.sqrt(2.0)), 0.5 * math.erfc(z / math.sqrt(2.0))


def _bounds(args: Mapping[str, float]) -> tuple[float, float]:
    return args.get("lower", -math.inf), args.get("upper", math.inf)


def _between(low: float, high: float) -> float:
    """Standard normal probability between two values, as a difference of the smaller tails."""
    if low > 0:
        return normal_tails(low)[1] - normal_tails(high)[1]
    return normal_tails(high)[0] - normal_tails(low)[0]
