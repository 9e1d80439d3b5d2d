import numpy as np
import pytest

from bayescpt.laws.points import References


def level_of(make_term, **setting):
    return make_term("level", "anchored", **setting)


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ({}, ["level_pt"]),
        ({"pretraining": False}, []),
        ({"continual": False}, ["level_pt"]),
        ({"continual": False, "pretraining": False}, ["level_pt"]),
        ({"paper": True}, ["L0"]),
        ({"paper": True, "pretraining": False}, ["L0"]),
    ],
    ids=str,
)
def test_a_level_is_sampled_where_pre_training_rows_tell_it(make_term, setting, names):
    assert [p.name for p in level_of(make_term, **setting).parameters] == names


def test_the_anchor_is_the_start_checkpoint_and_in_pre_training_the_reference_area(make_term):
    level = level_of(make_term)
    p = {"start_level": 3.0, "level_pt": 3.2}
    assert level.flat
    assert level.coefficients(p, {"is_cpt": 1.0}) == {"offset": 3.0}
    assert level.coefficients(p, {"is_cpt": 0.0}) == {"offset": 3.2}
    both = level.coefficients(p, {"is_cpt": np.array([0.0, 1.0, 0.0])})["offset"]
    np.testing.assert_array_equal(both, [3.2, 3.0, 3.2])
    # A card of one phase knows one of them.
    assert level.coefficients({"start_level": 3.0}, {"is_cpt": 1.0}) == {"offset": 3.0}
    assert level.coefficients({"level_pt": 3.2}, {"is_cpt": 0.0}) == {"offset": 3.2}


def test_is_the_same_by_numpy_xarray_and_pytensor(everywhere, make_term):
    level = level_of(make_term)

    def law(start_level, level_pt, is_cpt, xp=np):
        p = {"start_level": start_level, "level_pt": level_pt}
        return level.value(p, {"is_cpt": is_cpt}, xp)

    by_draw = {"start_level": [3.0, 2.5], "level_pt": [3.2, -1.0]}
    out = everywhere(law, by_draw, {"is_cpt": [1.0, 0.0, 1.0]})
    for values in out.values():
        np.testing.assert_array_equal(values, out["numpy"])


def test_l0_is_below_the_level_by_the_base_term_there(make_term):
    """L0 + A S1^-alpha = level: at S1ref, or where the first start checkpoint was trained to."""
    level = level_of(make_term)
    refs = References({"area": 4.0, "first_start_area": 1.0})
    ref = {"base_ref": 0.2, "alpha_s1": 0.5, "level_pt": 3.2, "start_level": 3.0}
    assert level.symbols(ref, refs) == {"L0": pytest.approx(3.0)}
    assert level.to_reference({"L0": 3.0, "base_ref": 0.2}, refs) == {"level_pt": 3.2}
    del ref["level_pt"]
    # A = .2 4^.5 = .4, and S1 = 1.
    assert level.symbols(ref, refs) == {"L0": pytest.approx(2.6, rel=1e-14)}
    del ref["start_level"]
    assert level.symbols(ref, refs) == {}


def test_a_washed_level_undoes_a_share_of_what_starts_differ_by(make_term):
    washed = make_term("level", "washed", pretraining=False)
    p = {"start_wash": 0.25, "start_mean": 2.0}
    for start, level in ((2.0, 2.0), (3.0, 2.75), (1.6, 1.7)):
        found = washed.coefficients({**p, "start_level": start}, {"is_cpt": 1.0})["offset"]
        assert found == pytest.approx(level)
    # Without it, the difference lasts.
    plain = level_of(make_term, pretraining=False)
    assert plain.coefficients({**p, "start_level": 3.0}, {"is_cpt": 1.0})["offset"] == 3.0
