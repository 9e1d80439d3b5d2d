import numpy as np
import pytest

from bayescpt.data.areas import warmup_steps
from bayescpt.laws.references import references

FLAT = np.full(20, 2e-3)


@pytest.fixture
def rewarm(make_term):
    return make_term("rewarm", "own")


@pytest.mark.parametrize(
    ("lr", "steps"),
    [([2.0, 2.0, 1.0], 0), ([0.5, 1.0, 2.0, 2.0, 0.0], 2), ([1.0, 2.0, 3.0], 2), ([3.0, 1.0], 0)],
    ids=["no warm-up", "warm-up", "rises to the end", "falls"],
)
def test_a_rewarm_up_ends_where_the_lr_stops_rising(lr, steps):
    assert warmup_steps(lr) == steps


def test_the_rise_is_from_the_start_checkpoints_lr_to_the_top_of_the_rewarm_up(
    make_study, make_law, look
):
    study = make_study(np.r_[FLAT, 5e-4], [[1e-3, 2e-3, 2e-3, 0.0], [1e-4] * 3])
    law = make_law(rewarm="own")
    # .75 and -.2, around their mean
    assert references(study, law)["rise"] == pytest.approx(0.275)

    def rise(name):
        return law.features(look(study, name, [1, 2], law), False)["rise"]

    assert rise("run0") == pytest.approx(0.475)
    assert rise("run1") == pytest.approx(-0.475)
    assert rise("base") == 0.0


def test_it_raises_the_level(rewarm):
    p = {"rewarm_ref": 0.2, "jump": -0.05}
    assert rewarm.flat
    found = rewarm.coefficients(p, {"is_cpt": 1.0, "rise": 0.75})["offset"]
    assert found == pytest.approx(0.2 * 0.75 - 0.05)
    both = rewarm.coefficients(p, {"is_cpt": np.array([1.0, 0.0]), "rise": np.array([0.75, 0.0])})
    np.testing.assert_allclose(both["offset"], [0.1, 0.0], atol=1e-15)
    assert [rewarm.applies(is_cpt) for is_cpt in (True, False)] == [True, False]


def test_in_the_law_it_stands_beside_the_start_level(make_law):
    law = make_law(rewarm="own")
    p = {
        "start_level": 3.0, "level_pt": 3.2, "base_ref": 0.2, "alpha_s1": 0.5, "anneal_ref": 0.06,
        "anneal_pt_ref": 0.07, "shift_ref": 0.8, "onset": 28.0, "beta": 0.2, "rewarm_ref": 0.2,
        "jump": -0.05,
    }  # fmt: skip
    seen = {"is_cpt": 1.0, "is_target": 0.0, "replay": 0.0, "rise": 0.75}
    assert law.coefficients(p, seen)["level"]["offset"] == pytest.approx(3.0 + 0.2 * 0.75 - 0.05)
    assert law.coefficients(p, seen | {"is_cpt": 0.0, "rise": 0.0})["level"]["offset"] == 3.2


def test_is_the_same_by_numpy_xarray_and_pytensor(everywhere, rewarm):
    def law(rewarm_ref, jump, rise, is_cpt, xp=np):
        p = {"rewarm_ref": rewarm_ref, "jump": jump}
        return rewarm.value(p, {"rise": rise, "is_cpt": is_cpt}, xp)

    by_row = {"rise": [0.0, -0.5, 2.0, 0.7], "is_cpt": [1.0, 1.0, 1.0, 0.0]}
    out = everywhere(law, {"rewarm_ref": [0.0, 0.2], "jump": [0.1, -0.3]}, by_row)
    for values in out.values():
        np.testing.assert_allclose(values, out["numpy"], rtol=1e-10, atol=1e-10)
