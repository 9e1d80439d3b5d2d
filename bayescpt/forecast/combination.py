"""Loss of an out-of-domain set as an uncertain combination of the general and the target loss.

Wang et al., arXiv 2505.07796: ``L = w1 L_general + w2 L_target``. Given the measured general and
target losses of a run, the losses of the set say nothing more about the law, and the law nothing
about the weights: their joint posterior is that of the law times that of a linear regression on
measured losses. The regression has a closed form, so that the sampled model stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Weights of the general and the target loss: those published for eight sets (arXiv 2505.07796) are
# .3 +- .7 and .8 +- .8, and their sums 1.1 +- .2; wider, since sets of the fleet have sums of 0 to
# 1.3. The intercept, nats: 0 in the paper; up to 5 on sets of the fleet whose losses hardly move.
WEIGHT_MEAN, WEIGHT_SD = 0.4, 0.9
SUM_MEAN, SUM_SD = 1.0, 0.5
INTERCEPT_SD = 3.0
# Deviations from the combination: their standard deviation, nats (log-normal), the parts of their
# variance that last for a whole run and for one evaluation, and the length of the rest, as a share
# of the run.
SCALE, SCALE_SD = 0.02, 1.5
SCALES = np.geomspace(2e-4, 1.0, 60)
LASTING = (0.0, 0.2, 0.4, 0.6, 0.8, 0.95)
MOMENTARY = (0.001, 0.05, 0.3, 1.0)
LENGTHS = (0.05, 0.2, 0.6)


@dataclass(frozen=True)
class SetRows:
    """Rows of one run at which a set and what it is combined of were measured.

    Attributes
    ----------
    run : str
        Name of the run.
    fraction : ndarray, shape (n,)
        Steps as a share of the run.
    losses : ndarray, shape (n, 2)
        General and target loss, nats.
    loss : ndarray, shape (n,)
        Loss of the set, nats.
    """

    run: str
    fraction: Array
    losses: Array
    loss: Array

    @property
    def design(self) -> Array:
        """Columns that the weights multiply, shape (n, 3)."""
        return np.column_stack([np.ones(len(self.loss)), self.losses])


@dataclass(frozen=True)
class Residuals:
    """Draws of the deviations of a set from its combination, shape (draws,) each.

    Attributes
    ----------
    lasting, along, momentary : ndarray
        Standard deviations of what lasts for a run, changes along it and differs between
        evaluations, nats.
    length : ndarray
        Length of changes along a run, as a share of it.
    """

    lasting: Array
    along: Array
    momentary: Array
    length: Array


@dataclass(frozen=True)
class Combination:
    """Posterior draws of a combination.

    Attributes
    ----------
    weights : ndarray, shape (draws, 3)
        Intercept (nats), weight of the general and of the target loss.
    residuals : Residuals
        Deviations from it.
    offsets : dict of str to (ndarray, ndarray), shape (draws,)
        Mean and standard deviation of what lasts, by fitted run.
    n_rows : int
        Number of losses of the set that were used.
    """

    weights: Array
    residuals: Residuals
    offsets: dict[str, tuple[Array, Array]]
    n_rows: int

    def expected(self, general: Array, target: Array) -> Array:
        """Loss of the set without deviations.

        Parameters
        ----------
        general, target : ndarray, shape (draws, ...)
            Losses by draw, nats.

        Returns
        -------
        ndarray, shape (draws, ...)
            Nats.
        """
        shape = (-1, *[1] * (general.ndim - 1))
        intercept, first, second = (column.reshape(shape) for column in self.weights.T)
        return np.asarray(intercept + first * general + second * target)


class Deviations:
    """Deviations of one new run from a combination, step by step.

    Parameters
    ----------
    combination : Combination
        The combination.
    rng : numpy.random.Generator
        Source of randomness.
    run : str, optional
        Fitted run that it is: what lasts is then known from its losses.
    """

    def __init__(
        self, combination: Combination, rng: np.random.Generator, run: str | None = None
    ) -> None:
        self._parts, self._rng = combination.residuals, rng
        size = self._parts.lasting.size
        mean, sd = combination.offsets.get(str(run), (np.zeros(size), self._parts.lasting))
        self._offset = mean + sd * rng.standard_normal(size)
        self._along = rng.standard_normal(size)
        self._last: float | None = None

    def at(self, fraction: Array) -> Array:
        """Deviations at steps that follow those of the call before.

        Parameters
        ----------
        fraction : ndarray, shape (n,)
            Steps as a share of the run, increasing.

        Returns
        -------
        ndarray, shape (draws, n)
            Nats.
        """
        parts, out = self._parts, np.empty((self._offset.size, fraction.size))
        for k, here in enumerate(fraction):
            if self._last is not None:
                kept = np.exp(-(here - self._last) / parts.length)
                fresh = self._rng.standard_normal(self._offset.size)
                self._along = kept * self._along + np.sqrt(1.0 - kept**2) * fresh
            self._last = float(here)
            noise = self._rng.standard_normal(self._offset.size)
            out[:, k] = self._offset + parts.along * self._along + parts.momentary * noise
        return out


def fit_combination(rows: list[SetRows], size: int, rng: np.random.Generator) -> Combination:
    """Draw from the posterior of a combination, in closed form on a grid of its deviations.

    Parameters
    ----------
    rows : list of SetRows
        Rows by run, at least one.
    size : int
        Number of draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Combination

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> fraction = np.linspace(0.1, 1.0, 10)
    >>> rows = []
    >>> for k in range(4):
    ...     general, target = 3.0 + 0.1 * k * fraction, 3.0 - (0.3 + 0.1 * k) * fraction**0.5
    ...     losses = np.column_stack([general, target])
    ...     rows.append(SetRows(f"run {k}", fraction, losses, losses @ [0.6, 0.4]))
    >>> made = fit_combination(rows, 2000, rng)
    >>> np.median(made.weights[:, 1:], axis=0).round(1).tolist()
    [0.6, 0.4]
    """
    shapes = _Shapes(rows, np.array(_deviation_shapes()))
    precision, mean = _prior()
    cells = shapes.evidence(precision, mean) - 0.5 * (np.log(SCALES / SCALE) / SCALE_SD) ** 2
    chance = np.exp(cells - cells.max()).ravel()
    picked = rng.choice(chance.size, size, p=chance / chance.sum())
    # A scale anywhere in its cell: the grid is not seen in the draws.
    width = np.log(SCALES[1] / SCALES[0])
    scale = SCALES[picked % SCALES.size] * np.exp(width * (rng.random(size) - 0.5))
    weights = np.empty((size, 3))
    for cell in np.unique(picked):
        center, factor = shapes.posterior(cell, precision, mean)
        here = picked == cell
        weights[here] = center + rng.standard_normal((here.sum(), 3)) @ factor
    shape = picked // SCALES.size
    lasting, along, momentary = (np.sqrt(part)[shape] * scale for part in shapes.parts)
    residuals = Residuals(lasting, along, momentary, shapes.length[shape])
    offsets = {}
    for one in rows:
        offset, left = shapes.offset(one.run, shape, weights)
        offsets[one.run] = (offset, np.sqrt(left) * scale)
    return Combination(weights, residuals, offsets, sum(len(one.loss) for one in rows))


def _deviation_shapes() -> list[tuple[float, float, float]]:
    """Parts of the variance that last and are momentary, and the length of the rest."""
    out = []
    for lasting, momentary in product(LASTING, MOMENTARY):
        rest = 1.0 - lasting
        # Of what does not last, the momentary part.
        lengths = LENGTHS[:1] if momentary == 1.0 else LENGTHS
        out += [(lasting, rest * momentary, length) for length in lengths]
    return out


def _prior() -> tuple[Array, Array]:
    """Precision and mean of intercept and weights."""
    variance = np.zeros((3, 3))
    variance[0, 0] = INTERCEPT_SD**2
    # The second weight is the sum less the first.
    variance[1, 1] = WEIGHT_SD**2
    variance[1, 2] = variance[2, 1] = -(WEIGHT_SD**2)
    variance[2, 2] = WEIGHT_SD**2 + SUM_SD**2
    return np.linalg.inv(variance), np.array([0.0, WEIGHT_MEAN, SUM_MEAN - WEIGHT_MEAN])


class _Shapes:
    """Sums of squares of the regression under each correlation of the deviations.

    Attributes
    ----------
    parts : (ndarray, ndarray, ndarray), shape (shapes,)
        Parts of the variance that last, change along a run and are momentary.
    length : ndarray, shape (shapes,)
        Length of the changes.
    """

    def __init__(self, rows: list[SetRows], shapes: Array) -> None:
        lasting, momentary, self.length = shapes.T
        self.parts = lasting, np.maximum(0.0, 1.0 - lasting - momentary), momentary
        n = len(shapes)
        self._cross, self._with_loss = np.zeros((n, 3, 3)), np.zeros((n, 3))
        self._square, self._log_det, self._n = np.zeros(n), np.zeros(n), 0
        self._runs: dict[str, tuple[Array, Array, Array]] = {}
        for one in rows:
            factor = np.linalg.cholesky(self._covariance(one.fraction))
            columns = np.column_stack([one.design, one.loss])
            white = np.linalg.solve(factor, columns[None])
            products = np.swapaxes(white, 1, 2) @ white
            self._cross += products[:, :3, :3]
            self._with_loss += products[:, :3, 3]
            self._square += products[:, 3, 3]
            self._log_det += 2.0 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
            self._n += one.loss.size
            # The intercept's column: a deviation that lasts has the same.
            self._runs[one.run] = products[:, 0, :3], products[:, 0, 3], products[:, 0, 0]

    def _covariance(self, fraction: Array) -> Array:
        """Correlation of the deviations of one run, shape (shapes, n, n)."""
        gap = np.abs(fraction[:, None] - fraction)
        lasting, along, momentary = (part[:, None, None] for part in self.parts)
        own = (momentary + 1e-9) * np.eye(fraction.size)
        return np.asarray(lasting + along * np.exp(-gap / self.length[:, None, None]) + own)

    def evidence(self, precision: Array, mean: Array) -> Array:
        """Log density of the losses up to a constant, shape (shapes, scales)."""
        scale = SCALES[:, None]
        total = self._cross[:, None] / scale[..., None] ** 2 + precision
        right = self._with_loss[:, None] / scale**2 + precision @ mean
        fitted = self._square[:, None] / SCALES**2 + mean @ precision @ mean
        fitted -= (right * np.linalg.solve(total, right[..., None])[..., 0]).sum(axis=-1)
        log_det = self._log_det[:, None] + 2.0 * self._n * np.log(SCALES)
        return np.asarray(-0.5 * (fitted + log_det + np.linalg.slogdet(total)[1]))

    def posterior(self, cell: int, precision: Array, mean: Array) -> tuple[Array, Array]:
        """Mean of the weights in a cell, and what makes standard normals their deviations."""
        shape, scale = cell // SCALES.size, SCALES[cell % SCALES.size]
        total = self._cross[shape] / scale**2 + precision
        center = np.linalg.solve(total, self._with_loss[shape] / scale**2 + precision @ mean)
        return center, np.linalg.inv(np.linalg.cholesky(total))

    def offset(self, run: str, shape: NDArray[np.intp], weights: Array) -> tuple[Array, Array]:
        """Mean of what lasts in a run by draw, and its variance over that of all deviations."""
        design, loss, level = self._runs[run]
        lasting = self.parts[0][shape]
        mean = lasting * (loss[shape] - (weights * design[shape]).sum(axis=1))
        return mean, np.maximum(0.0, lasting - lasting**2 * level[shape])
