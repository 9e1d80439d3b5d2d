"""Effects of fitted runs, estimated from the error of each run's held-out forecast.

The law is fitted with independent noise, which keeps its curve close to the data. Discrepancies
that last for a whole run are estimated afterwards, run by run, as if that run had been held out. In
a joint likelihood the effects would absorb what the law should explain, such as the replay
response.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescpt.forecast.discrepancy.spread import (
    distinct,
    effect_columns,
    effect_unit,
    groups_of,
)
from bayescpt.forecast.fitted import fitted_means
from bayescpt.forecast.posterior import Draws
from bayescpt.linalg import svd, triangle

if TYPE_CHECKING:
    from bayescpt.model.labels import Labels

Floats = NDArray[np.float64]

# Number of draws for the covariance of a run's curve: estimates the leverage to within 3%.
N_COVARIANCE = 2000
# A run that alone determines a parameter has leverage 1, and no forecast without it. Above this
# limit, which allows for the Monte Carlo error, its held-out error is unknown.
MAX_LEVERAGE = 0.9
UNKNOWN = 1e6
# Scales of the half-normal priors on the two ratios: by leave-one-run-out on the small real study,
# an effect is about one unit, and another unit where the recipe is markedly different.
NEAR_SCALE = 1.0
FAR_SCALE = 1.0
# Where the sizes of effects are fitted, by leaving runs out of nine real studies
# (`case_studies/learn_discrepancy.py`): sds of the logarithms of the ratios, the median of far, and
# the number of pilots from which on the median of near is 1.
NEAR_SD, ENOUGH_PILOTS = 0.4, 8
FAR_MEDIAN, FAR_SD = 0.65, 0.6
# Mean of a half-normal variable of scale 1.
HALF_MEAN = np.sqrt(2.0 / np.pi)
# One run in ten may be an outlier, so that a single run cannot widen all bands.
OUTLIER_SHARE = 0.1
# Number of equally likely grid values (quantiles) of a half-normal variable.
N_GRID = 24
SPREADS = np.concatenate([[0.0], np.geomspace(0.02, 20.0, 60)])


@dataclass(frozen=True)
class Curve:
    """A fitted curve with its residuals.

    Attributes
    ----------
    domain : int
        Index of the domain.
    distance : float
        Extrapolation distance from its run's recipe to the nearest other run.
    residual : ndarray, shape (draws, n)
        Observed minus expected loss, nats.
    noise : ndarray, shape (draws, n)
        Scale of the noise, nats.
    columns : ndarray, shape (effects, n)
        Contribution of an effect of 1 nat.
    unit : ndarray, shape (effects, draws)
        Unit of each effect, nats; see `bayescpt.forecast.discrepancy.spread.effect_unit`.
    """

    domain: int
    distance: float
    residual: Floats
    noise: Floats
    columns: Floats
    unit: Floats


def add_discrepancy(draws: Draws, seed: int) -> xr.Dataset:
    """Add the effects of fitted runs, and the spread of those of new runs, to the posterior.

    Parameters
    ----------
    draws : Draws
        Posterior of the law and its noise.
    seed : int
        Seed.

    Returns
    -------
    Dataset
        The posterior with ``discrepancy_near`` and ``discrepancy_far``, dims (chain, draw,
        discrepancy), where the last dimension is (group of effects | domain), and ``effect_*``,
        dims (chain, draw, curve), nats. The standard deviation of an effect of a new run is
        ``hypot(near, far distance)`` times its unit, see `bayescpt.forecast.extrapolation` and
        `bayescpt.forecast.discrepancy.spread.effect_unit`.
    """
    rng = np.random.default_rng(seed)
    curves = fitted_curves(draws)
    n_domains = len(draws.labels.domain)
    effects, of = draws.card.run_effects, groups_of(draws)
    groups = distinct(of)
    shape = (draws.size, len(groups), n_domains)
    if draws.card.marginal_effects:
        near, far = fitted_ratios(shape, pilots_by_domain(draws.labels), rng)
    else:
        near, far = _judged_ratios(curves, of, shape, rng)
    sizes_by_run = np.empty((len(effects), draws.size, len(curves)))
    for c, curve in enumerate(curves):
        ratio = (
            np.ones((draws.size, len(groups)))  # the likelihood's own
            if draws.card.marginal_effects
            else np.hypot(near[:, :, curve.domain], far[:, :, curve.domain] * curve.distance)
        )
        by_effect = np.stack([ratio[:, groups.index(group)] for group in of])
        sizes_by_run[:, :, c] = _draw_effects(curve, by_effect * curve.unit, rng)
    sizes = (draws.posterior.sizes["chain"], draws.posterior.sizes["draw"])
    at = {"chain": draws.posterior["chain"], "draw": draws.posterior["draw"]}
    names = [f"{group}|{domain}" for group in groups for domain in draws.labels.domain]

    def _placed(values: Floats, dim: str, labels: list[str], unit: str) -> xr.DataArray:
        shaped = values.reshape(*sizes, -1)
        place = {**at, dim: labels}
        return xr.DataArray(
            shaped, place, ("chain", "draw", dim), attrs={"units": unit, "sampled": 0}
        )

    out = draws.posterior.assign(
        discrepancy_near=_placed(near, "discrepancy", names, "1"),
        discrepancy_far=_placed(far, "discrepancy", names, "1"),
    )
    curve_names = list(draws.labels.curve_names)
    for k, name in enumerate(effects):
        out[f"effect_{name}"] = _placed(sizes_by_run[k], "curve", curve_names, "nat")
    return out


def fitted_ratios(
    shape: tuple[int, ...], pilots: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Near and far ratios where the sizes of effects are parameters of the likelihood.

    Few pilots overestimate the size: their effects also take up what is wrong with the shape of the
    law, which a new run shares. So near is below 1 with fewer than eight. Nor can they tell how the
    size grows with the distance; both ratios are drawn from priors.

    Parameters
    ----------
    shape : tuple of int
        Shape of each.
    pilots : ndarray of int
        Numbers of fitted runs, see `pilots_by_domain`; broadcasts with `shape`.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    near, far : ndarray
    """
    median = np.minimum(1.0, pilots / ENOUGH_PILOTS)
    near = median * np.exp(NEAR_SD * rng.standard_normal(shape))
    return near, FAR_MEDIAN * np.exp(FAR_SD * rng.standard_normal(shape))


