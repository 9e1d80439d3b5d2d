"""Expected loss along a trajectory, at each draw."""

from __future__ import annotations

from dataclasses import dataclass
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
    return curve_inputs(draws, view, domain, rng).expected()


@dataclass(frozen=True)
class CurveInputs:
    """What the law reads of a trajectory on a domain, to be evaluated at any of its steps.

    Attributes
    ----------
    draws : Draws
        Posterior.
    n_steps : int
        Number n of steps.
    parameters : dict of str to ndarray, shape (draws, 1)
        With ``start_level`` in continual pre-training.
    features : dict
        Numbers, arrays of shape (n,) or (1,), and bases of shape (n, J).
    """

    draws: Draws
    n_steps: int
    parameters: dict[str, Any]
    features: dict[str, Any]

    def at(self, here: slice = slice(None)) -> dict[str, Any]:
        """Features as the law takes them, the bases as weighted sums.

        Parameters
        ----------
        here : slice
            Steps; by default all.

        Returns
        -------
        dict
            Numbers, arrays of shape (steps,) or (1,), and of shape (draws, steps).
        """
        f = {
            name: value[here] if np.ndim(value) and len(value) == self.n_steps else value
            for name, value in self.features.items()
        }
        return f | {name: weights @ f[name].T for name, weights in self.draws.weights.items()}

    def expected(self, here: slice = slice(None)) -> NDArray[np.float64]:
        """Expected loss.

        Parameters
        ----------
        here : slice
            Steps; by default all.

        Returns
        -------
        ndarray, shape (draws, steps)
            Nats per token.
        """
        n = len(range(*here.indices(self.n_steps)))
        value = self.draws.card.law.value(self.parameters, self.at(here))
        return np.broadcast_to(value, (self.draws.size, n))


def curve_inputs(draws: Draws, view: View, domain: str, rng: np.random.Generator) -> CurveInputs:
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
    CurveInputs

    Raises
    ------
    PlanError
        If the fit does not cover this domain, target or start.
    """
    p = {name: value[:, None] for name, value in draws.parameters(view.trajectory, domain).items()}
    if view.is_cpt:
        level = draws.start_level(view.trajectory, domain, rng)
        p["start_level"] = level[:, None]
        if "start_mean" in draws.posterior:
            p["start_mean"] = draws.start_mean(view.trajectory, domain, level)[:, None]
    return CurveInputs(draws, view.steps.size, p, draws.features(view, domain))
