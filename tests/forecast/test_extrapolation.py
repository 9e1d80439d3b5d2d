from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from bayescpt.data import schedules
from bayescpt.errors import PlanError
from bayescpt.forecast import Plan, forecast
from bayescpt.forecast.extrapolation import FARTHEST, extrapolation_distance, recipe
from bayescpt.forecast.plan import plan_trajectory
from bayescpt.laws.trajectory import Trajectory, run_trajectory


def path(lr=None, replay=0.25, start_lr=0.0, target="german", peak=2e-3, steps=200, phase="cpt"):
    rates = schedules.wsd(peak, steps, 10, 40).lr if lr is None else lr
    return Trajectory(
        name="a",
        phase=phase,
        lr=rates,
        replay=np.full(rates.shape, replay),
        start="pt",
        start_area=1.0,
        before=(),
        start_lr=start_lr,
        target=target,
    )


KNOWN = [recipe(path())]
OTHERS = {
    "replay": {"replay": 0.5},
    "target's share": {"replay": 1.0},
    "peak": {"peak": 4e-3},
    "start": {"start_lr": 2e-3},
    "schedule": {"lr": schedules.cosine(2e-3, 200, 10).lr},
    "anneals less": {"lr": schedules.constant(2e-3, 200).lr},
}


def test_a_repeat_with_another_seed_is_at_no_distance():
    assert extrapolation_distance(recipe(path()), KNOWN) == 0.0


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_each_part_of_a_recipe_counts(other):
    assert extrapolation_distance(recipe(path(**other)), KNOWN) > 0.5


def test_length_counts_in_pretraining_only():
    # The drift of a CPT run grows with its area: in the distance, length would count twice.
    schedule = schedules.wsd(2e-3, 200, 10, 40).lr
    for phase, apart in (("cpt", 0.0), ("pt", 1.0)):
        short, long = (
            recipe(path(lr=lr, phase=phase, target=None)) for lr in (schedule, schedule.repeat(2))
        )
        assert extrapolation_distance(long, [short]) == pytest.approx(apart, abs=0.05)


def test_units_are_marked_differences():
    for other in ({"peak": 4e-3}, {"start_lr": 2e-3}):
        assert extrapolation_distance(recipe(path(**other)), KNOWN) == pytest.approx(1.0, abs=0.02)


def test_a_model_of_another_size_is_farther_where_both_sizes_are_known():
    def sized(n_params):
        return recipe(replace(path(), n_params=n_params))

    assert extrapolation_distance(sized(1e6), KNOWN) == 0.0
    found = [extrapolation_distance(sized(size), [sized(1e6)]) for size in (1e6, 4e6, 16e6, 1e5)]
    np.testing.assert_allclose(found, [0.0, 1.0, 2.0, np.log(10) / np.log(4)])


def test_further_is_further_up_to_a_limit():
    found = [extrapolation_distance(recipe(path(peak=2e-3 * 2**k)), KNOWN) for k in (0, 1, 2, 5)]
    assert found == sorted(found)
    assert found[-1] == FARTHEST


def test_a_plan_at_a_rate_of_0_is_as_far_as_any_can_be():
    # From a start that is still hot; without a warning, which would be an error here.
    idle = recipe(path(lr=np.zeros(200), start_lr=1e-3))
    assert extrapolation_distance(idle, KNOWN) == FARTHEST


def test_the_nearest_of_all_counts():
    both = [*KNOWN, recipe(path(replay=0.5))]
    assert extrapolation_distance(recipe(path(replay=0.45)), both) < extrapolation_distance(
        recipe(path(replay=0.45)), KNOWN
    )


def test_recipes_of_another_kind_say_nothing():
    assert extrapolation_distance(recipe(path(target="code")), KNOWN) == FARTHEST
    assert extrapolation_distance(recipe(path(phase="pt", target=None)), KNOWN) == FARTHEST
    assert extrapolation_distance(recipe(path()), []) == FARTHEST


def test_shares_of_the_general_set_and_of_the_target_count_by_their_square_roots():
    """sqrt(.05) / .25 = .894, whichever of the two has the twentieth."""
    for few in (0.0, 1.0):
        known = [recipe(path(replay=abs(few - 0.05)))]
        assert extrapolation_distance(recipe(path(replay=few)), known) == pytest.approx(
            0.894427, rel=1e-6
        )


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("replay", [0.25, 0.3, 0.5, 0.8]),
        ("peak", [2e-3, 1.5e-3, 1e-3, 5e-4]),
        ("steps", [200, 240, 400, 900]),
        ("start_lr", [0.0, 5e-4, 1e-3, 2e-3]),
    ],
)
def test_the_further_off_in_one_part_the_larger_the_distance(key, values):
    found = [extrapolation_distance(recipe(path(**{key: value})), KNOWN) for value in values]
    assert found[0] == 0.0
    assert np.all(np.diff(found) > 0)


