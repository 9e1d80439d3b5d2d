import numpy as np
import pytensor.tensor as pt
import pytest

from bayescpt.laws.kernels import KERNELS, LOG_MEMORY, MEMORY_RANGE, RATES, typical
from bayescpt.laws.points import References
from bayescpt.model.priors import parse_prior

NORM = 250.0
REFS = References({"anneal_steps": NORM, "peak_lr": 2e-3})
REFS_OF_STEPS = References({**REFS.points, "whole_step_lr": 0.01, "climb": 0.0, "area": 1.0})
FLAT = np.full(20, 2e-3)


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
    weights = KERNELS[kernel].weights(values, REFS)
    mixed = -np.expm1(-x[:, None] * RATES) @ weights
    np.testing.assert_allclose(mixed, exact[:-1] / exact[-1], rtol=5e-4)


@pytest.mark.parametrize(
    ("kernel", "values"),
    [
        ("momentum", {"log_memory": 0.7}),
        ("momentum", {"log_memory": 4.6}),
        ("area", {"log_half": 3.4, "kernel_shape": 0.74}),
        ("power", {"log_half": 4.6, "kernel_shape": 0.5}),
    ],
)
def test_weights_are_the_same_by_numpy_and_pytensor(kernel, values):
    values = {key: np.float64(value) for key, value in values.items()}
    symbols = {key: pt.dscalar(key) for key in values}
    graph = KERNELS[kernel].weights(symbols, REFS, pt)
    point = {symbols[key]: value for key, value in values.items()}
    plain = KERNELS[kernel].weights(values, REFS)
    np.testing.assert_allclose(graph.eval(point, mode="FAST_COMPILE"), plain, atol=1e-10)
    # A draw a row.
    stacked = {key: np.array([value, value + 0.1]) for key, value in values.items()}
    np.testing.assert_allclose(KERNELS[kernel].weights(stacked, REFS)[0], plain)


@pytest.mark.parametrize("kernel", KERNELS)
def test_basis_and_weights_have_the_kernels_columns(kernel):
    basis = KERNELS[kernel].basis(np.r_[FLAT, 1e-3], 2e-3, np.array([0, 5, 21]), REFS)
    weights = KERNELS[kernel].weights(typical(KERNELS[kernel]), REFS)
    assert basis.shape == (3, weights.size)
    assert not basis[0].any()


@pytest.mark.parametrize("kernel", KERNELS)
def test_typical_values_are_the_medians_of_the_priors(kernel):
    # Bounds of a Normal are far from its centre.
    for parameter in KERNELS[kernel].parameters:
        prior = parse_prior({**parameter.default, "reason": parameter.reason}, parameter.name)
        assert typical(KERNELS[kernel])[parameter.name] == pytest.approx(
            prior.frozen().median(), rel=1e-2
        )


def test_the_area_kernel_is_that_of_its_paper(make_study, make_law, look):
    """sum of drops times G(S_k(t)), scaled to 1 after 100 steps at the peak (2503.12811)."""
    lr = np.r_[np.linspace(1e-4, 2e-3, 5), np.full(20, 2e-3), np.linspace(2e-3, 1e-5, 30)]
    study, law = make_study(FLAT, [lr]), make_law(annealing="area")
    half, shape = 30.0, 0.6
    values = {"log_half": np.log(half), "kernel_shape": np.float64(shape)}
    view = look(study, "run0", np.arange(lr.size + 1), law)
    found = law.features(view, False)["anneal"] @ law.weights(values, view.refs)["anneal"]

    def reached(x):
        return 1 - (1 + x * (2 ** (1 / shape) - 1) / half) ** -shape

    drops = -np.diff(lr, prepend=2e-3) / 2e-3
    since = np.cumsum(lr)[:, None] - np.cumsum(np.r_[0.0, lr[:-1]])[None, :]
    parts = np.where(since > 0, reached(np.maximum(since, 0) / 2e-3), 0.0) @ drops
    assert reached(half) == pytest.approx(0.5)
    np.testing.assert_allclose(found[1:], parts / reached(view.refs["anneal_steps"]), atol=2e-5)
    assert found[0] == 0.0


def test_the_power_kernel_counts_steps_and_starts_at_the_climbed_warmup(make_study, make_law, look):
    """sum of drops times G(t - k + 1), plus the warm-up's rise, which the level holds.

    All steps are whole ones: none is below 1% of the peak LR.
    """
    lr = np.r_[np.linspace(1e-4, 2e-3, 5), np.full(20, 2e-3), np.linspace(2e-3, 2e-5, 30)]
    study, law = make_study(lr, []), make_law(annealing="power")
    half, shape = 12.0, 0.6
    values = {"log_half": np.log(half), "kernel_shape": np.float64(shape)}
    view = look(study, "base", np.arange(lr.size + 1), law)
    weights = law.weights(values, view.refs)["anneal"]
    found = law.features(view, False)["anneal"] @ weights

    def reached(x):
        return 1 - (1 + np.maximum(x, 0) * (2 ** (1 / shape) - 1) / half) ** -shape

    drops = -np.diff(lr, prepend=lr[0]) / 2e-3
    at = np.arange(lr.size)
    parts = reached(at[:, None] - at[None, :] + 1) * (at[:, None] >= at[None, :]) @ drops
    assert view.refs["climb"] == pytest.approx(0.95)
    # Once all has taken effect: what the LR has dropped to since its peak.
    scale = reached(view.refs["anneal_steps"])
    np.testing.assert_allclose(found[1:], parts / scale + 0.95 * weights.sum(), atol=1e-4)


def test_steps_at_an_lr_of_0_take_no_effect(make_study, make_law, look):
    """Under the kernel of the default card of pre-training, which counts steps."""
    lr = np.r_[FLAT, np.linspace(2e-3, 1e-3, 10)]
    law = make_law(annealing="power")
    ends = []
    for tail in (0, 1, 500):
        study = make_study(np.r_[lr, np.zeros(tail)], [])
        view = look(study, "base", [lr.size + tail], law, REFS_OF_STEPS)
        weights = law.weights(typical(KERNELS["power"]), REFS_OF_STEPS)["anneal"]
        ends.append((law.features(view, False)["anneal"] @ weights).item())
    # The drop to 0 itself adds nothing either, as no step follows that trains.
    np.testing.assert_allclose(ends, ends[0], rtol=1e-12)


def test_a_small_lr_is_a_whole_step_from_1_percent_of_the_peak():
    lr, steps = np.r_[FLAT, np.full(50, 2e-5)], np.array([70])
    kernel = KERNELS["power"]
    before = References({key: REFS_OF_STEPS[key] for key in ("anneal_steps", "peak_lr")})
    found = kernel.basis(lr, 2e-3, steps, REFS_OF_STEPS)
    np.testing.assert_allclose(found, kernel.basis(lr, 2e-3, steps, before), rtol=1e-12)
