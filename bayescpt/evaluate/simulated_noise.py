"""Noise of simulated curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedNoise:
    """Independent noise, outliers, and a discrepancy that drifts along a curve.

    Attributes
    ----------
    sigma : float
        Standard deviation of the independent noise of each point, nats.
    discrepancy_sd : float
        Standard deviation of the drifting discrepancy, nats.
    discrepancy_length : float
        Correlation length of the discrepancy, as a fraction of the run.
    outlier_share : float
        Share of points that are outliers.
    outlier_sd : float
        Additional standard deviation of outliers, nats.
    """

    sigma: float
    discrepancy_sd: float
    discrepancy_length: float
    outlier_share: float
    outlier_sd: float

    def draw(self, fraction: Array, start: float, rng: np.random.Generator) -> tuple[Array, Array]:
        """Drifting discrepancy and total noise of one curve.

        Parameters
        ----------
        fraction : ndarray, shape (n,)
            Steps as a fraction of the run, increasing.
        start : float
            Discrepancy at the first step, nats.
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
