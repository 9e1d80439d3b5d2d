"""Parameters that are sampled net of other terms (`bayescpt.laws.term.Term.net`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
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
    domains = [rows.labels.domain.index(domain) for domain, _ in rows.labels.pair]
    rests = card.law.net(values, rows.refs)
    for name in card.net_parameters:
        out[f"{name}_net"] = out.pop(name) + np.asarray(rests[name])[domains]
    return out
