"""Noise: what a measured curve does around the expected one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bayescpt.laws.functions import select
from bayescpt.laws.noise_parameters import (
    CORRELATION_LENGTH,
    DOMAIN_CORRELATION,
    EARLY,
    SIGMA,
    SIGMA_PT,
)
from bayescpt.laws.parameter import Parameter
from bayescpt.laws.term import place

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Chain:
    """Dependence structure of the standardised residuals.

    Attributes
    ----------
    along : array, shape (..., n)
        Correlation with the row before on the same curve.
    across : array, shape (..., n)
        Correlation with the first domain's row of the same run and step.
    previous, partner : array of int, shape (n,)
        Those rows; a row itself where there is none.

    Examples
    --------
    Three rows of one curve, each with correlation .8 to the row before:

    >>> here = np.arange(3)
    >>> along = np.array([0.0, 0.8, 0.8])
    >>> chain = Chain(along, np.zeros(3), np.maximum(here - 1, 0), here)
    >>> from bayescpt.laws.noises.normal import NormalNoise
    >>> z = NormalNoise(ar1=True).sample(np.random.default_rng(1), (9999, 3), {}, chain)
    >>> np.corrcoef(z.T)[0].round(1).tolist()
    [1.0, 0.8, 0.6]
    """

    along: Any
    across: Any
    previous: Any
    partner: Any


class Noise:
    """Noise of the rows: a scale, a family, and correlations.

    Residuals over the scale ``sigma (1 + early exp(-fraction / early_width))`` follow, along a run,
    an AR(1) in step time (correlation ``exp(-gap / corr_fraction)``), and at one step a correlation
    ``domain_corr`` of every other domain with the first; each part only where the card has it.

    How to add a noise model: write one file in bayescpt/laws/noises/, where it is found (or in a
    package of your own), with a subclass, decorated with `register_noise`, and
    give it ``name``, which a card's ``noise.family`` says; `tail_parameters`; and the distribution
    of a standardised residual: `unit_density` and `unit_draws`. A subclass may also replace
    `inflation`, the shape of the scale along a run, with `scale_parameters` and `coefficients`. The
    truth test (tests/laws/test_noise.py) holds draws and density of every registered model to each
    other. Only normal noise without correlations is evaluated in the compiled density; others take
    the compiled mean.

    Parameters
    ----------
    early, ar1, domain_correlation : bool
        Parts of the model, as in a card's ``[noise]`` table.
    continual : bool
        Whether continual pre-training is described.
    pretraining : bool
        Whether pre-training rows are fitted as well.

    Examples
    --------
    >>> noise = NOISES["normal"](early=True, pretraining=False)
    >>> [parameter.name for parameter in noise.parameters]
    ['sigma', 'early', 'early_width']
    >>> p = {"sigma": 0.01, "early": 4.0, "early_width": 0.02}
    >>> noise.scale(p, {"is_cpt": 1.0, "fraction": np.array([0.0, 0.5])}).round(3).tolist()
    [0.05, 0.01]
    >>> noise.log_density(np.array([0.01]), 0.01, p, None).round(3).tolist()
    [3.186]
    """

    name: ClassVar[str]
    # Whether the compiled density is pure machine code, and so can be cached on disk.
    storable: ClassVar[bool] = True

    def __init__(
        self,
        early: bool = False,
        ar1: bool = False,
        domain_correlation: bool = False,
        continual: bool = True,
        pretraining: bool = True,
    ) -> None:
        self.early, self.ar1, self.domain_correlation = early, ar1, domain_correlation
        self.continual, self.pretraining = continual, pretraining

    @property
    def chained(self) -> bool:
        """Whether rows depend on each other."""
        return self.ar1 or self.domain_correlation

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Parameters that are sampled."""
        return (
            *self.scale_parameters,
            *self.tail_parameters,
            *((CORRELATION_LENGTH,) if self.ar1 else ()),
            *((DOMAIN_CORRELATION,) if self.domain_correlation else ()),
        )

    @property
    def scale_parameters(self) -> tuple[Parameter, ...]:
        """Parameters of the scale."""
        both_phases = self.continual and self.pretraining
        return (SIGMA, *((SIGMA_PT,) if both_phases else ()), *(EARLY if self.early else ()))

    @property
    def tail_parameters(self) -> tuple[Parameter, ...]:
        """Parameters of the family."""
        return ()

    def coefficients(
        self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np
    ) -> dict[str, Any]:
        """Parts of the scale shared by the rows of a segment.

        Parameters
        ----------
        p : Mapping
            Values of the parameters for the segment's domain.
        f : Mapping
            ``is_cpt``.
        xp : module
            ``numpy`` or ``pytensor.tensor``.

        Returns
        -------
        dict of str to array
            sigma and, with early noise, early and early_width.
        """
        sigma = p["sigma"]
        if "sigma_pt" in p:
            sigma = select(f["is_cpt"], sigma, p["sigma_pt"], xp)
        if not self.early:
            return {"sigma": sigma}
        # The bump follows a re-warm-up; without CPT, the start.
        early = select(f["is_cpt"], p["early"], 0.0, xp) if self.continual else p["early"]
        return {"sigma": sigma, "early": early, "early_width": p["early_width"]}

    def inflation(self, c: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np) -> Any:
        """Scale of a row relative to that of late rows.

        Parameters
        ----------
        c : Mapping
            From `coefficients`.
        f : Mapping
            ``fraction``, the step over the number of steps.
        xp : module
            ``numpy``, ``pytensor.tensor`` or a substitute.

        Returns
        -------
        array
            At least 1.
        """
        if "early" not in c:
            return 1.0
        return 1.0 + c["early"] * xp.exp(-f["fraction"] / c["early_width"])

    def scale(self, p: Mapping[str, Any], f: Mapping[str, Any], xp: Any = np) -> Any:
        """Return the scale of every row, nats: that of the noise, or of its normal core."""
        c = self.coefficients(p, f, xp)
        return c["sigma"] * self.inflation(c, f, xp)

    def unit_density(self, z: Any, p: Mapping[str, Any], xp: Any = np) -> Any:
        """Log density of a standardised residual.

        Parameters
        ----------
        z : array
            Residual over its scale.
        p : Mapping
            Values of the `tail_parameters`.
        xp : module
            ``numpy`` or ``pytensor.tensor``.

        Returns
        -------
        array
            Shape of `z`.
        """
        raise NotImplementedError

    def unit_draws(
        self, rng: np.random.Generator, shape: tuple[int, ...], p: Mapping[str, Any]
    ) -> Array:
        """Draw independent standardised residuals.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness.
        shape : tuple of int
            Shape of the draws.
        p : Mapping
            Values of the `tail_parameters`, which broadcast.

        Returns
        -------
        ndarray, shape `shape`
        """
        raise NotImplementedError

    def log_density(
        self, residual: Any, scale: Any, p: Mapping[str, Any], chain: Chain | None, xp: Any = np
    ) -> Any:
        """Log density of every row given the preceding ones.

        Parameters
        ----------
        residual, scale : array, shape (n,)
            Observed less expected loss, and the scale, nats.
        p : Mapping
            Values of the `tail_parameters`.
        chain : Chain or None
            Correlations; None for independent rows.
        xp : module
            ``numpy`` or ``pytensor.tensor``.

        Returns
        -------
        array, shape (n,)
        """
        z = residual / scale
        if chain is None:
            return self.unit_density(z, p, xp) - xp.log(scale)
        along, across = xp.sqrt(1.0 - chain.along**2), xp.sqrt(1.0 - chain.across**2)
        innovation = (z - chain.along * z[chain.previous]) / along
        unit = (innovation - chain.across * innovation[chain.partner]) / across
        return self.unit_density(unit, p, xp) - xp.log(scale * along * across)

    def sample(
        self,
        rng: np.random.Generator,
        shape: tuple[int, ...],
        p: Mapping[str, Any],
        chain: Chain | None,
    ) -> Array:
        """Draw standardised residuals of rows.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness.
        shape : tuple of int
            Shape, (..., n).
        p : Mapping
            Values of the `tail_parameters`, which broadcast.
        chain : Chain or None
            Correlations; None for independent rows.

        Returns
        -------
        ndarray, shape (..., n)
        """
        unit = self.unit_draws(rng, shape, p)
        if chain is None:
            return unit
        across, along = np.asarray(chain.across), np.asarray(chain.along)
        z = across * unit[..., chain.partner] + np.sqrt(1.0 - across**2) * unit
        for n, before in enumerate(np.asarray(chain.previous)):
            if before != n:
                a = along[..., n]
                z[..., n] = a * z[..., before] + np.sqrt(1.0 - a**2) * z[..., n]
        return z

    def chain(
        self, p: Mapping[str, Any], gap: Any, paired: Any, previous: Any, partner: Any, xp: Any = np
    ) -> Chain | None:
        """Correlations of rows.

        Parameters
        ----------
        p : Mapping
            Values by row of corr_fraction and domain_corr, where the card has them.
        gap : array, shape (n,)
            Distance to the row before, as a fraction of the run.
        paired : array, shape (n,)
            1 where the row has a partner on the first domain, else 0.
        previous, partner : array of int, shape (n,)
            As in `Chain`.
        xp : module
            ``numpy`` or ``pytensor.tensor``.

        Returns
        -------
        Chain or None
            None where rows are independent.
        """
        if not self.chained:
            return None
        zero = 0.0 * gap
        along = xp.exp(-gap / p["corr_fraction"]) if self.ar1 else zero
        across = p["domain_corr"] * paired if self.domain_correlation else zero
        return Chain(along, across, previous, partner)


# Noise models by their name in noise.family of a card.
NOISES: dict[str, type[Noise]] = {}


def register_noise(noise: type[Noise]) -> type[Noise]:
    """Register a noise model for cards.

    Parameters
    ----------
    noise : type
        Subclass of `Noise`.

    Returns
    -------
    type
        The same, so that it serves as a decorator.

    Raises
    ------
    ValueError
        If another noise model has the name.

    Examples
    --------
    >>> @register_noise
    ... class OwnLaplace(Noise):
    ...     name = "own_laplace"
    ...
    ...     def unit_density(self, z, p, xp=np):
    ...         return -abs(z) - np.log(2.0)
    ...
    ...     def unit_draws(self, rng, shape, p):
    ...         return rng.laplace(size=shape)
    >>> "own_laplace" in NOISES  # and so in cards
    True
    >>> del NOISES["own_laplace"]
    """
    known = NOISES.get(noise.name)
    # Reimporting a module registers its models again.
    if known is not None and place(known) != place(noise):
        raise ValueError(
            f"noise.family = {noise.name!r} is already registered as {known.__qualname__}"
        )
    NOISES[noise.name] = noise
    return noise