def pilots_by_domain(labels: Labels) -> NDArray[np.int64]:
    """Number of fitted curves of each domain.

    Parameters
    ----------
    labels : Labels
        Labels of a fit.

    Returns
    -------
    ndarray of int, shape (domains,)
        Of a domain without any, which only a population of targets has, the most of the others.
    """
    domains = [domain for _, domain in labels.curve]
    counts = np.array([domains.count(domain) for domain in labels.domain])
    return np.where(counts > 0, counts, counts.max())


def fitted_curves(draws: Draws) -> list[Curve]:
    """Residuals of all fitted curves, by draw.

    Parameters
    ----------
    draws : Draws
        Posterior.

    Returns
    -------
    list of Curve
        In the order of `Labels.curve`.
    """
    distance: dict[str, float] = {}
    out = []
    for fitted in fitted_means(draws):
        path, domain = fitted.view.trajectory, fitted.domain
        if path.name not in distance:
            distance[path.name] = draws.extrapolation(path)
        units = [effect_unit(draws, name, path, domain) for name in draws.card.run_effects]
        out.append(
            Curve(
                domain=draws.labels.domain.index(domain),
                distance=distance[path.name],
                residual=draws.rows.loss[fitted.rows] - fitted.expected,
                noise=fitted.scale,
                columns=effect_columns(draws, fitted.view),
                unit=np.array(units),
            )
        )
    return out


