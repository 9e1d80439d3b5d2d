"""Expected loss along a trajectory, at each draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.posterior import Draws
from bayescpt.laws.view import View


def expected_curve(
    draws: Draws, view: View, domain: str, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Expected loss along a trajectory.

    Parameters
    ----------
    draws : Draws
        Posterior.
    view : View
        The trajectory at n steps.
    domain : str
        Evaluated domain.
    rng : numpy.random.Generator
        Used for the level of a start checkpoint that was not fitted.

    Returns
    -------
    ndarray, shape (draws, n)
        Nats per token.

    Raises
    ------
    PlanError
        If the fit does not cover this domain, target or start.
    """
    values: Mapping[str, Any] = draws.parameters(view.trajectory, domain)
    p = {name: value[:, None] for name, value in values.items()}
    if view.is_cpt:
        p["start_level"] = draws.start_level(view.trajectory, domain, rng)[:, None]
    f = draws.features(view, domain)
    for name, weights in draws.weights.items():
        f[name] = weights @ f[name].T
    expected = draws.card.law.value(p, f)
    return np.broadcast_to(expected, (draws.size, view.steps.size))
