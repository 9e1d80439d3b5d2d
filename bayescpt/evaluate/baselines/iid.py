"""The same law under independent normal noise: what the usual fit of a scaling law assumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayescpt.evaluate.predict import ONE_FIT, Prediction, bayes_forecasts
from bayescpt.laws.noise_normal import NormalNoise

if TYPE_CHECKING:
    from bayescpt.data import Study
    from bayescpt.model.card import Card


def plain_card(card: Card) -> Card:
    """Card with the same law and priors, and independent normal noise.

    Parameters
    ----------
    card : Card
        The card.

    Returns
    -------
    Card
        Without heavy tails, early inflation, autocorrelation, correlated domains and effects of
        runs.
    """
    plain = NormalNoise(continual=card.continual, pretraining=card.pretraining != "none")
    wanted = (*card.law.parameters, *plain.parameters)
    return replace(
        card,
        name=f"{card.name}-iid",
        description=f"{card.name} under independent normal noise.",
        family="normal",
        early=False,
        ar1=False,
        domain_correlation=False,
        run_effects=(),
        priors={parameter.name: card.priors[parameter.name] for parameter in wanted},
    )


def iid(train: Study, run: str, rows: pd.DataFrame, *, seed: int, **options: Any) -> Prediction:
    """Fit the card's law under independent normal noise, by NUTS, and forecast one run.

    Parameters
    ----------
    train : Study
        What may be known.
    run : str
        Name of the run to forecast.
    rows : DataFrame
        Columns step and domain.
    seed : int
        Seed of the sampler.
    **options
        ``card`` and options of the fit, as for `bayescpt.evaluate.bayes_forecast`.

    Returns
    -------
    Prediction
        Draws of ``loss``.
    """
    return iid_runs(train, {run: rows}, seed=seed, **options)[run]


def iid_runs(
    train: Study,
    asked: Mapping[str, pd.DataFrame],
    *,
    seed: int,
    card: Any = None,
    **options: Any,
) -> dict[str, Prediction]:
    """Forecast several runs from one such fit.

    Parameters
    ----------
    train : Study
        What may be known.
    asked : Mapping of str to DataFrame
        Rows by run, columns step and domain.
    seed : int
        Seed of the sampler.
    card : str, Path, Card or None
        Card whose law and priors are taken; None chooses by the study.
    **options
        Of the fit.

    Returns
    -------
    dict of str to Prediction
        Draws of ``loss`` by run.
    """
    from bayescpt.inference.sample import default_card
    from bayescpt.model.card_file import load_card

    plain = plain_card(load_card(default_card(train) if card is None else card))
    return bayes_forecasts(train, asked, seed=seed, card=plain, **options)


ONE_FIT[iid] = iid_runs
