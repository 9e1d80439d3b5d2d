"""Student-t noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayescpt.laws.functions import log_gamma
from bayescpt.laws.noise import Array, Noise, register_noise
from bayescpt.laws.noise_parameters import NU
from bayescpt.laws.parameter import Parameter


@register_noise
class StudentNoise(Noise):
    """Student-t noise with nu degrees of freedom, for outliers."""

    name = "student_t"
    # The gradient with respect to nu calls Python, which code read from disk cannot do.
    storable = False

    @property
    def tail_parameters(self) -> tuple[Parameter, ...]:
        """Degrees of freedom."""
        return (NU,)

    def unit_density(self, z: Any, p: Mapping[str, Any], xp: Any = np) -> Any:
        """Return the log density of Student's t distribution."""
        nu = p["nu"]
        half = (nu + 1.0) / 2.0
        constant = log_gamma(half, xp) - log_gamma(nu / 2.0, xp) - 0.5 * xp.log(nu * np.pi)
        return constant - half * xp.log1p(z**2 / nu)

    def unit_draws(
        self, rng: np.random.Generator, shape: tuple[int, ...], p: Mapping[str, Any]
    ) -> Array:
        """Return normal draws over the root of a chi-squared one per degree of freedom."""
        normal = rng.standard_normal(shape)
        return np.asarray(normal / np.sqrt(rng.chisquare(p["nu"], shape) / p["nu"]))
