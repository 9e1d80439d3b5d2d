"""Where chains start: short optimisations from dispersed points, the best of them kept."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The posterior of a curve's law has poor local optima (a base term in place of the shift), from
# which NUTS does not come back.
N_TRIES = 12
MAX_ITERATIONS = 200
# Nats of log density: an optimum that far below the best holds no mass to speak of.
KEEP_WITHIN = 10.0
# On the sampler's unconstrained scale.
JITTER = 0.01


@dataclass(frozen=True, eq=False)
class Centred:
    """Dispersed starts around the middle of the priors.

    Attributes
    ----------
    center : ndarray, shape (parameters,)
        On the sampler's unconstrained scale.
    """

    center: Floats

    def __call__(self, seed: int) -> Floats:
        """Center and, in every direction, up to 1 either side: as PyMC jitters.

        Parameters
        ----------
        seed : int
            Seed.

        Returns
        -------
        ndarray, shape (parameters,)
        """
        rng = np.random.default_rng(seed)
        moved: Floats = self.center + rng.uniform(-1.0, 1.0, self.center.size)
        return moved


def started(sampler: Any, seed: int) -> Any:
    """Sampler whose chains start near the best optima found.

    Parameters
    ----------
    sampler : nutpie CompiledPyMCModel
        With its data.
    seed : int
        Of the dispersed points.

    Returns
    -------
    nutpie CompiledPyMCModel
        A chain's start depends on the chain's own seed alone.
    """
    optima = find_optima(sampler, seed)

    def _initial_point(chain_seed: int) -> Floats:
        rng = np.random.default_rng(chain_seed)
        point: Floats = optima[rng.integers(len(optima))]
        return point + JITTER * rng.standard_normal(point.size)

    return replace(sampler, initial_point_func=_initial_point)


def find_optima(sampler: Any, seed: int) -> Floats:
    """Optima of the log density, those within 10 nats of the best.

    Parameters
    ----------
    sampler : nutpie CompiledPyMCModel
        With its data.
    seed : int
        Of the points that the optimisations start from.

    Returns
    -------
    ndarray, shape (kept, parameters)
        On the unconstrained scale, best first.
    """
    from scipy.optimize import minimize

    density = log_density(sampler)

    def _cost(x: Floats) -> tuple[float, Floats]:
        value, gradient = density(x)
        # A finite wall, which the line search steps back from.
        return (-value, -gradient) if np.isfinite(value) else (1e10, np.zeros_like(x))

    found = []
    for point_seed in np.random.SeedSequence(seed).generate_state(N_TRIES):
        first = sampler.initial_point_func(int(point_seed))
        end = minimize(
            _cost, first, jac=True, method="L-BFGS-B", options={"maxiter": MAX_ITERATIONS}
        )
        found.append((float(end.fun), np.asarray(end.x)))
    found.sort(key=lambda one: one[0])
    return np.stack([x for value, x in found if value <= found[0][0] + KEEP_WITHIN])


def log_density(sampler: Any) -> Callable[[Floats], tuple[float, Floats]]:
    """Log density and gradient that the sampler evaluates.

    Parameters
    ----------
    sampler : nutpie CompiledPyMCModel
        With its data; it must outlive the function.

    Returns
    -------
    callable
        Takes a point on the unconstrained scale, shape (parameters,); -inf where the density
        cannot be evaluated.
    """
    function = sampler.compiled_logp_func.ctypes
    point, gradient, value = np.zeros(sampler.n_dim), np.zeros(sampler.n_dim), np.zeros(1)
    pointer = ctypes.POINTER(ctypes.c_double)
    # Once: addresses take longer to make than a density.
    places = [array.ctypes.data_as(pointer) for array in (point, gradient, value)]
    data = sampler.user_data.ctypes.data

    def _evaluate(x: Floats) -> tuple[float, Floats]:
        point[:] = x
        failed = function(point.size, *places, data)
        return (-np.inf if failed else float(value[0])), gradient.copy()

    return _evaluate
