"""Symbols of the paper and reference quantities, derived from the sampled parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from bayescpt.model.card import Card
from bayescpt.model.rows import Rows
from bayescpt.model.starts import start_shares


def add_symbols(posterior: xr.Dataset, rows: Rows, card: Card) -> xr.Dataset:
    """Add the paper's symbols or the reference quantities, whichever were not sampled.

    Parameters
    ----------
    posterior : xr.Dataset
        Sampled parameters.
    rows : Rows
        Labels and reference points.
    card : Card
        Card, which determines the sampled scale.

    Returns
    -------
    xr.Dataset
        Posterior in which each variable has the attributes ``sampled`` (1 or 0) and ``units``.
    """
    values: dict[str, Any] = {str(name): posterior[name] for name in posterior.data_vars}
    law = card.law
    if law.paper:
        other = law.to_reference(values, rows.refs)
        # Parameters shared by both scales, such as lambda, are symbols too.
        known = values | other
        shown = law.symbols({name: known[name] for name in known}, rows.refs)
        other |= {name: value for name, value in shown.items() if name not in known}
        if card.continual:
            other["start_level"] = _tied_level(known, posterior.coords, rows, card)
    else:
        other = {}
        if card.continual:
            offset = values["start_offset"]
            drawn = rows.start["loss"] + rows.start["sd"] * offset.to_numpy()
            other["start_level"] = offset.copy(data=drawn)
            values["start_level"] = _first_level(other["start_level"], rows)
            if "start_mean" in law.dims:
                other["start_mean"] = _mean_level(other["start_level"], rows)
        other |= law.symbols(values, rows.refs)
        if card.continual and law.pretraining:
            other |= _known_only(other, rows, card)
    units = law.units | {p.name: p.unit for p in card.parameters()}
    out = posterior.copy()
    for name in out.data_vars:
        out[name].attrs = {"units": units.get(str(name), "1"), "sampled": 1}
    for name, value in other.items():
        ordered = value.transpose("chain", "draw", ...)
        out[name] = ordered.assign_attrs(units=units.get(name, "nat"), sampled=0)
    return out


def _first_level(level: xr.DataArray, rows: Rows) -> xr.DataArray:
    """Level of the first start checkpoint, by domain."""
    first = level.isel(level=slice(len(rows.labels.domain))).rename(level="domain")
    return first.assign_coords(domain=list(rows.labels.domain))


def _mean_level(level: xr.DataArray, rows: Rows) -> xr.DataArray:
    """Mean level of the peers of each start checkpoint, see `start_shares`."""
    shares = start_shares(rows.segment, level.sizes["level"])
    return level.copy(data=level.to_numpy() @ shares.T)


def _known_only(symbols: dict[str, Any], rows: Rows, card: Card) -> dict[str, Any]:
    """Symbols identified only by pre-training rows; NaN on domains without such rows."""
    pt = rows.segment["is_cpt"] == 0
    has_rows = np.isin(np.arange(len(rows.labels.domain)), rows.segment["domain"][pt])
    mask = xr.DataArray(has_rows, dims="domain", coords={"domain": list(rows.labels.domain)})
    names = [name for term in card.law.terms for name in term.pretraining_symbols]
    return {name: symbols[name].where(mask) for name in names if name in symbols}


def _tied_level(values: dict[str, Any], coords: Any, rows: Rows, card: Card) -> xr.DataArray:
    """Start levels of the paper's form, which are functions of its symbols."""
    scalars = {name: v.to_numpy() for name, v in values.items() if set(v.dims) <= {"chain", "draw"}}
    weights = card.law.weights(scalars, rows.refs)
    parts = []
    for c in range(len(rows.labels.checkpoint)):
        features: dict[str, Any] = {"is_cpt": 0.0, "is_target": 0.0, "replay": 1.0}
        for name, value in rows.start.items():
            if not name.startswith("feature_"):
                continue
            key = name.removeprefix("feature_")
            if key in weights:
                features[key] = xr.DataArray(weights[key] @ value[c], dims=("chain", "draw"))
            else:
                features[key] = float(value[c])
        level = card.law.value(values, features)
        parts.append(level.transpose("chain", "draw", "domain"))
    stacked = np.concatenate([part.to_numpy() for part in parts], axis=-1)
    return xr.DataArray(
        stacked,
        dims=("chain", "draw", "level"),
        coords={
            "chain": coords["chain"],
            "draw": coords["draw"],
            "level": list(rows.labels.level_names),
        },
    )
