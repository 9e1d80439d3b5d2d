"""A target without any run is forecast from the population of targets; draws of the priors."""

import numpy as np
import pytest

from bayescpt.errors import PlanError
from bayescpt.forecast import Draws, Plan, forecast
from bayescpt.inference.card_check import default_card
from bayescpt.inference.idata import prior_draws
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows
from tests.targets import STEPS, several_targets

TARGETS = ("near", "mid", "far", "next")


@pytest.fixture(scope="module")
def study():
    return several_targets(TARGETS, planned=("next",))


def draws_of(card, study):
    card = load_card(card)
    rows = make_rows(study, card)
    return Draws(prior_draws(card, rows, np.random.default_rng(1), draws=400), card, study, rows)


def test_a_target_without_runs_is_forecast_and_said(study):
    assert default_card(study) == "cpt_targets"
    draws = draws_of("cpt_targets", study)
    plans = [Plan.from_run(study.run(f"next_r{r}")) for r in (0, 25)]
    made = forecast(draws, plans, [STEPS])
    assert any("no fitted run trains on 'next'" in text for text in made.warnings)
    ends = made.mu.isel(step=0)
    assert np.isfinite(ends.sel(domain=["general", "next"])).all()
    # All plans of the target share its draw, which is not that of another target.
    shifts = draws.posterior["shift_ref"]
    own, other = (shifts.sel(pair=f"{t}|{t}").to_numpy().ravel() for t in ("next", "far"))
    both = [ends.sel(plan=plan.name, domain="next").to_numpy().ravel() for plan in plans]
    assert np.corrcoef(both)[0, 1] > 0.5
    assert abs(np.corrcoef(both[0], own)[0, 1]) > 0.3
    assert not np.array_equal(own, other)


def test_without_a_population_it_is_refused(study):
    plan = Plan.from_run(study.run("next_r0"))
    with pytest.raises(PlanError, match=r"no fitted run that trains on 'next'.*cpt_targets"):
        forecast(draws_of("cpt_fade", study), plan, [STEPS])


def test_where_every_target_has_runs_the_card_goes_by_the_pilots():
    assert default_card(several_targets(TARGETS)) == "cpt_replay"
    assert default_card(several_targets(TARGETS[:2])) == "cpt_fade"
