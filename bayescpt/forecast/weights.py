"""Weights by draw that turn a path's annealing areas at nodes into the one the law takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.posterior import Draws
from bayescpt.laws.annealing import kernel_weights


def draw_weights(draws: Draws) -> NDArray[np.float64]:
    """Weights of `Features.anneal`, the same for all plans.

    Parameters
    ----------
    draws : Draws
        Posterior.

    Returns
    -------
    ndarray, shape (draws, J)
    """
    scalars = {
        str(name): draws.value(str(name))
        for name, values in draws.posterior.data_vars.items()
        if values.ndim == 2
    }
    return kernel_weights(draws.card.law["annealing"], scalars, draws.rows.refs.anneal_steps)
