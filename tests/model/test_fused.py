"""The compiled pass against the law that it repeats."""

from functools import cache, partial

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from pytensor.gradient import verify_grad

from bayescpt.laws.curve import expected_loss
from bayescpt.model.build import ARGUMENTS, rows_model
from bayescpt.model.fused import BACKWARD, FORWARD, SERIES_BELOW, CurveBack, CurveMean
from bayescpt.model.kernel import Kernel
from bayescpt.model.lanes import WIDTH
from bayescpt.model.rows import make_rows

COLUMNS = 5
# beta -> 0 down to 0, and both sides of where the series takes over.
BETA = [0.0, 1e-300, 1e-14, 1e-7, 1e-4, 0.19, 3.0]
SWITCH = [SERIES_BELOW / np.log1p(30.0) * (1 + d) for d in (-1e-9, 1e-9)]
# The share's exponent through 0, both sides of the series, negative as in Eq. 4.
GAMMA = [-1.0, -0.3, -1e-12, 0.0, 1e-9, 1e-3, 0.4, 1.7]
KEEP = [0.0, 0.1, 0.5, 0.99, 1.0]


def problem(beta, area=None, gamma=-1.0, keep=0.0, seed=3, length=6):
    """Inputs of CurveMean: one segment a beta, then one of pre-training."""
    rng = np.random.default_rng(seed)
    beta = np.r_[beta, 0.3]
    n = beta.size
    rows = n * length
    if area is None:
        grown = [0.0, 1e-9, 1e-3, 0.3, 1.0, 2.5]
        # A segment of one row is at the end.
        area = np.tile(np.interp(np.linspace(1, 0, length)[::-1], np.linspace(0, 1, 6), grown), n)
    parameters = [
        rng.uniform(2, 4, n),
        rng.uniform(0, 1, n),
        rng.uniform(0.2, 2, n),
        rng.uniform(0, 0.3, n),
        rng.uniform(-1.5, 1.5, n),
        np.full(n, 30.0),
        beta,
        np.broadcast_to(np.r_[np.broadcast_to(gamma, n - 1), -1.0], n).copy(),
        rng.uniform(-1, 1, COLUMNS),
    ]
    # Two segments each share their places, as the domains of a run do.
    place = np.arange(rows) % length + length * (np.arange(rows) // (2 * length))
    in_pretraining = np.arange(rows) >= rows - length
    data = [
        np.r_[np.broadcast_to(keep, n - 1), 0.0].astype(float),
        rng.standard_normal((COLUMNS, place[-1] + 1)),
        rng.uniform(-0.2, 0.0, n),
        rng.uniform(0, 0.4, rows),
        np.where(in_pretraining, 0.0, area),
        length * np.arange(n),
        place,
    ]
    return parameters, data


def in_order(parameters, data):
    """Inputs as CurveMean takes them."""
    *by_segment, weights = parameters
    keep, *rest = data
    return [*by_segment, keep, weights, *rest]


def plain(*inputs):
    """The same by the plain graph of the law."""
    by_segment, (weights, basis, start, log_area, shift_area, first, place) = inputs[:9], inputs[9:]
    segment = pt.searchsorted(first, pt.arange(place.shape[0]), side="right") - 1
    return expected_loss(
        **{name: value[segment] for name, value in zip(ARGUMENTS, by_segment, strict=True)},
        log_area=log_area,
        log_area_start=start[segment],
        anneal=(basis * weights[:, None]).sum(axis=0)[place],
        shift_area=shift_area,
        xp=pt,
    )


@cache
def compiled(mean, mode):
    kinds = (*("dvector",) * 10, "dmatrix", *("dvector",) * 3, *("lvector",) * 2)
    symbols = [getattr(pt, kind)() for kind in kinds]
    cotangent = pt.dvector()
    out = mean(*symbols)
    # Everything but the data.
    free = [*symbols[:8], symbols[9]]
    slopes = pytensor.grad((out * cotangent).sum(), free)
    return pytensor.function([*symbols, cotangent], [out, *slopes], mode=mode)


def value_and_gradient(mean, inputs, cotangent, mode="FAST_COMPILE"):
    return compiled(mean, mode)(*inputs, cotangent)


def fused(*inputs):
    return CurveMean()(*inputs)[0]


def agree(inputs, mode="FAST_COMPILE"):
    cotangent = np.random.default_rng(8).standard_normal(inputs[-1].size)
    expected = value_and_gradient(plain, inputs, cotangent)
    found = value_and_gradient(fused, inputs, cotangent, mode)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-10)
    for mine, theirs in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-8 * np.abs(theirs).max())
    return found


@pytest.mark.parametrize("mode", ["FAST_COMPILE", "NUMBA"])
def test_value_and_gradient_are_those_of_the_law(mode):
    agree(in_order(*problem([*BETA, *SWITCH])), mode)


@pytest.mark.parametrize("length", [1, WIDTH - 1, WIDTH, WIDTH + 1, 3 * WIDTH + 5])
def test_segments_of_any_length(length):
    agree(in_order(*problem([0.0, 0.19, 3.0], length=length)))


