"""The choice each risk makes, and what the decision says about it."""

import numpy as np
import pytest
from scipy.stats import norm

from bayescpt.decide import compare, goal_probability
from bayescpt.errors import PlanError

SHAPE = (4, 1000)


@pytest.fixture
def steady_or_gamble(rng, make_forecast):
    """`gamble` has the lower mean and the worse tail; both share the general loss."""
    shared = rng.normal(3.0, 0.02, SHAPE)
    noise = rng.standard_normal(SHAPE)
    return make_forecast(
        {
            "steady": {"general": shared, "german": 2.50 + 0.01 * noise},
            "gamble": {"general": shared, "german": 2.46 + 0.15 * rng.standard_normal(SHAPE)},
            "poor": {"general": shared, "german": 2.80 + 0.01 * noise},
        }
    )


@pytest.mark.parametrize(
    ("risk", "choice"),
    [
        ("mean", "gamble"),
        ("regret", "gamble"),
        ("quantile", "steady"),
        ("cvar", "steady"),
        ("probability", "steady"),
    ],
)
def test_each_risk_makes_its_own_choice(steady_or_gamble, risk, choice):
    decision = compare(steady_or_gamble, goal={"german": 2.53}, risk=risk)
    assert decision.best == choice
    assert decision.warnings == []


def test_level_moves_the_choice(steady_or_gamble):
    """Negative control: below the median the gamble's spread is an asset."""
    low = compare(steady_or_gamble, goal={"german": 2.53}, risk="quantile", level=0.2)
    assert low.best == "gamble"


def test_table_of_normals_has_its_closed_forms(rng, make_forecast):
    mu, sd, level = 3.0, 0.1, 0.95
    fc = make_forecast({"a": {"g": rng.normal(mu, sd, (4, 5000))}})
    z = norm.ppf(level)
    truths = {
        "mean": mu,
        "quantile": mu + sd * z,
        "cvar": mu + sd * norm.pdf(z) / (1 - level),
        "probability": norm.cdf(0.5),
    }
    for risk, truth in truths.items():
        decision = compare(fc, goal={"g": mu + sd / 2}, risk=risk, level=level)
        column = "goal_probability" if risk == "probability" else risk
        row = decision.table.loc["a"]
        assert 0 < row["mcse"] < 0.01
        assert abs(row[column] - truth) < 4 * row["mcse"]


def test_goal_probability_is_that_of_goal_probability(steady_or_gamble):
    goal = {"general": 3.01, "german": 2.53}
    decision = compare(steady_or_gamble, goal=goal, risk="probability")
    table = goal_probability(steady_or_gamble, goal)
    assert decision.table["goal_probability"].equals(table["joint"].rename("goal_probability"))
    np.testing.assert_allclose(decision.table["mcse"], table["joint_mcse"])


def test_weights_move_the_choice_and_are_scaled(make_forecast, rng):
    noise = 0.01 * rng.standard_normal(SHAPE)
    fc = make_forecast(
        {
            "keeps": {"general": 3.0 + noise, "german": 2.9 + noise},
            "learns": {"general": 3.3 + noise, "german": 2.5 + noise},
        }
    )
    assert compare(fc).best == "learns"
    heavy = compare(fc, weights={"general": 3.0, "german": 1.0})
    assert heavy.best == "keeps"
    assert heavy.weights == {"general": 0.75, "german": 0.25}
    expected = 0.75 * 3.0 + 0.25 * 2.9
    assert heavy.table.loc["keeps", "mean"] == pytest.approx(expected, abs=1e-3)


def test_default_weights_are_the_goals_domains(steady_or_gamble):
    assert compare(steady_or_gamble, goal={"german": 2.5}).weights == {"german": 1.0}
    assert compare(steady_or_gamble).weights == {"general": 0.5, "german": 0.5}


def test_weights_may_name_domains_outside_the_goal(steady_or_gamble):
    decision = compare(steady_or_gamble, goal={"general": 3.0}, weights={"german": 1.0})
    assert decision.table.loc["poor", "mean"] == pytest.approx(2.8, abs=0.01)
    assert decision.table["goal_probability"].nunique() == 1