def held_out_likelihood(curve: Curve, members: NDArray[np.bool_]) -> Floats:
    """Held-out log likelihood of a curve as a function of the spread of its effects.

    The forecast of a curve from all others follows from the full fit: with leverage H of its rows,
    the held-out errors are ``(I - H)^-1`` times the residuals, and the covariance of its expected
    curve is ``H (I - H)^-1``, in units of the noise (exact for a linear law).

    Parameters
    ----------
    curve : Curve
        Residuals by draw.
    members : ndarray of bool, shape (effects,)
        Effects whose spread varies; the others have the spread of their prior mean.

    Returns
    -------
    ndarray, shape (61,)
        At `SPREADS`, the ratios of the effects' standard deviation to their units.
    """
    scale = curve.noise.mean(axis=0)
    thin = curve.residual[:: max(1, len(curve.residual) // N_COVARIANCE)]
    center = curve.residual.mean(axis=0) / scale
    varied = (thin - thin.mean(axis=0)) / scale / np.sqrt(max(len(thin) - 1, 1))
    # SVD of the triangular factor only: there are many more draws than rows.
    _, singular, shapes = svd(triangle(varied))
    leverage = singular**2
    alone = leverage > MAX_LEVERAGE
    spread = np.where(alone, UNKNOWN, leverage / (1.0 - np.where(alone, 0.0, leverage)))
    # Directions of unknown error contribute none.
    error = center + (shapes.T * np.where(alone, -1.0, spread)) @ (shapes @ center)
    columns = (curve.unit.mean(axis=1)[:, None] * curve.columns / scale).T
    others = columns[:, ~members] * np.hypot(NEAR_SCALE, FAR_SCALE * curve.distance) * HALF_MEAN
    covariance = np.eye(error.size) + (shapes.T * spread) @ shapes + others @ others.T
    half = np.linalg.cholesky(covariance)
    columns = np.linalg.solve(half, columns[:, members])
    white = np.linalg.solve(half, error)
    axes, sizes, _ = svd(columns)
    gain = SPREADS[:, None] ** 2 * sizes**2
    along = axes.T @ white
    return 0.5 * np.sum(along**2 * gain / (1.0 + gain) - np.log1p(gain), axis=1)


def _judged_ratios(
    curves: list[Curve], of: list[str], shape: tuple[int, int, int], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Near and far ratios by group and domain, judged by the held-out errors of the runs."""
    near, far = np.empty((2, *shape))
    for d in range(shape[2]):
        own = [curve for curve in curves if curve.domain == d]
        for g, group in enumerate(distinct(of)):
            members = np.array([one == group for one in of])
            near[:, g, d], far[:, g, d] = _draw_ratios(own, members, shape[0], rng)
    return near, far


def _draw_ratios(
    curves: list[Curve], members: NDArray[np.bool_], n: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Posterior draws of the near and far ratios, on a grid of equally likely prior values."""
    from scipy.special import ndtri

    half_normal = ndtri(0.5 + 0.5 * (np.arange(N_GRID) + 0.5) / N_GRID)
    near, far = (
        values.ravel()
        for values in np.meshgrid(NEAR_SCALE * half_normal, FAR_SCALE * half_normal, indexing="ij")
    )
    score = np.zeros(near.size)
    for curve in curves:
        ratio = np.hypot(near, far * curve.distance)
        by_spread = held_out_likelihood(curve, members)
        by_spread = np.logaddexp(by_spread, by_spread.max() + np.log(OUTLIER_SHARE))
        score += np.interp(ratio, SPREADS, by_spread)
    weight = np.exp(score - score.max())
    picked = rng.choice(near.size, size=n, p=weight / weight.sum())
    return near[picked], far[picked]


def _draw_effects(curve: Curve, spread: Floats, rng: np.random.Generator) -> Floats:
    """Draws of the effects of a fitted run given its rows, shape (effects, draws)."""
    weight = 1.0 / curve.noise**2
    precision = np.einsum("an,dn,bn->dab", curve.columns, weight, curve.columns, optimize=True)
    precision += np.eye(len(spread)) / np.maximum(spread.T, 1e-9)[:, :, None] ** 2
    pull = np.einsum("an,dn->da", curve.columns, weight * curve.residual)
    half = np.linalg.cholesky(precision)
    mean = np.linalg.solve(precision, pull[:, :, None])
    drawn = np.linalg.solve(np.swapaxes(half, 1, 2), rng.standard_normal(mean.shape))
    return (mean + drawn)[:, :, 0].T
