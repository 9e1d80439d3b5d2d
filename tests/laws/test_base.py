import numpy as np
import pytest

LOG_AREA = np.log([1e-3, 0.3, 1.0, 1.7, 40.0])


@pytest.fixture
def base(make_term):
    return make_term("base", "power")


def test_equals_the_power_law_of_the_paper(base):
    reference, start = 4.2, 3.9
    area = start + np.array([0.0, 0.01, 0.5, 2.0])
    a, alpha = 0.49, 0.497
    drop = base.value(
        {"base_ref": a * reference**-alpha, "alpha_s1": alpha},
        {"log_area": np.log(area / reference), "log_area_start": np.log(start / reference)},
    )
    np.testing.assert_allclose(drop, a * area**-alpha - a * start**-alpha, atol=1e-14)
    assert drop[0] == 0.0
    assert np.all(np.diff(drop) < 0)


@pytest.mark.parametrize("start", [-0.2, 0.0])
def test_is_the_same_by_numpy_xarray_and_pytensor(everywhere, base, start):
    def law(log_area, base_ref, alpha_s1, xp=np):
        p = {"base_ref": base_ref, "alpha_s1": alpha_s1}
        return base.value(p, {"log_area": log_area, "log_area_start": start}, xp)

    out = everywhere(
        law,
        {"base_ref": [0.0, 0.2, 3.0], "alpha_s1": [0.3, 1e-12, 4.0]},
        {"log_area": LOG_AREA},
    )
    for values in out.values():
        np.testing.assert_allclose(values, out["numpy"], rtol=1e-10, atol=1e-10)


def test_pre_training_falls_by_it(base):
    assert base.course(is_cpt=False) == "base_ref"
    assert base.course(is_cpt=True) is None
