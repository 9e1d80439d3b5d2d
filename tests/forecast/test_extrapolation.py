from dataclasses import replace

import numpy as np
import pytest

from bayescpt.data import schedules
from bayescpt.forecast.extrapolation import FARTHEST, extrapolation_distance, recipe
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
    "length": {"steps": 400},
    "start": {"start_lr": 2e-3},
    "schedule": {"lr": schedules.cosine(2e-3, 200, 10).lr},
    "anneals less": {"lr": schedules.constant(2e-3, 200).lr},
}


def test_a_repeat_with_another_seed_is_at_no_distance():
    assert extrapolation_distance(recipe(path()), KNOWN) == 0.0


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_each_part_of_a_recipe_counts(other):
    assert extrapolation_distance(recipe(path(**other)), KNOWN) > 0.5


def test_units_are_marked_differences():
    for other in ({"peak": 4e-3}, {"start_lr": 2e-3}):
        assert extrapolation_distance(recipe(path(**other)), KNOWN) == pytest.approx(1.0, abs=0.02)


def test_further_is_further_up_to_a_limit():
    found = [extrapolation_distance(recipe(path(peak=2e-3 * 2**k)), KNOWN) for k in (0, 1, 2, 5)]
    assert found == sorted(found)
    assert found[-1] == FARTHEST


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
