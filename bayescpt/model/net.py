"""Parameters that are sampled net of other terms (`bayescpt.laws.term.Term.net`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescpt.model.card import Card
from bayescpt.model.rows import Rows


def sampled_point(
    values: Mapping[str, NDArray[np.float64]], rows: Rows, card: Card
) -> dict[str, NDArray[np.float64]]:
    """Values of the model's free variables at given parameters.

    Parameters
    ----------
    values : mapping of str to ndarray
        Parameters of the card by name, each with the shape of its dimensions.
    rows : Rows
        Labels and reference points.
    card : Card
        The card.

    Returns
    -------
    dict of str to ndarray
        The same, but parameters that are sampled net of other terms as ``NAME_net``.

    Examples
    --------
    >>> import numpy as np
    >>> from bayescpt.data import load_example
    >>> from bayescpt.model.card_file import load_card
    >>> from bayescpt.model.rows import make_rows
    >>> card = load_card("cpt_replay")
    >>> rows = make_rows(load_example("cpt_micro"), card)
    >>> at = {"base_ref": [0.2, 0.2], "alpha_s1": [0.5, 0.5], "anneal_ref": [0.0, 0.0]}
    >>> at |= {"shift_ref": [0.8, -0.5], "jump": [0.0, 0.0]}
    >>> point = sampled_point({k: np.array(v) for k, v in at.items()}, rows, card)
    >>> point["shift_ref_net"].round(3).tolist()
    [0.775, -0.525]
    """
    out = dict(values)
    rests = card.law.net(values, rows.refs)
    for name in card.net_parameters:
        rest = np.asarray(rests[name])[list(rows.labels.pair_domain)]
        out[f"{name}_net"] = out.pop(name) + rest
    return out


def restore_net(posterior: xr.Dataset, rows: Rows, card: Card) -> xr.Dataset:
    """Replace parameters that were sampled net of the other terms by themselves.

    Parameters
    ----------
    posterior : xr.Dataset
        Sampled parameters, with the study's labels.
    rows : Rows
        Labels and reference points.
    card : Card
        The card.

    Returns
    -------
    xr.Dataset
    """
    values = {str(key): posterior[key] for key in posterior.data_vars}
    rests = card.law.net(values, rows.refs)
    out = posterior
    for name in card.net_parameters:
        rest = rests[name].isel(domain=list(rows.labels.pair_domain)).rename(domain="pair")
        rest = rest.assign_coords(pair=list(rows.labels.pair_names))
        own = (out[f"{name}_net"] - rest).transpose("chain", "draw", "pair")
        out = out.drop_vars(f"{name}_net").assign({name: own})
    return out
