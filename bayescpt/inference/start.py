"""Initial points of chains: the best optima of short optimisations from dispersed points."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The posterior has poor local optima (a base term in place of the shift) that NUTS does not leave.
N_TRIES = 12
MAX_ITERATIONS = 200
# In nats of log density: an optimum this far below the best has negligible mass.
KEEP_WITHIN = 10.0
# Standard deviation on the unconstrained scale.
JITTER = 0.01


@dataclass(frozen=True, eq=False)
class Centred:
    """Dispersed initial points around the centre of the priors.

    Attributes
    ----------
    center : ndarray, shape (parameters,)
        Centre, on the sampler's unconstrained scale.
    """

    center: Floats

    def __call__(self, seed: int) -> Floats:
        """Centre plus uniform jitter in (-1, 1), as in PyMC.

        Parameters
        ----------
        seed : int
            Seed.

        Returns
        -------
        ndarray, shape (parameters,)
        """
        rng = np.random.default_rng(seed)
        point: Floats = self.center + rng.uniform(-1.0, 1.0, self.center.size)
        return point


def started(sampler: Any, seed: int) -> Any:
    """Sampler whose chains start near the best optima.

    Parameters
    ----------
    sampler : nutpie CompiledPyMCModel
        Sampler with its data.
    seed : int
        Seed of the dispersed points.

    Returns
    -------
    nutpie CompiledPyMCModel
        Sampler in which the initial point of a chain depends only on the chain's seed.
    """
    optima = find_optima(sampler, seed)

    def _initial_point(chain_seed: int) -> Floats:
        rng = np.random.default_rng(chain_seed)
        point: Floats = optima[rng.integers(len(optima))]
        return point + JITTER * rng.standard_normal(point.size)

    return replace(sampler, initial_point_func=_initial_point)


def find_optima(sampler: Any, seed: int) -> Floats:
    """Local optima of the log density within 10 nats of the best.

    Parameters
    ----------
    sampler : nutpie CompiledPyMCModel
        Sampler with its data.
    seed : int
        Seed of the points that the optimisations start from.

    Returns
    -------
    ndarray, shape (kept, parameters)
        On the unconstrained scale, best first.
    """
    from scipy.optimize import minimize

    density = log_density(sampler)

    def _cost(x: Floats) -> tuple[float, Floats]:
        value, gradient = density(x)
        # A finite penalty that the line search can back off from.
        return (-value, -gradient) if np.isfinite(value) else (1e10, np.zeros_like(x))

    optima = []
    for point_seed in np.random.SeedSequence(seed).generate_state(N_TRIES):
        first = sampler.initial_point_func(int(point_seed))
        end = minimize(
            _cost, first, jac=True, method="L-BFGS-B", options={"maxiter": MAX_ITERATIONS}
        )
        optima.append((float(end.fun), np.asarray(end.x)))
    optima.sort(key=lambda one: one[0])
    return np.stack([x for value, x in optima if value <= optima[0][0] + KEEP_WITHIN])


def log_density(sampler: Any) -> Callable[[Floats], tuple[float, Floats]]:
    """Log density and gradient that the sampler evaluates.

    Parameters
    ----------
    sampler : nutpie CompiledPyMCModel
        Sampler with its data; it must outlive the function.

    Returns
    -------
    callable
        Function of a point on the unconstrained scale, shape (parameters,); the density is -inf
        where it cannot be evaluated.
    """
    function = sampler.compiled_logp_func.ctypes
    point, gradient, value = np.zeros(sampler.n_dim), np.zeros(sampler.n_dim), np.zeros(1)
    pointer = ctypes.POINTER(ctypes.c_double)
    # Computed once: taking addresses costs more than evaluating the density.
    places = [array.ctypes.data_as(pointer) for array in (point, gradient, value)]
    data = sampler.user_data.ctypes.data

    def _evaluate(x: Floats) -> tuple[float, Floats]:
        point[:] = x
        failed = function(point.size, *places, data)
        return (-np.inf if failed else float(value[0])), gradient.copy()

    return _evaluate
