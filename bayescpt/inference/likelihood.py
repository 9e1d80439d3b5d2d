"""Likelihood and predictions of the fitted rows by draw, in NumPy: those of the PyMC model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast import Draws
from bayescpt.forecast.discrepancy.spread import effect_columns, effect_unit
from bayescpt.forecast.fitted import fitted_means
from bayescpt.laws.noise import Chain

Floats = NDArray[np.float64]


class RowDistribution:
    """Distribution of the fitted losses given the parameters, by draw.

    Parameters
    ----------
    draws : Draws
        Parameters: a posterior, or draws from the priors.

    Attributes
    ----------
    mean, scale : ndarray, shape (draws, N)
        Expected loss of every row, and the scale of its noise, nats.
    """

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self._noise = draws.card.noise
        self.mean, self.scale = np.empty((2, draws.size, draws.rows.loss.size))
        # By curve: its rows, the columns of its effects and their sizes.
        self._effects: list[tuple[Any, Floats, Floats]] = []
        for curve in fitted_means(draws):
            self.mean[:, curve.rows] = curve.expected
            self.scale[:, curve.rows] = curve.scale
            if draws.card.marginal_effects:
                path, columns = curve.view.trajectory, effect_columns(draws, curve.view)
                names = draws.card.run_effects
                sizes = [effect_unit(draws, name, path, curve.domain) for name in names]
                self._effects.append((curve.rows, columns, np.stack(sizes, axis=1)))

    def log_likelihood(self) -> Floats:
        """Log density of every loss, given the preceding ones where rows are correlated.

        Returns
        -------
        ndarray, shape (draws, N)
            The elements of the observed variable's ``logp`` in the PyMC model.
        """
        residual = self._draws.rows.loss - self.mean
        chain = self._chain()
        if chain is None:
            scale = self.scale
            if self._effects:
                variance = np.square(scale)
                for rows, effects, sizes in self._effects:
                    given_before(residual, variance, rows, effects, sizes)
                scale = np.sqrt(variance)
            return np.asarray(self._noise.log_density(residual, scale, self._tails(), None))
        # The density takes rows of a chain by their first index.
        along, across = (np.broadcast_to(c, self.mean.shape).T for c in (chain.along, chain.across))
        columns = Chain(along, across, chain.previous, chain.partner)
        tails = {name: value.T for name, value in self._tails().items()}
        return np.asarray(self._noise.log_density(residual.T, self.scale.T, tails, columns).T)

    def sample(self, rng: np.random.Generator) -> Floats:
        """Draw the losses of all rows.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray, shape (draws, N)
            Nats.
        """
        unit = self._noise.sample(rng, self.mean.shape, self._tails(), self._chain())
        out = np.asarray(self.mean + self.scale * unit)
        for rows, columns, sizes in self._effects:
            out[:, rows] += (sizes * rng.standard_normal(sizes.shape)) @ columns
        return out

    def _tails(self) -> dict[str, Floats]:
        return {p.name: self._draws.value(p.name)[:, None] for p in self._noise.tail_parameters}

    def _chain(self) -> Chain | None:
        """Correlations of the rows, with one row of coefficients per draw."""
        rows = self._draws.rows
        domains = [self._draws.noise_parameters(domain) for domain in rows.labels.domain]
        own: dict[str, Any] = {
            name: np.stack([p[name] for p in domains], axis=1)[:, rows.row["domain"]]
            for name in ("corr_fraction", "domain_corr")
            if name in domains[0]
        }
        link = (rows.row[name] for name in ("gap", "paired", "previous", "partner"))
        return self._noise.chain(own, *link)


def given_before(
    residual: Floats, variance: Floats, rows: NDArray[np.intp], columns: Floats, sizes: Floats
) -> None:
    """Condition the losses of a curve on the preceding ones, where they share effects of its run.

    Parameters
    ----------
    residual, variance : ndarray, shape (draws, N)
        Of independent noise; those of the curve become the errors of one-step forecasts and their
        variances (a Kalman filter with a constant state).
    rows : ndarray of int, shape (n,)
        Rows of the curve.
    columns : ndarray, shape (effects, n)
        What an effect of 1 nat does to the loss.
    sizes : ndarray, shape (draws, effects)
        Standard deviations of the effects, nats.
    """
    mean = np.zeros(sizes.shape)
    covariance = np.einsum("de,ef->def", sizes**2, np.eye(sizes.shape[1]))
    for row, column in zip(rows, columns.T, strict=True):
        along = covariance @ column
        residual[:, row] -= mean @ column
        variance[:, row] += along @ column
        gain = along / variance[:, row, None]
        mean += gain * residual[:, row, None]
        covariance -= gain[:, :, None] * along[:, None, :]
