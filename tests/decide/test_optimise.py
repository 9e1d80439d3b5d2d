"""The best recipe of a space, against trying them all."""

import numpy as np
import pytest

from bayescpt.decide import compare, optimise
from bayescpt.decide.optimise import EDGE
from bayescpt.errors import ConvergenceError, PlanError
from bayescpt.forecast import Plan
from bayescpt.inference import Check

PEAK = 2e-3
FIXED = {"schedule": "wsd", "num_training_steps": 200, "warmup_share": 0.05}
LISTS = {**FIXED, "lr": PEAK, "decay_share": [0.1, 0.3, 0.6], "replay_ratio": [0.1, 0.3, 0.5]}
RANGES = {**FIXED, "lr": (1e-3, PEAK), "decay_share": (0.1, 0.6), "replay_ratio": (0.1, 0.5)}


@pytest.fixture(scope="module")
def goal(prior_fit) -> dict[str, float]:
    """Half of the draws of a middling recipe meet it on each domain."""
    found = optimise(prior_fit, {**LISTS, "decay_share": 0.3, "replay_ratio": 0.3}).tried
    domains = [name.removesuffix("_q50") for name in found if name.endswith("_q50")]
    return {name: float(found[f"{name}_q50"].iloc[0]) for name in domains}


def test_a_space_of_lists_is_tried_as_a_whole(prior_fit):
    found = optimise(prior_fit, LISTS, risk="mean")
    assert len(found.tried) == 9
    made = prior_fit.forecast(found.plans, steps=[200], seed=1)
    assert found.plan is not None
    assert found.plan.name == compare(made, risk="mean").best == found.table.index[0]
    assert list(found.table["mean"]) == sorted(found.table["mean"])
    assert [plan.name for plan in found.plans] == list(found.table.index)
    assert (found.table["outside"] == "").all()
    # What is on the table was judged with other noise than what chose the finalists.
    assert not np.allclose(
        found.table["mean"], found.tried["mean"].loc[found.table.index], rtol=1e-9
    )


def test_the_search_finds_what_a_fine_grid_finds(prior_fit):
    fine = {
        **RANGES,
        "lr": list(np.linspace(1e-3, PEAK, 5)),
        "decay_share": list(np.linspace(0.1, 0.6, 6)),
        "replay_ratio": list(np.linspace(0.1, 0.5, 9)),
    }
    grid = optimise(prior_fit, fine, risk="mean").tried["mean"]
    found = optimise(prior_fit, RANGES, risk="mean", n_plans=64)
    # Finalists are judged with other noise than the grid.
    assert found.tried["mean"].min() <= grid.min() + 0.05 * np.ptp(grid)
    assert len(found.tried) <= 64 + 3 * 32
    assert list(found.tried["mean"]) == sorted(found.tried["mean"])


def test_a_search_repeats_itself(prior_fit):
    one, two = (optimise(prior_fit, RANGES, n_plans=16, seed=3) for _ in range(2))
    assert one.table.equals(two.table)
    assert list(one.tried.index) != list(optimise(prior_fit, RANGES, n_plans=16).tried.index)


def test_a_goal_is_met_as_probably_as_can_be(prior_fit, goal):
    found = optimise(prior_fit, LISTS, goal)
    assert found.decision.risk == "probability"
    assert list(found.table.columns[:3]) == ["joint", *goal]
    assert found.table["joint"].iloc[0] == found.table["joint"].max()
    assert (found.table["joint_mcse"] > 0).all()
    safe = optimise(prior_fit, LISTS, goal, risk="cvar", min_probability=0.0)
    assert safe.table["eligible"].all()
    assert safe.decision.risk == "cvar"


def test_regret_is_searched_by_the_mean(prior_fit):
    found = optimise(prior_fit, LISTS, risk="regret")
    by_mean = optimise(prior_fit, LISTS, risk="mean")
    assert found.decision.risk == "regret"
    assert found.plan.name == by_mean.plan.name
    assert list(found.tried.index) == list(by_mean.tried.index)
    assert list(found.table["expected_regret"]) == sorted(found.table["expected_regret"])


