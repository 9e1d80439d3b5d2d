"""Plans of models of several sizes."""

from dataclasses import replace

import numpy as np
import pytest

import bayescpt as bc
from bayescpt.data import load_example, schedules
from bayescpt.errors import PlanError
from bayescpt.evaluate.several_sizes import several_sizes
from bayescpt.forecast import Draws, Plan, forecast
from bayescpt.forecast.expected import expected_curve
from bayescpt.forecast.final import FinalLosses, Placer
from bayescpt.forecast.plan import Starts, plan_trajectory
from bayescpt.forecast.plan_file import read_plans
from bayescpt.forecast.plan_text import plan_text
from bayescpt.inference.advice import study_pilots
from bayescpt.inference.card_check import card_gaps, default_card
from bayescpt.inference.idata import prior_draws
from bayescpt.laws.pilots import another_size, another_start
from bayescpt.laws.view import View
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows
from tests.forecast.test_final import at_ends

CARD = load_card("cpt_sizes")
SIZE = 332448.0
SMALL = ("de_r10_wsd", "de_r50_wsd", "de_r25_cos")


@pytest.fixture(scope="module")
def study():
    """Pilots of two sizes, and bases of a third."""
    whole = several_sizes(load_example("cpt_micro"), {4.0: 0.5, 16.0: 0.25})
    pilots = [*SMALL, *(f"{name}@4" for name in SMALL)]
    return whole.select([*pilots, "pt_r0@16", "pt_r1@16"])


@pytest.fixture(scope="module")
def draws(study):
    rows = make_rows(study, CARD)
    values = prior_draws(CARD, rows, np.random.default_rng(1), draws=400)
    return Draws(values, CARD, study, rows)


def wsd(name, start, lr=2e-3, **other):
    return Plan(name, schedules.wsd(lr, 1000, 30, 200), 0.25, start=start, **other)


def test_the_default_card_has_sizes_where_bases_or_runs_have_several(study):
    assert default_card(study) == "cpt_fade_sizes"
    whole = several_sizes(load_example("cpt_micro"), {4.0: 0.5})
    assert default_card(whole) == "cpt_fade_sizes"
    # Pilots of one size, and a base of another for the plans.
    assert default_card(study.select([*SMALL, "pt_r0@16"])) == "cpt_fade_sizes"
    assert default_card(study.select(list(SMALL))) == "cpt_fade"


def test_another_card_says_that_it_takes_all_sizes_for_one(study):
    card = load_card("cpt_fade")
    (gap,) = card_gaps(card, study, make_rows(study, card))
    assert "no term for the model size" in gap
    assert "332,448 to 1.32979e+06 parameters: use card 'cpt_fade_sizes'" in gap
    assert card_gaps(CARD, study, make_rows(study, CARD)) == []


def test_a_plan_has_the_size_of_its_start_checkpoint(study):
    path = plan_trajectory(wsd("a", "pt_r0@16"), study)
    assert path.n_params == 16 * SIZE
    again = plan_trajectory(wsd("a", "pt_r0@16", n_params=16 * SIZE), study)
    assert (again.n_params, again.digest) == (path.n_params, path.digest)
    with pytest.raises(PlanError, match=r"n_params = 1e\+09, but its start checkpoint 'pt_r0@16'"):
        plan_trajectory(wsd("a", "pt_r0@16", n_params=1e9), study)


def test_a_file_of_plans_gives_sizes(study, tmp_path):
    text = (
        '[[plan]]\nname = "a"\nschedule = "cosine"\nlr = 1e-3\nnum_training_steps = 100\n'
        'replay_ratio = 0.1\nstart = "pt_r0@4"\n'
    )
    path = tmp_path / "plans.toml"
    path.write_text(f"{text}n_params = {4 * SIZE}\n")
    (plan,) = read_plans(path, study, CARD)
    assert plan.n_params == plan.to_dict()["n_params"] == 4 * SIZE
    path.write_text(f"{text}n_params = [1e6, 2e6]\n")
    with pytest.raises(PlanError, match="key 'n_params' must be one number"):
        read_plans(path, study, CARD)


def test_the_text_of_a_plan_has_its_own_learning_rates(study):
    plan = wsd("a", "pt_r0@16", lr=3e-4)
    text = plan_text(Starts(study, card=CARD).trajectory(plan))
    assert "\nlr = 0.0003\n" in text


def test_a_size_that_no_pilot_has_is_outside_and_far(study, draws):
    plan = wsd("large", "pt_r0@16", lr=5e-4)
    warnings = forecast(draws, [plan], steps=[100]).warnings
    assert any("5.31917e+06 parameters are more than the fitted 1.32979e+06" in w for w in warnings)
    # At the peak of its own base, as the pilots: the LR is nothing new.
    assert not any("peak LR" in w for w in warnings)
    high = forecast(draws, [wsd("high", "pt_r0@16", lr=1e-3)], steps=[100]).warnings
    assert any(
        "peak LR 0.001 is above the fitted 0.0005 at the peak LR of its base" in w for w in high
    )
    near = draws.extrapolation(plan_trajectory(wsd("a", "pt_r0@4", lr=1e-3), study))
    far = draws.extrapolation(plan_trajectory(plan, study))
    assert far == pytest.approx(np.hypot(near, 1.0))


