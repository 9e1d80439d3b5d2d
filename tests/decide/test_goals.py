"""Goal probabilities against closed forms."""

import math

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import multivariate_normal, norm

from bayescpt.data import schedules
from bayescpt.decide import Goal, compare, goal_probability
from bayescpt.errors import PlanError
from bayescpt.forecast import Plan

GOAL = {"general": 3.30, "german": 2.95}


def bivariate(rng, rho, mean=(3.28, 2.97), sd=(0.03, 0.05), shape=(4, 5000)):
    """Return draws of a bivariate normal by domain, and its parameters."""
    cov = np.array([[sd[0] ** 2, rho * sd[0] * sd[1]], [rho * sd[0] * sd[1], sd[1] ** 2]])
    draws = rng.multivariate_normal(mean, cov, size=shape)
    return {"general": draws[..., 0], "german": draws[..., 1]}, np.array(mean), cov


@pytest.mark.parametrize("rho", [-0.8, 0.0, 0.8])
def test_joint_probability_is_the_bivariate_normals(rng, make_forecast, rho):
    draws, mean, cov = bivariate(rng, rho)
    row = goal_probability(make_forecast({"a": draws}), GOAL).loc["a"]
    truth = multivariate_normal(mean, cov).cdf([3.30, 2.95])
    assert abs(row["joint"] - truth) < 3 * row["joint_mcse"]
    assert row["joint_mcse"] < 0.005
    for i, (domain, threshold) in enumerate(GOAL.items()):
        marginal = norm.cdf(threshold, mean[i], math.sqrt(cov[i, i]))
        assert abs(row[domain] - marginal) < 3 * row[f"{domain}_mcse"]


def test_joint_is_not_the_product_of_the_domains(rng, make_forecast):
    """Negative control: a joint made of independent domains would be far off."""
    draws, mean, cov = bivariate(rng, -0.8)
    row = goal_probability(make_forecast({"a": draws}), GOAL).loc["a"]
    truth = multivariate_normal(mean, cov).cdf([3.30, 2.95])
    assert abs(row["general"] * row["german"] - truth) > 10 * row["joint_mcse"]


def test_columns_and_order(rng, make_forecast):
    draws, _, _ = bivariate(rng, 0.0, shape=(2, 50))
    table = goal_probability(make_forecast({"b": draws, "a": draws}), GOAL)
    assert list(table.index) == ["b", "a"]
    assert table.index.name == "plan"
    assert list(table.columns) == [
        "joint", "general", "german", "joint_mcse", "general_mcse", "german_mcse",
    ]  # fmt: skip
    assert table.attrs["goal"] == GOAL


def test_autocorrelated_chains_have_a_larger_error(rng, make_forecast):
    noise = rng.standard_normal((4, 1000))
    rough = lfilter([math.sqrt(1 - 0.95**2)], [1.0, -0.95], noise, axis=-1)
    table = goal_probability(
        make_forecast({"independent": {"general": noise}, "correlated": {"general": rough}}),
        {"general": 0.0},
    )
    assert table.loc["correlated", "joint_mcse"] > 2 * table.loc["independent", "joint_mcse"]


def test_a_goal_always_or_never_met_is_not_certain(rng, make_forecast):
    draws = {"general": rng.normal(3.0, 0.01, (4, 250))}
    fc = make_forecast({"a": draws})
    for threshold, probability in ((4.0, 1.0), (2.0, 0.0)):
        row = goal_probability(fc, {"general": threshold}).loc["a"]
        assert row["joint"] == probability
        assert 0.5 / 1000 < row["joint_mcse"] < 3 / 1000


def test_a_loss_at_its_threshold_meets_it(make_forecast):
    fc = make_forecast({"a": {"general": np.full((4, 10), 3.3)}})
    assert goal_probability(fc, {"general": 3.3}).loc["a", "joint"] == 1.0
    assert goal_probability(fc, {"general": np.nextafter(3.3, 0)}).loc["a", "joint"] == 0.0


def test_end_is_each_plans_own_last_step(make_forecast):
    short = np.tile([3.0, 2.0, np.nan], (4, 10, 1))
    long = np.tile([3.0, 2.0, 5.0], (4, 10, 1))
    fc = make_forecast({"short": {"general": short}, "long": {"general": long}})
    table = goal_probability(fc, {"general": 2.5})
    assert table["joint"].to_dict() == {"short": 1.0, "long": 0.0}


