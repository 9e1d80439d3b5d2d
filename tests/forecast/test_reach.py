"""Plans far from the pilots are refused; losses are never impossible; what a plan may leave out."""

from dataclasses import replace

import numpy as np
import pytest

from bayescpt.data import schedules
from bayescpt.errors import PlanError
from bayescpt.forecast import Plan, forecast
from bayescpt.forecast.final import Screener
from bayescpt.forecast.possible import CEILING, possible

WSD = schedules.wsd(2e-3, 200, 10, 40)


def plan(lr=2e-3, steps=200, name="new", **fields) -> Plan:
    fields = {"replay_ratio": 0.3, "start": "pt", **fields}
    return Plan(name, schedules.wsd(lr, steps, 10, 40), **fields)


@pytest.fixture(scope="module")
def continual(make_draws, simulated_study):
    """Draws of a law that describes no pre-training, and needs replay ratios."""
    draws = make_draws(law='replay = "memory"\nannealing = "area"\nrewarm = "own"')
    return replace(draws, card=replace(draws.card, pretraining="none"))


@pytest.mark.parametrize(
    ("far", "text"),
    [
        (
            plan(3.0),
            r"plan 'new': its peak LR 3 is 1,500 times the highest .*did you mean 0\.003\?",
        ),
        (plan(2.1e-2), r"its peak LR 0\.021 is 10 times the highest .*\(0\.002 to 0\.002\)"),
        (plan(2e-7), r"its peak LR 2e-07 is 0\.0001 of the lowest .*did you mean 0\.002\?"),
        (plan(steps=101_000), r"its 101,000 steps are 101 times the most of .*\(1,000\)"),
    ],
)
def test_absurd_plans_are_refused_unless_asked_for(draws, far, text):
    for place in (lambda p: forecast(draws, p, [10]), Screener(draws).place):
        with pytest.raises(PlanError, match=rf"{text}.*extrapolate=True \(--extrapolate\)"):
            place(far)
    made = forecast(draws, far, [far.schedule.n_steps], extrapolate=True)
    placed = Screener(draws, extrapolate=True)
    assert any("the forecast extrapolates" in text for text in made.warnings)
    ends = placed.evaluator(0)([placed.place(far)])
    for values in (made.loss.to_numpy(), made.mu.to_numpy(), ends):
        assert ((values >= 0) & (values <= CEILING)).all()


def test_the_recipe_of_a_run_that_exists_is_taken_as_it_is(draws):
    existing = replace(plan(3.0), run="held_out")
    assert any("extrapolates" in text for text in forecast(draws, existing, [200]).warnings)
    Screener(draws).place(existing)


@pytest.mark.parametrize("near", [plan(1.9e-2), plan(3e-6), plan(steps=5_000)])
def test_milder_extrapolation_is_a_warning(draws, near):
    assert any("extrapolates" in text for text in forecast(draws, near, [100]).warnings)
    Screener(draws).place(near)


def test_the_runs_that_pilots_start_from_count_too(draws):
    study = draws.study
    higher = replace(study, lrs={**study.lrs, "pt": 10 * study.lrs["pt"]})
    assert forecast(replace(draws, study=higher), plan(0.1), [100]).warnings


def test_a_law_below_0_is_a_loss_of_0(draws):
    sunk = draws.posterior.assign(start_level=draws.posterior["start_level"] - 30.0)
    low = replace(draws, posterior=sunk)
    made = forecast(low, plan(), [100, 200])
    screener = Screener(low)
    ends = screener.evaluator(0)([screener.place(plan())])[0]
    assert (made.mu.to_numpy() >= 0).all()
    assert (made.loss.to_numpy() >= 0).all()
    assert (made.interval(0.9)["lower"] >= 0).all()
    assert ends.min() == 0.0
    flat = made.loss.isel(plan=0).sel(step=200).transpose("domain", "chain", "draw")
    np.testing.assert_allclose(ends, flat.to_numpy().reshape(ends.shape), atol=1e-12)
    np.testing.assert_array_equal(possible(np.array([-1.0, 2.0, np.inf])), [0.0, 2.0, CEILING])


# --- what a plan may leave out ----------------------------------------------------------------


def test_the_only_start_there_is_may_be_left_out_and_is_noted(continual):
    named, silent = plan(), plan(start=None)
    made = forecast(continual, silent, [200])
    np.testing.assert_array_equal(made.loss, forecast(continual, named, [200]).loss)
    assert "plan 'new' names no start: it is taken to start from 'pt', as all pilots do" in (
        made.warnings
    )
    assert made.plans[0].start == "pt"
    assert Screener(continual).place(silent).path.start == "pt"


def test_a_plan_without_a_replay_ratio_is_an_error_where_replay_counts(continual, make_draws):
    text = r"plan 'new': replay_ratio is missing: give the share of general data"
    for place in (lambda p: forecast(continual, p, [200]), Screener(continual).place):
        with pytest.raises(PlanError, match=text):
            place(plan(replay_ratio=None))
    without = make_draws(law="")
    bare = forecast(without, plan(replay_ratio=None), [200])
    np.testing.assert_array_equal(bare.mu, forecast(without, plan(replay_ratio=0.0), [200]).mu)


def test_a_plan_from_scratch_under_a_card_without_pretraining_is_one_line(continual):
    scratch = Plan("scratch", WSD)
    for place in (lambda p: forecast(continual, p, [200]), Screener(continual).place):
        with pytest.raises(PlanError, match=r"plan 'scratch' starts from scratch, but .*'pt', and"):
            place(scratch)


def test_a_curriculum_may_be_given_in_pieces(draws):
    pieces = Plan("a", WSD, [(0, 0.1), (150, 0.5)], start="pt")
    whole = Plan("a", WSD, np.repeat([0.1, 0.5], [150, 50]), start="pt")
    np.testing.assert_array_equal(pieces.replay_ratio, whole.replay_ratio)
    np.testing.assert_array_equal(
        forecast(draws, pieces, [200]).loss, forecast(draws, whole, [200]).loss
    )
    with pytest.raises(PlanError, match=r"plan 'a': replay_ratio has a piece from step 200, past"):
        Plan("a", WSD, [(0, 0.1), (200, 0.5)], start="pt")