def test_where_no_recipe_has_a_chance_the_nearest_come_first(prior_fit, goal):
    out_of_reach = {domain: 0.7 * value for domain, value in goal.items()}
    found = optimise(prior_fit, LISTS, out_of_reach, risk="mean", min_probability=0.5)
    assert found.plan is None
    assert any("no plan reaches the goal" in note for note in found.warnings)
    missed = optimise(prior_fit, RANGES, out_of_reach, n_plans=16).tried
    over = sum(missed[f"{domain}_q50"] - value for domain, value in out_of_reach.items())
    assert over.iloc[0] == over.min()


def test_the_space_is_clipped_unless_told_otherwise(prior_fit):
    wide = {**RANGES, "lr": (1e-3, 8e-3)}
    inside = optimise(prior_fit, wide, n_plans=16)
    assert inside.warnings[0].startswith("not searched: lr ")
    assert all(plan.schedule.peak_lr <= PEAK * 1.001 for plan in inside.plans)
    beyond = optimise(prior_fit, wide, n_plans=16, extrapolate=True)
    assert not any(note.startswith("not searched") for note in beyond.warnings)
    assert beyond.tried["outside"].str.contains("peak LR").any()


def test_a_best_recipe_at_an_end_is_said_to_be(prior_fit):
    def search(low, high):
        """Best LR of a range, and what is noted of its ends."""
        found = optimise(
            prior_fit,
            {**RANGES, "lr": (low, high), "decay_share": 0.3, "replay_ratio": 0.3},
            n_plans=16,
            extrapolate=True,
            weights={"general": 1.0},
        )
        notes = [note for note in found.warnings if "lies at an end" in note]
        best = found.plan.schedule.peak_lr
        # The range of LRs is searched in its logarithm.
        place = np.log(best / low) / np.log(high / low)
        assert bool(notes) == (not EDGE < place < 1 - EDGE)
        assert all(f"lr {best:.3g}" in note for note in notes)
        return notes

    # Over most windows the loss rises or falls throughout, so that the best is at an end.
    windows = [(low, 3 * low) for low in np.geomspace(1e-5, 1e-2, 7)]
    assert any(search(*window) for window in windows)


def test_recipes_that_cannot_be_made_are_counted(prior_fit):
    half = {**FIXED, "lr": PEAK, "decay_share": [0.3, 0.99], "replay_ratio": 0.3}
    assert optimise(prior_fit, half).warnings[-1].startswith("1 recipes of the space have no valid")
    with pytest.raises(PlanError, match="no recipe of the space has a valid schedule: "):
        optimise(prior_fit, {**half, "decay_share": 0.99})


def test_bad_arguments_are_errors(prior_fit):
    with pytest.raises(PlanError, match="n_plans = 4, top = 10; they must be at least 8 and 1"):
        optimise(prior_fit, LISTS, n_plans=4)
    with pytest.raises(PlanError, match=r"min_probability = 0\.5 is the probability of a goal"):
        optimise(prior_fit, LISTS, min_probability=0.5)
    with pytest.raises(PlanError, match="unknown start checkpoint 'base'"):
        optimise(prior_fit, {**LISTS, "start": "base"})


def test_a_failed_fit_is_not_used_unknowingly(prior_fit):
    from dataclasses import replace

    fit = replace(prior_fit)
    object.__setattr__(fit, "given", (Check("R-hat", "fail", 1.2, 1.01, "more draws"),))
    with pytest.raises(ConvergenceError, match="failed R-hat"):
        optimise(fit, LISTS)
    found = optimise(fit, LISTS, allow_failed=True)
    assert "the fit failed its check: R-hat" in found.warnings
    assert all(isinstance(plan, Plan) for plan in found.plans)