def test_a_size_without_pilots_deviates_as_a_whole(study, draws):
    """By as much as sizes do, the same in all plans of that size."""

    def shifts(start, lr):
        p = draws.parameters(plan_trajectory(wsd("a", start, lr=lr), study), "german")
        return p["size_shift_offset"]

    large = shifts("pt_r0@16", 5e-4)
    np.testing.assert_array_equal(large, shifts("pt_r1@16", 1e-4))
    assert abs(large.mean()) < 4 / np.sqrt(large.size)
    assert large.std() == pytest.approx(1.0, abs=4 / np.sqrt(2 * large.size))
    fitted = shifts("pt_r0@4", 1e-3)
    place = draws.labels.sized_names.index("german|german|1,329,792")
    np.testing.assert_array_equal(fitted, draws.value("size_shift_offset", place))


def test_a_new_size_washes_out_among_the_bases_of_its_size(study, draws):
    curves = study.curves[(study.curves["domain"] == "general") & (study.curves["step"] > 0)]
    last = curves.groupby("run")["loss"].last()
    mean = np.mean([study.checkpoint_loss(name, "general") for name in ("pt_r0@16", "pt_r1@16")])
    path = plan_trajectory(wsd("a", "pt_r0@16", lr=5e-4), study)
    level = np.full(draws.size, last["pt_r0@16"])
    np.testing.assert_allclose(draws.start_mean(path, "general", level), mean)


@pytest.mark.parametrize("start", ["pt_r0@16", "pt_r0@4"])
def test_a_size_counted_in_another_way_has_the_same_peers(study, draws, start):
    """Parameters are counted with embeddings or without biases: half a percent is no size."""
    path = plan_trajectory(wsd("a", start, lr=5e-4), study)
    level = np.full(draws.size, 3.0)
    same, other = (replace(path, n_params=share * path.n_params) for share in (1.005, 1.5))
    there = draws.start_mean(path, "general", level)
    np.testing.assert_array_equal(draws.start_mean(same, "general", level), there)
    away = replace(other, start="elsewhere")
    np.testing.assert_array_equal(draws.start_mean(away, "general", level), level)


def test_the_same_recipe_at_another_size_differs_by_its_exponents(study, draws):
    """Without exponents and deviations, as on the smaller model from the same start loss."""
    free = [n for n in draws.posterior if str(n).startswith("size_") and "_offset" not in str(n)]
    flat = draws.posterior.assign({name: 0.0 * draws.posterior[name] for name in free})
    same = Draws(flat, CARD, study, draws.rows)
    rng = np.random.default_rng(1)
    found = []
    for start, lr in (("pt_r0", 2e-3), ("pt_r0@4", 1e-3)):
        view = View(
            plan_trajectory(wsd("a", start, lr=lr), study), np.array([0, 50, 1000]), draws.rows.refs
        )
        curve = expected_curve(same, view, "german", rng)
        found.append(curve - curve[:, :1])
    np.testing.assert_allclose(found[0], found[1], atol=1e-8)


def test_plans_of_several_sizes_are_compared(study, draws):
    plans = [wsd("small", "pt_r0"), wsd("large", "pt_r0@16", lr=5e-4)]
    fc = forecast(draws, plans, steps=[200, 1000])
    decision = bc.compare(fc, goal={"general": 3.6, "german": 3.4})
    assert set(decision.table.index) == {"small", "large"}


def test_a_pilot_of_another_size_is_proposed(study):
    pilots = study_pilots(study, CARD, make_rows(study, CARD))
    found = another_size(pilots)
    # At the factor of the LR that the pilot has, on the size without runs.
    assert found.path.start == "pt_r0@16"
    assert "\nlr = 0.0005\n" in plan_text(found.path)
    assert found.change == "5.31917e+06 parameters, start 'pt_r0@16'"
    # Another start of the same size is a change of the start only.
    other = another_start(pilots)
    assert other is None or other.path.n_params == pilots.models[other.path.start][0]


def test_screening_gives_the_ends_of_forecasts_at_every_size(study, draws):
    """The two evaluate the law in ways of their own."""
    starts = {"pt_r0": 2e-3, "pt_r0@4": 1e-3, "pt_r0@16": 5e-4, "pt_r1@16": 3e-4}
    plans = [wsd(f"from {start}", start, lr) for start, lr in starts.items()]
    for kind in ("mu", "loss"):
        evaluate, placer = FinalLosses(draws, seed=4), Placer(draws)
        found = evaluate([placer.place(plan) for plan in plans], kind)
        np.testing.assert_allclose(found, at_ends(draws, plans, kind, 4), rtol=1e-10)
