"""Risk measures: what holds for every registered one, and closed forms of those shipped."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from bayescpt.decide import (
    compare,
    cvar,
    expected_regret,
    mean,
    optimise,
    probability_best,
    quantile,
    risks,
    screen,
)
from bayescpt.decide.montecarlo import mean_mcse
from bayescpt.decide.risks import RiskMeasure, register, unregister
from bayescpt.errors import PlanError

LEVEL = 0.9
SHIPPED = [
    path.stem
    for path in Path(risks.__file__).parent.glob("[a-z]*.py")
    if path.stem not in ("base", "registry")
]


@pytest.fixture
def losses(rng) -> np.ndarray:
    """Draws of six plans with heavy tails, a few ties and a goal at 0 that all meet at times."""
    draws = rng.normal(size=(6, 1)) * 0.2 + rng.standard_t(4, size=(6, 503))
    draws[:, :40] = np.round(draws[:, :40])
    return draws


# --- every registered measure ------------------------------------------------------------------


@pytest.mark.parametrize("name", risks.names())
@pytest.mark.parametrize("level", [0.05, 0.5, 0.9, 0.998])
class TestEveryMeasure:
    def test_value_is_the_average_of_the_contributions(self, losses, name, level):
        measure = risks.get(name)
        parts = measure.contributions(losses, level)
        assert parts.shape == losses.shape
        np.testing.assert_allclose(measure.value(losses, level), parts.mean(axis=-1), rtol=1e-12)

    def test_value_is_that_of_the_definition(self, losses, name, level):
        measure = risks.get(name)
        expected = [measure.definition(losses.tolist(), plan, level) for plan in range(len(losses))]
        np.testing.assert_allclose(measure.value(losses, level), expected, rtol=1e-10, atol=1e-12)

    def test_lower_draws_never_have_a_higher_risk(self, rng, losses, name, level):
        measure = risks.get(name)
        sign = -1 if measure.higher_is_better else 1
        n_draws = losses.shape[1]
        lower = losses[0] - rng.exponential(0.3, n_draws) * rng.integers(0, 2, n_draws)
        risk = sign * measure.value(np.stack([losses[0], lower, *losses[1:]]), level)
        assert risk[1] <= risk[0] + 1e-12
        # Not by ignoring the draws: lower by 1 everywhere is better.
        risk = sign * measure.value(np.stack([losses[0], losses[0] - 1.0, *losses[1:]]), level)
        assert risk[1] < risk[0]

    def test_standard_error_is_that_of_the_contributions(self, losses, name, level):
        measure = risks.get(name)
        parts = measure.contributions(losses, level)[:, None]
        errors = measure.mcse(parts, losses[:, None])
        assert errors.shape == (len(losses),)
        assert np.all(errors > 0)

    def test_level_matters_exactly_where_it_is_said_to(self, losses, name, level):
        measure = risks.get(name)
        same = np.allclose(measure.value(losses, level), measure.value(losses, 0.3))
        assert same != measure.uses_level

    def test_other_plans_matter_exactly_where_they_are_said_to(self, losses, name, level):
        measure = risks.get(name)
        with_a_better_plan = np.concatenate([losses, losses.min(axis=0, keepdims=True) - 1.0])
        value = measure.value(with_a_better_plan, level)[:-1]
        assert np.allclose(value, measure.value(losses, level)) != measure.relative


@pytest.mark.parametrize("name", [name for name in risks.names() if risks.get(name).uses_level])
@pytest.mark.parametrize("level", [0.0, 1.0, 90, -0.1, float("nan"), "high", None])
def test_a_level_outside_0_1_is_an_error(name, level):
    with pytest.raises(PlanError, match=r"level is .* strictly between 0 and 1"):
        risks.get(name).value(np.arange(10.0), level)


@pytest.mark.parametrize("name", risks.names())
def test_every_measure_has_a_column_and_a_choice(rng, make_forecast, name):
    draws = {plan: {"g": rng.normal(3.0 + k, 0.1, (2, 50))} for k, plan in enumerate("abc")}
    decision = compare(make_forecast(draws), goal={"g": 3.0}, risk=name)
    measure = risks.get(name)
    assert measure.column in decision.table
    assert decision.best == "a"
    assert measure.label(LEVEL)


def test_each_shipped_measure_has_a_file_of_its_name():
    """The command line reads the choices of --risk from the names of the files."""
    assert sorted(SHIPPED) == sorted(risks.names())
    for name in SHIPPED:
        assert type(risks.get(name)).__module__ == f"bayescpt.decide.risks.{name}"


# --- a measure of a user's own -------------------------------------------------------------------


@pytest.fixture
def entropic() -> Iterator[str]:
    """Register the entropic risk log E[exp(a loss)] / a, linearised, with a = level."""

    @register
    class Entropic(RiskMeasure):
        name = "own_entropic"
        uses_level = True

        def contributions(self, losses, level=0.9):
            weights = np.exp(level * losses)
            total = weights.mean(axis=-1, keepdims=True)
            return (np.log(total) + weights / total - 1) / level

    yield "own_entropic"
    unregister("own_entropic")


@pytest.fixture
def shortfall() -> Iterator[str]:
    """Register the mean excess over the goal where it is missed."""

    @register
    class Shortfall(RiskMeasure):
        name = "shortfall"
        needs_goal = True

        def contributions(self, losses, level=0.9):
            return np.maximum(losses, 0.0)

    yield "shortfall"
    unregister("shortfall")


def plans():
    from bayescpt.data import schedules
    from bayescpt.forecast import Plan

    schedule = schedules.wsd(2e-3, 200, 10, 40)
    return [Plan(f"plan {n}", schedule, 0.1 + 0.1 * n, start="pt") for n in range(4)]


def test_a_new_measure_works_everywhere(prior_fit, entropic):
    forecast = prior_fit.forecast(plans(), steps=[200], seed=4)
    decision = compare(forecast, risk=entropic, level=0.5)
    draws = forecast.loss.mean("domain").transpose("plan", "step", "chain", "draw").values
    expected = np.log(np.exp(0.5 * draws).mean(axis=(1, 2, 3))) / 0.5
    np.testing.assert_allclose(decision.table[entropic], expected, rtol=1e-12)
    assert decision.best == decision.table.index[expected.argmin()]

    table = screen(prior_fit, plans(), risk=entropic, level=0.5, seed=4)
    np.testing.assert_allclose(table[entropic], expected, rtol=1e-12)
    assert (table[f"{entropic}_mcse"] / decision.table["mcse"]).between(0.4, 2.5).all()

    space = {
        "schedule": "wsd", "num_training_steps": 200, "warmup_share": 0.05, "lr": 2e-3,
        "decay_share": [0.1, 0.3], "replay_ratio": [0.1, 0.5],
    }  # fmt: skip
    found = optimise(prior_fit, space, risk=entropic)
    assert list(found.table[entropic]) == sorted(found.table[entropic])


def test_a_new_measure_of_the_goal_works_everywhere(prior_fit, shortfall):
    forecast = prior_fit.forecast(plans(), steps=[200], seed=4)
    goal = {name: float(forecast.loss.sel(domain=name).median()) for name in ("general", "target")}
    excess = np.max([forecast.loss.sel(domain=name) - goal[name] for name in goal], axis=0)
    expected = np.maximum(excess, 0).mean(axis=(0, 1, 3))
    np.testing.assert_allclose(
        compare(forecast, goal, risk=shortfall).table[shortfall], expected, rtol=1e-12
    )
    table = screen(prior_fit, plans(), goal, risk=shortfall, seed=4)
    np.testing.assert_allclose(table[shortfall], expected, rtol=1e-12)
    for call in (lambda: compare(forecast, risk=shortfall), lambda: screen(
        prior_fit, plans(), risk=shortfall
    )):  # fmt: skip
        with pytest.raises(PlanError, match="risk='shortfall' judges a goal: give goal="):
            call()
    assert shortfall not in compare(forecast).table


def test_messages_list_a_new_measure_while_it_is_registered(rng, make_forecast, entropic):
    forecast = make_forecast({"a": {"g": rng.normal(3.0, 0.1, (2, 50))}})
    with pytest.raises(PlanError, match=r"risk is 'no such'; it must be one of .*'own_entropic'"):
        compare(forecast, risk="no such")
    unregister(entropic)
    try:
        with pytest.raises(PlanError, match=r"risk is 'own_entropic'; it must be one of") as caught:
            compare(forecast, risk=entropic)
        assert str(caught.value).count(entropic) == 1
    finally:
        # The fixture unregisters it too.
        class Same(RiskMeasure):
            name = "own_entropic"

            def contributions(self, losses, level=0.9):
                return losses

        register(Same)


def test_what_cannot_be_registered_is_an_error():
    def measure(**attributes):
        return type("New", (RiskMeasure,), {"contributions": lambda *_: None, **attributes})

    for cls, text in (
        (dict, "is not a risk measure"),
        (type("New", (RiskMeasure,), {"name": "new"}), "New lacks contributions"),
        (measure(), "New has no name"),
        (measure(name="mean"), "a risk measure 'mean' exists"),
        (measure(name="goal_probability"), "'goal_probability' is that of 'probability'"),
        (measure(name="mcse"), "column 'mcse' of risk measure 'mcse' is taken"),
    ):
        with pytest.raises(PlanError, match=text):
            register(cls)
    with pytest.raises(PlanError, match="risk is 'new'"):
        unregister("new")
    for bad in (None, ["mean"]):
        with pytest.raises(PlanError, match="it must be one of"):
            risks.get(bad)


def test_a_class_defined_again_replaces_the_earlier_one():
    def define(value):
        class Fixed(RiskMeasure):
            name = "fixed"

            def contributions(self, losses, level=0.9):
                return np.full_like(losses, value)

        return register(Fixed)

    try:
        for value in (1.0, 2.0):
            define(value)
        assert risks.get("fixed").value([0.0]) == 2.0
    finally:
        unregister("fixed")


def test_a_measure_without_a_definition_cannot_be_tested_against_it(entropic):
    with pytest.raises(NotImplementedError, match="'own_entropic' has no definition"):
        risks.get(entropic).definition([[1.0]], 0, 0.9)


# --- closed forms ------------------------------------------------------------------------------


def normal_cvar(mu, sigma, level):
    """Return the CVaR of a normal: mu + sigma phi(z) / (1 - level)."""
    return mu + sigma * norm.pdf(norm.ppf(level)) / (1 - level)


def test_measures_of_a_normal_within_three_standard_errors(rng):
    draws = rng.normal(3.0, 0.2, (1, 1, 20_000))
    for name, truth in [
        ("mean", 3.0),
        ("quantile", norm.ppf(LEVEL, 3.0, 0.2)),
        ("cvar", normal_cvar(3.0, 0.2, LEVEL)),
    ]:
        measure = risks.get(name)
        error = measure.mcse(measure.contributions(draws, LEVEL), draws)
        assert abs(measure.value(draws, LEVEL)[0, 0] - truth) < 3 * error[0]


@pytest.mark.parametrize("name", ["mean", "quantile", "cvar", "probability"])
def test_error_of_a_measure_is_the_spread_of_repeated_estimates(rng, name):
    measure = risks.get(name)
    repeats = rng.normal(-0.2, 0.2, (400, 1000))
    parts = measure.contributions(repeats, LEVEL)
    claimed = np.median(measure.mcse(parts[:, None], repeats[:, None]))
    assert claimed == pytest.approx(measure.value(repeats, LEVEL).std(), rel=0.15)


def test_quantile_error_of_a_normal_has_its_closed_form(rng):
    draws = rng.normal(size=40_000)
    truth = np.sqrt(LEVEL * (1 - LEVEL) / draws.size) / norm.pdf(norm.ppf(LEVEL))
    parts = risks.get("quantile").contributions(draws, LEVEL)
    assert mean_mcse(parts[None]) == pytest.approx(truth, rel=0.1)


def test_quantile_is_that_of_numpy(rng):
    draws = rng.normal(size=(3, 77))
    np.testing.assert_allclose(quantile(draws, 0.8), np.quantile(draws, 0.8, axis=-1))


def test_cvar_is_the_mean_of_the_worst_share():
    draws = np.arange(100.0)
    assert cvar(draws, 0.9) == pytest.approx(np.mean(np.arange(90.0, 100.0)))
    # 1 - level falls inside a draw: the worst 1.5 of 3 draws are 3 and half of 2
    assert cvar(np.array([1.0, 2.0, 3.0]), 0.5) == pytest.approx((3 + 0.5 * 2) / 1.5)
    # the worst 1.6 of 4; an interpolated quantile would give 3.675
    assert cvar(np.arange(1.0, 5.0), 0.6) == pytest.approx((4 + 0.6 * 3) / 1.6)


def test_cvar_is_never_below_the_quantile_nor_the_mean(rng):
    draws = rng.gamma(2.0, size=(5, 500))
    for level in (0.1, 0.5, 0.99):
        assert np.all(cvar(draws, level) >= quantile(draws, level) - 1e-2)
        assert np.all(cvar(draws, level) >= mean(draws))


def test_regret_and_probability_best_on_constructed_draws():
    draws = np.array([[1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 3.0, 1.0], [9.0, 9.0, 3.0, 9.0]])
    regret = risks.get("regret").contributions(draws)
    np.testing.assert_allclose(regret, [[0, 1, 0, 3], [1, 0, 0, 0], [8, 8, 0, 8]])
    np.testing.assert_allclose(expected_regret(draws), [1.0, 0.25, 6.0])
    third = 1 / 3
    np.testing.assert_allclose(
        probability_best(draws), [(1 + third) / 4, (2 + third) / 4, third / 4]
    )


def test_probability_best_of_two_normals_has_its_closed_form(rng):
    draws = np.stack([rng.normal(3.0, 0.3, 40_000), rng.normal(3.2, 0.4, 40_000)])
    truth = norm.cdf(0.2 / 0.5)
    error = math.sqrt(truth * (1 - truth) / 40_000)
    assert abs(probability_best(draws)[0] - truth) < 3 * error
    assert probability_best(draws).sum() == pytest.approx(1.0)


def test_regret_ranks_as_the_mean_does(rng):
    draws = rng.normal(rng.normal(size=(6, 1)), 1.0, (6, 300))
    np.testing.assert_allclose(
        expected_regret(draws) - expected_regret(draws)[0],
        mean(draws) - mean(draws)[0],
        atol=1e-12,
    )


def test_quantile_contributions_of_equal_draws_are_that_value():
    parts = risks.get("quantile").contributions(np.full(50, 2.5), 0.9)
    np.testing.assert_array_equal(parts, 2.5)
