"""Pareto fronts and pairs of plans, against plain loops."""

import numpy as np
import pytest

from bayescpt.decide import compare
from bayescpt.decide.apart import alike, probability_lower
from bayescpt.decide.front import pareto_front
from bayescpt.errors import PlanError

CENTRES = {"a": (3.0, 2.0), "b": (2.5, 2.5), "c": (3.1, 2.1), "d": (2.0, 3.0)}


@pytest.fixture
def forecast(make_forecast, rng):
    shared = rng.normal(0, 0.1, (4, 250))
    return make_forecast(
        {
            plan: {
                "general": general + shared + rng.normal(0, 0.2, (4, 250)),
                "german": german + shared + rng.normal(0, 0.2, (4, 250)),
            }
            for plan, (general, german) in CENTRES.items()
        }
    )


def dominated(losses, k):
    """Whether another plan is as low everywhere and lower somewhere, by the definition."""
    return any(
        all(x <= y for x, y in zip(other, losses[k], strict=True))
        and any(x < y for x, y in zip(other, losses[k], strict=True))
        for j, other in enumerate(losses)
        if j != k
    )


def test_probabilities_of_the_front_are_counted_draw_by_draw(forecast):
    table = pareto_front(forecast)
    draws = forecast.dataset["loss"].isel(step=-1).transpose("chain", "draw", "plan", "domain")
    flat = draws.values.reshape(-1, 4, 2)
    for k, plan in enumerate(CENTRES):
        share = np.mean([not dominated(losses, k) for losses in flat])
        assert table.loc[plan, "prob_front"] == share
        median, low, high = np.quantile(flat[:, k, 1], [0.5, 0.05, 0.95])
        assert table.loc[plan, "german_median"] == pytest.approx(median)
        assert table.loc[plan, "german_lower"] == pytest.approx(low)
        assert table.loc[plan, "german_upper"] == pytest.approx(high)
        independent = np.sqrt(share * (1 - share) / 1000)
        assert 0.5 * independent < table.loc[plan, "prob_front_mcse"] < 2 * independent + 0.003
    assert table["on_front"].to_dict() == {"a": True, "b": True, "c": False, "d": True}
    assert table.attrs["domains"] == ["general", "german"]


def test_equal_plans_do_not_dominate_each_other(make_forecast, rng):
    same = rng.normal(3, 0.1, (2, 50))
    table = pareto_front(make_forecast({"a": {"general": same}, "b": {"general": same}}))
    assert table["prob_front"].tolist() == [1.0, 1.0]
    assert table["on_front"].all()


def test_a_single_plan_is_its_own_front(make_forecast, rng):
    table = pareto_front(make_forecast({"a": {"general": rng.normal(3, 0.1, (2, 50))}}))
    assert table.loc["a", "prob_front"] == 1.0
    assert 0 < table.loc["a", "prob_front_mcse"] < 0.1


def test_only_domains_that_all_plans_forecast_count(make_forecast, rng):
    losses = [rng.normal(3, 0.1, (2, 50)) for _ in range(3)]
    fc = make_forecast(
        {"a": {"general": losses[0], "german": losses[1]}, "b": {"general": losses[2]}}
    )
    assert pareto_front(fc).attrs["domains"] == ["general"]
    with pytest.raises(PlanError, match="plan 'b' has no forecast on domain 'german'"):
        pareto_front(fc, ["german"])
    with pytest.raises(PlanError, match="prob is 1"):
        pareto_front(fc, prob=1.0)


def test_pairs_agree_with_the_contrasts_of_compare(forecast):
    decision = compare(forecast, weights={"general": 3, "german": 1})
    lower = probability_lower(forecast, decision.weights)
    for plan, row in decision.contrasts.drop(index=decision.best).iterrows():
        assert lower.loc[plan, decision.best] == row["prob_better"]
        assert lower.loc[decision.best, plan] == pytest.approx(1 - row["prob_better"])
    assert lower.isna().sum().sum() == len(lower)


def test_alike_names_each_uncertain_pair_once_the_likelier_first(forecast):
    lower = probability_lower(forecast, {"general": 1.0})
    pairs = alike(lower)
    assert [pair[2] for pair in pairs] == sorted(pair[2] for pair in pairs)
    assert all(0.5 <= chance < 0.95 for *_, chance in pairs)
    assert {frozenset(pair[:2]) for pair in pairs} == {
        frozenset((one, other))
        for one in CENTRES
        for other in CENTRES
        if one < other and 0.05 < lower.loc[one, other] < 0.95
    }
    assert frozenset("ac") in {frozenset(pair[:2]) for pair in pairs}
    assert frozenset("ad") not in {frozenset(pair[:2]) for pair in pairs}
