"""Goals as people state them, what they mean in nats, and slips of the unit."""

import json

import numpy as np
import pytest
import xarray as xr

from bayescpt.data import schedules
from bayescpt.decide import Goal, compare, goal_probability, optimise, read_goal, screen
from bayescpt.errors import PlanError
from bayescpt.forecast import Forecast, Plan

SCHEDULE = schedules.constant(1e-3, 500)
STARTS = {"low": 2.0, "high": 2.2}
BYTES = 4.0


def judged(ends, starts=None, **attrs):
    """Forecast of plans on a domain ``g``, from losses at their end and at their start."""
    losses = np.stack([np.asarray(x, dtype=float) for x in ends.values()], axis=-1)
    made = xr.Dataset(
        {"loss": (("chain", "draw", "plan", "domain", "step"), losses[:, :, :, None, None])},
        coords={"plan": list(ends), "domain": ["g"], "step": [500]},
        attrs={"units": "nat/token", "observed": json.dumps({"g": [1.9, 2.3]}), **attrs},
    )
    if starts is not None:
        at = np.broadcast_to(list(starts.values()), losses.shape)[..., None]
        made["start_loss"] = (("chain", "draw", "plan", "domain"), at)
    return Forecast(made, [Plan(name, SCHEDULE) for name in ends])


@pytest.fixture
def fc(rng):
    return judged({name: rng.normal(2.1, 0.05, (4, 250)) for name in STARTS}, STARTS)


@pytest.mark.parametrize(
    ("limit", "nats"),
    [
        (2.1, {"low": 2.1, "high": 2.1}),
        ("2.1", {"low": 2.1, "high": 2.1}),
        ("nats:2.1", {"low": 2.1, "high": 2.1}),
        ("+0.05", {"low": 2.05, "high": 2.25}),
        ("-0.1", {"low": 1.9, "high": 2.1}),
        ("\N{MINUS SIGN}0.1", {"low": 1.9, "high": 2.1}),
        ("+2%", {"low": 2.04, "high": 2.244}),
        ("-5%", {"low": 1.9, "high": 2.09}),
        ("ppl:8.1", dict.fromkeys(STARTS, np.log(8.1))),
        ("bpt:3.1", dict.fromkeys(STARTS, 3.1 * np.log(2))),
        ("bpb:0.76", dict.fromkeys(STARTS, 0.76 * np.log(2) * BYTES)),
        ("ppl:+2%", {"low": 2.0 + np.log(1.02), "high": 2.2 + np.log(1.02)}),
    ],
)
def test_every_form_means_what_it_says(fc, limit, nats):
    fc.dataset.attrs["bytes_per_token"] = json.dumps({"g": BYTES})
    for goal in ({"g": limit}, Goal(g=limit), Goal({"g": limit})):
        table = goal_probability(fc, goal)
        assert table.attrs["levels"]["g"] == pytest.approx(nats, abs=1e-12)
        for plan, level in nats.items():
            draws = fc.dataset["loss"].sel(plan=plan)
            assert table.loc[plan, "joint"] == pytest.approx(float((draws <= level).mean()))
            assert compare(fc, goal).table.loc[plan, "goal_probability"] == table.loc[plan, "joint"]


def test_a_rise_over_an_unmeasured_start_is_taken_draw_by_draw(rng):
    start = rng.normal(2.1, 0.3, (4, 250))
    fc = judged({"a": start + 0.04})
    fc.dataset["start_loss"] = (("chain", "draw", "plan", "domain"), start[:, :, None, None])
    assert goal_probability(fc, {"g": "+0.05"}).loc["a", "joint"] == 1.0
    assert goal_probability(fc, {"g": "+0.03"}).loc["a", "joint"] == 0.0


def test_a_plain_number_is_in_the_unit_of_the_study(fc):
    fc.dataset.attrs["shown_units"] = "perplexity"
    levels = goal_probability(fc, {"g": 8.1}).attrs["levels"]["g"]
    assert levels["low"] == pytest.approx(np.log(8.1))
    rise = goal_probability(fc, {"g": "+10%"}).attrs["levels"]["g"]
    assert rise["low"] == pytest.approx(2.0 + np.log(1.1))


@pytest.mark.parametrize(
    ("limit", "hint"),
    [
        (8.1, "did you mean 'ppl:8.1' (2.092 nats per token)"),
        (34.5, ""),
        (210, "did you mean 2.1 (2.1 nats per token)"),
        (2100, "2.1 (2.1 nats per token)"),
        (0.76, "'bpb:0.76' (2.107 nats per token)"),
        (0.05, "'+0.05' (2.15 nats per token)"),
        (-0.05, "'-0.05' (2.05 nats per token)"),
        (1.0, "'+1%' (2.121 nats per token)"),
        ("+3", "'+3%' (2.163 nats per token)"),
        ("+8.1", "'ppl:8.1' (2.092 nats per token)"),
        ("+900%", ""),
        ("ppl:-8", "'ppl:8' (2.079 nats per token)"),
        ("ppl:2.1", "'nats:2.1' (2.1 nats per token)"),
    ],
)
def test_a_limit_far_outside_all_losses_suggests_what_was_meant(fc, limit, hint):
    fc.dataset.attrs["bytes_per_token"] = json.dumps({"g": BYTES})
    for judge in (goal_probability, compare):
        with pytest.raises(PlanError, match=r"goal g = .* far (above|below) ") as caught:
            judge(fc, {"g": limit})
        assert "\n" not in str(caught.value)
        assert hint in str(caught.value)


