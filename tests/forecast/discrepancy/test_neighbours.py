"""New runs are off the law as fitted runs of like recipes are."""

from dataclasses import replace

import numpy as np
import pytest

from bayescpt.data import schedules
from bayescpt.forecast import Draws, Plan
from bayescpt.forecast.discrepancy.effects import run_effects
from bayescpt.forecast.discrepancy.neighbours import (
    SHARED,
    correlation,
    neighbours,
    precision_of,
)
from bayescpt.forecast.discrepancy.spread import effect_spread
from bayescpt.forecast.extrapolation import Recipes, distances, recipe
from bayescpt.forecast.plan import plan_trajectory

NOISE = 'run_effects = ["level", "drift"]\nmarginal_effects = true'
DOMAINS = ("general", "target")


@pytest.fixture(scope="module")
def marginal(make_draws) -> Draws:
    return make_draws(NOISE, draws=500)


def path_of(draws: Draws, plan: Plan):
    return plan_trajectory(plan, draws.study, draws.rows.refs.warmup)


def new_plan(ratio: float, peak: float = 2e-3) -> Plan:
    return Plan("new", schedules.wsd(peak, 200, 10, 40), ratio, start="pt")


def seed_of(draws: Draws, run: str) -> Plan:
    """A fitted recipe once more, as a run of its own."""
    return replace(Plan.from_run(draws.study.run(run)), name="again", run=None)


def effects_of(draws: Draws, plan: Plan, domain: str, seed: int = 0) -> np.ndarray:
    path, rng = path_of(draws, plan), np.random.default_rng(seed)
    return run_effects(draws, path, domain, draws.extrapolation(path), rng).whole


@pytest.mark.parametrize("domain", DOMAINS)
def test_weights_are_those_of_a_normal_distribution_given_the_others(marginal, domain):
    path = path_of(marginal, new_plan(0.3))
    found = neighbours(marginal, path, domain)
    runs = [marginal.labels.curve[c][0] for c in found.curves]
    assert len(runs) == len(set(runs)) > 2
    assert all(marginal.labels.curve[c][1] == domain for c in found.curves)
    recipes = [recipe(path), *(marginal.recipes[run] for run in runs)]
    together = Recipes.of(recipes)
    covariance = np.array([correlation(distances(one, together)) for one in recipes])
    np.fill_diagonal(covariance, 1.0)
    # Of a joint normal distribution, the precision has both.
    precision = np.linalg.inv(covariance)
    np.testing.assert_allclose(found.weights, -precision[0, 1:] / precision[0, 0])
    assert found.left == pytest.approx(1.0 / precision[0, 0])


def test_what_is_left_of_a_recipe_again_is_mostly_its_seed(marginal):
    run = marginal.study.cpt_runs[0]
    again = neighbours(marginal, path_of(marginal, seed_of(marginal, run)), "general")
    far = neighbours(marginal, path_of(marginal, new_plan(0.9, 2e-2)), "general")
    assert 1.0 - SHARED < again.left <= 1.0 - SHARED**2
    assert far.left > 0.9
    assert np.abs(far.weights).max() < 0.2 < again.weights.max()


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_recipe_again_is_off_as_its_run_is_and_an_unlike_one_is_not(marginal, domain):
    run = marginal.study.cpt_runs[0]
    own = np.stack([
        marginal.value(f"effect_{name}", marginal.labels.curve.index((run, domain)))
        for name in marginal.card.run_effects
    ])  # fmt: skip
    for plan, known in ((seed_of(marginal, run), True), (new_plan(0.9, 2e-2), False)):
        # The fitted effect is moved by many times its size: the new run follows, or does not.
        moved = marginal.posterior.copy(deep=True)
        for name in marginal.card.run_effects:
            moved[f"effect_{name}"] = moved[f"effect_{name}"] + 10.0
        follows = effects_of(replace(marginal, posterior=moved), plan, domain)
        follows -= effects_of(marginal, plan, domain)
        if known:
            assert follows.min() > 7.0
        else:
            assert np.abs(follows).max() < 3.0
    assert own.shape == follows.shape


def test_the_spread_is_that_which_neighbours_leave_and_what_is_far_away(marginal):
    plan = new_plan(0.3)
    path = path_of(marginal, plan)
    distance, known = marginal.extrapolation(path), neighbours(marginal, path, "general")
    drawn = effects_of(marginal, plan, "general")
    center = known.means(marginal)
    near, both = (effect_spread(marginal, path, "general", at) for at in (0.0, distance))
    expected = np.sqrt(both**2 - (1.0 - known.left) * near**2)
    scaled = (drawn - center) / expected
    # 2,000 standard normal numbers.
    assert abs(scaled.mean()) < 5.0 / np.sqrt(scaled.size)
    assert scaled.std() == pytest.approx(1.0, abs=5.0 / np.sqrt(2.0 * scaled.size))
    assert known.left < 0.8
    # Control: the spread without neighbours is told apart.
    assert (scaled * expected / both).std() < 1.0 - 5.0 / np.sqrt(2.0 * scaled.size)


def test_distances_that_fit_no_space_give_no_precision_beyond_the_seed():
    # Four corners of a square whose sides are short for its diagonals, in no Euclidean space.
    near, far = 0.94, 0.2
    corners = np.array([[1, near, far, near], [near, 1, near, far],
                        [far, near, 1, near], [near, far, near, 1]])  # fmt: skip
    assert np.linalg.eigvalsh(corners).min() < 0.0
    found = precision_of(corners)
    values = np.linalg.eigvalsh(found)
    assert values.min() > 0.0
    assert values.max() == pytest.approx(1.0 / (1.0 - SHARED))
    # What is sound is inverted as it is.
    sound = np.array([[1.0, 0.5], [0.5, 1.0]])
    np.testing.assert_allclose(precision_of(sound) @ sound, np.eye(2), atol=1e-12)


def test_runs_of_another_target_or_phase_tell_nothing(marginal):
    path = path_of(marginal, new_plan(0.3))
    assert neighbours(marginal, replace(path, target="other"), "general") is None
    plain = replace(marginal, posterior=marginal.posterior.drop_vars("effect_level"))
    assert neighbours(plain, path, "general") is None


def test_cards_that_judge_effects_after_the_fit_draw_them_independently(make_draws):
    draws = make_draws('run_effects = ["level", "drift"]', draws=100)
    path = path_of(draws, new_plan(0.3))
    assert neighbours(draws, path, "general") is None
    distance = draws.extrapolation(path)
    drawn = run_effects(draws, path, "general", distance, np.random.default_rng(3)).whole
    spread = effect_spread(draws, path, "general", distance)
    expected = np.random.default_rng(3).standard_normal(spread.shape) * spread
    np.testing.assert_allclose(drawn, expected)


def test_a_fitted_run_keeps_its_own_effects(marginal):
    run = marginal.study.cpt_runs[0]
    plan = Plan.from_run(marginal.study.run(run))
    own = marginal.value("effect_level", marginal.labels.curve.index((run, "general")))
    np.testing.assert_array_equal(effects_of(marginal, plan, "general")[0], own)
