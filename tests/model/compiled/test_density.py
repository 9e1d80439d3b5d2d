"""The compiled likelihood against the law and the noise written out."""

from functools import partial

import numpy as np
import pytensor
import pytest
from pytensor.compile.mode import Mode
from pytensor.gradient import verify_grad

from bayescpt.laws.functions import SERIES_BELOW
from bayescpt.model.build import rows_model
from bayescpt.model.card_file import load_card
from bayescpt.model.compiled.assemble import FACTORS
from bayescpt.model.compiled.kernel import Kernel
from bayescpt.model.compiled.lanes import WIDTH
from bayescpt.model.compiled.layout import layout
from bayescpt.model.compiled.ops import CurveDensity
from bayescpt.model.rows import make_rows

# beta -> 0 down to 0, both sides of where the series takes over; and growths of the share.
SWITCH = [SERIES_BELOW / np.log1p(30.0) * (1 + d) for d in (-1e-9, 1e-9)]
BETA = [0.0, 1e-300, 1e-7, 1e-4, 0.19, 3.0, *SWITCH]
GAMMA = [-1.0, -0.3, -1e-12, 0.0, 1e-9, 0.4, 1.7]
KEEP = [0.0, 0.1, 0.5, 0.99, 1.0]
SHIPPED = ("annealing", "cpt", "cpt_momentum", "cpt_replay")
# By name, what the fixture ``card`` makes it from.
MADE = {"early": "[noise]\nearly = true"} | {
    name: name
    for name in ("own_share", "pt_only", "paper", "exponential", "variants", "paper_exponential")
}
# Another weight than 1 in the cost.
WEIGHT = np.float64(-3.0)


@pytest.fixture(scope="module")
def operation(density_pass):
    return CurveDensity(layout(density_pass.law), density_pass.noise)


@pytest.fixture(scope="module")
def density(operation, density_pass):
    return lambda v: operation(*density_pass.of(v))[0][0]


@pytest.fixture(scope="module")
def agree(density, density_pass, plain_density, evaluated):
    """Function of inputs: value and gradient are those of the plain graph; the gradient."""

    def same(values, mode="FAST_COMPILE"):
        expected, theirs = evaluated(plain_density, density_pass, values, WEIGHT)
        found, mine = evaluated(density, density_pass, values, WEIGHT, mode)
        assert found == pytest.approx(expected, rel=1e-10)
        for name, slope in mine.items():
            reference = theirs[name]
            size = 1e-8 * np.abs(reference).max()
            if name == "early":
                # Of 0 is no inflation at all, which has no gradient.
                reference = np.where(values["early"] > 0, reference, 0.0)
            np.testing.assert_allclose(slope, reference, rtol=1e-8, atol=size, err_msg=name)
        return mine

    return same


@pytest.mark.parametrize("mode", ["FAST_COMPILE", "NUMBA"])
def test_value_and_gradient_are_those_of_law_and_noise(agree, problem, mode):
    slopes = agree(problem(BETA), mode)
    assert all(np.abs(slope).max() > 0 for slope in slopes.values())


@pytest.mark.parametrize("gamma", GAMMA)
def test_every_share_kept(agree, problem, gamma):
    agree(problem(np.full(len(KEEP), 0.4), gamma=gamma, keep=np.array(KEEP)))


@pytest.mark.parametrize("length", [1, WIDTH - 1, WIDTH, WIDTH + 1, 3 * WIDTH + 5])
def test_segments_of_any_length(agree, problem, length):
    """A row beyond a segment, worked on with it, must leave no trace."""
    agree(problem([0.2, 0.7, 1.1], keep=[0.0, 0.4, 0.0], length=length))


def test_more_inflations_than_are_multiplied_at_once(agree, problem):
    """One product of all would leave the range of doubles."""
    values = problem([0.2, 0.7, 1.1], length=2 * WIDTH * FACTORS + 3)
    agree(values | {"early": np.full(4, 1e12), "early_width": np.full(4, 10.0)})


def test_what_stands_beyond_a_segment_leaves_no_trace(density, density_pass, problem, evaluated):
    values = problem([0.2, 0.7], length=WIDTH - 3)
    first, far = values["first"], values["loss"].copy()
    far[first[1] : first[2]] = 1e200
    (one, mine), (other, theirs) = (
        evaluated(density, density_pass, values | {"loss": loss}, WEIGHT)
        for loss in (values["loss"], far)
    )
    assert one != other
    for name in density_pass.free[:-1]:
        np.testing.assert_array_equal(mine[name][0], theirs[name][0])


def test_no_shift_without_area_and_no_inflation_without_early_noise(agree, problem):
    values = problem(BETA)
    slopes = agree(values | {"shift_area": np.zeros_like(values["shift_area"])})
    assert not any(slopes[name].any() for name in ("shift", "onset", "beta", "gamma"))
    without = values["early"] == 0
    assert without.any()
    assert not slopes["early_width"][without].any()


def test_shapes_are_known_without_the_values(operation, density_pass, problem):
    symbols = density_pass.symbols()
    made = operation(*symbols.values())
    function = partial(pytensor.function, list(symbols.values()), on_unused_input="ignore")
    shapes = function([one.shape for one in made], mode=Mode("py", "fast_run"))
    assert not any(isinstance(node.op, Kernel) for node in shapes.maker.fgraph.toposort())
    values = function(made, mode=Mode("py", None))
    inputs = density_pass.of(problem(BETA, length=WIDTH + 1))
    for shape, value in zip(shapes(*inputs), values(*inputs), strict=True):
        np.testing.assert_array_equal(shape, value.shape)


def test_gradient_by_finite_differences(density, density_pass, problem):
    values = problem([1e-5, 0.4, 0.7], gamma=[-1.0, 0.3, -0.2], keep=[0.0, 0.3, 0.6])
    values["early"] = np.maximum(values["early"], 1e-3)

    def of(*free):
        return density(values | dict(zip(density_pass.free, free, strict=True)))

    free = [values[name] for name in density_pass.free]
    verify_grad(of, free, rng=np.random.default_rng(1), mode="FAST_COMPILE")


# Every term and shipped card on a plain study: tests/laws/test_truth.py. Here, on a study with
# trunks and rare domains.
@pytest.mark.parametrize("name", ["cpt", "cpt_replay", "annealing", "early"])
def test_a_model_has_the_same_density_and_gradient_as_the_plain_graph(
    study, card, logp_and_gradient, near, same_density, name
):
    """Both phases, replay 0, .25 and 1, early noise with and without a shift."""
    made = load_card(name) if name in SHIPPED else card(MADE[name])
    rows = make_rows(study, made)
    models = [rows_model(rows, made, fused=part) for part in ("nothing", "density")]
    assert [len(model.observed_RVs) for model in models] == [1, 0]
    point = near(models[0], 4)
    expected, found = (logp_and_gradient(model)(point) for model in models)
    assert all(np.abs(slope).max() > 0 for slope in expected[1].values())
    same_density(found, expected)