@pytest.mark.parametrize("limit", [3.1, 1.5, "+20%", "-15%"])
def test_a_limit_easily_met_or_hard_to_meet_is_nobodys_slip(fc, limit):
    assert set(goal_probability(fc, {"g": limit})["joint"]) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ("2%", r"write '\+2%' for a rise, '-2%' for a fall"),
        ("-100%", r"a fall of 100% or more leaves no loss"),
        ("ppx:8", r"unknown unit 'ppx'; did you mean 'ppl'\?"),
        ("ppl", r"it must be a finite number, or one of 3\.45, '\+0\.05'"),
        (True, r"it must be a finite number"),
        ("bpb:0.61", r"domain 'g' needs the bytes per token .* \[study\.bytes_per_token\]"),
    ],
)
def test_limits_without_a_meaning_are_errors(fc, limit, text):
    with pytest.raises(PlanError, match=text):
        goal_probability(fc, {"g": limit})


def test_a_rise_needs_a_start_checkpoint(fc, rng):
    bare = judged({"a": rng.normal(2.1, 0.05, (4, 250))})
    with pytest.raises(PlanError, match=r"goal g = \+2% is relative .* does not hold"):
        goal_probability(bare, {"g": "+2%"})
    scratch = judged({"a": rng.normal(2.1, 0.05, (4, 250))}, {"a": np.nan})
    with pytest.raises(PlanError, match=r"plan 'a' starts from scratch"):
        goal_probability(scratch, {"g": "+2%"})


def test_a_goal_comes_from_a_file(tmp_path):
    file = tmp_path / "goal.toml"
    file.write_text('[goal]\ngeneral = "+2%"\ngerman = 2.95\n')
    assert dict(read_goal(file).thresholds) == {"general": "+2%", "german": 2.95}
    for text, why in (
        ("[goal", "cannot be read"),
        ("general = 1", r"one table \[goal\]"),
        ("[goal]\ngeneral = '2%'", r"domain 'general' is '2%'"),
    ):
        file.write_text(text)
        with pytest.raises(PlanError, match=why) as caught:
            read_goal(file)
        assert str(caught.value).startswith(str(file))
    with pytest.raises(PlanError, match="no such file"):
        read_goal(tmp_path / "none.toml")


# --- the choice ------------------------------------------------------------------------------


def test_with_a_goal_plans_are_ranked_by_it_unless_a_risk_is_named(rng):
    # One is better on average, the other safer for the goal.
    gamble = np.where(rng.random((4, 250)) < 0.6, 1.95, 2.2)
    fc = judged({"gamble": gamble, "steady": rng.normal(2.07, 0.005, (4, 250))})
    free = compare(fc)
    assert (free.best, free.risk) == ("gamble", "mean")
    assert free.rule == "mean, as neither a goal nor a risk is given"
    safe = compare(fc, {"g": 2.1})
    assert (safe.best, safe.risk) == ("steady", "probability")
    assert safe.rule == "probability of the goal, as no risk is given"
    assert safe.goal_probability == 1.0
    asked = compare(fc, {"g": 2.1}, risk="mean")
    assert (asked.best, asked.rule) == ("gamble", "mean, as asked")


def test_a_chosen_plan_that_misses_the_goal_is_said_to(rng):
    fc = judged({"far": rng.normal(2.2, 0.005, (4, 250)), "near": rng.normal(2.1, 0.005, (4, 250))})
    missed = compare(fc, {"g": 2.0})
    # All probabilities are 0: the nearest is chosen, not the first.
    assert (missed.best, missed.goal_probability, missed.hopeless) == ("near", 0.0, True)
    assert any("'near' meets the goal with probability 0.000" in text for text in missed.warnings)
    other = compare(fc, {"g": 2.1}, risk="mean", weights={"g": 1.0})
    assert not other.hopeless
    worse = judged({"a": np.full((4, 250), 2.2), "b": rng.normal(2.1, 0.01, (4, 250))})
    # A mean of expected losses would choose b; a risk that prefers a must say what it gives up.
    worse.dataset["loss"][:, :2, 1] += 40.0
    named = compare(worse, {"g": 2.1}, risk="mean")
    assert (named.best, named.hopeless) == ("a", True)
    assert any("'b' meets it with" in text for text in named.warnings)


def test_screen_and_optimise_take_every_form(prior_fit):
    plans = [
        Plan(f"replay {ratio}", schedules.wsd(2e-3, 200, 10, 40), ratio, start="pt")
        for ratio in (0.1, 0.5)
    ]
    goal = {"general": "+20%", "target": "-5%"}
    fc = prior_fit.forecast(plans, steps=[200])
    by_end = goal_probability(fc, goal)
    table = screen(prior_fit, plans, goal)
    np.testing.assert_allclose(table["joint"], by_end["joint"], atol=1e-12)
    for domain, levels in by_end.attrs["levels"].items():
        np.testing.assert_allclose(table[f"{domain}_limit"], list(levels.values()))
    with pytest.raises(PlanError, match="far above all losses on general"):
        screen(prior_fit, plans, {"general": 345.0})
    space = {"schedule": "wsd", "lr": 2e-3, "num_training_steps": 200, "decay_share": [0.1, 0.3]}
    found = optimise(prior_fit, {**space, "replay_ratio": [0.1, 0.5]}, goal)
    assert found.decision.rule == "probability of the goal, as no risk is given"
    assert found.decision.levels["target"][found.plan.name] == pytest.approx(
        by_end.attrs["levels"]["target"]["replay 0.1"]
    )


def test_the_start_is_the_measured_one(prior_fit, simulated_study):
    plan = Plan("a", schedules.wsd(2e-3, 200, 10, 40), 0.3, start="pt")
    starts = prior_fit.forecast(plan, steps=[200]).dataset["start_loss"].sel(plan="a")
    for domain in ("general", "target"):
        measured = simulated_study.checkpoint_loss("pt", domain)
        assert (starts.sel(domain=domain) == measured).all()
