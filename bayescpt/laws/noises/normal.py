"""Normal noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayescpt.laws.noise import Array, Noise, register_noise


@register_noise
class NormalNoise(Noise):
    """Normal noise."""

    name = "normal"

    def unit_density(self, z: Any, p: Mapping[str, Any], xp: Any = np) -> Any:
        """Return the log density of the standard normal distribution."""
        return -0.5 * z**2 - 0.5 * np.log(2.0 * np.pi)

    def unit_draws(
        self, rng: np.random.Generator, shape: tuple[int, ...], p: Mapping[str, Any]
    ) -> Array:
        """Return standard normal draws."""
        return rng.standard_normal(shape)
