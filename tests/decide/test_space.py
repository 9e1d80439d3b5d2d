"""Spaces of recipes."""

import re

import numpy as np
import pytest

from bayescpt.decide import Space, read_space
from bayescpt.errors import PlanError, ScheduleError
from bayescpt.forecast.ranges import FittedRange

FITTED = FittedRange(peak_lr=(1e-3, 2e-3), n_steps=(200, 1000), replay=(0.1, 0.5))


def space(**given) -> Space:
    return Space(**{"schedule": "constant", "lr": 1e-3, "num_training_steps": 100, **given})


def axis(of: Space, name: str):
    return next(axis for axis in of.axes if axis.name == name)


def test_values_and_ranges_are_searched_from_end_to_end():
    made = space(lr=(1e-4, 1e-2), replay_ratio={"low": 0.1, "high": 0.3}, start=["a", "b"])
    assert [a.name for a in made.varied] == ["replay_ratio", "lr", "start"]
    assert [axis(made, "lr").at(u) for u in (0.0, 0.5, 1.0)] == [1e-4, 1e-3, 1e-2]
    assert [axis(made, "replay_ratio").at(u) for u in (0.0, 0.5, 1.0)] == [0.1, 0.2, 0.3]
    assert [axis(made, "start").at(u) for u in (0.0, 0.49, 0.5, 1.0)] == ["a", "a", "b", "b"]
    assert axis(space(num_training_steps=(10, 21)), "num_training_steps").at(0.5) == 16


def test_settings_have_few_digits_and_stay_inside():
    made = axis(space(replay_ratio=(0.12345, 0.45678)), "replay_ratio")
    assert made.at(0.5) == 0.29
    assert made.at(0.0) == 0.12345


def test_a_space_of_lists_has_a_size():
    assert space(lr=[1e-3, 2e-3], replay_ratio=[0.1, 0.2, 0.3]).size == 6
    assert space(lr=[1e-3, 2e-3], replay_ratio=(0.1, 0.2)).size is None
    assert space().size == 1


def test_a_recipe_is_named_after_what_varies():
    made = space(
        schedule=["wsd", "constant_with_warmup"],
        decay_share=(0.1, 0.5),
        warmup_share=0.03,
        replay_ratio=[0.1, 0.2],
    )
    wsd = made.plan(made.point({"schedule": 0.0, "decay_share": 0.5, "replay_ratio": 1.0}))
    assert wsd.name == "replay_ratio 0.2, wsd, decay_share 0.3"
    assert wsd.schedule.params["num_decay_steps"] == 30
    assert wsd.schedule.params["num_warmup_steps"] == 3
    assert wsd.replay_ratio == 0.2
    other = made.plan(made.point({"schedule": 1.0, "decay_share": 0.5, "replay_ratio": 1.0}))
    assert other.name == "replay_ratio 0.2, constant_with_warmup"
    assert space().plan(space().point({})).name == "constant"


def test_a_schedule_that_cannot_be_is_an_error():
    made = space(schedule="wsd", warmup_share=0.6, decay_share=0.6)
    with pytest.raises(ScheduleError):
        made.plan(made.point({}))


def test_a_space_is_clipped_to_what_was_fitted():
    made, notes = space(
        lr=(5e-4, 4e-3), replay_ratio=[0.0, 0.1, 0.4], num_training_steps=[100, 2000]
    ).within(FITTED)
    assert (axis(made, "lr").low, axis(made, "lr").high) == FITTED.peak_lr
    assert axis(made, "replay_ratio").values == (0.1, 0.4)
    assert axis(made, "num_training_steps").values == (100,)
    assert notes == [
        "not searched: replay_ratio 0: outside the fitted 0.1..0.5",
        "not searched: lr 0.0005..0.001 and 0.002..0.004: outside the fitted 0.001..0.002",
        "not searched: num_training_steps 2000: outside the fitted 0..1000",
    ]
    same, notes = space(replay_ratio=(0.1, 0.5)).within(FITTED)
    assert (same.size, notes) == (None, [])


