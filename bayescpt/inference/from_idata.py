"""Draws of one's own ``pm.sample`` of a fit's model, checked and made a posterior of a fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayescpt.errors import FitError
from bayescpt.inference.idata import sampled_dims
from bayescpt.inference.symbols import add_symbols
from bayescpt.model.card import Card
from bayescpt.model.rows import Rows

# Statistics that the checks need, under the names of PyMC, nutpie and other samplers.
NEEDED = ("diverging", "energy")
SAME = {"maxdepth_reached": "reached_max_treedepth", "tree_depth": "depth", "lp": "logp"}
# Depth at which the samplers of PyMC stop by default, where the flag is missing.
DEFAULT_MAX_DEPTH = 10


def read_idata(idata: Any, rows: Rows, card: Card) -> tuple[xr.Dataset, xr.Dataset]:
    """Posterior and sampler statistics from the result of ``pm.sample`` or ``nutpie.sample``.

    Parameters
    ----------
    idata : xr.DataTree or mapping of str to xr.Dataset
        Groups ``posterior`` and ``sample_stats``.
    rows : Rows
        Arrays of the study.
    card : Card
        The card.

    Returns
    -------
    posterior, sample_stats : xr.Dataset
        As in a fit.

    Raises
    ------
    FitError
        If a group, a variable, a dimension or a label is not that of the model.
    """
    _check_observed(idata, rows)
    given = _group(idata, "posterior")
    labels, out = rows.labels.coords(), {}
    wanted = sampled_dims(card)
    missing = [name for name in wanted if name not in given]
    if missing:
        raise FitError(
            f"idata.posterior lacks {', '.join(missing)}, which the model of card {card.name!r} "
            f"samples; it has {', '.join(map(str, given.data_vars))}"
        )
    for name, dims in wanted.items():
        out[name] = _labelled(name, given[name], dims, labels)
    posterior = xr.Dataset(out)
    bad = [name for name, values in posterior.data_vars.items() if not np.isfinite(values).all()]
    if bad:
        raise FitError(f"idata.posterior: {bad[0]} has draws that are not finite")
    stats = _statistics(_group(idata, "sample_stats"), posterior)
    return add_symbols(posterior, rows, card), stats


def _group(idata: Any, name: str) -> xr.Dataset:
    try:
        group = idata[name]
    except (KeyError, TypeError):
        group = None
    group = group.to_dataset() if isinstance(group, xr.DataTree) else group
    if not isinstance(group, xr.Dataset):
        raise FitError(
            f"idata has no group {name!r}; give the DataTree of pm.sample(model=fit.model)"
        )
    return group


def _labelled(
    name: str, values: xr.DataArray, dims: tuple[str, ...], labels: Mapping[str, tuple[str, ...]]
) -> xr.DataArray:
    """Draws of a parameter, its entries in the order of the model."""
    expected = {"chain", "draw", *dims}
    if set(values.dims) != expected:
        raise FitError(
            f"idata.posterior: {name} has dims {values.dims}; the model has "
            f"{('chain', 'draw', *dims)}"
        )
    for dim in dims:
        there, here = [str(label) for label in values[dim].to_numpy()], list(labels[dim])
        if dim in values.coords and sorted(there) == sorted(here):
            values = values.isel({dim: [there.index(label) for label in here]})
        elif dim in values.coords or len(there) != len(here):
            raise FitError(
                f"idata.posterior: {name} has along {dim} {', '.join(there)}; the study under "
                f"this card has {', '.join(here)}. Was it sampled for another study?"
            )
        values = values.assign_coords({dim: here})
    ordered = values.transpose("chain", "draw", *dims)
    return ordered.drop_vars(set(ordered.coords) - {"chain", "draw", *dims}).drop_attrs()


def _statistics(given: xr.Dataset, posterior: xr.Dataset) -> xr.Dataset:
    """Sampler statistics of the draws, under the names of a fit."""
    stats = given.rename(
        {old: new for old, new in SAME.items() if old in given and new not in given}
    )
    missing = [name for name in NEEDED if name not in stats]
    if missing:
        raise FitError(
            f"idata.sample_stats lacks {', '.join(missing)}, without which the draws cannot be "
            "checked; sample with NUTS"
        )
    if "reached_max_treedepth" not in stats:
        if "depth" not in stats:
            raise FitError("idata.sample_stats lacks reached_max_treedepth and tree_depth")
        stats["reached_max_treedepth"] = stats["depth"] >= DEFAULT_MAX_DEPTH
    for dim in ("chain", "draw"):
        if stats.sizes[dim] != posterior.sizes[dim]:
            raise FitError(
                f"idata.sample_stats has {stats.sizes[dim]} along {dim}, the posterior "
                f"{posterior.sizes[dim]}"
            )
    kept = (*NEEDED, "reached_max_treedepth", "n_steps", "depth", "step_size", "logp")
    found = {
        name: stats[name].transpose("chain", "draw").variable for name in kept if name in stats
    }
    return xr.Dataset(found, {dim: posterior[dim] for dim in ("chain", "draw")})


def _check_observed(idata: Any, rows: Rows) -> None:
    """Refuse draws given other losses, where the losses are there."""
    try:
        observed = np.asarray(idata["observed_data"]["loss"])
    except (KeyError, TypeError):
        return  # nutpie.sample stores none
    if observed.shape != rows.loss.shape or not np.allclose(observed, rows.loss, 0.0, 1e-9):
        raise FitError(
            f"idata.observed_data has {observed.size} losses, the study has {rows.loss.size} under "
            "this card, and they are not the same: it was sampled for another study or card"
        )
