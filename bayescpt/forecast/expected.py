"""Expected loss along a trajectory, at each draw."""

from __future__ import annotations

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
    p, f = law_inputs(draws, view, domain, rng)
    return np.broadcast_to(draws.card.law.value(p, f), (draws.size, view.steps.size))


def law_inputs(
    draws: Draws, view: View, domain: str, rng: np.random.Generator
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and features of a trajectory, as the law reads them at every draw.

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
    parameters : dict of str to ndarray, shape (draws, 1)
        With ``start_level`` in continual pre-training.
    features : dict
        Numbers, arrays of shape (n,), and the weighted sums of the bases, shape (draws, n).

    Raises
    ------
    PlanError
        If the fit does not cover this domain, target or start.
    """
    p = {name: value[:, None] for name, value in draws.parameters(view.trajectory, domain).items()}
    if view.is_cpt:
        p["start_level"] = draws.start_level(view.trajectory, domain, rng)[:, None]
    f = draws.features(view, domain)
    for name, weights in draws.weights.items():
        f[name] = weights @ f[name].T
    return p, f
