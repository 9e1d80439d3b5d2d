"""The terms of the law along fitted runs."""

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from bayescpt.errors import PlanError
from bayescpt.evaluate import simulate_study
from bayescpt.forecast import Draws, Plan
from bayescpt.forecast.components import expected_terms, final_terms, term_label
from bayescpt.forecast.expected import expected_curve
from bayescpt.inference import Fit
from bayescpt.inference.idata import prior_draws
from bayescpt.laws.view import View
from bayescpt.model.card_file import load_card, shipped_cards
from bayescpt.model.rows import make_rows
from bayescpt.present import page, plot


@pytest.fixture(scope="module")
def study():
    return simulate_study(
        replays=(0.0, 0.25), cpt_schedules=("wsd",), eval_every=450, pt_eval_every=2000
    ).study


def prior_fit(study, name):
    card = load_card(name)
    rows = make_rows(study, card)
    draws = prior_draws(card, rows, np.random.default_rng(1)).isel(draw=slice(5))
    stats = draws[["sigma"]].isel(domain=0).rename(sigma="energy")
    stats = stats.assign(diverging=stats["energy"] > 1e9, reached_max_treedepth=False)
    stats["reached_max_treedepth"] = stats["diverging"]
    return Fit(card, study, rows, draws, stats, 1)


@pytest.mark.parametrize("name", shipped_cards())
def test_terms_sum_to_the_expected_curve(study, name):
    fit = prior_fit(study, name)
    draws = Draws(fit.posterior, fit.card, study, fit.rows)
    for run, domain in draws.labels.curve:
        path = draws.trajectories[run]
        view = View(path, np.array([1, 50, path.n_steps]), draws.rows.refs)
        parts = expected_terms(draws, view, domain)
        expected = expected_curve(draws, view, domain, np.random.default_rng(0))
        np.testing.assert_allclose(sum(parts.values()), expected, rtol=1e-10)
        own = {term_label(t) for t in fit.card.law.terms if t.applies(path.is_cpt)}
        assert set(parts) == own
        assert {"level", "base", "annealing"} <= own


def test_final_terms_are_means_over_the_runs(study):
    fit = prior_fit(study, "cpt_replay")
    draws = Draws(fit.posterior, fit.card, study, fit.rows)
    found = final_terms(draws)
    assert set(found) == {"general", "target"}
    assert set(found["general"]) == {"base", "annealing", "re-warm-up", "shift"}
    by_run = []
    for run in draws.labels.run:
        path = draws.trajectories[run]
        view = View(path, np.array([path.n_steps]), draws.rows.refs)
        by_run.append(expected_terms(draws, view, "general")["shift"][:, 0])
    np.testing.assert_allclose(found["general"]["shift"], np.mean(by_run, axis=0))


def test_figure_has_a_panel_for_each_fitted_curve(study):
    fit = prior_fit(study, "cpt_replay")
    figure = page(plot.components, fit)
    assert len(figure.axes) == len(fit.rows.labels.curve)
    words = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"base", "annealing", "re-warm-up", "shift", "sum: expected loss"} <= words
    # In grey, lines differ in their dashes.
    dashes = [str(line.get_linestyle()) + str(line._dash_pattern) for line in figure.axes[0].lines]
    assert len(set(dashes[:4])) == 4
    one = fit.plot(runs=[fit.rows.labels.run[0]], domains=["target"])
    assert len(one.axes) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runs": ["moon"]}, "unknown run 'moon'; fitted are"),
        ({"domains": ["moon"]}, "unknown domain 'moon'"),
        ({"prob": 90}, "strictly between 0 and 1"),
    ],
)
def test_what_was_not_fitted_is_refused(study, options, message):
    with pytest.raises(PlanError, match=message):
        page(plot.components, prior_fit(study, "cpt_replay"), **options)


def test_plans_are_drawn_below_the_runs_named(study):
    fit = prior_fit(study, "cpt_replay")
    run = fit.draws(allow_failed=True).labels.run[0]
    own = study.run(run)
    plan = Plan("half", own.schedule, replay_ratio=0.5, start=own.parent)
    axes = plot.components(fit, runs=[run], plans=[plan], axes=Figure().subplots(2, 2))
    titles = [(ax.get_title(loc="left"), ax.get_title(loc="right")) for ax in axes]
    assert titles == [(name, d) for name in (run, "half") for d in ("general", "target")]
    # Only what was fitted has losses.
    assert [any(isinstance(c, PathCollection) for c in ax.collections) for ax in axes] == [
        True, True, False, False,
    ]  # fmt: skip
    total = axes[2].lines[-2].get_ydata()
    terms = [line.get_ydata() for line in axes[2].lines[:-2]]
    np.testing.assert_allclose(np.sum(terms, axis=0), total)
    alone = page(plot.components, fit, plans=plan, domains=["general"])
    assert [ax.get_title(loc="left") for ax in alone.axes] == ["half"]
