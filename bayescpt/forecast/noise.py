"""Noise of a new curve around its expected loss, by draw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.posterior import Draws

Array = NDArray[np.float64]


def simulate_noise(draws: Draws, is_cpt: bool, fraction: Array, rng: np.random.Generator) -> Array:
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
    for d in range(n_domains):
        unit[d] *= _sigma(draws, d, is_cpt, fraction)
    return unit


def _sigma(draws: Draws, d: int, is_cpt: bool, fraction: Array) -> Array:
    if not is_cpt and draws.card.has_shift:
        return draws.value("sigma_pt", d)[:, None]
    sigma = draws.value("sigma", d)[:, None]
    if draws.card.early:
        width = draws.value("early_width", d)[:, None]
        sigma = sigma * (1.0 + draws.value("early", d)[:, None] * np.exp(-fraction / width))
    return sigma
