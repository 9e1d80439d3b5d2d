"""Noise of a new curve around its expected loss, by draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.posterior import Draws
from bayescpt.model.rows import NO_ROW_BEFORE

Array = NDArray[np.float64]


def plan_rng(seed: int, name: str) -> np.random.Generator:
    """Random generator of a plan, independent of the other plans.

    Parameters
    ----------
    seed : int
        Seed of the forecast.
    name : str
        Name of the plan.

    Returns
    -------
    numpy.random.Generator
    """
    entropy = [seed, *name.encode()]
    # An array of 32-bit words gives the same generator as the list, faster.
    return np.random.default_rng(
        np.array(entropy, dtype=np.uint32) if 0 <= seed < 2**32 else entropy
    )


@dataclass
class NoiseSoFar:
    """Where the correlated noise of a curve stands that is drawn block by block of steps.

    Attributes
    ----------
    fraction : float
        Last step drawn, as a fraction of the run; far before the run where none was.
    unit : ndarray, shape (domains, draws), or None
        Standardised noise at that step.
    """

    fraction: float = -NO_ROW_BEFORE
    unit: Array | None = None

    def carry_on(self, unit: Array, along: Array, fraction: float) -> None:
        """Make a block that was drawn by itself follow the one before.

        Parameters
        ----------
        unit : ndarray, shape (domains, draws, n)
            Standardised noise of the block, whose first step was drawn without regard to the step
            before; changed in place.
        along : ndarray, shape (domains, draws, n)
            Correlation of each step with the one before.
        fraction : float
            Last step of the block.
        """
        if self.unit is not None:
            # The recursion is linear: a change of the first step fades along the block.
            first = along[..., 0]
            change = first * self.unit + (np.sqrt(1.0 - first**2) - 1.0) * unit[..., 0]
            fading = along.copy()
            fading[..., 0] = change
            unit += np.cumprod(fading, axis=-1)
        self.unit, self.fraction = unit[..., -1].copy(), fraction


def simulate_noise(
    draws: Draws,
    is_cpt: bool,
    fraction: Array,
    rng: np.random.Generator,
    scale: Array | None = None,
    so_far: NoiseSoFar | None = None,
) -> Array:
    """Simulate the noise of one run on all domains under the card's noise model.

    Parameters
    ----------
    draws : Draws
        Posterior.
    is_cpt : bool
        Whether it is continual pre-training.
    fraction : ndarray, shape (n,)
        Steps as a fraction of the run, increasing.
    rng : numpy.random.Generator
        Source of randomness.
    scale : ndarray, shape (domains, draws, n), optional
        Output of `noise_scale`, if already computed.
    so_far : NoiseSoFar, optional
        Where the noise stands after the steps before, from which correlated noise carries on; it
        is brought up to date.

    Returns
    -------
    ndarray, shape (domains, draws, n)
        Nats.
    """
    noise, n_domains, n = draws.card.noise, len(draws.labels.domain), fraction.size
    tails = {p.name: draws.value(p.name) for p in noise.tail_parameters}
    if noise.chained:
        unit = _chained(draws, fraction, rng, so_far)
    else:
        by_draw = {name: value[None, :, None] for name, value in tails.items()}
        unit = noise.sample(rng, (n_domains, draws.size, n), by_draw, None)
    unit *= noise_scale(draws, is_cpt, fraction) if scale is None else scale
    return unit


def _chained(
    draws: Draws, fraction: Array, rng: np.random.Generator, so_far: NoiseSoFar | None
) -> Array:
    """Correlated standardised residuals, shape (domains, draws, n)."""
    noise, n_domains, n = draws.card.noise, len(draws.labels.domain), fraction.size
    by_domain = [draws.noise_parameters(domain) for domain in draws.labels.domain]
    # All rows of the run in one sequence, domain after domain.
    own: dict[str, Array] = {
        name: np.repeat(np.stack([p[name] for p in by_domain], axis=1), n, axis=1)
        for name in ("corr_fraction", "domain_corr")
        if name in by_domain[0]
    }
    here = np.arange(n_domains * n)
    before = -NO_ROW_BEFORE if so_far is None else so_far.fraction
    chain = noise.chain(
        own,
        gap=np.tile(np.diff(fraction, prepend=before), n_domains),
        paired=(here >= n).astype(float),
        previous=np.where(here % n == 0, here, here - 1),
        partner=here % n,
    )
    tails = {p.name: draws.value(p.name)[:, None] for p in noise.tail_parameters}
    unit = noise.sample(rng, (draws.size, here.size), tails, chain)
    out = np.ascontiguousarray(unit.reshape(draws.size, n_domains, n).transpose(1, 0, 2))
    if so_far is not None and chain is not None:
        along = np.broadcast_to(chain.along, unit.shape).reshape(draws.size, n_domains, n)
        so_far.carry_on(out, along.transpose(1, 0, 2), float(fraction[-1]))
    return out


def noise_scale(draws: Draws, is_cpt: bool, fraction: Array) -> Array:
    """Standard deviation of the noise, or of its normal core.

    Parameters
    ----------
    draws : Draws
        Posterior.
    is_cpt : bool
        Whether it is continual pre-training.
    fraction : ndarray, shape (n,)
        Steps as a fraction of the run.

    Returns
    -------
    ndarray, shape (domains, draws, n) or (domains, draws, 1)
        Nats.
    """
    features = {"is_cpt": float(is_cpt), "fraction": fraction}
    scales = []
    for domain in draws.labels.domain:
        p = {name: value[:, None] for name, value in draws.noise_parameters(domain).items()}
        scales.append(draws.card.noise.scale(p, features))
    return np.stack(np.broadcast_arrays(*scales))
