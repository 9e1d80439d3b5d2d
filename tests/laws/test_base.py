import numpy as np
import pytest

from bayescpt.laws.base import base_drop

LOG_AREA = np.log([1e-3, 0.3, 1.0, 1.7, 40.0])


def test_equals_the_power_law_of_the_paper():
    reference, start = 4.2, 3.9
    area = start + np.array([0.0, 0.01, 0.5, 2.0])
    a, alpha = 0.49, 0.497
    drop = base_drop(
        np.log(area / reference), np.log(start / reference), a * reference**-alpha, alpha
    )
    np.testing.assert_allclose(drop, a * area**-alpha - a * start**-alpha, atol=1e-14)
    assert drop[0] == 0.0
    assert np.all(np.diff(drop) < 0)


@pytest.mark.parametrize("start", [-0.2, 0.0])
def test_is_the_same_by_numpy_xarray_and_pytensor(everywhere, start):
    out = everywhere(
        base_drop,
        {"base_ref": [0.0, 0.2, 3.0], "alpha": [0.3, 1e-12, 4.0]},
        {"log_area": LOG_AREA},
        log_area_start=start,
    )
    for values in out.values():
        np.testing.assert_allclose(values, out["numpy"], rtol=1e-10, atol=1e-10)
