"""Weights by draw that turn a path's areas at nodes into the areas that the law takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.posterior import Draws
from bayescpt.laws.annealing import kernel_weights
from bayescpt.laws.base import exponent_weights

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DrawWeights:
    """Weights of the nodes, the same for all plans.

    Attributes
    ----------
    kernel : ndarray, shape (draws, J)
        Of `Features.anneal`.
    area : ndarray, shape (draws, K) or (1, 1)
        Of `Features.log_area`; one row where the card does not infer the LR exponent.
    shift_area : ndarray, shape (draws, K) or (1, 1)
        Of `Features.shift_area`.
    """

    kernel: Array
    area: Array
    shift_area: Array


def draw_weights(draws: Draws) -> DrawWeights:
    """Weights of every draw.

    Parameters
    ----------
    draws : Draws
        Posterior.

    Returns
    -------
    DrawWeights
    """
    scalars = {
        str(name): draws.value(str(name))
        for name, values in draws.posterior.data_vars.items()
        if values.ndim == 2
    }
    return DrawWeights(
        kernel=kernel_weights(draws.card.law["annealing"], scalars),
        area=np.atleast_2d(exponent_weights(scalars)),
        shift_area=np.atleast_2d(exponent_weights(scalars, name="shift_exponent")),
    )
