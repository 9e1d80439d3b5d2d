import numpy as np
import pytest

from bayescpt.laws.points import References

REPLAY = np.array([0.0, 1e-6, 0.01, 0.25, 0.5, 0.75, 1.0])


@pytest.fixture
def response(make_term):
    """Function: part of the no-replay shift that is left at a replay ratio."""
    term = make_term("replay", "exponential", shift="power")
    return lambda replay, rate, xp=np: term.response({"replay_rate": rate}, {"replay": replay}, xp)


def test_response_is_equation_8_scaled(response):
    rate = 2.5
    left = response(REPLAY, rate)
    np.testing.assert_allclose(
        left * (1 - np.exp(-rate)), 1 - np.exp(-rate * (1 - REPLAY)), atol=1e-14
    )
    assert left[0] == 1.0
    assert left[-1] == 0.0
    np.testing.assert_allclose(response(REPLAY, 1e-9), 1 - REPLAY, atol=1e-8)


def test_is_the_same_by_numpy_xarray_and_pytensor(everywhere, response):
    out = everywhere(response, {"rate": [1e-9, 0.5, 60.0]}, {"replay": REPLAY})
    for values in out.values():
        np.testing.assert_allclose(values, out["numpy"], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("is_target", [0.0, 1.0])
def test_it_scales_the_shift_on_every_set(make_term, response, is_target):
    term = make_term("replay", "exponential", shift="power")
    p = {"shift_ref": 0.8, "onset": 28.0, "beta": 0.2, "replay_rate": 2.5, "anneal_replay": -0.4}
    found = term.coefficients(p, {"replay": 0.25, "is_target": is_target})
    assert found["shift"] == pytest.approx(0.8 * response(0.25, 2.5), rel=1e-14)
    assert (found["onset"], found["beta"]) == (28.0, 0.2)


def test_b_stands_before_the_response_of_equation_8(make_term):
    """At replay r the shift is B (1 - exp(-a (1 - r))) of what has grown."""
    term = make_term("replay", "exponential", paper=True, shift="power")
    refs = References({"shift_area": 0.9})
    raw = {"B": 0.4, "E": 30.0, "beta": 0.2, "replay_rate": 2.5}
    ref = term.to_reference(raw, refs)
    assert ref["shift_ref"] == pytest.approx(0.4 * (1 - 28**-0.2) * (1 - np.exp(-2.5)), rel=1e-14)
    assert term.symbols(raw | ref, refs) == pytest.approx({"B": 0.4, "E": 30.0}, rel=1e-14)
