"""Noise of simulated curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedNoise:
    """Jitter, outliers, and a deviation that drifts along a curve.

    Attributes
    ----------
    sigma : float
        Standard deviation of the jitter of each point, nats.
    discrepancy_sd : float
        Standard deviation of the deviation that drifts, nats.
    discrepancy_length : float
        Its correlation length, as a share of the run.
    outlier_share : float
        Share of points that are outliers.
    outlier_sd : float
        Standard deviation that is added to those, nats.
    """

    sigma: float
    discrepancy_sd: float
    discrepancy_length: float
    outlier_share: float
    outlier_sd: float

    def draw(self, fraction: Array, start: float, rng: np.random.Generator) -> tuple[Array, Array]:
        """Drifting deviation and the whole noise of one curve.

        Parameters
        ----------
        fraction : ndarray, shape (n,)
            Steps as a fraction of the run, rising.
        start : float
            Deviation at the first, nats.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        drift, total : ndarray, shape (n,)
            Nats.
        """
        drift = np.empty(len(fraction))
        before, now = 0.0 if not len(fraction) else fraction[0], start
        for n, at in enumerate(fraction):
            keep = np.exp(-(at - before) / self.discrepancy_length)
            now = keep * now + self.discrepancy_sd * np.sqrt(1.0 - keep**2) * rng.standard_normal()
            drift[n], before = now, at
        jitter = self.sigma * rng.standard_normal(len(fraction))
        hit = rng.random(len(fraction)) < self.outlier_share
        jitter += hit * self.outlier_sd * rng.standard_normal(len(fraction))
        return drift, drift + jitter
