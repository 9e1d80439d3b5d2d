"""Folded arithmetic against NumPy's."""

import numpy as np
import pytest

from bayescpt.forecast.folding import Folding, Value
from bayescpt.laws.law import DEFAULTS, Law

RNG = np.random.default_rng(5)
DRAWS, PLANS = 7, 3


@pytest.fixture
def folding() -> Folding:
    return Folding()


@pytest.fixture
def by_draw(folding) -> Value:
    return folding.by_draw(RNG.uniform(0.1, 2.0, DRAWS))


@pytest.fixture
def by_plan(folding) -> Value:
    return folding.of_plans(RNG.uniform(0.1, 2.0, (PLANS, 1)))


def test_arithmetic_is_numpys(folding, by_draw, by_plan):
    a, b = by_draw.array, by_plan.array
    for found, expected in (
        (by_draw + by_plan, a + b),
        (by_draw - by_plan, a - b),
        (by_draw * by_plan, a * b),
        (by_draw / by_plan, a / b),
        (2.0 + by_draw, 2.0 + a),
        (2.0 - by_draw, 2.0 - a),
        (2.0 / by_draw, 2.0 / a),
        (-by_draw, -a),
        (abs(-by_draw), a),
        (folding.exp(by_draw), np.exp(a)),
        (folding.expm1(by_draw * by_plan), np.expm1(a * b)),
        (folding.log(by_plan), np.log(b)),
        (folding.log1p(by_draw), np.log1p(a)),
        (folding.maximum(by_plan, 0.5), np.maximum(b, 0.5)),
        (by_draw < 1.0, (a < 1.0).astype(float)),
    ):
        np.testing.assert_array_equal(found.array, expected)


def test_what_changes_nothing_is_not_done(folding, by_draw):
    for same in (by_draw * 1.0, 1.0 * by_draw, by_draw + 0.0, 0.0 + by_draw, by_draw - 0.0):
        assert same is by_draw
    assert by_draw / 1.0 is by_draw
    for nothing in (by_draw * 0.0, 0.0 * by_draw, 0.0 / by_draw, by_draw < 0.0):
        assert nothing == 0.0
    assert folding.exp(0.0) == 1.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nothing_times_what_is_no_number_is_no_number(folding, bad):
    array = np.array([1.0, bad, 2.0])
    for value in (folding.by_draw(array), folding.of_plans(array[:, None])):
        with np.errstate(invalid="ignore"):
            expected = value.array * 0.0
            for found in (value * 0.0, 0.0 * value, value * 0, 0 * value):
                np.testing.assert_array_equal(found.array, expected)
            # Blends in what is selected with a weight of 0, as the law does.
            kept = 0.0 * value + (1.0 - 0.0) * folding.by_draw(np.ones(3))
        assert np.isnan(kept.array).sum() >= 1
    assert np.isnan(expected).sum() == 1


def test_nothing_over_nothing_is_no_number(folding):
    array = np.array([1.0, 0.0, np.nan])
    for value in (folding.by_draw(array), folding.of_plans(array[:, None])):
        with np.errstate(invalid="ignore"):
            expected = 0.0 / value.array
            found = (0.0 / value).array
        np.testing.assert_array_equal(found, expected)
        assert np.isnan(found).sum() == 2


def test_no_number_is_smaller_than_none(folding):
    """A comparison that is false of all says so, but the value it selects keeps its NaN."""
    value = folding.by_draw(np.array([1.0, np.nan]))
    below = value < 0.5
    np.testing.assert_array_equal(np.broadcast_to(getattr(below, "array", below), 2), 0.0)
    kept = (1.0 - below) * value
    np.testing.assert_array_equal(kept.array, [1.0, np.nan])


def test_an_operation_is_done_once(folding, by_draw, by_plan):
    assert folding.exp(by_draw * by_plan) is folding.exp(by_draw * by_plan)
    assert folding.exp(by_draw) is folding.exp(by_draw)
    assert folding.exp(by_draw * by_plan) is not folding.exp(by_plan * 2.0)


def test_only_what_depends_on_draws_alone_outlives_the_plans(folding, by_draw, by_plan):
    lasting, passing = folding.exp(by_draw), folding.exp(by_draw * by_plan)
    folding.next_plans()
    assert folding.exp(by_draw) is lasting
    assert folding.exp(by_draw * by_plan) is not passing


def test_an_array_in_use_is_not_written_over(folding, by_draw, by_plan):
    kept = by_draw * by_plan
    before = kept.array.copy()
    for n in range(20):
        folding.next_plans()
        folding.exp((by_draw + float(n)) * by_plan) / by_draw
    np.testing.assert_array_equal(kept.array, before)


@pytest.mark.parametrize("beta", [0.0, 1e-6, 0.3])
@pytest.mark.parametrize(
    ("replay", "is_target"), [("none", 0.0), ("memory", 0.0), ("memory", 1.0), ("own_share", 1.0)]
)
def test_the_laws_terms_are_numpys(folding, replay, is_target, beta):
    (term,) = (
        term
        for term in Law(DEFAULTS | {"shift": "power", "replay": replay}).terms
        if term.slot in ("shift", "replay")
    )
    if not is_target and replay == "memory":
        beta = max(beta, 1e-6)  # a memory that keeps a share has to fade
    drawn = {p.name: RNG.uniform(0.1, 2.0, DRAWS) for p in term.parameters}
    drawn["beta"] = beta * RNG.uniform(0.5, 2.0, DRAWS)
    of_plans = {
        "replay": RNG.uniform(0, 1, (PLANS, 1)),
        "shift_area": RNG.uniform(0, 2, (PLANS, 1)),
    }
    of_plans["log_peak"] = RNG.normal(0, 1, (PLANS, 1))
    of_plans["replay_seen"] = np.full((PLANS, 1), 0.1)
    phase = {"is_cpt": 1.0, "is_target": is_target}

    folded = {name: folding.by_draw(values) for name, values in drawn.items()}
    expected = term.value(drawn, {**phase, **of_plans})
    assert np.isfinite(expected).all()
    kept = []
    for _ in range(3):
        folding.next_plans()
        f = {name: folding.of_plans(values) for name, values in of_plans.items()}
        found = term.value(folded, {**phase, **f}, folding)
        np.testing.assert_allclose(found.array, expected, rtol=1e-14)
        kept.append(len(folding._lasting))
    # What is kept for good does not grow with the number of plans.
    assert kept[0] == kept[2]
