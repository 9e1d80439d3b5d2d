"""Noise of a new curve around its expected loss, by draw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.posterior import Draws

Array = NDArray[np.float64]


def plan_rng(seed: int, name: str) -> np.random.Generator:
    """Random numbers of a plan, the same whatever other plans there are.

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
    # Words of 32 bits seed the same generator, sooner than a list of them does.
    return np.random.default_rng(
        np.array(entropy, dtype=np.uint32) if 0 <= seed < 2**32 else entropy
    )


def simulate_noise(
    draws: Draws,
    is_cpt: bool,
    fraction: Array,
    rng: np.random.Generator,
    scale: Array | None = None,
) -> Array:
    """Noise of one run on all domains.

    The generative counterpart of `bayescpt.model.likelihood`: AR(1) in step time along the run,
    correlated domains at a step, wider right after the start, heavy tails; as the card says.

    Parameters
    ----------
    draws : Draws
        Posterior.
    is_cpt : bool
        Continual pre-training, or from scratch.
    fraction : ndarray, shape (n,)
        Steps as a fraction of the run, rising.
    rng : numpy.random.Generator
        Source of randomness.
    scale : ndarray, shape (domains, draws, n), optional
        From `noise_scale`, where it is at hand.

    Returns
    -------
    ndarray, shape (domains, draws, n)
        Nats.
    """
    card, n_domains = draws.card, len(draws.labels.domain)
    shape = (n_domains, draws.size, fraction.size)
    if card.family == "student_t":
        nu = draws.value("nu")[None, :, None]
        unit = rng.standard_normal(shape) / np.sqrt(rng.chisquare(nu, shape) / nu)
    else:
        unit = rng.standard_normal(shape)
    if card.domain_correlation:
        for k in range(1, n_domains):
            rho = draws.value("domain_corr", k - 1)[:, None]
            unit[k] = rho * unit[0] + np.sqrt(1.0 - rho**2) * unit[k]
    if card.ar1:
        gap = np.diff(fraction)
        for d in range(n_domains):
            along = np.exp(-gap / draws.value("corr_fraction", d)[:, None])
            fresh = np.sqrt(1.0 - along**2)
            for n in range(1, fraction.size):
                unit[d, :, n] *= fresh[:, n - 1]
                unit[d, :, n] += along[:, n - 1] * unit[d, :, n - 1]
    unit *= noise_scale(draws, is_cpt, fraction) if scale is None else scale
    return unit


def noise_scale(draws: Draws, is_cpt: bool, fraction: Array) -> Array:
    """Standard deviation of the noise, or of its normal core.

    Parameters
    ----------
    draws : Draws
        Posterior.
    is_cpt : bool
        Continual pre-training, or from scratch.
    fraction : ndarray, shape (n,)
        Steps as a fraction of the run.

    Returns
    -------
    ndarray, shape (domains, draws, n) or (domains, draws, 1)
        Nats.
    """
    domains = range(len(draws.labels.domain))
    return np.stack([_sigma(draws, d, is_cpt, fraction) for d in domains])


def _sigma(draws: Draws, d: int, is_cpt: bool, fraction: Array) -> Array:
    if not is_cpt and draws.card.has_shift:
        return draws.value("sigma_pt", d)[:, None]
    sigma = draws.value("sigma", d)[:, None]
    if draws.card.early:
        width = draws.value("early_width", d)[:, None]
        sigma = sigma * (1.0 + draws.value("early", d)[:, None] * np.exp(-fraction / width))
    return sigma
