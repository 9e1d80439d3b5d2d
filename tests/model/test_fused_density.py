"""The compiled likelihood against the law and the noise that it repeats."""

from functools import cache

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.gradient import verify_grad

from bayescpt.laws.curve import expected_loss
from bayescpt.model.build import ARGUMENTS, rows_model
from bayescpt.model.card_file import load_card, parse_card
from bayescpt.model.fused import SERIES_BELOW
from bayescpt.model.fused_density import FACTORS, CurveDensity
from bayescpt.model.lanes import WIDTH
from bayescpt.model.rows import make_rows

COLUMNS, NODES = 5, 7
# beta -> 0 down to 0, both sides of where the series takes over; and growths of the share.
SWITCH = [SERIES_BELOW / np.log1p(30.0) * (1 + d) for d in (-1e-9, 1e-9)]
BETA = [0.0, 1e-300, 1e-7, 1e-4, 0.19, 3.0, *SWITCH]
GAMMA = [-1.0, -0.3, -1e-12, 0.0, 1e-9, 0.4, 1.7]
KEEP = [0.0, 0.1, 0.5, 0.99, 1.0]
NAMES = (*ARGUMENTS[:-1], "sigma", "early", "early_width", "weights")


def problem(beta, gamma=-1.0, keep=0.0, length=6, seed=3):
    """Inputs of CurveDensity: a segment a beta, then pre-training; some without early noise."""
    rng = np.random.default_rng(seed)
    beta = np.r_[beta, 0.3]
    n = beta.size
    # One segment is longer than the others.
    lengths = np.full(n, length)
    lengths[0] += 1
    segment = np.repeat(np.arange(n), lengths)
    rows = segment.size
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    # The third segment stands on the places of the second, as the domains of a run do.
    offset = np.where(segment > 1, first[1] - first[min(2, n - 1)], 0)
    place = np.arange(rows) + offset
    step = np.concatenate([np.linspace(0.0, 1.0, size) for size in lengths])
    in_pretraining = segment == n - 1
    free = [
        rng.uniform(2, 4, n),
        rng.uniform(0, 1, n),
        rng.uniform(0.2, 2, n),
        rng.uniform(0, 0.3, n),
        rng.uniform(-1.5, 1.5, n),
        np.full(n, 30.0),
        beta,
        np.r_[np.broadcast_to(gamma, n - 1), -1.0],
        rng.uniform(0.05, 0.5, n),
        rng.uniform(0.5, 20, n) * (np.arange(n) % 3 > 0) * (np.arange(n) < n - 1),
        rng.uniform(0.02, 0.3, n),
        rng.uniform(-1, 1, NODES),
    ]
    data = [
        np.r_[np.broadcast_to(keep, n - 1), 0.0].astype(float),
        rng.standard_normal((COLUMNS, NODES)),
        rng.standard_normal((COLUMNS, place.max() + 1)),
        rng.uniform(-0.2, 0.0, n),
        rng.uniform(0, 0.4, rows),
        np.where(in_pretraining, 0.0, 2.5 * step**2),
        step,
        rng.uniform(2, 4, rows),
        first,
        place,
    ]
    return free, data


def plain(*inputs):
    """The same by the plain graph of the law and of the normal density."""
    *by_segment, sigma, early, width, weights = inputs[: len(NAMES)]
    keep, mix, basis, start, log_area, shift_area, fraction, loss, first, place = inputs[
        len(NAMES) :
    ]
    segment = pt.searchsorted(first, pt.arange(place.shape[0]), side="right") - 1
    law = dict(zip(ARGUMENTS, (*by_segment, keep), strict=True))
    mean = expected_loss(
        **{name: value[segment] for name, value in law.items()},
        log_area=log_area,
        log_area_start=start[segment],
        anneal=(basis * (mix * weights).sum(axis=1)[:, None]).sum(axis=0)[place],
        shift_area=shift_area,
        xp=pt,
    )
    scale = sigma[segment] * (1 + early[segment] * pt.exp(-fraction / width[segment]))
    z = (loss - mean) / scale
    return (-0.5 * z**2 - pt.log(scale) - 0.5 * np.log(2 * np.pi)).sum()


def fused(*inputs):
    return CurveDensity()(*inputs)[0][0]


@cache
def compiled(density, mode):
    vectors, matrices = ("dvector",) * len(NAMES), ("dmatrix",) * 2
    kinds = (*vectors, "dvector", *matrices, *("dvector",) * 5, *("lvector",) * 2)
    symbols = [getattr(pt, kind)() for kind in kinds]
    out = density(*symbols)
    # Another weight than 1 in the cost.
    slopes = pytensor.grad(-3.0 * out, symbols[: len(NAMES)])
    return pytensor.function(symbols, [out, *slopes], mode=mode)


