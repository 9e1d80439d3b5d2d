"""Folded arithmetic against NumPy's."""

import numpy as np
import pytest
from bayescpt.laws.replay import own_tokens_growth

from bayescpt.forecast.folding import Folding, Value
from bayescpt.laws.shift import shift_growth

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


@pytest.mark.parametrize("is_target", [0.0, 1.0])
@pytest.mark.parametrize("beta", [0.0, 1e-6, 0.3])
def test_the_laws_terms_are_numpys(folding, is_target, beta):
    drawn = {name: RNG.uniform(0.1, 2.0, DRAWS) for name in ("kappa", "onset")}
    drawn["beta"] = beta * RNG.uniform(0.5, 2.0, DRAWS)
    replay, area = RNG.uniform(0, 1, (PLANS, 1)), RNG.uniform(0, 2, (PLANS, 1))

    def shift(replay, area, values, xp):
        response, onset = own_tokens_growth(replay, is_target, **values, xp=xp)
        return response * shift_growth(area, onset, values["beta"], xp)

    folded = {name: folding.by_draw(values) for name, values in drawn.items()}
    kept = []
    for _ in range(3):
        folding.next_plans()
        found = shift(folding.of_plans(replay), folding.of_plans(area), folded, folding)
        expected = shift(replay, area, drawn, np)
        np.testing.assert_allclose(found.array, expected, rtol=1e-14)
        kept.append(len(folding._lasting))
    # What is kept for good does not grow with the number of plans.
    assert kept[0] == kept[2]
