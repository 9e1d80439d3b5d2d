"""The compiled pass against the law that it repeats."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.gradient import verify_grad

from bayescpt.laws.curve import expected_loss
from bayescpt.laws.shift import shift_growth
from bayescpt.model.build import rows_model
from bayescpt.model.fused import SERIES_BELOW, CurveMean
from bayescpt.model.rows import make_rows

NAMES = ("level", "base_ref", "alpha", "anneal_ref", "shift", "onset", "beta")
N_ROWS, COLUMNS, EXPONENTS = 6, 5, 3
# beta -> 0 down to 0, and both sides of where the series takes over.
BETA = [0.0, 1e-300, 1e-14, 1e-7, 1e-4, 0.19, 3.0]
SWITCH = [SERIES_BELOW / np.log1p(30.0) * (1 + d) for d in (-1e-9, 1e-9)]


def problem(beta, area=None, exponents=EXPONENTS, seed=3):
    """Inputs of CurveMean: one segment a beta, then one of pre-training."""
    rng = np.random.default_rng(seed)
    beta = np.r_[beta, 0.3]
    n = beta.size
    rows = n * N_ROWS
    if area is None:
        area = np.tile([0.0, 1e-9, 1e-3, 0.3, 1.0, 2.5], n)
    parameters = [
        rng.uniform(2, 4, n),
        rng.uniform(0, 1, n),
        rng.uniform(0.2, 2, n),
        rng.uniform(0, 0.3, n),
        rng.uniform(-1.5, 1.5, n),
        np.full(n, 30.0),
        beta,
        rng.uniform(-1, 1, COLUMNS),
    ]
    in_pretraining = np.arange(rows) >= rows - N_ROWS
    shift_exponents = np.ones(1) if exponents == 1 else rng.uniform(0, 1, exponents)
    # Different at every exponent, and together the area that is asked for.
    shares = rng.uniform(0.5, 1.5, (exponents, rows))
    shares /= shift_exponents @ shares
    data = [
        rng.standard_normal((COLUMNS, rows)),
        rng.uniform(-0.2, 0.0, n),
        np.ones(1) if exponents == 1 else rng.uniform(0, 1, exponents),
        rng.uniform(0, 0.4, (exponents, rows)),
        shift_exponents,
        np.where(in_pretraining, 0.0, area) * shares,
        np.repeat(np.arange(n), N_ROWS),
    ]
    return parameters, data


def plain(*inputs):
    """The same by the plain graph of the law."""
    by_segment, (weights, basis, start, exponents, log_areas) = inputs[:7], inputs[7:12]
    shift_exponents, shift_areas, segment = inputs[12:]
    return expected_loss(
        **{name: value[segment] for name, value in zip(NAMES, by_segment, strict=True)},
        log_area=(log_areas * exponents[:, None]).sum(axis=0),
        log_area_start=start[segment],
        anneal=(basis * weights[:, None]).sum(axis=0),
        shift_area=(shift_areas * shift_exponents[:, None]).sum(axis=0),
        xp=pt,
    )


def value_and_gradient(mean, inputs, cotangent, mode="FAST_COMPILE"):
    symbols = [pt.as_tensor(x).type() for x in inputs]
    out = mean(*symbols)
    # Everything but the data: parameters, weights, the anchor's area, both exponents.
    free = [*symbols[:8], symbols[9], symbols[10], symbols[12]]
    slopes = pytensor.grad((out * cotangent).sum(), free)
    return pytensor.function(symbols, [out, *slopes], mode=mode)(*inputs)


def fused(*inputs):
    return CurveMean()(*inputs)[0]


def test_value_and_gradient_are_those_of_the_law():
    parameters, data = problem([*BETA, *SWITCH])
    cotangent = np.random.default_rng(8).standard_normal(data[-1].size)
    inputs = [*parameters, *data]
    expected = value_and_gradient(plain, inputs, cotangent)
    for mode in ("FAST_COMPILE", "NUMBA"):
        found = value_and_gradient(fused, inputs, cotangent, mode)
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-10)
        for mine, theirs in zip(found[1:], expected[1:], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-8 * np.abs(theirs).max())


def test_without_shift_area_the_shift_has_no_part():
    parameters, data = problem(BETA, area=0.0)
    cotangent = np.ones(data[-1].size)
    value, *slopes = value_and_gradient(fused, [*parameters, *data], cotangent)
    expected = value_and_gradient(plain, [*parameters, *data], cotangent)
    np.testing.assert_allclose(value, expected[0], rtol=1e-10)
    for slope, theirs in zip(slopes, expected[1:], strict=True):
        np.testing.assert_allclose(slope, theirs, rtol=1e-8, atol=1e-10)
    assert not np.any(slopes[4:7])
    assert not np.any(slopes[-1])


def test_an_exponent_of_its_own_makes_the_area_of_the_shift():
    """Only the shift answers to its exponent, and by what its area changes."""
    parameters, data = problem(BETA)
    other = [*data]
    other[4] = data[4] * [1.3, 0.8, 1.1]
    cotangent = np.ones(data[-1].size)
    before = value_and_gradient(fused, [*parameters, *data], cotangent)
    found = value_and_gradient(fused, [*parameters, *other], cotangent)
    expected = value_and_gradient(plain, [*parameters, *other], cotangent)
    areas = [d[4] @ d[5] for d in (data, other)]
    at = data[-1]
    grown = [parameters[4][at] * shift_growth(s, 30.0, parameters[6][at]) for s in areas]
    np.testing.assert_allclose(found[0] - before[0], grown[1] - grown[0], atol=1e-12)
    assert np.abs(grown[1] - grown[0]).max() > 1e-3
    np.testing.assert_allclose(found[-1], expected[-1], rtol=1e-8)
    assert np.all(found[-1] != 0.0)


def test_one_fixed_exponent_is_the_forward_area_itself():
    parameters, data = problem([0.2, 0.0], exponents=1)
    cotangent = np.ones(data[-1].size)
    found = value_and_gradient(fused, [*parameters, *data], cotangent)
    expected = value_and_gradient(plain, [*parameters, *data], cotangent)
    for mine, theirs in zip(found[:-2], expected[:-2], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-12)


def test_gradient_by_finite_differences():
    parameters, data = problem([0.0, 1e-5, 0.4])
    basis, start, exponents, log_areas, shift_exponents, shift_areas, segment = data

    def mean(*free):
        *sizes, anchor, base, shift = free
        return fused(*sizes, basis, anchor, base, log_areas, shift, shift_areas, segment)

    verify_grad(
        mean,
        [*parameters, start, exponents, shift_exponents],
        rng=np.random.default_rng(1),
        mode="FAST_COMPILE",
    )


def test_a_shift_that_hardly_begins_grows_in_proportion_to_the_area():
    """A target at replay 1 has next to no onset; effects of the run are still of order 1."""
    parameters, data = problem([0.0, 0.3])
    parameters[5] = np.full(3, 1e-17)
    inputs = [*parameters, *data]
    cotangent = np.ones(data[-1].size)
    found, expected = (value_and_gradient(f, inputs, cotangent) for f in (fused, plain))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-10)
    # By shift: the area itself.
    np.testing.assert_allclose(found[5], expected[5], rtol=1e-8)
    np.testing.assert_allclose(found[5][:2], (data[4] @ data[5])[:6].sum(), rtol=1e-8)


@pytest.mark.parametrize("name", ["everything", "variants"])
def test_a_model_has_the_same_density_and_gradient_either_way(
    study, card, logp_and_gradient, near, name
):
    """Replay 0, .25 and 1, both phases, through the whole model."""
    made = card(name)
    rows = make_rows(study, made)
    assert set(rows.segment["replay"]) == {0.0, 0.25, 1.0}
    one, other = (rows_model(rows, made, fused=flag) for flag in (True, False))
    point = near(one, 4)
    (value, slopes), (expected, theirs) = (
        logp_and_gradient(model)(point) for model in (one, other)
    )
    assert value == pytest.approx(expected, rel=1e-10)
    assert ("shift_exponent_interval__" in slopes) == (name == "variants")
    for key, slope in slopes.items():
        np.testing.assert_allclose(
            slope, theirs[key], rtol=1e-8, atol=1e-8 * np.abs(theirs[key]).max(), err_msg=key
        )