def value_and_gradient(density, inputs, mode="FAST_COMPILE"):
    return compiled(density, mode)(*inputs)


def agree(free, data, mode="FAST_COMPILE"):
    inputs = [*free, *data]
    (expected, *theirs), (found, *mine) = (
        value_and_gradient(plain, inputs),
        value_and_gradient(fused, inputs, mode),
    )
    assert found == pytest.approx(expected, rel=1e-10)
    for name, slope, reference in zip(NAMES, mine, theirs, strict=True):
        size = np.abs(reference).max()
        if name == "early":
            # Of 0 is no inflation at all, which has no gradient.
            reference = np.where(free[NAMES.index("early")] > 0, reference, 0.0)
        np.testing.assert_allclose(slope, reference, rtol=1e-8, atol=1e-8 * size, err_msg=name)
    return dict(zip(NAMES, mine, strict=True))


@pytest.mark.parametrize("mode", ["FAST_COMPILE", "NUMBA"])
def test_value_and_gradient_are_those_of_law_and_noise(mode):
    slopes = agree(*problem(BETA), mode)
    assert all(np.abs(slope).max() > 0 for slope in slopes.values())


@pytest.mark.parametrize("gamma", GAMMA)
def test_every_share_kept(gamma):
    agree(*problem(np.full(len(KEEP), 0.4), gamma=gamma, keep=np.array(KEEP)))


@pytest.mark.parametrize("length", [1, WIDTH - 1, WIDTH, WIDTH + 1, 3 * WIDTH + 5])
def test_segments_of_any_length(length):
    """A row beyond a segment, worked on with it, must leave no trace."""
    agree(*problem([0.2, 0.7, 1.1], keep=[0.0, 0.4, 0.0], length=length))


def test_more_inflations_than_are_multiplied_at_once():
    """One product of all would leave the range of doubles."""
    free, data = problem([0.2, 0.7, 1.1], length=2 * WIDTH * FACTORS + 3)
    free[NAMES.index("early")] = np.full(4, 1e12)
    free[NAMES.index("early_width")] = np.full(4, 10.0)
    agree(free, data)


def test_what_stands_beyond_a_segment_leaves_no_trace():
    free, data = problem([0.2, 0.7], length=WIDTH - 3)
    loss, first, _ = data[-3:]
    far = loss.copy()
    far[first[1] : first[2]] = 1e200
    one, other = (
        value_and_gradient(fused, [*free, *data[:-3], y, *data[-2:]]) for y in (loss, far)
    )
    assert one[0] != other[0]
    for mine, theirs in zip(one[1:-1], other[1:-1], strict=True):
        np.testing.assert_array_equal(mine[0], theirs[0])


def test_no_shift_without_area_and_no_inflation_without_early_noise():
    free, data = problem(BETA)
    data[5] = np.zeros_like(data[5])
    slopes = agree(free, data)
    assert not any(slopes[name].any() for name in ("shift", "onset", "beta", "gamma"))
    without = free[NAMES.index("early")] == 0
    assert without.any()
    assert not slopes["early_width"][without].any()


def test_gradient_by_finite_differences():
    free, data = problem([1e-5, 0.4, 0.7], gamma=[-1.0, 0.3, -0.2], keep=[0.0, 0.3, 0.6])
    verify_grad(
        lambda *changed: fused(*changed, *data),
        [np.maximum(value, 1e-3) if k == 9 else value for k, value in enumerate(free)],
        rng=np.random.default_rng(1),
        mode="FAST_COMPILE",
    )


@pytest.mark.parametrize("name", ["cpt", "cpt_replay", "annealing", "early"])
def test_a_model_has_the_same_density_and_gradient_every_way(study, logp_and_gradient, near, name):
    """Both phases, replay 0, .25 and 1, early noise with and without a shift."""
    text = 'name = "early"\ndescription = "Early noise."\n[noise]\nearly = true\n'
    made = parse_card(text, "test") if name == "early" else load_card(name)
    rows = make_rows(study, made)
    models = [rows_model(rows, made, fused=part) for part in ("nothing", "density", "mean")]
    point = near(models[0], 4)
    (expected, theirs), *others = (logp_and_gradient(model)(point) for model in models)
    assert [variable.name for model in models for variable in model.observed_RVs] == ["loss"] * 2
    for value, slopes in others:
        assert value == pytest.approx(expected, rel=1e-10)
        assert slopes.keys() == theirs.keys()
        for key, slope in slopes.items():
            assert np.abs(theirs[key]).max() > 0
            np.testing.assert_allclose(
                slope, theirs[key], rtol=1e-8, atol=1e-8 * np.abs(theirs[key]).max(), err_msg=key
            )
