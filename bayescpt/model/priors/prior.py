"""Priors of a card, and how to parse them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bayescpt.errors import CardError
from bayescpt.model.priors.distribution import Distribution
from bayescpt.model.priors.registry import RESERVED, find

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Prior:
    """A prior: distribution, arguments and rationale.

    Parameters
    ----------
    dist : str
        Name of a registered distribution, as in PyMC.
    args : Mapping
        Arguments, under PyMC's names. A Normal with ``lower`` or ``upper`` is truncated there.
    reason : str
        Why this prior was chosen.

    Examples
    --------
    >>> from bayescpt.model.priors import Prior
    >>> prior = Prior("Normal", {"mu": 3.0, "sigma": 1.5, "lower": 0.0}, "typical losses")
    >>> print(prior)
    TruncatedNormal(mu=3, sigma=1.5, lower=0)
    >>> round(prior.outside(0.0, 6.0), 4)
    0.0233
    >>> round(prior.sd(), 3)
    1.412
    """

    dist: str
    args: Mapping[str, float]
    reason: str

    @property
    def distribution(self) -> Distribution:
        """The registered distribution."""
        return find(self.dist)

    @property
    def truncated(self) -> bool:
        """Whether it is a Normal with bounds."""
        return self.distribution.pymc_name(self.args) == "TruncatedNormal"

    def to_dict(self) -> dict[str, object]:
        """Return the prior as it stands in a card, the reason included."""
        return {"dist": self.dist, **self.args, "reason": self.reason}

    def __str__(self) -> str:
        """Return the prior as it would be written in PyMC."""
        inside = ", ".join(f"{key}={value:g}" for key, value in self.args.items())
        return f"{self.distribution.pymc_name(self.args)}({inside})"

    def frozen(self) -> Any:
        """Return the frozen SciPy distribution."""
        return self.distribution.frozen(self.args)

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
        import numpy as np

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
        tails = self.distribution.tails
        return tails(lower, self.args)[0] + tails(upper, self.args)[1]

    def random_variable(
        self, name: str, dims: str | tuple[str, ...] | None = None, initval: Any = None
    ) -> Any:
        """Create a random variable with this prior in the PyMC model of the current context.

        Parameters
        ----------
        name : str
            Name of the variable.
        dims : str or tuple of str, optional
            Named dimensions of the model; a scalar by default.
        initval : array, optional
            Initial value for sampling; PyMC's default if not given.

        Returns
        -------
        pytensor.tensor.TensorVariable
        """
        return self.distribution.random_variable(name, self.args, dims, initval)


def parse_prior(entry: Mapping[str, object], where: str) -> Prior:
    """Parse a prior from a table of a card.

    Parameters
    ----------
    entry : Mapping
        ``dist``, its arguments and ``reason``.
    where : str
        Name in error messages: card and parameter.

    Returns
    -------
    Prior

    Raises
    ------
    CardError
        If the distribution or an argument is unknown, an argument is missing or invalid, or the
        reason is missing; the message lists the allowed values.
    """
    if not isinstance(entry, Mapping):
        raise CardError(f"{where} = {entry!r} must be a table: dist, its arguments, reason")
    try:
        distribution = find(entry.get("dist"))
    except CardError as error:
        raise CardError(f"{where}: {error}") from None
    reason = entry.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise CardError(
            f"{where}: `reason` is missing; state in a sentence why this prior was chosen"
        )
    given = {key: value for key, value in entry.items() if key not in RESERVED}
    _check_numbers(given, distribution, where)
    complaint = distribution.complaint(given)  # type: ignore[arg-type]
    if complaint:
        raise CardError(f"{where}: {complaint}")
    args = {key: float(value) for key, value in given.items()}  # type: ignore[arg-type]
    return Prior(distribution.name, args, reason.strip())


def _check_numbers(given: Mapping[str, object], distribution: Distribution, where: str) -> None:
    """Raise unless the arguments are those of the distribution, and finite numbers."""
    needed, optional = distribution.arguments, distribution.optional
    if set(given) - {*needed, *optional} or set(needed) - set(given):
        raise CardError(
            f"{where}: {distribution.name} takes {', '.join(needed)}"
            + (f" (and {', '.join(optional)}, which are optional)" if optional else "")
            + f"; got {', '.join(given) or 'none'}"
        )
    for key, value in given.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        # The comparison also rejects NaN and integers too large for a float.
        if not number or not abs(value) <= sys.float_info.max:  # type: ignore[arg-type]
            raise CardError(f"{where}: {key} = {value!r} is not a finite number")