def test_contrasts_are_taken_draw_by_draw(rng, make_forecast):
    """Plans that differ by .01 in every draw are told apart though each has sd 1."""
    shared = rng.normal(3.0, 1.0, SHAPE)
    fc = make_forecast(
        {"a": {"g": shared + 0.01}, "b": {"g": shared}, "c": {"g": rng.normal(3.005, 1.0, SHAPE)}}
    )
    decision = compare(make_forecast({"a": {"g": shared + 0.01}, "b": {"g": shared}}))
    assert decision.best == "b"
    assert decision.warnings == []
    row = decision.contrasts.loc["a"]
    assert row["mean"] == pytest.approx(0.01)
    assert row["lower"] == pytest.approx(0.01)
    assert row["prob_better"] == 0.0
    assert row["mcse"] < 1e-9
    assert decision.table["prob_best"].to_dict() == {"a": 0.0, "b": 1.0}
    # negative control: an unrelated plan's contrast is as wide as the draws
    assert compare(fc).contrasts["mcse"].max() > 0.01


def test_scrambling_the_draws_of_a_plan_breaks_the_contrast(rng, make_forecast):
    """Negative control: shared draws carry the information, not the margins."""
    shared = rng.normal(3.0, 1.0, SHAPE)
    scrambled = rng.permutation(shared.ravel()).reshape(SHAPE) + 0.01
    decision = compare(make_forecast({"a": {"g": scrambled}, "b": {"g": shared}}))
    assert 0.4 < decision.table.loc["a", "prob_best"] < 0.6
    assert any("flat" in note for note in decision.warnings)


@pytest.mark.parametrize("risk", ["mean", "quantile", "cvar", "probability", "regret"])
def test_flat_risk_is_said(rng, make_forecast, risk):
    # The same draws in another order: equal in every risk, whatever the seed.
    draws = rng.normal(3.0, 0.1, SHAPE)
    fc = make_forecast(
        {name: {"g": rng.permutation(draws.ravel()).reshape(SHAPE)} for name in "abc"}
    )
    decision = compare(fc, goal={"g": 3.0}, risk=risk)
    assert decision.best is not None
    [note] = decision.warnings
    assert f"the risk '{risk}' is flat" in note


def test_probability_that_is_1_everywhere_is_flat(rng, make_forecast):
    fc = make_forecast(
        {"a": {"g": rng.normal(3.0, 0.1, SHAPE)}, "b": {"g": rng.normal(2.0, 0.1, SHAPE)}}
    )
    assert "flat" in compare(fc, goal={"g": 9.0}, risk="probability").warnings[0]
    assert compare(fc, goal={"g": 9.0}, risk="mean").warnings == []


def test_a_near_tie_names_the_plans(rng, make_forecast):
    a = rng.normal(3.0, 0.1, SHAPE)
    fc = make_forecast({"a": {"g": a}, "b": {"g": a.copy()}, "c": {"g": a + 1}})
    decision = compare(fc)
    assert decision.best == "a"  # ties go to the plan named first
    assert decision.warnings == ["equal to 'a' in 'mean' within Monte Carlo error: ['b']"]
    np.testing.assert_allclose(decision.table["prob_best"], [0.5, 0.5, 0.0])


def test_min_probability_makes_plans_ineligible(steady_or_gamble):
    free = compare(steady_or_gamble, goal={"german": 2.53}, risk="mean")
    held = compare(steady_or_gamble, goal={"german": 2.53}, risk="mean", min_probability=0.9)
    assert (free.best, held.best) == ("gamble", "steady")
    assert held.table["eligible"].to_dict() == {"steady": True, "gamble": False, "poor": False}


def test_no_eligible_plan_gives_no_choice_and_says_so(steady_or_gamble):
    decision = compare(steady_or_gamble, goal={"german": 2.0}, min_probability=0.5)
    assert decision.best is None
    assert decision.contrasts.empty
    assert "no plan reaches the goal with probability 0.5" in decision.warnings[0]
    assert "'gamble'" in decision.warnings[0]


def test_a_single_plan_is_chosen_without_a_warning(rng, make_forecast):
    decision = compare(make_forecast({"a": {"g": rng.normal(3.0, 0.1, SHAPE)}}))
    assert (decision.best, decision.warnings) == ("a", [])
    assert decision.table.loc["a", "prob_best"] == 1.0
    assert decision.table.loc["a", "expected_regret"] == 0.0


