import numpy as np

from bayescpt.laws.annealing import annealing_drop
from bayescpt.laws.base import base_drop
from bayescpt.laws.curve import expected_loss
from bayescpt.laws.shift import shift_growth

BETA = np.array([0.0, 1e-12, 1e-4, 0.2, 3.0])
BY_DRAW = {
    "level": [3.0, 2.5, 4.0, 3.1, 2.0],
    "base_ref": [0.2, 0.3, 0.0, 1.0, 0.1],
    "alpha": [0.5, 0.24, 0.7, 2.0, 0.4],
    "anneal_ref": [0.06, 0.3, 0.0, 0.1, 0.08],
    "shift": [0.4, -0.9, 0.0, 1.4, -0.01],
    "onset": [28.0, 5662.0, 1.0, 1e6, 1e-2],
    "beta": BETA,
}
BY_ROW = {
    "log_area": np.log([1.0, 1.001, 1.2, 2.0]),
    "anneal": [-0.8, -0.5, 0.0, 1.0],
    "shift_area": [0.0, 1e-6, 0.2, 1.0],
}


def test_is_the_sum_of_its_terms():
    value = {key: np.array(values)[:, None] for key, values in BY_DRAW.items()}
    rows = {key: np.array(values) for key, values in BY_ROW.items()}
    total = expected_loss(**value, **rows, log_area_start=0.1)
    parts = (
        value["level"]
        + base_drop(rows["log_area"], 0.1, value["base_ref"], value["alpha"])
        - annealing_drop(rows["anneal"], value["anneal_ref"])
        + value["shift"] * shift_growth(rows["shift_area"], value["onset"], value["beta"])
    )
    np.testing.assert_allclose(total, parts, rtol=1e-14)


def test_is_the_level_at_the_start():
    level = expected_loss(
        3.3, 0.2, 0.5, 0.06, log_area=-0.4, log_area_start=-0.4, anneal=0.0,
        shift=0.7, onset=28.0, beta=0.2, shift_area=0.0,
    )  # fmt: skip
    assert level == 3.3


def test_without_a_shift_it_is_that_of_area_0():
    with_shift = {key: np.array(values) for key, values in BY_DRAW.items()}
    without = {k: v for k, v in with_shift.items() if k not in ("shift", "onset", "beta")}
    rows = {"log_area": 0.3, "log_area_start": 0.0, "anneal": 0.4}
    np.testing.assert_array_equal(
        expected_loss(**without, **rows), expected_loss(**with_shift, **rows, shift_area=0.0)
    )


def test_is_the_same_by_numpy_xarray_and_pytensor(everywhere):
    out = everywhere(expected_loss, BY_DRAW, BY_ROW, log_area_start=0.1)
    assert out["numpy"].shape == (5, 4)
    for values in out.values():
        np.testing.assert_allclose(values, out["numpy"], rtol=0, atol=1e-10)
