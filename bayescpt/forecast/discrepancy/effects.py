"""Effects of a run: estimated if it was fitted, else drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.discrepancy.neighbours import Neighbours, neighbours
from bayescpt.forecast.discrepancy.spread import effect_columns, effect_spread
from bayescpt.forecast.posterior import Draws
from bayescpt.laws.trajectory import Trajectory
from bayescpt.laws.view import View

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RunEffects:
    """Effects of a run on a domain.

    Attributes
    ----------
    draws : Draws
        Posterior.
    whole : ndarray, shape (effects, draws)
        Coefficients of the effect columns, nats.
    later : ndarray, shape (effects, draws), or None
        Coefficients of the change of the columns since the last fitted step, nats.
    since : int
        Last fitted step.
    stood : ndarray, shape (effects,)
        Columns at the last fitted step.
    """

    draws: Draws
    whole: Array
    later: Array | None
    since: int
    stood: Array

    def discrepancy(self, view: View, here: slice = slice(None)) -> Array:
        """Contribution of the effects to the curve.

        Parameters
        ----------
        view : View
            The run at n steps.
        here : slice
            Those of them that are wanted; by default all.

        Returns
        -------
        ndarray, shape (draws, steps)
            Nats.
        """
        whole = view.shared("effect columns", partial(effect_columns, self.draws, view))
        columns = whole[:, here]
        total: Array = self.whole.T @ columns
        if self.later is not None:
            since = np.where(view.steps[here] > self.since, columns - self.stood[:, None], 0.0)
            total += self.later.T @ since
        return total


def run_effects(
    draws: Draws, trajectory: Trajectory, domain: str, distance: float, rng: np.random.Generator
) -> RunEffects:
    """Effects of a run: estimated if it was fitted, its trunk's for a branch, else drawn.

    New effects have the spread of the errors on held-out runs, which grows with the extrapolation
    distance; see `bayescpt.forecast.discrepancy.judge`. Where the likelihood has effects of runs, a
    new run is off as fitted runs of like recipes are (`bayescpt.forecast.discrepancy.neighbours`).
    Past its last fitted loss, a run deviates further, by as much as a new run unlike all others
    would from that step: the discrepancy grows along a run.

    Parameters
    ----------
    draws : Draws
        Posterior.
    trajectory : Trajectory
        The run.
    domain : str
        Evaluated domain.
    distance : float
        Extrapolation distance, from `Draws.extrapolation`.
    rng : numpy.random.Generator
        Used to draw new effects.

    Returns
    -------
    RunEffects
    """
    names, law = draws.card.run_effects, draws.card.law
    drawn = np.zeros((len(names), draws.size))
    spreads = bool(names) and "discrepancy_near" in draws.posterior
    if spreads:
        rng.standard_normal(out=drawn)
    fitted = [_fitted_curve(draws, trajectory, domain, name) for name in names]
    known = None
    if spreads and any(curve is None for curve, _ in fitted):
        known = neighbours(draws, trajectory, domain)

    def _new(told: Neighbours | None) -> Array:
        if not spreads:
            return drawn.copy()
        if told is None:
            return drawn * effect_spread(draws, trajectory, domain, distance)
        spread = effect_spread(draws, trajectory, domain, distance, told.left)
        return drawn * spread + told.means(draws)

    whole, since, goes_on = _new(known), trajectory.n_steps, []
    for k, (curve, last) in enumerate(fitted):
        if curve is None or f"effect_{names[k]}" not in draws.posterior:
            continue
        whole[k], since = draws.value(f"effect_{names[k]}", curve), last
        if last < trajectory.n_steps and law.effects[names[k]][1].grows:
            goes_on.append(k)
    if not goes_on:
        return RunEffects(draws, whole, None, since, np.zeros(len(names)))
    later = np.zeros_like(drawn)
    later[goes_on] = _new(None)[goes_on]
    stood = effect_columns(draws, View(trajectory, np.array([since]), draws.rows.refs))[:, 0]
    return RunEffects(draws, whole, later, since, stood)


def _fitted_curve(
    draws: Draws, trajectory: Trajectory, domain: str, effect: str
) -> tuple[int | None, int]:
    """Fitted curve whose effect the run takes, and the last step fitted on it."""
    curves = draws.labels.curve
    own = (str(trajectory.run), domain)
    if own in curves and draws.is_fitted(trajectory):
        c = curves.index(own)
        return c, draws.last_step(c)
    trunk = (str(trajectory.branch_of), domain)
    if trunk in curves and draws.card.law.effects[effect][1].inherited:
        step = draws.trunk_steps(trajectory)
        if step:
            c = curves.index(trunk)
            return c, min(draws.last_step(c), step)
    return None, trajectory.n_steps