def test_shapes_are_known_without_the_values():
    """PyTensor's rewrites ask for them wherever zeros of the mean's shape are needed."""
    inputs = in_order(*problem(BETA, length=WIDTH + 1))
    symbols = [pt.as_tensor(x).type() for x in inputs]
    mean, partials = CurveMean()(*symbols)
    first, place, anneal_ref, basis = symbols[-2], symbols[-1], symbols[3], symbols[10]
    back = CurveBack()(mean, partials, first, place, anneal_ref, basis)
    made = (mean, partials, *back)
    function = partial(pytensor.function, symbols, on_unused_input="ignore")
    shapes = function([out.shape for out in made], mode=Mode("py", "fast_run"))
    assert not any(isinstance(node.op, Kernel) for node in shapes.maker.fgraph.toposort())
    values = function(made, mode=Mode("py", None))
    for shape, value in zip(shapes(*inputs), values(*inputs), strict=True):
        np.testing.assert_array_equal(shape, value.shape)


def test_the_gradient_takes_a_cotangent_of_any_layout():
    inputs = in_order(*problem(BETA))
    mean, partials = FORWARD(*inputs)
    rest = (partials, inputs[-2], inputs[-1], inputs[3], inputs[10])
    cotangent = np.random.default_rng(2).standard_normal((mean.size, 2))
    for mine, theirs in zip(
        BACKWARD(cotangent[:, 0], *rest), BACKWARD(cotangent[:, 0].copy(), *rest), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("family", ["normal", "student_t"])
def test_noise_along_and_across_curves_takes_the_compiled_mean(
    study, card, logp_and_gradient, near, family
):
    """As sampled: rewritten, which needs the shape of the mean."""
    made = card(
        f'[law]\nshift = "power"\n[noise]\nfamily = "{family}"\n'
        "ar1 = true\ndomain_correlation = true"
    )
    rows = make_rows(study, made)
    one, other = (rows_model(rows, made, fused=part) for part in ("density", "nothing"))
    point = near(one, 4)
    (value, slopes), (expected, theirs) = (
        logp_and_gradient(model, rewritten=True)(point) for model in (one, other)
    )
    assert value == pytest.approx(expected, rel=1e-10)
    for key, slope in slopes.items():
        size = 1e-8 * np.abs(theirs[key]).max()
        np.testing.assert_allclose(slope, theirs[key], rtol=1e-8, atol=size, err_msg=key)


@pytest.mark.parametrize("gamma", GAMMA)
def test_forgetting_by_a_fading_memory_is_that_of_the_law(gamma):
    """Every share kept, from none to all of the mixture."""
    agree(in_order(*problem(np.full(len(KEEP), 0.4), gamma=gamma, keep=np.array(KEEP))))


@pytest.mark.parametrize("beta", [1e-4, 1e-2, 3.0])
def test_a_memory_that_hardly_fades_and_one_that_soon_does(beta):
    for gamma in (-0.3, 0.0, 0.4):
        agree(in_order(*problem(np.full(len(KEEP), beta), gamma=gamma, keep=np.array(KEEP))))


def test_without_shift_area_the_shift_has_no_part():
    _, *slopes = agree(in_order(*problem(BETA, area=0.0)))
    assert not np.any(slopes[4:8])


def test_gradient_by_finite_differences():
    parameters, data = problem([1e-5, 0.4, 0.7], gamma=[-1.0, 0.3, -0.2], keep=[0.0, 0.3, 0.6])
    keep, *rest = data

    def mean(*free):
        *by_segment, weights = free
        return fused(*by_segment, keep, weights, *rest)

    verify_grad(mean, parameters, rng=np.random.default_rng(1), mode="FAST_COMPILE")


def test_a_shift_that_hardly_begins_grows_in_proportion_to_the_area():
    """A target at replay 1 has next to no onset."""
    parameters, data = problem([0.0, 0.3])
    parameters[5] = np.full(3, 1e-17)
    inputs = in_order(parameters, data)
    cotangent = np.ones(data[-1].size)
    found, expected = (value_and_gradient(f, inputs, cotangent) for f in (fused, plain))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-10)
    # By shift: the area itself.
    np.testing.assert_allclose(found[5], expected[5], rtol=1e-8)
    np.testing.assert_allclose(found[5][:2], data[4][:6].sum(), rtol=1e-8)


@pytest.mark.parametrize("name", ["everything", "variants"])
def test_a_model_has_the_same_density_and_gradient_either_way(
    study, card, logp_and_gradient, near, name
):
    """Replay 0, .25 and 1, both phases, through the whole model."""
    made = card(name)
    rows = make_rows(study, made)
    assert set(rows.segment["replay"]) == {0.0, 0.25, 1.0}
    one, other = (rows_model(rows, made, fused=part) for part in ("mean", "nothing"))
    point = near(one, 4)
    (value, slopes), (expected, theirs) = (
        logp_and_gradient(model)(point) for model in (one, other)
    )
    assert value == pytest.approx(expected, rel=1e-10)
    assert ("share_gamma" in slopes) == (name == "variants")
    for key, slope in slopes.items():
        np.testing.assert_allclose(
            slope, theirs[key], rtol=1e-8, atol=1e-8 * np.abs(theirs[key]).max(), err_msg=key
        )
