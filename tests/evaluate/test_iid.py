"""The plain baseline: same law, same priors, independent normal noise."""

import sys

import numpy as np
import pandas as pd
import pytest

from bayescpt.evaluate import baselines
from bayescpt.evaluate.backtest import backtest
from bayescpt.evaluate.baselines.iid import plain_card
from bayescpt.evaluate.predict import Prediction
from bayescpt.model.card_file import load_card, shipped_cards

NOISE = {"run_sd", "nu", "early", "early_width", "corr_fraction", "domain_corr"}


@pytest.mark.parametrize("name", shipped_cards())
def test_only_the_noise_is_made_plain(name):
    card = load_card(name)
    plain = plain_card(card)
    assert (plain.family, plain.early, plain.ar1, plain.domain_correlation) == (
        "normal", False, False, False,
    )  # fmt: skip
    assert plain.run_effects == ()
    assert (plain.choices, plain.pretraining, plain.level_sd) == (
        card.choices, card.pretraining, card.level_sd,
    )  # fmt: skip
    assert set(plain.priors) == {p.name for p in plain.parameters()}
    assert set(card.priors) - set(plain.priors) <= NOISE
    assert all(card.priors[name] == prior for name, prior in plain.priors.items())


def test_a_backtest_fits_the_plain_card_once_a_split(study, monkeypatch):
    given = []

    def spy(train, asked, *, seed, card, **options):
        given.append((card.name, options))
        return {run: Prediction(np.full((4, len(rows)), 3.0)) for run, rows in asked.items()}

    monkeypatch.setattr(sys.modules[plain_card.__module__], "bayes_forecasts", spy)
    made = backtest(study, by="split", fit_runs=["r0_wsd"], method=baselines.iid, draws=7)
    assert given == [("cpt_fade-iid", {"draws": 7})]
    assert made.table["run"].nunique() == 11
    backtest(study, card="cpt", runs=["r0_wsd"], method=baselines.iid)
    assert given[1] == ("cpt-iid", {})


@pytest.mark.slow
def test_it_samples(study):
    made = backtest(study, runs=["r10_cosine"], method=baselines.iid, draws=20, tune=50, chains=2)
    assert isinstance(made.table, pd.DataFrame)
    assert np.isfinite(made.table["median"]).all()