def two_plans(make_forecast, steps):
    """Return a forecast at some steps of plans of 950 and 1200 steps whose loss is step / 100."""
    fc = make_forecast({"short": {"general": np.zeros((2, 5, 1200))},
                        "long": {"general": np.zeros((2, 5, 1200))}})  # fmt: skip
    fc.plans = [
        Plan(name, schedules.constant(1e-3, n)) for name, n in (("short", 950), ("long", 1200))
    ]
    loss = fc.dataset["loss"] + fc.dataset["step"] / 100
    past = (fc.dataset["plan"] == "short") & (fc.dataset["step"] > 950)
    fc.dataset = loss.where(~past).to_dataset(name="loss").sel(step=steps)
    return fc


def test_end_must_be_among_the_forecast_steps(make_forecast):
    """A plan of 950 steps, forecast to 900, says nothing of its end."""
    fc = two_plans(make_forecast, [300, 600, 900, 1200])
    text = (
        r"plan 'short' ends at step 950, where it is not forecast \(its last forecast step is 900\)"
        r".*forecast with steps including 950$"
    )
    for judge in (goal_probability, compare):
        with pytest.raises(PlanError, match=text):
            judge(fc, {"general": 9.2})
    # Every plan's end that is missing is named in one message.
    with pytest.raises(PlanError, match=r"steps including 950, 1200$"):
        goal_probability(two_plans(make_forecast, [300, 600, 900]), {"general": 9.2})


def test_each_plan_is_judged_at_its_own_end(make_forecast):
    fc = two_plans(make_forecast, [900, 950, 1200])
    table = goal_probability(fc, {"general": 9.2})
    assert table["joint"].to_dict() == {"short": 0.0, "long": 0.0}
    assert goal_probability(fc, {"general": 9.5})["joint"].to_dict() == {"short": 1.0, "long": 0.0}
    means = compare(fc).table["mean"]
    assert means.to_dict() == pytest.approx({"short": 9.5, "long": 12.0})
    # Steps past the end of a plan do not count, even if they have values.
    fc.dataset = fc.dataset.fillna(0.0)
    assert compare(fc).table["mean"].to_dict() == pytest.approx({"short": 9.5, "long": 12.0})


def test_best_is_the_best_of_the_forecast_steps(make_forecast):
    fc = two_plans(make_forecast, [600, 900])
    table = goal_probability(fc, {"general": 7.0}, by="best")
    assert table["best_step"].to_dict() == {"short": 600, "long": 600}
    assert table["joint"].to_dict() == {"short": 1.0, "long": 1.0}


def test_a_dataset_alone_is_judged_at_its_last_step_with_a_warning(make_forecast):
    dataset = two_plans(make_forecast, [600, 900]).dataset
    text = (
        "the forecast holds no recipe of some plans, so they are judged at their last forecast "
        "step, which may not be their end: 'short' at 900, 'long' at 900"
    )
    table = goal_probability(dataset, {"general": 9.2})
    assert table["joint"].to_dict() == {"short": 1.0, "long": 1.0}
    assert table.attrs["warnings"] == [text]
    assert text in compare(dataset).warnings
    assert goal_probability(dataset, {"general": 9.2}, by="best").attrs["warnings"] == []


def test_a_fits_forecast_short_of_the_end_is_an_error(prior_fit):
    plan = Plan("a", schedules.constant(2e-3, 200), 0.3, start="pt")
    with pytest.raises(PlanError, match=r"plan 'a' ends at step 200.*including 200"):
        goal_probability(prior_fit.forecast(plan, steps=[50, 150]), {"general": 3.0})
    assert len(goal_probability(prior_fit.forecast(plan, steps=[150, 200]), {"general": 3.0})) == 1


def test_best_is_one_step_for_all_draws(make_forecast):
    """Half the draws meet the goal at step 10, the other half at 20, three quarters at 30."""
    losses = np.full((4, 8, 4), 9.0)
    losses[:2, :, 0] = 1.0
    losses[2:, :, 1] = 1.0
    losses[:3, :, 2] = 1.0
    fc = make_forecast({"a": {"general": losses}}, steps=[10, 20, 30, 40])
    row = goal_probability(fc, {"general": 2.0}, by="best").loc["a"]
    assert row["best_step"] == 30
    assert row["joint"] == 0.75  # the best step of each draw would give 1
    assert goal_probability(fc, {"general": 2.0}).loc["a", "joint"] == 0.0


def test_best_maximises_the_joint_not_the_domains(make_forecast):
    ones, nines = np.full((4, 5), 1.0), np.full((4, 5), 9.0)
    half = np.where(np.arange(5) < 2, 1.0, 9.0) * np.ones((4, 1))
    general = np.stack([ones, half, nines], axis=-1)
    german = np.stack([nines, half, ones], axis=-1)
    fc = make_forecast({"a": {"general": general, "german": german}})
    row = goal_probability(fc, {"general": 2.0, "german": 2.0}, by="best").loc["a"]
    assert row["best_step"] == 2
    assert row["joint"] == pytest.approx(0.4)