def test_end_and_best_judge_different_steps(make_forecast, rng):
    noise = 0.01 * rng.standard_normal((4, 50, 1))
    fc = make_forecast(
        {
            "dips": {"g": np.array([3.0, 2.0, 2.8]) + noise},
            "falls": {"g": np.array([3.0, 2.7, 2.5]) + noise},
            "short": {"g": np.array([3.0, 2.6, np.nan]) + noise},
        },
        steps=[0, 100, 200],
    )
    assert compare(fc).best == "falls"
    best = compare(fc, by="best")
    assert best.best == "dips"
    assert best.table["best_step"].to_dict() == {"dips": 100, "falls": 200, "short": 100}
    assert compare(fc, goal={"g": 2.2}, by="best").table["best_step"].iloc[0] == 100


def test_domains_that_not_every_plan_forecasts_have_no_weight(make_forecast, rng):
    three = rng.normal(3.0, 0.1, SHAPE)
    plans = {"a": {"general": three, "german": three}, "b": {"general": three + 1}}
    decision = compare(make_forecast(plans))
    assert decision.weights == {"general": 1.0}
    assert "['german']" in decision.warnings[0]
    with pytest.raises(PlanError, match="plan 'b' has no forecast on domain 'german'"):
        compare(make_forecast(plans), weights={"german": 1.0})
    with pytest.raises(PlanError, match="no domain is forecast by every plan"):
        compare(make_forecast({"a": {"german": three}, "b": {"french": three}}))


def test_a_failed_fit_says_so_in_the_decision(steady_or_gamble):
    steady_or_gamble.failed_checks = ["divergences"]
    assert compare(steady_or_gamble).warnings[0] == "the fit failed its check: divergences"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"risk": "no such"}, r"risk is 'no such'.*'cvar'"),
        ({"level": 90}, "level is 90"),
        ({"by": "last"}, "by is 'last'"),
        ({"kind": "y"}, "kind is 'y'"),
        ({"risk": "probability"}, "give goal="),
        ({"min_probability": 0.5}, "give goal="),
        ({"min_probability": 95, "goal": {"german": 2.5}}, "min_probability is 95"),
        ({"weights": {"german": -1.0}}, "weight of domain 'german' is -1.0"),
        ({"weights": {"german": float("nan")}}, "weight of domain 'german' is nan"),
        ({"weights": {}}, "empty or all zero"),
        ({"weights": {"french": 1.0}}, r"unknown domain 'french'.*\['general', 'german'\]"),
        ({"goal": {"french": 1.0}}, "unknown domain 'french'"),
    ],
)
def test_bad_arguments_say_what_is_wrong(steady_or_gamble, options, message):
    with pytest.raises(PlanError, match=message):
        compare(steady_or_gamble, **options)


def test_a_simpler_plan_is_preferred_until_another_is_better_beyond_noise(rng, make_forecast):
    noise = 0.1 * rng.standard_normal((3, *SHAPE))
    for gain, best in ((0.0, "simple"), (0.05, "curriculum")):
        made = make_forecast(
            {
                "curriculum": {"german": 2.5 - gain + noise[0] + noise[1]},
                "simple": {"german": 2.5 + noise[0] + noise[2]},
                "simpler": {"german": 2.7 + noise[0] + noise[2]},
            }
        )
        mean = noise[1].mean() - noise[2].mean()
        made.dataset["loss"].loc[{"plan": "curriculum"}] -= mean + 1e-4
        assert compare(made, risk="mean").best == "curriculum"
        chosen = compare(made, risk="mean", prefer=["simple", "simpler"])
        assert chosen.best == best
        assert chosen.contrasts.loc[best, "risk"] == 0.0
        assert compare(made, risk="mean", prefer=["simpler"]).best == "curriculum"


def test_a_preferred_plan_that_is_not_eligible_is_not_chosen(rng, make_forecast):
    noise = 0.1 * rng.standard_normal((2, *SHAPE))
    made = make_forecast(
        {"safe": {"german": 2.5 + noise[0]}, "simple": {"german": 2.5 + 2 * noise[1]}}
    )
    chosen = compare(made, {"german": 2.6}, "mean", min_probability=0.8, prefer=["simple"])
    assert chosen.best == "safe"
