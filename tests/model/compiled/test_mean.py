"""The compiled expected loss against the law written out."""

from functools import partial

import numpy as np
import pytensor
import pytest
from pytensor.compile.mode import Mode
from pytensor.gradient import verify_grad

from bayescpt.laws.functions import SERIES_BELOW
from bayescpt.model.build import rows_model
from bayescpt.model.compiled.kernel import Kernel
from bayescpt.model.compiled.lanes import WIDTH
from bayescpt.model.compiled.layout import layout
from bayescpt.model.compiled.ops import CurveMean
from bayescpt.model.rows import make_rows

# beta -> 0 down to 0, and both sides of where the series takes over.
BETA = [0.0, 1e-300, 1e-14, 1e-7, 1e-4, 0.19, 3.0]
SWITCH = [SERIES_BELOW / np.log1p(30.0) * (1 + d) for d in (-1e-9, 1e-9)]
# The share's exponent through 0, both sides of the series, negative as in Eq. 4.
GAMMA = [-1.0, -0.3, -1e-12, 0.0, 1e-9, 1e-3, 0.4, 1.7]
KEEP = [0.0, 0.1, 0.5, 0.99, 1.0]


@pytest.fixture(scope="module")
def mean(mean_pass):
    operation = CurveMean(layout(mean_pass.law))
    return lambda v: operation(*mean_pass.of(v))[0]


@pytest.fixture(scope="module")
def agree(mean, mean_pass, plain_mean, evaluated):
    """Function of inputs: value and gradient are those of the plain graph; the gradient."""

    def same(values, mode="FAST_COMPILE"):
        cotangent = np.random.default_rng(8).standard_normal(values["place"].size)
        expected, theirs = evaluated(plain_mean, mean_pass, values, cotangent)
        found, mine = evaluated(mean, mean_pass, values, cotangent, mode)
        np.testing.assert_allclose(found, expected, rtol=1e-10)
        for name, slope in mine.items():
            size = 1e-8 * np.abs(theirs[name]).max()
            np.testing.assert_allclose(slope, theirs[name], rtol=1e-8, atol=size, err_msg=name)
        return mine

    return same


@pytest.mark.parametrize("mode", ["FAST_COMPILE", "NUMBA"])
def test_value_and_gradient_are_those_of_the_law(agree, problem, mode):
    slopes = agree(problem([*BETA, *SWITCH]), mode)
    assert all(np.abs(slope).max() > 0 for slope in slopes.values())


@pytest.mark.parametrize("length", [1, WIDTH - 1, WIDTH, WIDTH + 1, 3 * WIDTH + 5])
def test_segments_of_any_length(agree, problem, length):
    agree(problem([0.0, 0.19, 3.0], length=length))


def test_shapes_are_known_without_the_values(mean_pass, problem):
    """PyTensor's rewrites ask for them wherever zeros of the mean's shape are needed."""
    symbols = mean_pass.symbols()
    out, partials = CurveMean(layout(mean_pass.law))(*symbols.values())
    slopes = pytensor.grad(out.sum(), [symbols[name] for name in mean_pass.free])
    made = (out, partials, *slopes)
    function = partial(pytensor.function, list(symbols.values()), on_unused_input="ignore")
    shapes = function([one.shape for one in made], mode=Mode("py", "fast_run"))
    assert not any(isinstance(node.op, Kernel) for node in shapes.maker.fgraph.toposort())
    values = function(made, mode=Mode("py", None))
    inputs = mean_pass.of(problem(BETA, length=WIDTH + 1))
    for shape, value in zip(shapes(*inputs), values(*inputs), strict=True):
        np.testing.assert_array_equal(shape, value.shape)


@pytest.mark.parametrize("mode", ["FAST_COMPILE", "NUMBA"])
def test_the_gradient_takes_a_cotangent_of_any_layout(mean, mean_pass, problem, evaluated, mode):
    values = problem(BETA)
    cotangent = np.random.default_rng(2).standard_normal((values["place"].size, 2))[:, 0]
    _, mine = evaluated(mean, mean_pass, values, cotangent, mode)
    _, theirs = evaluated(mean, mean_pass, values, cotangent.copy(), mode)
    for name, slope in mine.items():
        np.testing.assert_array_equal(slope, theirs[name])


@pytest.mark.parametrize("gamma", GAMMA)
def test_forgetting_by_a_fading_memory_is_that_of_the_law(agree, problem, gamma):
    """Every share kept, from none to all of the mixture."""
    agree(problem(np.full(len(KEEP), 0.4), gamma=gamma, keep=np.array(KEEP)))


