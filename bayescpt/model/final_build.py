"""The PyMC model of final losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.laws.final import Points
from bayescpt.model.final_card import FinalCard
from bayescpt.model.final_rows import FinalRows

if TYPE_CHECKING:
    import pymc as pm

# Fields of the points that are data of the model.
_FIELDS = (
    *("size", "tokens", "lr", "share", "shares", "reference_share", "least_tokens"),
    "one_budget",
)


def final_data(rows: FinalRows) -> dict[str, Any]:
    """Data of the model, by name.

    Parameters
    ----------
    rows : FinalRows
        Arrays of a study.

    Returns
    -------
    dict of str to ndarray
    """
    x = rows.points()
    out = {f"x_{name}": np.asarray(getattr(x, name), dtype=float) for name in _FIELDS}
    out |= {"set_index": rows.set_index, "base_index": rows.base_index, "observed": rows.loss}
    out["rounding"] = rows.rounding[rows.set_index]
    return out


def final_model(rows: FinalRows, card: FinalCard) -> pm.Model:
    """PyMC model of final losses under a card.

    Parameters
    ----------
    rows : FinalRows
        Arrays of a study.
    card : FinalCard
        The card.

    Returns
    -------
    pm.Model
        With the observed variable ``loss``.
    """
    import pymc as pm
    import pytensor.tensor as pt

    coords = {dim: names for dim, names in rows.labels.coords().items() if names}
    with pm.Model(coords=coords) as model:
        data = {name: pm.Data(name, value) for name, value in final_data(rows).items()}
        effects = card.base_effect and rows.has_bases
        p = {}
        for parameter in card.parameters():
            if parameter.name == "base_sd" and not effects:
                continue
            prior = card.priors[parameter.name]
            p[parameter.name] = prior.random_variable(parameter.name, parameter.dims)
        at = data["set_index"]
        mu = card.law.loss(
            {name: value[at] for name, value in p.items()},
            Points(**{name: data[f"x_{name}"] for name in _FIELDS}),
            pt,
        )
        if effects:
            unit = pm.Normal("base_unit", dims=("base", "set"))
            mu = mu + (unit * p["base_sd"])[data["base_index"], at]
        noise = pt.sqrt(p["sigma"][at] ** 2 + data["rounding"] ** 2)
        pm.Normal("loss", mu, noise, observed=data["observed"])
    return model
