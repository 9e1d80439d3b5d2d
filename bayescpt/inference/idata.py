"""A fit as an ArviZ DataTree."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayescpt.forecast import Draws
from bayescpt.inference.likelihood import RowDistribution
from bayescpt.inference.symbols import add_symbols
from bayescpt.model.containers import arrays
from bayescpt.model.population import pair_arrays, population
from bayescpt.model.rows import Rows

if TYPE_CHECKING:
    from bayescpt.inference.fit_data import FitData
    from bayescpt.model.card import Card

PRIOR_DRAWS = 1000
# Names of PyMC's samplers, where nutpie's differ.
STATS = {"depth": "tree_depth", "logp": "lp"}
# Estimated after sampling, see `bayescpt.forecast.discrepancy.judge`.
NOT_SAMPLED = ("effect_", "discrepancy_")
Dims = tuple[str, ...]


def arviz_tree(fit: FitData) -> xr.DataTree:
    """Groups of a fit for ArviZ.

    Parameters
    ----------
    fit : FitData
        The fit.

    Returns
    -------
    xr.DataTree
        posterior, sample_stats, log_likelihood, log_prior, posterior_predictive, prior,
        prior_predictive, observed_data and constant_data; and, if the card has effects of runs,
        run_effects, which are estimated after sampling.
    """
    draws = Draws(fit.posterior, fit.card, fit.study, fit.rows)
    place = {dim: fit.posterior[dim].to_numpy() for dim in ("chain", "draw")}
    rng = np.random.default_rng([fit.seed, 0x1DA7A])
    rows = RowDistribution(draws)
    before = prior_draws(fit.card, fit.rows, rng)
    expected = RowDistribution(Draws(before, fit.card, fit.study, fit.rows))
    prior_place = {dim: before[dim].to_numpy() for dim in ("chain", "draw")}
    # Statistics of thinned draws are those of the draws that were kept.
    stats = fit.sample_stats.sel(place).rename(
        {old: new for old, new in STATS.items() if old in fit.sample_stats}
    )
    later = [name for name in map(str, fit.posterior) if name.startswith(NOT_SAMPLED)]
    groups = {
        "posterior": fit.posterior.drop_vars(later).drop_dims(
            [dim for dim in ("curve", "discrepancy") if dim in fit.posterior.dims]
        ),
        "sample_stats": stats,
        "log_likelihood": _by_row(rows.log_likelihood(), place, fit.rows, {}),
        "log_prior": log_prior(fit.card, fit.posterior, fit.rows),
        "posterior_predictive": _by_row(rows.sample(rng), place, fit.rows, {"units": "nat"}),
        "prior": before,
        "prior_predictive": _by_row(expected.sample(rng), prior_place, fit.rows, {"units": "nat"}),
        "observed_data": xr.Dataset(
            {"loss": ("obs", fit.rows.loss, {"units": "nat"})}, row_labels(fit.rows)
        ),
        "constant_data": _constants(fit.rows, fit.card),
    }
    if later:
        groups["run_effects"] = fit.posterior[later]
    about = {"inference_library": "bayescpt", "inference_library_version": version("bayescpt")}
    about |= {"card": fit.card.name, "study": fit.study.name}
    # Attributes of a loaded fit are arrays where ArviZ expects lists.
    bare = {f"/{name}": group.drop_attrs(deep=False) for name, group in groups.items()}
    return xr.DataTree.from_dict({name: group.assign_attrs(about) for name, group in bare.items()})


def row_labels(rows: Rows) -> dict[str, Any]:
    """Coordinates of the dimension ``obs``.

    Parameters
    ----------
    rows : Rows
        Arrays of the study.

    Returns
    -------
    dict
        ``obs``, the number of the row, and along it ``run``, ``domain`` and ``step``.
    """
    runs, domains = (np.asarray(names) for names in (rows.labels.run, rows.labels.domain))
    return {
        "obs": np.arange(rows.loss.size),
        "run": ("obs", runs[rows.row["run"]]),
        "domain": ("obs", domains[rows.row["domain"]]),
        "step": ("obs", np.asarray(rows.row["step"])),
    }


def prior_draws(
    card: Card, rows: Rows, rng: np.random.Generator, draws: int = PRIOR_DRAWS
) -> xr.Dataset:
    """Draw all parameters from their priors.

    Parameters
    ----------
    card : Card
        Card with the priors.
    rows : Rows
        Labels and reference points.
    rng : numpy.random.Generator
        Source of randomness.
    draws : int
        Number of draws.

    Returns
    -------
    xr.Dataset
        As a posterior: one chain, the sampled parameters and the quantities derived from them.
    """
    labels = rows.labels.coords()
    out: dict[str, tuple[Dims, Any]] = {}
    coords: dict[str, Any] = {"chain": [0], "draw": np.arange(draws)}
    dims_of = sampled_dims(card)
    # Populations before their entries.
    for name in sorted(dims_of, key=lambda name: name in card.law.pooled):
        dims = dims_of[name]
        shape = (1, draws, *(len(labels[dim]) for dim in dims))
        prior = card.priors.get(name)
        if prior is None:
            values = rng.standard_normal(shape)
        elif name in card.law.pooled:
            known = {key: value for key, (_, value) in out.items()}
            mean, sd = population(name, known, card, pair_arrays(rows.labels, rows.covariate))
            values = mean + sd * rng.standard_normal(shape)
            values = np.exp(values) if prior.dist == "LogNormal" else values
        else:
            values = prior.draw(rng, shape)
        out[name] = (("chain", "draw", *dims), values)
        coords |= {dim: list(labels[dim]) for dim in dims}
    return add_symbols(xr.Dataset(out, coords), rows, card)


def sampled_dims(card: Card) -> dict[str, Dims]:
    """Dimensions of every sampled variable of the model.

    Parameters
    ----------
    card : Card
        The card.

    Returns
    -------
    dict of str to tuple of str
        Dimensions but those of the draws; ``start_offset`` has no prior on the card, it is
        standard normal.
    """
    dims = {parameter.name: parameter.dims for parameter in card.parameters()}
    if card.continual and not card.law.paper:
        dims["start_offset"] = ("level",)
    return dims


def log_prior(card: Card, posterior: xr.Dataset, rows: Rows) -> xr.Dataset:
    """Log density of the priors at the draws.

    Parameters
    ----------
    card : Card
        Card with the priors.
    posterior : xr.Dataset
        Draws.
    rows : Rows
        Labels and covariates.

    Returns
    -------
    xr.Dataset
        By sampled parameter, with its dimensions; of a pooled one, given its population.
    """
    from scipy.stats import norm

    out = {}
    for name in sampled_dims(card):
        prior, values = card.priors.get(name), posterior[name].to_numpy()
        if name in card.law.pooled:
            known = {str(key): value.to_numpy() for key, value in posterior.data_vars.items()}
            mean, sd = population(name, known, card, pair_arrays(rows.labels, rows.covariate))
            logarithm = card.priors[name].dist == "LogNormal"
            density = norm.logpdf(np.log(values) if logarithm else values, mean, sd)
            density = density - np.log(values) if logarithm else density
        else:
            density = (norm if prior is None else prior.frozen()).logpdf(values)
        out[name] = posterior[name].copy(data=density).drop_attrs()
    return xr.Dataset(out)


def _by_row(
    values: np.ndarray, place: dict[str, Any], rows: Rows, attributes: dict[str, str]
) -> xr.Dataset:
    """The variable ``loss``, dims chain, draw, obs."""
    shaped = values.reshape(*(len(labels) for labels in place.values()), -1)
    return xr.Dataset(
        {"loss": (("chain", "draw", "obs"), shaped, attributes)}, place | row_labels(rows)
    )


def _constants(rows: Rows, card: Card) -> xr.Dataset:
    """Data containers of the PyMC model but the losses."""
    data = {name: (dims, value) for name, value, dims in arrays(rows, card) if name != "observed"}
    return xr.Dataset(data, row_labels(rows))
