"""Findings 1 to 4 on losses for which they hold, do not hold, or cannot be told."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import bayescpt as bc
from bayescpt.decide.derived.ends import Ends
from bayescpt.errors import ConvergenceError, PlanError
from bayescpt.inference import Check


def general(theta, steps, replay, lr, potential):
    rise = (theta + 0.5) * (1 - replay) ** 2 + 0.1 * np.log(lr / 1e-3) + 0.1 * potential
    return 3.0 + rise - 0.2 * np.log(steps / 100)


def german(theta, steps, replay, lr, potential):
    learnt = 0.3 * np.log(lr / 1e-3) + 0.1 * (theta - 0.75) * potential
    return 2.0 + replay**2 - learnt + 0 * steps


@pytest.fixture(scope="module")
def fit(formula_fit):
    return formula_fit(general, german, noise=0.05, starts=("r0", "r05", "r1"))


@pytest.fixture(scope="module")
def found(fit):
    return bc.paper_findings(fit)


def chance(found, *words):
    table = found.table
    rows = table[[all(word in said for word in words) for said in table["statement"]]]
    assert len(rows) == 1, words
    return rows.iloc[0]


def test_probabilities_are_those_of_the_draws(fit, found):
    first = chance(found, "loss potential: lower")
    assert first["finding"] == 1
    assert first["probability"] == pytest.approx(np.mean(fit.theta > 0.75))
    assert first["median"] == pytest.approx(-0.1 * np.median(fit.theta - 0.75))
    assert chance(found, "peak LR: lower german")["probability"] == 1.0
    assert chance(found, "peak LR: higher general")["median"] == pytest.approx(0.1 * np.log(4))


def test_two_runs_show_it_less_surely_than_the_law_has_it(fit, found):
    row = chance(found, "loss potential: lower")
    z = (0.1 * (fit.theta - 0.75))[:, None] + 0.05 * np.sqrt(2) * np.random.default_rng(
        1
    ).standard_normal((400, 500))
    sd = np.sqrt(0.25 / 400)
    assert abs(row["in_runs"] - np.mean(z > 0)) < 4 * sd
    assert 0.5 < row["in_runs"] < row["probability"]


def test_an_optimum_between_the_ends_and_one_at_an_end(found):
    inside = chance(found, "0.5", "optimal replay ratio")
    assert inside["probability"] == 1.0
    assert inside["note"].startswith("optimum 0.")
    # What either set gains from the peak is linear, so that an end is best.
    assert chance(found, "0.5", "optimal peak LR")["probability"] == 0.0
    note = chance(found, "0.25", "optimal peak LR")["note"]
    assert note == "the optimum is the highest, 0.004"
    assert chance(found, "0.75", "optimal loss potential")["probability"] == 0.0


def test_patterns_are_those_of_the_turning_length(found):
    rows = found.table[found.table["finding"] == 4]
    assert rows["probability"].sum() == pytest.approx(1.0)
    assert chance(found, "not back by 10,000")["probability"] == found.turning.never
    assert set(found.critical) == {"replay_ratio", "lr"}


def test_what_the_pilots_do_not_vary_cannot_be_told(formula_fit, settings):
    few = formula_fit(general, german, peaks=(2e-3, 2e-3))
    table = bc.paper_findings(few).table
    untold = table[table["mcse"].isna()]
    assert set(untold["finding"]) == {1, 2, 3}
    assert untold["note"].str.startswith("cannot tell: ").all()
    assert untold["probability"].isna().all()
    one = bc.paper_findings(few, settings).table
    assert one[one["finding"] == 3]["note"].str.startswith("cannot tell").all()
    assert one[one["finding"] == 4]["probability"].notna().all()


def test_outside_the_pilots_is_noted(fit, settings):
    space = settings | {"lr": (2e-3, 8e-3), "start": ["r0", "r1"]}
    row = chance(bc.paper_findings(fit, space), "peak LR: lower german")
    assert row["note"] == "peak LR 0.008 is above the fitted 0.004"
    starts = chance(bc.paper_findings(fit, space), "optimal loss potential")
    assert starts["note"] == "cannot tell: fewer than three loss potentials"


def test_a_fit_of_the_law_gives_what_its_forecast_gives(prior_fit):
    wsd = bc.schedules.wsd(2e-3, 200, 10, 40)
    plans = [bc.Plan(f"r{r}", wsd, r, start="pt") for r in (0.1, 0.3, 0.5)]
    mu = prior_fit.forecast(plans, [200]).mu.isel(step=0)
    expected = mu.transpose("plan", "domain", "chain", "draw").to_numpy().reshape(3, 2, -1)
    ends = Ends(prior_fit)
    np.testing.assert_allclose(ends.losses(plans), expected, rtol=1e-9)
    start = prior_fit.study.checkpoint_loss("pt", "general")
    rises = ends.rises(plans, ends.general)
    np.testing.assert_allclose(rises, expected[:, ends.general] - start, rtol=1e-6, atol=1e-9)
    table = bc.paper_findings(prior_fit).table
    assert table[table["finding"] == 1]["note"].str.startswith("cannot tell").all()


def test_what_cannot_be_judged_is_an_error(prior_fit):
    failed = replace(prior_fit)
    object.__setattr__(failed, "given", (Check("R-hat", "fail", 1.2, 1.01, "more draws"),))
    with pytest.raises(ConvergenceError, match="failed R-hat"):
        bc.paper_findings(failed)
    assert len(bc.paper_findings(failed, allow_failed=True).table)
    with pytest.raises(PlanError, match="a object cannot be screened"):
        bc.paper_findings(object())


def test_fits_without_schedules_are_sent_to_their_own_calls(fit, monkeypatch):
    # As the screener of a fit of final losses has it.
    monkeypatch.setattr(
        fit, "screener", lambda *given, **options: SimpleNamespace(ranges={}), raising=False
    )
    with pytest.raises(PlanError, match="no continual pre-training run with learning rates"):
        bc.paper_findings(fit)