@pytest.mark.parametrize("lr", [5e-3, [5e-3, 6e-3], (5e-3, 6e-3), (1e-4, 2e-4)])
def test_a_space_outside_what_was_fitted_is_an_error(lr):
    text = r"lr 0\.00.*: outside the fitted 0\.001\.\.0\.002, so nothing is left; extrapolate=True"
    with pytest.raises(PlanError, match=text):
        space(lr=lr, replay_ratio=0.2).within(FITTED)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"schedule": "triangle"}, "schedule 'triangle'; it must be one of constant"),
        ({"schedule": "from_array"}, "schedule 'from_array'; it must be one of"),
        ({"num_decay_steps": 5}, "'num_decay_steps', which is no argument of constant; known are"),
        ({"lr": (2e-3, 1e-3)}, "lr: a range is (low, high); got (0.002, 0.001)"),
        ({"lr": (0, 1e-3)}, "lr: a range is (low, high); got (0, 0.001)"),
        ({"lr": {"low": 1e-3}}, "lr: a range has 'low' and 'high'; this has ['low']"),
        ({"replay_ratio": []}, "replay_ratio: the list is empty"),
    ],
)
def test_bad_settings_are_errors(given, text):
    with pytest.raises(PlanError, match=re.escape(text)):
        space(**given)


def test_a_setting_left_out_is_an_error():
    with pytest.raises(PlanError, match="the space has no 'lr'; it needs schedule, lr, num_train"):
        Space(schedule="constant", num_training_steps=10)


def test_a_space_is_read_from_a_file(tmp_path):
    file = tmp_path / "space.toml"
    file.write_text(
        '[space]\nschedule = "wsd"\nlr = { low = 1e-4, high = 1e-3 }\nnum_training_steps = 500\n'
        "decay_share = [0.1, 0.2]\n"
    )
    made = read_space(file)
    assert [a.name for a in made.varied] == ["lr", "decay_share"]
    for text, why in (
        ("[space", "cannot be read"),
        ("lr = 1", "one table [space] and nothing else"),
        ("[space]\nlr = 1", "the space has no 'schedule'"),
    ):
        file.write_text(text)
        with pytest.raises(PlanError, match=re.escape(why)) as caught:
            read_space(file)
        assert str(caught.value).startswith(str(file))
    with pytest.raises(PlanError, match="no such file"):
        read_space(tmp_path / "none.toml")


def test_curricula_are_values_of_the_replay_ratio():
    ramp = [[0, 0.1], [50, 0.5]]
    one = space(replay_ratio=ramp)
    assert one.size == 1
    (plan,) = [one.plan(one.point({}))]
    np.testing.assert_array_equal(plan.replay_ratio, np.repeat([0.1, 0.5], 50))
    made = space(replay_ratio=[0.2, ramp, [[0, 0.5], [50, 0.9]]])
    assert made.size == 3
    names = [made.plan(made.point({"replay_ratio": u})).name for u in (0.0, 0.5, 0.9)]
    assert names == ["replay_ratio 0.2", "replay_ratio 0.1@0 0.5@50", "replay_ratio 0.5@0 0.9@50"]
    clipped, notes = made.within(FITTED)
    assert clipped.size == 2
    assert notes == ["not searched: replay_ratio 0.5@0 0.9@50: outside the fitted 0.1..0.5"]


def test_a_misspelt_setting_is_told_what_was_meant():
    for given, meant in (("replay", "replay_ratio"), ("decay_frac", "decay_share")):
        with pytest.raises(PlanError, match=f"'{given}', .*did you mean '{meant}'"):
            space(schedule="wsd", lr=1e-3, **{given: 0.2})


def curriculum_space(**given) -> Space:
    return space(**{"replay_ratio": (0.1, 0.5), "replay_pieces": [1, 2, 3], **given})


def test_pieces_of_replay_have_ratios_and_switches_of_their_own():
    made = curriculum_space()
    names = ["replay_ratio", "replay_pieces", "switch_share"]
    names += ["replay_ratio_2", "replay_ratio_3", "switch_share_2"]
    assert [a.name for a in made.varied] == names
    place = {"replay_pieces": 1.0, "replay_ratio_2": 1.0, "switch_share": 1.0}
    plan = made.plan(made.point(place))
    # The second switch, at .05, comes first; the third piece has the ratio .1 again.
    assert plan.name == "replay_ratio 0.1@0 0.5@5 0.1@95"
    np.testing.assert_array_equal(plan.replay_ratio, np.repeat([0.1, 0.5, 0.1], [5, 90, 5]))
    two = made.plan(made.point({**place, "replay_pieces": 0.5}))
    assert two.name == "replay_ratio 0.1@0 0.5@95"
    one = made.plan(made.point({**place, "replay_pieces": 0.0}))
    assert (one.name, one.replay_ratio) == ("replay_ratio 0.1", 0.1)