@pytest.mark.parametrize("beta", [1e-4, 1e-2, 3.0])
def test_a_memory_that_hardly_fades_and_one_that_soon_does(agree, problem, beta):
    for gamma in (-0.3, 0.0, 0.4):
        agree(problem(np.full(len(KEEP), beta), gamma=gamma, keep=np.array(KEEP)))


def test_without_shift_area_the_shift_has_no_part(agree, problem):
    values = problem(BETA)
    slopes = agree(values | {"shift_area": np.zeros_like(values["shift_area"])})
    assert not any(slopes[name].any() for name in ("shift", "onset", "beta", "gamma"))


def test_pretraining_has_no_shift_whatever_area_stands_there(agree, problem):
    values = problem([0.19, 3.0])
    slopes = agree(values | {"shift_area": np.full_like(values["shift_area"], 2.0)})
    for name in ("shift", "onset", "beta", "gamma"):
        assert slopes[name][:-1].all()
        assert slopes[name][-1] == 0.0


def test_what_stands_beyond_a_segment_leaves_no_trace(mean_pass, problem):
    values = problem([0.2, 0.7], length=WIDTH - 3)
    first = values["first"]
    far = {name: value.copy() for name, value in values.items()}
    for name in ("log_area", "shift_area"):
        far[name][first[1] :] = 1e200
    kernel = CurveMean(layout(mean_pass.law)).compiled
    (one, partials), (other, theirs) = (kernel(*mean_pass.of(v)) for v in (values, far))
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(one[: first[1]], other[: first[1]])
    np.testing.assert_array_equal(partials[:, : first[1]], theirs[:, : first[1]])


def test_gradient_by_finite_differences(mean, mean_pass, problem):
    values = problem([1e-5, 0.4, 0.7], gamma=[-1.0, 0.3, -0.2], keep=[0.0, 0.3, 0.6])

    def of(*free):
        return mean(values | dict(zip(mean_pass.free, free, strict=True)))

    free = [values[name] for name in mean_pass.free]
    verify_grad(of, free, rng=np.random.default_rng(1), mode="FAST_COMPILE")


def test_a_shift_that_hardly_begins_grows_in_proportion_to_the_area(
    mean, mean_pass, problem, plain_mean, evaluated
):
    """A target at replay 1 has next to no onset."""
    values = problem([0.0, 0.3]) | {"onset": np.full(3, 1e-17)}
    cotangent = np.ones(values["place"].size)
    (found, mine), (expected, theirs) = (
        evaluated(function, mean_pass, values, cotangent) for function in (mean, plain_mean)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_allclose(mine["shift"], theirs["shift"], rtol=1e-8)
    # By the size of the shift: the area itself.
    area = np.add.reduceat(values["shift_area"], values["first"])
    np.testing.assert_allclose(mine["shift"], area, rtol=1e-8)


@pytest.mark.parametrize("family", ["normal", pytest.param("student_t", marks=pytest.mark.slow)])
def test_noise_along_and_across_curves_takes_the_compiled_mean(
    study, card, logp_and_gradient, near, same_density, family
):
    """As sampled: rewritten, which needs the shape of the mean."""
    made = card(
        f'[law]\nshift = "power"\n[noise]\nfamily = "{family}"\n'
        "ar1 = true\ndomain_correlation = true"
    )
    rows = make_rows(study, made)
    one, other = (rows_model(rows, made, fused=part) for part in ("density", "nothing"))
    point = near(one, 4)
    found, expected = (logp_and_gradient(m, rewritten=True)(point) for m in (one, other))
    same_density(found, expected)


# Every term and shipped card on a plain study: tests/laws/test_truth.py. Here, on a study with
# trunks and rare domains.
@pytest.mark.parametrize("name", ["everything", "variants"])
def test_a_model_has_the_same_density_and_gradient_as_the_plain_graph(
    study, card, logp_and_gradient, near, same_density, name
):
    """Replay 0, .25 and 1, both phases, through the whole model."""
    made = card(name)
    rows = make_rows(study, made)
    if made.continual:
        assert {0.0, 0.25, 1.0} <= set(rows.segment["replay"])
    one, other = (rows_model(rows, made, fused=part) for part in ("mean", "nothing"))
    point = near(one, 4)
    found, expected = (logp_and_gradient(model)(point) for model in (one, other))
    assert ("share_gamma" in found[1]) == (made.choices["replay"] == "memory")
    same_density(found, expected)
