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
    misfit_sd : float
        Standard deviation of the deviation that drifts, nats.
    misfit_length : float
        Its correlation length, as a share of the run.
    outlier_share : float
        Share of points that are outliers.
    outlier_sd : float
        Standard deviation that is added to those, nats.
    """

    sigma: float
    misfit_sd: float
    misfit_length: float
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
        misfit, total : ndarray, shape (n,)
            Nats.
        """
        misfit = np.empty(len(fraction))
        before, now = 0.0 if not len(fraction) else fraction[0], start
        for n, at in enumerate(fraction):
            keep = np.exp(-(at - before) / self.misfit_length)
            now = keep * now + self.misfit_sd * np.sqrt(1.0 - keep**2) * rng.standard_normal()
            misfit[n], before = now, at
        jitter = self.sigma * rng.standard_normal(len(fraction))
        hit = rng.random(len(fraction)) < self.outlier_share
        jitter += hit * self.outlier_sd * rng.standard_normal(len(fraction))
        return misfit, misfit + jitter
