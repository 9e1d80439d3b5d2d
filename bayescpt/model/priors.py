"""Prior distributions of cards: what is allowed, and draws from them without PyMC."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.errors import CardError

# Names and arguments are PyMC's.
DISTRIBUTIONS: dict[str, tuple[str, ...]] = {
    "Normal": ("mu", "sigma"),
    "HalfNormal": ("sigma",),
    "LogNormal": ("mu", "sigma"),
    "Gamma": ("alpha", "beta"),
    "Beta": ("alpha", "beta"),
    "Exponential": ("lam",),
    "Uniform": ("lower", "upper"),
}


@dataclass(frozen=True)
class Prior:
    """A prior: distribution, arguments (PyMC's names) and the reason for it.

    A Normal may carry ``lower`` and ``upper``: it is truncated there.

    Parameters
    ----------
    dist : str
        Name of the distribution, PyMC's.
    args : Mapping
        Its arguments, PyMC's names.
    reason : str
        Why this prior.
    """

    dist: str
    args: Mapping[str, float]
    reason: str

    @property
    def truncated(self) -> bool:
        """Whether it is a Normal with bounds."""
        return self.dist == "Normal" and bool({"lower", "upper"} & set(self.args))

    def __str__(self) -> str:
        """Return the prior as it would be written in PyMC."""
        inside = ", ".join(f"{key}={value:g}" for key, value in self.args.items())
        return f"{'Truncated' if self.truncated else ''}{self.dist}({inside})"

    def frozen(self) -> Any:
        """Return the same distribution of scipy, frozen (its class is private there)."""
        from scipy import stats  # takes a second to import; a saved fit needs only `outside`

        a = dict(self.args)
        if self.truncated:
            low = (a.get("lower", -np.inf) - a["mu"]) / a["sigma"]
            high = (a.get("upper", np.inf) - a["mu"]) / a["sigma"]
            return stats.truncnorm(low, high, loc=a["mu"], scale=a["sigma"])
        made = {
            "Normal": lambda: stats.norm(a["mu"], a["sigma"]),
            "HalfNormal": lambda: stats.halfnorm(scale=a["sigma"]),
            "LogNormal": lambda: stats.lognorm(a["sigma"], scale=np.exp(a["mu"])),
            "Gamma": lambda: stats.gamma(a["alpha"], scale=1.0 / a["beta"]),
            "Beta": lambda: stats.beta(a["alpha"], a["beta"]),
            "Exponential": lambda: stats.expon(scale=1.0 / a["lam"]),
            "Uniform": lambda: stats.uniform(a["lower"], a["upper"] - a["lower"]),
        }
        return made[self.dist]()

    def draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> NDArray[np.float64]:
        """Draw from the prior.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness.
        size : tuple of int
            Shape of the draws.

        Returns
        -------
        ndarray, shape `size`
        """
        return np.asarray(self.frozen().rvs(size=size, random_state=rng))

    def sd(self) -> float:
        """Return the standard deviation of the prior."""
        return float(self.frozen().std())

    def outside(self, lower: float, upper: float) -> float:
        """Probability outside a range.

        Parameters
        ----------
        lower, upper : float
            The range.

        Returns
        -------
        float
        """
        return self._tails(lower)[0] + self._tails(upper)[1]

    def _tails(self, x: float) -> tuple[float, float]:
        """Probability below and above a value."""
        a = self.args
        if self.dist == "Normal":
            return self._normal_tails(x)
        if self.dist == "Uniform":
            share = min(max((x - a["lower"]) / (a["upper"] - a["lower"]), 0.0), 1.0)
            return share, 1.0 - share
        if x <= 0:
            return 0.0, 1.0
        if self.dist == "LogNormal":
            return _unit_tails((math.log(x) - a["mu"]) / a["sigma"])
        if self.dist == "HalfNormal":
            above = 2.0 * _unit_tails(x / a["sigma"])[1]
            return 1.0 - above, above
        if self.dist == "Exponential":
            return -math.expm1(-a["lam"] * x), math.exp(-a["lam"] * x)
        if self.dist == "Gamma":
            return _gamma_tails(a["alpha"], a["beta"] * x)
        frozen = self.frozen()
        return float(frozen.cdf(x)), float(frozen.sf(x))

    def _normal_tails(self, x: float) -> tuple[float, float]:
        a = self.args
        low, high = a.get("lower", -math.inf), a.get("upper", math.inf)
        ends = [
            _unit_tails((at - a["mu"]) / a["sigma"]) for at in (low, min(max(x, low), high), high)
        ]
        (first, _), (below, above), (last, rest) = ends
        whole = last - first
        return (below - first) / whole, (above - rest) / whole


def _unit_tails(z: float) -> tuple[float, float]:
    return 0.5 * math.erfc(-z / math.sqrt(2.0)), 0.5 * math.erfc(z / math.sqrt(2.0))


def _gamma_tails(shape: float, x: float) -> tuple[float, float]:
    """Tails of a Gamma of rate 1, by the series of its incomplete function (DLMF 8.7.1)."""
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


def parse_prior(entry: Mapping[str, object], where: str) -> Prior:
    """Read a prior from a card's table.

    Parameters
    ----------
    entry : Mapping
        ``dist``, its arguments, ``reason``.
    where : str
        What to call it in an error: card and parameter.

    Returns
    -------
    Prior

    Raises
    ------
    CardError
        If the distribution or an argument is unknown, missing or no number, or the reason is
        missing; the message lists what is allowed.
    """
    if not isinstance(entry, Mapping):
        raise CardError(f"{where} = {entry!r} must be a table: dist, its arguments, reason")
    dist = entry.get("dist")
    if not isinstance(dist, str) or dist not in DISTRIBUTIONS:
        raise CardError(
            f"{where}: unknown distribution {dist!r}; allowed are {', '.join(DISTRIBUTIONS)}"
        )
    reason = entry.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise CardError(f"{where}: `reason` is missing; say in a sentence why this prior is chosen")
    given = {key: value for key, value in entry.items() if key not in ("dist", "reason")}
    needed = DISTRIBUTIONS[dist]
    bounds = ("lower", "upper") if dist == "Normal" else ()
    unknown = set(given) - set(needed) - set(bounds)
    missing = set(needed) - set(given)
    if unknown or missing:
        raise CardError(
            f"{where}: {dist} takes {', '.join(needed)}"
            + (" (and lower, upper to truncate)" if bounds else "")
            + f"; got {', '.join(given) or 'none'}"
        )
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise CardError(f"{where}: {key} = {value!r} is not a finite number")
        if key in ("sigma", "alpha", "beta", "lam") and value <= 0:
            raise CardError(f"{where}: {key} = {value!r} must be above 0")
    if "lower" in given and "upper" in given and not given["lower"] < given["upper"]:  # type: ignore[operator]
        raise CardError(f"{where}: lower = {given['lower']} is not below upper = {given['upper']}")
    return Prior(dist, {key: float(value) for key, value in given.items()}, reason.strip())  # type: ignore[arg-type]
