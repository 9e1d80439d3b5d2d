"""A term that only this file knows: it fits, is saved, forecasts, screens and is advised on."""

import numpy as np
import pytest

import bayescpt as bc
from bayescpt.errors import FitError
from bayescpt.evaluate import simulate_study
from bayescpt.inference.advice import pilot_advice, study_pilots
from bayescpt.laws.parameter import Advice, Parameter
from bayescpt.laws.pilots import an_early_look, another_peak
from bayescpt.laws.term import Term, register, unregister
from bayescpt.model.card_file import load_card, parse_card


class Transient(Term):
    """A transient that fades along the run: ``height exp(-speed fraction)``."""

    slot, name = "transient", "fading"
    phases = ("cpt",)

    @property
    def parameters(self):
        advice = Advice("the transient", (an_early_look, another_peak))
        return (
            Parameter(
                "height", "h", "nat", ("pair",), -5.0, 5.0,
                {"dist": "Normal", "mu": 0.0, "sigma": 0.3}, "small", "this test", advice,
            ),
            Parameter(
                "speed", "v", "1", ("domain",), 0.0, 1e3,
                {"dist": "LogNormal", "mu": 2.0, "sigma": 0.5}, "some tenths", "this test", advice,
            ),
        )  # fmt: skip

    def features(self, view, is_target):
        return {"age": view.fraction}

    def coefficients(self, p, f, xp=np):
        return {"height": p["height"], "speed": p["speed"]}

    def rows(self, c, f, xp=np):
        return c["height"] * (xp.exp(-c["speed"] * f["age"]) - 1.0)


CARD = """
name = "transient"
description = "With a term of the test's."
[law]
shift = "power"
replay = "own_share"
transient = "fading"
[rows]
pretraining = "none"
[noise]
run_effects = ["level", "drift"]
"""


@pytest.fixture(autouse=True)
def registered():
    register(Transient)
    yield
    unregister(Transient)


@pytest.fixture
def study():
    made = simulate_study(replays=(0.0, 0.25), cpt_schedules=("wsd", "cosine"), eval_every=250)
    return made.study


def test_a_new_term_is_fitted_saved_forecast_screened_and_advised_on(study, tmp_path):
    card = parse_card(CARD)
    fit = bc.fit(study, card=card, draws=100, tune=150, chains=2, seed=3, progress=False, extend=1)
    assert fit.posterior["height"].dims == ("chain", "draw", "pair")
    assert fit.summary().loc["speed[general]", "unit"] == "1"
    loaded = bc.load_fit(fit.save(tmp_path / "fit.nc"))
    assert loaded.card == card
    plan = bc.Plan.from_run(study.run("r25_wsd"), name="new")
    last = [plan.schedule.n_steps]
    one, other = (f.forecast(plan, last, allow_failed=True).loss for f in (fit, loaded))
    np.testing.assert_array_equal(one, other)
    table = bc.screen(loaded, [plan], goal={"general": 3.4}, allow_failed=True)
    assert table.loc["new", "general_q50"] == pytest.approx(float(one[..., 0, 0, 0].median()))
    pilots = study_pilots(study, card, fit.rows)
    assert "the transient" in pilot_advice(["height[general|cpt]"], card, pilots)[0].sentence


def test_a_fit_with_a_term_that_is_not_registered_is_refused_by_name(study, tmp_path):
    fit = bc.fit(study, card=parse_card(CARD), draws=20, tune=20, chains=2, progress=False)
    path = fit.save(tmp_path / "fit.nc")
    unregister(Transient)
    with pytest.raises(FitError, match="transient"):
        bc.load_fit(path)
    register(Transient)


def test_a_card_without_it_is_as_before(study):
    names = {parameter.name for parameter in load_card("cpt_replay").parameters()}
    assert not names & {"height", "speed"}
