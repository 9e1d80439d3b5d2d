"""What an explorer offers, and that an address leads to the same settings again."""

from dataclasses import replace

import pytest

from bayescpt.present.explorer.controls import FAMILIES, FLOORS, SHARES
from bayescpt.present.explorer.state import read_state
from bayescpt.present.explorer.view import Session
from tests.test_cli import made_up_fit


def test_sliders_hold_the_range_of_the_pilots_and_go_beyond(session):
    offered, fitted = session.controls, session.controls.fitted
    for values, (low, high) in ((offered.peaks, fitted.peak_lr), (offered.lengths, fitted.n_steps)):
        assert list(values) == sorted(set(values))
        assert min(abs(value / low - 1) for value in values) < 1e-3
        assert min(abs(value / high - 1) for value in values) < 1e-3
        assert values[0] < low
        assert values[-1] >= 3.9 * high
    assert offered.ratios[0] == 0
    assert offered.ratios[-1] == 1
    assert offered.starts == ("pt_r0",)
    assert offered.goals == ("general", "german")
    assert offered.warmup == pytest.approx(0.03, abs=0.005)


def test_an_empty_address_is_a_recipe_of_the_pilots(session):
    state = session.read({})
    assert state.steps == session.controls.fitted.n_steps[1]
    assert state.lr == pytest.approx(session.controls.fitted.peak_lr[1], rel=1e-3)
    assert dict(state.goals) == {"general": "3.45", "german": "3.01"}


def test_an_address_leads_to_the_same_settings(session):
    offered = session.controls
    state = session.read({})
    for k, family in enumerate(FAMILIES):
        changed = replace(
            state,
            family=family,
            lr=offered.peaks[7 * k],
            decay=SHARES[k],
            floor=FLOORS[k],
            steps=offered.lengths[5 * k],
            replay=offered.ratios[11 * k],
            goals={"general": "+2%", "german": "ppl:8.1"},
        )
        assert session.read(changed.query()) == changed
        assert changed.plan(offered).schedule.n_steps == changed.steps
        assert changed.plan(offered).schedule.peak_lr == pytest.approx(changed.lr)


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ({"schedule": "../x"}, "family", "wsd"),
        ({"lr": "nan"}, "lr", 0.002),
        ({"lr": "1e99"}, "lr", 0.008),
        ({"steps": "-5"}, "steps", 250),
        ({"replay": "x"}, "replay", 0.12),
        ({"start": "elsewhere"}, "start", "pt_r0"),
        ({"goal.general": "3.3", "goal.x": "1"}, "goals", {"general": "3.3"}),
        ({"goal.german": ["a=b", "c"]}, "goals", {"german": "a=b"}),
        ({"goal": "german=3"}, "goals", {}),
    ],
)
def test_nonsense_in_an_address_does_no_harm(session, query, name, value):
    state = read_state(query, session.controls)
    assert getattr(state, name) == value


def test_any_slider_gives_a_recipe(session):
    offered = session.controls
    for family in FAMILIES:
        for steps in (offered.lengths[0], offered.lengths[-1]):
            for decay in (SHARES[0], SHARES[-1]):
                state = replace(session.read({}), family=family, steps=steps, decay=decay)
                assert state.plan(offered).schedule.n_steps == steps


def test_what_cannot_be_explored_says_why(fit):
    from bayescpt.errors import ConvergenceError, PlanError

    with pytest.raises(PlanError, match="does not forecast that domain; it has general, german"):
        Session(fit, goals={"code": "3"})
    bad = made_up_fit(fit.study, converged=False)
    with pytest.raises(ConvergenceError, match="--allow-failed"):
        Session(bad)
    shown = Session(bad, allow_failed=True)
    assert shown.alarm.startswith("This fit FAILED R-hat")