def test_neighbours_of_one_ratio_and_empty_pieces_are_no_curriculum():
    made = curriculum_space(replay_ratio=[0.1, 0.5], replay_pieces=3, switch_share=[0.0, 0.5, 1.0])
    recipes = {
        made.plan(made.point(dict(zip([a.name for a in made.varied], place, strict=True)))).name
        for place in np.ndindex(2, 3, 2, 2, 3)
        for place in [[(i + 0.5) / n for i, n in zip(place, (2, 3, 2, 2, 3), strict=True)]]
    }
    one_switch = {"replay_ratio 0.1@0 0.5@50", "replay_ratio 0.5@0 0.1@50"}
    assert recipes == {"replay_ratio 0.1", "replay_ratio 0.5", *one_switch}


def test_a_piece_may_have_a_range_of_its_own():
    made = curriculum_space(
        replay_ratio=0.1, replay_pieces=2, replay_ratio_2=(0.2, 0.4), switch_share=0.5
    )
    assert [a.name for a in made.varied] == ["replay_ratio_2"]
    names = [made.plan(made.point({"replay_ratio_2": u})).name for u in (0.0, 1.0)]
    assert names == ["replay_ratio 0.1@0 0.2@50", "replay_ratio 0.1@0 0.4@50"]


def test_each_piece_is_clipped_to_what_was_fitted():
    made, notes = curriculum_space(replay_ratio=(0.0, 0.9), replay_pieces=2).within(FITTED)
    for name in ("replay_ratio", "replay_ratio_2"):
        assert (axis(made, name).low, axis(made, name).high) == FITTED.replay
    assert len(notes) == 2


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"replay_pieces": 0}, "replay_pieces is 0; give whole numbers from 1 to 5, such as [1, 2"),
        ({"replay_pieces": [1, 2.5]}, "replay_pieces is [1, 2.5]; give whole numbers"),
        ({"replay_pieces": (1, 3)}, "replay_pieces is (1, 3); give whole numbers"),
        ({"replay_pieces": 9}, "replay_pieces is 9; give whole numbers"),
        ({"replay_ratio": [[0, 0.1], [50, 0.5]]}, "it is the ratio of a piece; give numbers"),
        ({"switch_share": (0.5, 1.5)}, "switch_share is (0.5, 1.5); expected numbers from 0 to 1"),
        ({"replay_ratio": [0.1, 25]}, "replay_ratio is [0.1, 25]; expected numbers from 0 to 1"),
        ({"replay_ratio_4": 0.1}, "'replay_ratio_4', but replay_pieces is at most 3"),
    ],
)
def test_pieces_that_cannot_be_are_errors(given, text):
    with pytest.raises(PlanError, match=re.escape(text)):
        curriculum_space(**given)


def test_settings_of_pieces_need_their_number_and_a_ratio():
    with pytest.raises(PlanError, match="'switch_share' but no 'replay_pieces'"):
        space(replay_ratio=0.2, switch_share=0.5)
    with pytest.raises(PlanError, match="'replay_pieces' but no 'replay_ratio'"):
        space(replay_pieces=2)


def test_a_space_of_curricula_is_read_from_a_file(tmp_path):
    file = tmp_path / "space.toml"
    file.write_text(
        '[space]\nschedule = "constant"\nlr = 1e-3\nnum_training_steps = 500\n'
        "replay_ratio = { low = 0.1, high = 0.5 }\nreplay_pieces = [1, 2]\n"
        "switch_share = [0.25, 0.5]\n"
    )
    made = read_space(file)
    plan = made.plan(made.point({"replay_pieces": 1.0, "replay_ratio": 1.0}))
    assert plan.name == "replay_ratio 0.5@0 0.1@125"


def test_a_space_of_pieces_can_be_made_again_from_its_axes():
    made = curriculum_space()
    settings = {a.name: (a.low, a.high) if not a.values else list(a.values) for a in made.axes}
    assert Space(**settings).axes == made.axes
