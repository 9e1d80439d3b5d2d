"""What an explorer shows: the numbers of the commands, in charts and words."""

import re
from dataclasses import replace

import html5lib
import numpy as np
import pytest

import bayescpt as bc
from bayescpt.decide.costs import Rates
from bayescpt.forecast.plan_file import read_plans
from bayescpt.present.explorer import panel, widgets
from bayescpt.present.explorer.chart import Scale
from bayescpt.present.explorer.view import Session
from tests.present.explorer.conftest import GOALS


@pytest.fixture(scope="module")
def state(session):
    return session.read({"replay": "0.2"})


@pytest.fixture(scope="module")
def view(session, state):
    return session.view(state)


def page_of(session, state):
    text = widgets.head(session) + widgets.shown(session, state)
    page = f"<!DOCTYPE html><html lang='en'><head><title>x</title></head><body>{text}</body></html>"
    page = re.sub("<style>.*?</style>", "", page, flags=re.DOTALL)
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page), text


def find(tree, name):
    return [e for e in tree.iter() if isinstance(e.tag, str) and e.tag.rpartition("}")[2] == name]


def words(tree):
    return " ".join("".join(find(tree, "body")[0].itertext()).split())


def test_probabilities_and_last_losses_are_those_of_goal(session, fit, state, view):
    forecast = fit.forecast(state.plan(session.controls), steps=[state.steps])
    wanted = bc.goal_probability(forecast, {name: float(text) for name, text in GOALS.items()})
    for column in wanted:
        assert view.chances[column].iloc[0] == wanted[column].iloc[0]
    band = forecast.interval(0.9).isel(plan=0, step=0)
    for curve in view.curves:
        assert curve.last == tuple(
            float(band[name].sel(domain=curve.domain)) for name in ("lower", "median", "upper")
        )
        # The curve has fewer draws; it ends where the last loss is.
        assert curve.median[-1] == pytest.approx(curve.last[1], abs=0.01)
        assert curve.level == float(GOALS[curve.domain])


def test_bands_are_nested_and_end_with_the_recipe(view, state):
    for curve in view.curves:
        assert curve.steps[-1] == state.steps
        (low, high), (inner_low, inner_high) = curve.bands[0.9], curve.bands[0.5]
        assert np.all(low <= inner_low)
        assert np.all(inner_low <= curve.median)
        assert np.all(curve.median <= inner_high)
        assert np.all(inner_high <= high)
        assert set(curve.pilots) == {"de_r25_wsd_s1", "de_r0_wsd", "de_r25_wsd_p25"}


def test_a_move_changes_the_bands(session, state, view):
    moved = session.view(replace(state, replay=0.6))
    assert moved.curves[0].last[1] < view.curves[0].last[1]
    assert moved.curves[1].last[1] > view.curves[1].last[1]


def test_limits_are_read_as_in_goal_and_what_is_wrong_is_said(session, state):
    asked = {"general": "+5%", "german": "3.0x"}
    view = session.view(replace(state, goals=asked))
    assert list(view.limits) == ["general"]
    assert "3.0x" in view.problems["german"]
    start = session.fit.study.checkpoint_loss("pt_r0", "general")
    assert view.curves[0].level == pytest.approx(1.05 * start)
    far = session.view(replace(state, goals={"german": "300"}))
    assert far.chances is None
    assert "300" in far.problems["german"]


def test_reach_is_said_in_words(session, state, view):
    assert view.outside is None
    assert "Distance to the nearest pilot" in view.notes[0]
    longer = session.view(replace(state, steps=session.controls.lengths[-1]))
    assert longer.outside == 1001
    assert any("more than the fitted 1000" in note for note in longer.notes)
    assert not any("this recipe" in note for note in longer.notes)


def test_costs_have_what_is_known(fit, state):
    rates = Rates(throughput=1024, price=3.6, currency="<EUR>")
    session = Session(fit, rates, GOALS)
    tree, _ = page_of(session, state)
    assert "tokens 2.05 M" in re.sub(r"(?<=tokens)(?=\d)", " ", words(tree))
    assert "<EUR>2.00" in words(tree)


def test_the_recipe_can_be_taken_to_a_file_of_plans(session, state, view, tmp_path):
    (tmp_path / "plans.toml").write_text(view.entry)
    [plan] = read_plans(tmp_path / "plans.toml", session.fit.study, session.fit.card)
    assert plan.schedule == view.plan.schedule
    assert plan.replay_ratio == state.replay
    assert plan.start == state.start


def test_the_page_is_html_with_alternatives_for_charts(session, state, view):
    tree, _ = page_of(session, state)
    charts = [e for e in find(tree, "svg") if e.get("role") == "img"]
    assert len(charts) == len(view.curves) + 1
    assert all(len(chart.get("aria-label")) > 40 for chart in charts)
    assert f"ends at {view.curves[0].last[1]:.4g}" in charts[0].get("aria-label")
    assert "This recipe meets the whole goal with probability" in words(tree)
    for element in tree.iter():
        for key, value in element.attrib.items():
            assert "nan" not in str(value), key


def test_names_of_people_are_text(odd_session):
    goals = dict.fromkeys(odd_session.controls.goals, "+50%")
    state = replace(odd_session.read({}), goals=goals | {"<i>target</i>": "<b>x"})
    tree, text = page_of(odd_session, state)
    assert not find(tree, "script")
    assert not find(tree, "i")
    assert not find(tree, "b")
    assert "<i>target</i>" in words(tree)
    assert "<script>alert('x')</script>" in words(tree)
    assert "&lt;" not in words(tree)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text)


def test_a_recipe_that_cannot_be_forecast_is_a_sentence(session, state):
    shown = widgets.shown(session, replace(state, start="<none>"))
    assert 'role="alert"' in shown
    assert "&lt;none&gt;" in shown


def test_probabilities_are_never_said_to_be_certain(view):
    assert panel._chance(1.0) == "&gt;99%"
    assert panel._chance(0.0) == "&lt;1%"
    assert panel._chance(0.42) == "42%"


@pytest.mark.parametrize(("low", "high"), [(0, 1000), (2.987, 3.013), (-0.1, 0.7), (0, 7.2e5)])
def test_ticks_are_round_and_inside(low, high):
    ticks = Scale(low, high, 0, 100).ticks()
    assert 3 <= len(ticks) <= 11
    assert low <= ticks[0] < ticks[-1] <= high
    assert np.allclose(np.diff(ticks), ticks[1] - ticks[0])
    assert not any(str(tick).startswith("-0.0") for tick in ticks)
