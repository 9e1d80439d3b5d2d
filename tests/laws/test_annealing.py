import numpy as np
import pytensor.tensor as pt
import pytest

from bayescpt.laws.annealing import (
    LOG_MEMORY,
    MEMORY_RANGE,
    RATES,
    annealing_drop,
    kernel_weights,
)

NORM = 250.0


def test_equals_c_s2_of_the_paper():
    c2, memory, peak = 0.298, 1000.0, 2e-4
    s2 = np.array([-0.05, 0.0, 0.1975])
    drop = annealing_drop(s2 / (memory * peak), c2 * peak * memory)
    np.testing.assert_allclose(drop, c2 * s2, rtol=1e-14)


def test_is_the_same_by_numpy_xarray_and_pytensor(everywhere):
    def law(anneal, anneal_ref, xp=np):
        return annealing_drop(anneal, anneal_ref)

    out = everywhere(law, {"anneal_ref": [0.0, 0.08]}, {"anneal": [-1.0, 0.0, 0.7, 1.0]})
    for values in out.values():
        np.testing.assert_allclose(values, out["numpy"], rtol=1e-10)


def test_memory_keeps_inside_the_nodes():
    low, high = np.log(MEMORY_RANGE)
    assert low <= LOG_MEMORY.default["lower"] < LOG_MEMORY.default["upper"] <= high
    np.testing.assert_allclose([LOG_MEMORY.lower, LOG_MEMORY.upper], [low, high], rtol=1e-12)


@pytest.mark.parametrize("shape", [0.4, 0.74, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("log_half", [0.0, 2.0, 3.4, 5.0, 6.5])
@pytest.mark.parametrize("kernel", ["area", "power"])
def test_a_heavy_tail_is_a_mixture_of_exponentials(kernel, log_half, shape):
    x = np.geomspace(1.0, 3e4, 30)
    scale = np.exp(log_half) / (2 ** (1 / shape) - 1)
    exact = 1 - (1 + np.r_[x, NORM] / scale) ** -shape
    values = {"log_half": log_half, "kernel_shape": np.float64(shape)}
    weights = kernel_weights(kernel, values, NORM)
    mixed = -np.expm1(-x[:, None] * RATES) @ weights
    np.testing.assert_allclose(mixed, exact[:-1] / exact[-1], rtol=5e-4)


@pytest.mark.parametrize(
    ("kernel", "values"),
    [
        ("momentum", {"log_memory": 0.7}),
        ("momentum", {"log_memory": 4.6}),
        ("area", {"log_half": 3.4, "kernel_shape": 0.74}),
    ],
)
def test_kernel_weights_are_the_same_by_numpy_and_pytensor(kernel, values):
    values = {key: np.float64(value) for key, value in values.items()}
    symbols = {key: pt.dscalar(key) for key in values}
    graph = kernel_weights(kernel, symbols, NORM, pt)
    point = {symbols[key]: value for key, value in values.items()}
    np.testing.assert_allclose(
        graph.eval(point, mode="FAST_COMPILE"), kernel_weights(kernel, values, NORM), atol=1e-10
    )
    # A draw a row.
    stacked = {key: np.array([value, value + 0.1]) for key, value in values.items()}
    np.testing.assert_allclose(
        kernel_weights(kernel, stacked, NORM)[0], kernel_weights(kernel, values, NORM)
    )
