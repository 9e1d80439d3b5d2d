"""The same law with independent normal noise, as usual in scaling-law fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayescpt.evaluate.predict import ONE_FIT, Prediction, bayes_forecasts
from bayescpt.laws.noises.normal import NormalNoise

if TYPE_CHECKING:
    from bayescpt.data import Study
    from bayescpt.model.card import Card


def plain_card(card: Card) -> Card:
    """Card with the same law and priors, but independent normal noise.

    Parameters
    ----------
    card : Card
        The card.

    Returns
    -------
    Card
        Card without heavy tails, early inflation, autocorrelation, correlated domains and effects
        of runs.
    """
    plain = NormalNoise(continual=card.continual, pretraining=card.pretraining != "none")
    parameters = (*card.law.parameters, *plain.parameters)
    return replace(
        card,
        name=f"{card.name}-iid",
        description=f"{card.name} under independent normal noise.",
        family="normal",
        early=False,
        ar1=False,
        domain_correlation=False,
        run_effects=(),
        marginal_effects=False,
        priors={parameter.name: card.priors[parameter.name] for parameter in parameters},
    )


def iid(train: Study, run: str, rows: pd.DataFrame, *, seed: int, **options: Any) -> Prediction:
    """Fit the card's law with independent normal noise, using NUTS, and forecast one run.

    Parameters
    ----------
    train : Study
        Training study.
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
    """Forecast several runs from one fit with independent normal noise.

    Parameters
    ----------
    train : Study
        Training study.
    asked : Mapping of str to DataFrame
        Rows by run, columns step and domain.
    seed : int
        Seed of the sampler.
    card : str, Path, Card or None
        Card with the law and priors; by default chosen for the study.
    **options
        Options of the fit.

    Returns
    -------
    dict of str to Prediction
        Draws of ``loss`` by run.
    """
    from bayescpt.inference.card_check import default_card
    from bayescpt.model.card_file import load_card

    plain = plain_card(load_card(default_card(train) if card is None else card))
    return bayes_forecasts(train, asked, seed=seed, card=plain, **options)


ONE_FIT[iid] = iid_runs
