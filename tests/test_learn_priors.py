"""The priors of the card `cpt_fade` come out of the script that its comment names."""

import copy
import tomllib
from dataclasses import replace

import numpy as np
import pytest

from bayescpt.data import load_example
from bayescpt.forecast.expected import expected_curve
from bayescpt.forecast.posterior import Draws
from bayescpt.laws.trajectory import run_trajectory
from bayescpt.laws.view import View
from bayescpt.model.card_file import load_card
from case_studies.learn_priors import StudyFit, entries_of, learn, priors_text
from tests.laws.test_truth import posterior_of


@pytest.fixture(scope="module")
def card():
    return load_card("cpt_fade")


@pytest.fixture(scope="module")
def fit(card):
    return StudyFit(load_example("fleet_code_100k"), card, entries_of(card))


def test_it_fits_the_law_that_forecasts_use(card, fit):
    rng = np.random.default_rng(3)
    first = np.array([entry.start for entry in fit.entries])
    at = first[:, 0] + 0.3 * first[:, 1] * rng.standard_normal(len(first))
    values = {key: np.asarray(value) for key, value in fit.values(at).items()}
    del values["start_level"], values["start_mean"]  # by their offset from the measured loss
    values["start_offset"] = np.zeros(len(fit.rows.labels.level_names))
    for parameter in card.parameters()[len(card.law.parameters) :]:
        sizes = {"domain": len(fit.rows.labels.domain)}
        values[parameter.name] = np.full([sizes[d] for d in parameter.dims], 0.1)
    draws = Draws(posterior_of([values], fit.rows, card), card, fit.study, fit.rows)
    errors, place = fit.errors(at), 0
    for curve, white in list(zip(fit.curves, fit.white, strict=True))[:4]:
        rows = curve.rows
        segment = fit.rows.row["segment"][rows[0]]
        run, domain = fit.rows.labels.curve[int(fit.rows.segment["curve"][segment])]
        path = run_trajectory(fit.study, run, fit.rows.refs.warmup)
        view = View(path, np.asarray(fit.rows.row["step"])[rows], fit.rows.refs)
        expected = expected_curve(draws, view, domain, rng)[0]
        found = np.linalg.solve(white, errors[place : place + rows.size])
        np.testing.assert_allclose(fit.rows.loss[rows] - found, expected, rtol=1e-9)
        place += rows.size


def test_a_population_lies_between_its_studies_and_a_prior_is_read_by_cards(card):
    studies = [load_example("fleet_code_100k"), load_example("fleet_changelog_100k")]
    found = learn(studies, card)
    entries, mean, at = found.entries, found.mean, found.by_study
    k = next(k for k, one in enumerate(entries) if one.parameter.name == "share_size")
    low, high = np.sort([entries[k].start[0], *at[:, k]])[[0, -1]]
    assert low <= mean[k] <= high
    held = [k for k, one in enumerate(entries) if one.parameter.name == "alpha_s1"]
    assert [mean[k] for k in held] == [entries[k].start[0] for k in held]
    priors = tomllib.loads(priors_text(found, card, np.array([5.2, 5.6])))["priors"]
    assert "anneal_ref" not in priors  # nats: those of larger models differ
    assert set(priors) < {parameter.name for parameter in card.parameters()}
    assert all(entry["sigma"] > 0 for entry in priors.values())
    # Nats too, but of pilots' own differences, and so wide that larger models have their place.
    assert priors["run_sd"]["sigma"] >= 1.0


@pytest.mark.parametrize("seed", range(2))
def test_sizes_of_errors_are_found_again(card, fit, seed):
    rng = np.random.default_rng(seed)
    true, at = np.array([0.05, 0.01, 0.2]), np.array([entry.start[0] for entry in fit.entries])
    expected = fit.rows.loss - fit.residuals(at)
    simulated = fit.rows.loss.copy()
    for curve in fit.curves:
        noise = curve.noise * rng.standard_normal(curve.rows.size)
        effects = (true * rng.standard_normal(3)) @ curve.columns
        simulated[curve.rows] = expected[curve.rows] + noise + effects
    again = copy.copy(fit)
    again.rows = replace(fit.rows, loss=simulated)
    found = np.exp([again.sizes(at, side) for side in (False, True)])
    # Of some 20 curves a side: the logarithm of a size is known to about .16.
    assert abs(np.log(found / true))[:, [0, 2]].max() < 0.7
