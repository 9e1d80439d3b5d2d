import numpy as np
import pytest

from bayescpt.laws.references import references

FLAT = np.full(20, 2e-3)


def test_it_is_a_share_of_the_annealing_drop_by_the_rise(make_term):
    term = make_term("rewarm", "tied", annealing="area")
    p = {"rewarm_share": 0.6, "anneal_ref": 0.3, "jump": -0.02}
    found = term.coefficients(p, {"is_cpt": 1.0, "rise_all": 0.75})["offset"]
    assert found == pytest.approx(0.6 * 0.3 * 0.75 - 0.02)
    assert [term.applies(is_cpt) for is_cpt in (True, False)] == [True, False]


def test_the_rise_is_counted_from_the_lr_that_the_base_ended_at(make_study, make_law, look):
    study = make_study(np.r_[FLAT, 5e-4], [[1e-3, 2e-3, 2e-3, 0.0], [1e-4] * 3])
    law = make_law(rewarm="tied")
    assert references(study, law)["rise"] == pytest.approx(0.275)
    rises = [
        law.features(look(study, name, [1, 2], law), False)["rise_all"]
        for name in ("run0", "run1", "base")
    ]
    assert rises == pytest.approx([0.75, -0.2, 0.0])


def test_the_annealing_area_leaves_the_warm_up_to_it(make_study, make_law, look):
    """Its basis holds no rise of the LR, as beside the re-warm-up of separate size."""
    study = make_study(np.r_[FLAT, 5e-4], [[1e-3, 2e-3, 2e-3, 0.0], [1e-4] * 3])
    basis = {
        name: law.features(look(study, "run0", [3, 4], law), False)["anneal"]
        for name in ("own", "tied", "annealing")
        for law in [make_law(annealing="area", rewarm=name)]
    }
    np.testing.assert_array_equal(basis["tied"], basis["own"])
    assert not np.allclose(basis["tied"], basis["annealing"])
