"""What effects of fitted runs tell of a new run: like recipes are off the law alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescpt.forecast.extrapolation import Recipes, distances, recipe
from bayescpt.forecast.posterior import Draws
from bayescpt.laws.trajectory import Trajectory

Array = NDArray[np.float64]

# Part of the variance of an effect that runs of one recipe share, the rest being that of the seed,
# and the distance over which it fades. By leaving runs out of ten real studies
# (`case_studies/learn_neighbours.py`).
SHARED, FADES_OVER = 0.95, 1.5


def correlation(
    distance: ArrayLike, shared: float = SHARED, fades_over: float = FADES_OVER
) -> Array:
    """Correlation of the effects of two runs.

    Parameters
    ----------
    distance : array_like
        Between their recipes, see `bayescpt.forecast.extrapolation.distances`.
    shared : float
        Part of the variance that runs of one recipe share.
    fades_over : float
        Distance over which it fades.

    Returns
    -------
    ndarray
        Below 1 for a repeat with another seed, 0 far away.

    Examples
    --------
    >>> correlation([0.0, 1.5, 6.0]).round(2).tolist()
    [0.95, 0.58, 0.0]
    """
    return np.asarray(shared * np.exp(-0.5 * (np.asarray(distance) / fades_over) ** 2))


@dataclass(frozen=True)
class Neighbours:
    """Fitted runs that tell of the effects of a new one.

    Attributes
    ----------
    curves : tuple of int
        Their curves, indices into `Labels.curve`.
    weights : ndarray, shape (curves,)
        The mean of an effect of the new run is the sum of theirs, weighted.
    left : float
        Part of its variance that is left, 0 to 1.
    """

    curves: tuple[int, ...]
    weights: Array
    left: float

    def means(self, draws: Draws) -> Array:
        """Means of the effects of the new run, given those of the fitted runs.

        Parameters
        ----------
        draws : Draws
            Posterior.

        Returns
        -------
        ndarray, shape (effects, draws)
            Nats, in the order of the card.
        """
        names, key = draws.card.run_effects, ("effects of curves", self.curves)
        if key not in draws.cache:
            known = [[draws.value(f"effect_{name}", c) for name in names] for c in self.curves]
            draws.cache[key] = np.reshape(known, (len(self.curves), -1))
        return np.asarray((self.weights @ draws.cache[key]).reshape(len(names), draws.size))


def neighbours(draws: Draws, trajectory: Trajectory, domain: str) -> Neighbours | None:
    """Fitted runs that tell of the effects of a new run on a domain.

    Effects of one size are a Gaussian process over recipes. Its conditional mean and variance are
    those of kriging (Rasmussen and Williams 2006, Eq. 2.25 and 2.26), without feedback to the law:
    the effects of fitted runs were estimated as if they were independent.

    Parameters
    ----------
    draws : Draws
        Posterior.
    trajectory : Trajectory
        The new run.
    domain : str
        Evaluated domain.

    Returns
    -------
    Neighbours or None
        None if the card judges effects after the fit, or no fitted run on the domain has the phase
        and the target of the new one.
    """
    if (
        not draws.card.marginal_effects
        or f"effect_{draws.card.run_effects[0]}" not in draws.posterior
    ):
        return None
    mine = recipe(trajectory)
    key = ("neighbours", mine.kind, domain)
    if key not in draws.cache:
        draws.cache[key] = _known(draws, mine.kind, domain)
    if draws.cache[key] is None:
        return None
    curves, known, precision = draws.cache[key]
    return Neighbours(curves, *conditional(correlation(distances(mine, known)), precision))


def _known(
    draws: Draws, kind: tuple[str, str], domain: str
) -> tuple[tuple[int, ...], Recipes, Array] | None:
    """Curves and recipes of fitted runs of a kind, and the inverse of their correlations."""
    found = {
        c: draws.recipes[run]
        for c, (run, evaluated) in enumerate(draws.labels.curve)
        if evaluated == domain and draws.recipes[run].kind == kind
    }
    if not found:
        return None
    known = Recipes.of([*found.values()])
    between = np.array([correlation(distances(one, known)) for one in found.values()])
    np.fill_diagonal(between, 1.0)
    return tuple(found), known, precision_of(between)


def precision_of(correlations: Array, shared: float = SHARED) -> Array:
    """Inverse of the correlations of runs, none of which tells of the seed of another.

    Distances of recipes are not quite Euclidean, so that the matrix may have eigenvalues below the
    part of the seed, or below 0; they are taken as that part.

    Parameters
    ----------
    correlations : ndarray, shape (runs, runs)
        1 on the diagonal.
    shared : float
        Part of the variance that is not the seed's.

    Returns
    -------
    ndarray, shape (runs, runs)
        With no eigenvalue above that of the seed alone.

    Examples
    --------
    >>> precision_of(np.array([[1.0, 0.5], [0.5, 1.0]])).round(2).tolist()
    [[1.33, -0.67], [-0.67, 1.33]]
    """
    values, axes = np.linalg.eigh(correlations)
    return np.asarray((axes / np.maximum(values, 1.0 - shared)) @ axes.T)


def conditional(near: Array, precision: Array, shared: float = SHARED) -> tuple[Array, float]:
    """Weights of the effects of known runs in the mean of another, and the variance they leave.

    Parameters
    ----------
    near : ndarray, shape (runs,)
        Correlations with the other run.
    precision : ndarray, shape (runs, runs)
        From `precision_of`.
    shared : float
        Part of the variance that is not the seed's, of which no other run tells.

    Returns
    -------
    weights : ndarray, shape (runs,)
    left : float
        Part of the variance, from that of the seed to 1.
    """
    weights = precision @ near
    return weights, float(np.clip(1.0 - near @ weights, 1.0 - shared, 1.0))