def test_a_fitted_run_is_not_compared_with_itself(draws):
    fitted = run_trajectory(draws.study, "r10_wsd")
    repeat = replace(fitted, name="again", run=None)
    assert draws.extrapolation(repeat) == 0.0
    assert draws.extrapolation(fitted) > 0.3


# pre-training


@pytest.mark.parametrize("named", [False, True])
def test_pretraining_from_scratch_is_like_a_fitted_run_of_its_recipe(make_draws, named):
    """Also where the table of runs says what pre-training was on."""
    study = make_draws().study
    runs = study.runs.copy()
    runs.loc[runs["phase"] == "pt", "domain"] = "general" if named else None
    study = replace(study, runs=runs)
    draws = make_draws('run_effects = ["level", "drift"]', study=study, draws=200)
    schedule = study.run("pt").schedule
    scratch = Plan("scratch", schedule)
    path = plan_trajectory(scratch, study)
    assert (path.replay == 1.0).all()
    assert path.digest == run_trajectory(study, "pt").digest
    assert draws.extrapolation(path) == 0.0
    # Its band is no wider: it has no part of what far recipes have.
    posterior = draws.posterior.copy(deep=True)
    posterior["discrepancy_far"][:] = 1e3
    far = replace(draws, posterior=posterior)
    made = [forecast(d, scratch, [100, 1000]).dataset for d in (draws, far)]
    xr.testing.assert_identical(*made)
    # A name alone makes no new recipe; half the peak does.
    other = Plan("scratch", schedules.from_array(schedule.lr / 2))
    assert draws.extrapolation(plan_trajectory(other, study)) == pytest.approx(1.0)
    wide = forecast(far, other, [1000])
    assert float(wide.loss.std() / made[0]["loss"].sel(step=1000).std()) > 5


def test_replay_from_scratch_is_an_error(draws):
    study = draws.study
    for ratio in (0.3, np.r_[np.zeros(100), np.ones(100)], np.full(200, 0.5)):
        with pytest.raises(
            PlanError, match="plan 'a' starts from scratch, where replay does not apply"
        ):
            plan_trajectory(Plan("a", schedules.wsd(2e-3, 200, 10, 40), ratio), study)
    for ratio in (0.0, 1.0, np.zeros(200), np.ones(200)):
        made = plan_trajectory(Plan("a", schedules.constant(1e-3, 200), ratio), draws.study)
        np.testing.assert_array_equal(made.replay, np.ones(200))


# curricula

RAMP = np.linspace(0.0, 1.0, 200)
CURRICULA = {
    "rising": 0.5 * RAMP,
    "falling": 0.5 * (1 - RAMP),
    "switched": np.repeat([0.0, 0.5], 100),
    "small": 0.25 + 0.1 * (RAMP - 0.5),
    "high": 0.8 + 0.2 * RAMP,
}


@pytest.mark.parametrize("ratios", CURRICULA.values(), ids=CURRICULA)
@pytest.mark.parametrize("pilots", [[0.0], [0.25], [0.0, 0.1, 0.5], [0.9], [1.0]])
def test_a_curriculum_is_further_off_than_its_mean_where_the_pilots_are_constant(pilots, ratios):
    known = [recipe(path(replay=ratio)) for ratio in pilots]
    mean = extrapolation_distance(recipe(path(replay=ratios.mean())), known)
    found = extrapolation_distance(recipe(path(replay=ratios)), known)
    assert found > mean or found == mean == FARTHEST


def test_a_curriculum_is_near_the_same_one():
    known = [recipe(path(replay=CURRICULA["rising"]))]
    assert extrapolation_distance(recipe(path(replay=CURRICULA["rising"])), known) == 0.0
    assert extrapolation_distance(recipe(path(replay=CURRICULA["falling"])), known) > 1.0


@pytest.mark.parametrize(("one", "other"), [(0.0, 0.06), (0.25, 0.56), (0.1, 0.9), (1.0, 0.7)])
def test_constant_ratios_are_as_far_as_the_roots_of_their_shares(one, other):
    """The larger of the two differences of roots, in quarters."""
    known = [recipe(path(replay=one))]
    apart = max(abs(np.sqrt(one) - np.sqrt(other)), abs(np.sqrt(1 - one) - np.sqrt(1 - other)))
    for ratio in (other, np.full(200, other)):
        found = extrapolation_distance(recipe(path(replay=ratio)), known)
        assert found == pytest.approx(min(apart / 0.25, FARTHEST), rel=1e-12)
