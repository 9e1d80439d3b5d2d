"""What plans cost."""

import numpy as np
import pandas as pd
import pytest

from bayescpt import schedules
from bayescpt.data import Study
from bayescpt.decide.costs import Rates, plan_costs
from bayescpt.errors import PlanError
from bayescpt.forecast import Plan

STEPS = 400
SCHEDULE = schedules.constant(1e-3, STEPS)


def study_of(batches):
    """A study with one cpt run for each number of tokens per step."""
    names = [f"r{k}" for k in range(len(batches))]
    runs = pd.DataFrame({"run": ["base", *names], "phase": ["pt", *["cpt"] * len(names)]})
    runs["parent"] = [None, *["base"] * len(names)]
    runs["domain"] = [None, *["german"] * len(names)]
    runs["replay_ratio"] = [None, *[0.1] * len(names)]
    runs["tokens_per_step"] = [None, *batches]
    curves = pd.DataFrame(
        [(n, s, d, 3.0 + 0.01 * k + s / 1e4) for k, n in enumerate(names) for s in (0, STEPS)
         for d in ("general", "german")],
        columns=["run", "step", "domain", "loss"],
    )  # fmt: skip
    lrs = {"base": SCHEDULE, **dict.fromkeys(names, SCHEDULE)}
    return Study.from_frames(curves, runs, lrs, allow_mixed=["tokens_per_step"])


def test_tokens_hours_and_money_by_hand():
    plan = Plan("p", SCHEDULE, 0.25, "base")
    row = plan_costs([plan], study_of([2048, 2048]), {"throughput": 100, "price": 2}).loc["p"]
    tokens = 400 * 2048
    assert row["steps"] == 400
    assert row["tokens"] == tokens
    assert row["new_tokens"] == 0.75 * tokens
    assert row["replayed_tokens"] == 0.25 * tokens
    assert row["gpu_hours"] == pytest.approx(tokens / 100 / 3600)
    assert row["money"] == pytest.approx(2 * tokens / 100 / 3600)


def test_a_curriculum_counts_by_its_mean_ratio():
    plan = Plan("p", SCHEDULE, [(0, 0.0), (300, 1.0)], "base")
    row = plan_costs([plan], study_of([8]), None).loc["p"]
    assert row["replayed_tokens"] == pytest.approx(0.25 * row["tokens"])


def test_the_batch_of_the_own_run_counts_and_mixed_ones_are_not_guessed():
    mixed = study_of([1024, 2048])
    plans = [Plan("new", SCHEDULE, 0.1, "base"), Plan.from_run(mixed.run("r1"))]
    found = plan_costs(plans, mixed)
    assert np.isnan(found.loc["new", "tokens"])
    assert found.loc["r1", "tokens"] == 400 * 2048
    given = plan_costs(plans, mixed, Rates(tokens_per_step=10))
    assert given["tokens"].tolist() == [4000, 4000]
    assert given["gpu_hours"].isna().all()
    assert given["money"].isna().all()


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"throughput": 0}, "throughput is 0; it must be a number above 0"),
        ({"tokens_per_step": float("inf")}, "tokens_per_step is inf"),
        ({"throughput": True}, "throughput is True"),
        ({"price": 2.0}, "price is 2 a GPU-hour, but without a throughput"),
        ({"speed": 2.0}, "rates has 'speed'; it may have tokens_per_step, throughput"),
    ],
)
def test_wrong_rates_say_why(rates, message):
    with pytest.raises(PlanError, match=message):
        Rates.of(rates)
