"""The card as a study needs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bayescpt.errors import CardError
from bayescpt.laws.term import TERMS
from bayescpt.model.card import Card
from bayescpt.model.card_file import load_card
from bayescpt.model.priors import parse_prior

if TYPE_CHECKING:
    from bayescpt.data import Study


def fitted_card(study: Study, card: str | Path | Card) -> Card:
    """Card as it is fitted to a study: with an inferred base where its schedule is unknown.

    Parameters
    ----------
    study : Study
        The study to fit.
    card : str, Path or Card
        Name of a shipped card, a TOML file, or a Card.

    Returns
    -------
    Card
        The card; where runs start from an open base, with ``base = "open"`` in place of
        ``base = "power"``.

    Raises
    ------
    CardError
        If the card is invalid, or determines the losses of start checkpoints from a schedule that
        is unknown.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> fitted_card(load_example("cpt_micro"), "cpt_replay").choices["base"]
    'power'
    """
    chosen = load_card(card)
    if not chosen.continual or not study.open_bases or chosen.choices["base"] != "power":
        return chosen
    if chosen.law.paper:
        raise CardError(
            f"card {chosen.name!r} computes the loss of start checkpoints from pre-training, but "
            f"base {study.open_bases[0]!r} has no schedule; use a card with parameterisation = "
            '"reference", such as cpt_replay'
        )
    added = {
        parameter.name: parse_prior(
            {**parameter.default, "reason": parameter.reason}, f"priors.{parameter.name}"
        )
        for parameter in TERMS["base"]["open"](chosen.law.terms[0].setting).parameters
        if parameter.name not in chosen.priors
    }
    return replace(
        chosen, choices={**chosen.choices, "base": "open"}, priors={**chosen.priors, **added}
    )
