"""Digests that identify a fit: of its card and of its draws."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from bayescpt.inference.fit_data import FitData
from bayescpt.model.card import Card


def card_digest(card: Card) -> str:
    """SHA-256 of a card as it was used, with all priors.

    Parameters
    ----------
    card : Card
        The card.

    Returns
    -------
    str
        In hexadecimal; cards that differ in a name or a reason only differ in it too.

    Examples
    --------
    >>> from bayescpt.model.card_file import load_card
    >>> card_digest(load_card("cpt")) == card_digest(load_card("cpt"))
    True
    """
    text = json.dumps(card.to_dict(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def draws_digest(fit: FitData) -> str:
    """SHA-256 of the draws of a fit, the same before saving and after loading.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    str
        In hexadecimal: of the names, dimensions and values of all variables of the posterior.

    Examples
    --------
    >>> draws_digest(fit)[:12]  # doctest: +SKIP
    '5ae01c8f12d0'
    """
    digest = hashlib.sha256()
    for name in sorted(map(str, fit.posterior.data_vars)):
        values = fit.posterior[name]
        digest.update(f"{name} {values.dims} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values.to_numpy(), dtype="<f8").tobytes())
    return digest.hexdigest()
