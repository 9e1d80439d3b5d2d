"""Curves of one plan, computed block by block of steps so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.discrepancy.effects import RunEffects, run_effects
from bayescpt.forecast.expected import CurveInputs, curve_inputs
from bayescpt.forecast.noise import NoiseSoFar, plan_rng, simulate_noise
from bayescpt.forecast.out_of_domain import SetCurves
from bayescpt.forecast.possible import possible
from bayescpt.forecast.posterior import Draws
from bayescpt.laws.trajectory import Trajectory
from bayescpt.laws.view import View

Array = NDArray[np.float64]

# Steps computed at once: of 4,000 draws on two domains, 16 MB an array.
BLOCK = 250


def blocks(n: int, size: int = BLOCK) -> Iterator[slice]:
    """Consecutive slices of `n` steps.

    Parameters
    ----------
    n : int
        Number of steps.
    size : int
        Most steps in a slice.

    Yields
    ------
    slice

    Examples
    --------
    >>> [(here.start, here.stop) for here in blocks(5, 2)]
    [(0, 2), (2, 4), (4, 5)]
    """
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


class PlanCurves:
    """Expected and realised curves of a plan at chosen steps.

    The noise of a block carries on that of the block before, so that the curves do not show where
    a block ends; the level of the start checkpoint and the effects of the run are drawn once.

    Parameters
    ----------
    draws : Draws
        Posterior with its card and study.
    path : Trajectory
        Trajectory of the plan.
    steps : ndarray of int, shape (n,)
        Steps, increasing, within the plan.
    seed : int
        Seed of the noise.
    """

    def __init__(self, draws: Draws, path: Trajectory, steps: NDArray[np.int64], seed: int) -> None:
        # One random stream per plan, so that adding a plan does not change the noise of another.
        self._draws, self._path, self._rng = draws, path, plan_rng(seed, path.name)
        self._view = View(draws.carried_on(path), steps, draws.rows.refs)
        self._distance = draws.extrapolation(path)
        self._noise = NoiseSoFar()
        self._inputs: dict[str, CurveInputs] = {}
        self._effects: dict[str, RunEffects] = {}
        self._sets = SetCurves(draws, path, seed)
        # Number of steps computed so far.
        self.done = 0

    def block(self, here: slice) -> tuple[Array, Array]:
        """Curves at the next steps.

        Parameters
        ----------
        here : slice
            Steps that follow those of the call before, see `blocks`.

        Returns
        -------
        mu, loss : ndarray, shape (domains, draws, steps)
            Nats per token, on the domains of the law and the out-of-domain sets; NaN on those that
            no fitted run with the plan's target was evaluated on.
        """
        draws, path, self.done = self._draws, self._path, here.stop
        fraction = self._view.fraction[here]
        noise = simulate_noise(draws, path.is_cpt, fraction, self._rng, so_far=self._noise)
        mu, loss = np.full(noise.shape, np.nan), np.full(noise.shape, np.nan)
        for d, domain in enumerate(draws.labels.domain):
            if not draws.shows(path, domain):
                continue
            if domain not in self._inputs:
                self._inputs[domain] = curve_inputs(draws, self._view, domain, self._rng)
            mu[d] = self._inputs[domain].expected(here)
            if domain not in self._effects:
                self._effects[domain] = run_effects(draws, path, domain, self._distance, self._rng)
            loss[d] = mu[d] + self._effects[domain].discrepancy(self._view, here) + noise[d]
        mu, loss = possible(mu), possible(loss)
        if not draws.sets:
            return mu, loss
        sets = self._sets.expected(mu), self._sets.realised(loss, fraction)
        return np.concatenate([mu, sets[0]]), np.concatenate([loss, sets[1]])