def test_best_among_equals_is_the_earliest_and_without_a_chance_the_last(make_forecast):
    curve = np.tile([9.0, 1.0, 1.0, np.nan], (4, 5, 1))
    fc = make_forecast({"a": {"general": curve}})
    assert goal_probability(fc, {"general": 2.0}, by="best").loc["a", "best_step"] == 2
    assert goal_probability(fc, {"general": 0.5}, by="best").loc["a", "best_step"] == 3


def test_kind_mu_judges_the_expected_curve(make_forecast):
    fc = make_forecast({"a": {"general": np.full((4, 10), 3.0)}})  # mu is 1 below
    assert goal_probability(fc, {"general": 2.5}).loc["a", "joint"] == 0.0
    assert goal_probability(fc, {"general": 2.5}, kind="mu").loc["a", "joint"] == 1.0


def test_dataset_alone_will_do_in_any_order_of_dims(rng, make_forecast):
    draws, _, _ = bivariate(rng, 0.3, shape=(2, 100))
    fc = make_forecast({"a": draws})
    turned = fc.dataset.transpose("step", "domain", "plan", "draw", "chain")
    assert goal_probability(turned, GOAL).equals(goal_probability(fc, GOAL))


def test_a_failed_fit_says_so(make_forecast):
    fc = make_forecast({"a": {"general": np.full((4, 10), 3.0)}})
    fc.failed_checks = ["r_hat"]
    fc.warnings = ["replay 0.9 is outside the fitted range"]
    notes = goal_probability(fc, {"general": 3.0}).attrs["warnings"]
    assert notes == ["the fit failed its check: r_hat", "replay 0.9 is outside the fitted range"]


def test_unknown_domain_lists_those_known(rng, make_forecast):
    fc = make_forecast({"a": bivariate(rng, 0.0, shape=(2, 10))[0]})
    with pytest.raises(PlanError, match=r"'french'.*\['general', 'german'\]"):
        goal_probability(fc, {"french": 3.0})


def test_plan_without_the_domain_is_named(make_forecast):
    three = np.full((2, 10), 3.0)
    fc = make_forecast({"a": {"general": three, "german": three}, "b": {"general": three}})
    with pytest.raises(PlanError, match=r"plan 'b' has no forecast on domain 'german'"):
        goal_probability(fc, {"german": 3.0})
    assert goal_probability(fc, {"general": 3.0})["joint"].to_dict() == {"a": 1.0, "b": 1.0}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_draws_that_are_not_finite_are_counted(make_forecast, value):
    losses = np.full((2, 10), 3.0)
    losses[0, :3] = value
    fc = make_forecast({"a": {"general": losses}}, steps=[500])
    with pytest.raises(PlanError, match=r"'a'.*'general'.*step 500: 3 of 20 draws"):
        goal_probability(fc, {"general": 3.0})


@pytest.mark.parametrize("bad", [math.nan, math.inf, "low", None])
def test_threshold_that_is_not_a_finite_number(bad):
    with pytest.raises(PlanError, match=r"threshold for domain 'general' is .*finite number"):
        Goal({"general": bad})


@pytest.mark.parametrize(
    ("thresholds", "message"), [({}, "no threshold"), ({"joint": 1.0}, "joint probability")]
)
def test_goal_that_cannot_be_judged(thresholds, message):
    with pytest.raises(PlanError, match=message):
        Goal(thresholds)


def test_goal_does_not_change_after_it_is_made():
    thresholds = {"general": 3.3}
    goal = Goal(thresholds)
    thresholds["general"] = 1.0
    assert goal.thresholds["general"] == 3.3
    assert Goal.of(goal) is goal
    with pytest.raises(TypeError):
        goal.thresholds["general"] = 1.0


@pytest.mark.parametrize(("option", "value"), [("by", "start"), ("kind", "noise")])
def test_unknown_option_says_what_is_allowed(make_forecast, option, value):
    fc = make_forecast({"a": {"general": np.full((2, 10), 3.0)}})
    with pytest.raises(PlanError, match=f"{option} is '{value}'; it must be"):
        goal_probability(fc, {"general": 3.0}, **{option: value})


def test_dataset_without_the_variable_or_a_dim(make_forecast):
    dataset = make_forecast({"a": {"general": np.full((2, 10), 3.0)}}).dataset
    with pytest.raises(PlanError, match=r"no variable 'loss'; it has \['mu'\]"):
        goal_probability(dataset.drop_vars("loss"), {"general": 3.0})
    with pytest.raises(PlanError, match=r"lacks the dims \['chain'\]"):
        goal_probability(dataset.isel(chain=0), {"general": 3.0})
    empty = dataset * np.nan
    with pytest.raises(PlanError, match="no forecast on domain 'general'"):
        goal_probability(empty, {"general": 3.0})
