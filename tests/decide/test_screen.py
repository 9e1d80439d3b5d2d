"""Streams of plans against forecasts of them."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import schedules
from bayescpt.decide import compare, goal_probability, screen
from bayescpt.errors import ConvergenceError, PlanError
from bayescpt.forecast import Plan
from bayescpt.inference import Check

PEAK = 2e-3
WSD = schedules.wsd(PEAK, 200, 10, 40)
COSINE = schedules.cosine(PEAK, 200, 5, min_lr_ratio=0.1)


def plans(number: int, *given: Plan) -> Iterator[Plan]:
    yield from given
    for n in range(number):
        yield Plan(f"plan {n}", (WSD, COSINE)[n % 3 == 0], 0.1 + 0.4 * n / number, start="pt")


@pytest.fixture(scope="module")
def made(prior_fit):
    return prior_fit.forecast(list(plans(12)), steps=[200], seed=4)


@pytest.fixture(scope="module")
def goal(made) -> dict[str, float]:
    """About half of the draws of each domain meet it."""
    end = made.loss.median(("chain", "draw", "plan", "step"))
    return {str(domain): float(end.sel(domain=domain)) for domain in made.loss["domain"].values}


# the numbers


def test_probabilities_are_those_of_the_forecast(prior_fit, made, goal):
    found = screen(prior_fit, plans(12), goal, seed=4)
    expected = goal_probability(made, goal, by="end")
    columns = ["joint", *goal]
    pd.testing.assert_frame_equal(found[columns], expected[columns], check_exact=True)
    for name in columns:
        ratio = found[f"{name}_mcse"] / expected[f"{name}_mcse"]
        assert ratio.between(0.4, 2.5).all()
    assert list(found.index) == [f"plan {n}" for n in range(12)]
    assert found.attrs["goal"] == goal


@pytest.mark.parametrize("kind", ["loss", "mu"])
@pytest.mark.parametrize("risk", ["mean", "quantile", "cvar"])
def test_risks_are_those_of_the_comparison(prior_fit, made, risk, kind):
    weights = {"general": 1.0, "target": 3.0}
    found = screen(prior_fit, plans(12), risk=risk, level=0.8, weights=weights, seed=4, kind=kind)
    decision = compare(made, risk=risk, level=0.8, weights=weights, kind=kind)
    np.testing.assert_allclose(found[risk], decision.table[risk], rtol=1e-12)
    assert (found[f"{risk}_mcse"] / decision.table["mcse"]).between(0.4, 2.5).all()


def test_quantiles_are_those_of_the_bands(prior_fit, made):
    found = screen(prior_fit, plans(12), probs=(0.05, 0.5, 0.95), seed=4)
    band = made.interval(0.9)
    for domain in made.loss["domain"].values:
        for column, name in (("q5", "lower"), ("q50", "median"), ("q95", "upper")):
            ends = band[name].sel(domain=domain, step=200)
            np.testing.assert_allclose(found[f"{domain}_{column}"], ends, rtol=1e-12)
    assert not any(name.endswith("_q50") for name in screen(prior_fit, plans(2), probs=()))


@pytest.mark.parametrize(("chunk_bytes", "workers"), [(1, 1), (1, 3), (10**5, 2), (10**9, 1)])
def test_nothing_depends_on_chunks_or_threads(prior_fit, goal, chunk_bytes, workers):
    whole = screen(prior_fit, plans(12), goal, risk="cvar", seed=4)
    found = screen(
        prior_fit, plans(12), goal, risk="cvar", seed=4, chunk_bytes=chunk_bytes, workers=workers
    )
    pd.testing.assert_frame_equal(found, whole, rtol=1e-12)


def test_nothing_depends_on_the_other_plans(prior_fit, goal):
    whole = screen(prior_fit, plans(12), goal)
    some = screen(prior_fit, list(plans(12))[::-2], goal)
    pd.testing.assert_frame_equal(some, whole.loc[some.index], rtol=1e-12)
    assert not screen(prior_fit, plans(12), goal, seed=1).equals(whole)


def test_a_plan_outside_what_was_fitted_is_marked(prior_fit):
    high = Plan("high", schedules.constant(2 * PEAK, 200), 0.2, start="pt")
    found = screen(prior_fit, plans(2, high))["outside"]
    assert found["high"] == "peak LR 0.004 is above the fitted 0.002"
    assert list(found[1:]) == ["", ""]


def test_another_start_and_a_much_shorter_plan_are_marked(prior_fit):
    given = [
        Plan("elsewhere", WSD, 0.2, start="r10_wsd"),
        Plan("short", schedules.constant(PEAK, 50), 0.2, start="pt"),
        Plan("named", WSD, 0.2, start="pt", run="r10_wsd"),
    ]
    found = screen(prior_fit, plans(1, *given))["outside"]
    start = "no fitted run starts from checkpoint 'r10_wsd' (they start from 'pt')"
    assert found["elsewhere"] == start
    assert found["short"] == "50 steps are far fewer than the fitted 200"
    assert found["named"].startswith("its recipe differs from that of the fitted run 'r10_wsd'")
    assert found["plan 0"] == ""
    # Forecasts say the same, in a sentence each.
    warnings = prior_fit.forecast(given[:2], steps=[50]).warnings
    assert [text for text in warnings if "extrapolates" in text] == [
        f"plan {name!r}: {found[name]}; the forecast extrapolates"
        for name in ("elsewhere", "short")
    ]


# memory


def test_memory_is_that_of_a_chunk(prior_fit):
    """2,000 plans' draws would take 2.5 MB a domain; a chunk may take 0.2 MB."""
    screen(prior_fit, plans(10), chunk_bytes=200_000, workers=1)

    def peak(number: int) -> int:
        tracemalloc.start()
        try:
            screen(prior_fit, plans(number), chunk_bytes=200_000, workers=1)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak(200), peak(2000)
    # A row of the table and a name for each plan, but no draws.
    assert many - few < 1800 * 500
    assert many < 2_500_000


# arguments


def test_no_plan_and_two_of_one_name_are_errors(prior_fit):
    with pytest.raises(PlanError, match="no plan to screen"):
        screen(prior_fit, [])
    with pytest.raises(PlanError, match="two plans are called 'plan 3'; give each a name"):
        screen(prior_fit, [*plans(5), *plans(5, *list(plans(5))[3:4])], chunk_bytes=1)


def test_an_unknown_start_in_a_stream_is_an_error(prior_fit):
    with pytest.raises(PlanError, match="plan 'a': unknown start checkpoint 'base'"):
        screen(prior_fit, plans(40, Plan("a", WSD, 0.2, start="base")), chunk_bytes=1)


def test_draws_that_are_no_numbers_are_an_error(prior_fit):
    broken = prior_fit.posterior.copy(deep=True)
    broken["sigma"][0, :3] = np.nan
    with pytest.raises(PlanError, match="plan 'plan 0', domain 'general': 3 of 80 draws are not"):
        screen(replace(prior_fit, posterior=broken), plans(3))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"risk": "regret"}, "risk is 'regret'.*ranks plans as 'mean' does"),
        ({"risk": "probability"}, "give goal="),
        ({"kind": "noise"}, "kind is 'noise'"),
        ({"level": 1.0}, "level is 1.0"),
        ({"probs": [5]}, "probs has 5"),
        ({"goal": {"code": 3.0}}, "unknown domain 'code'"),
        ({"weights": {"general": -1.0}}, "weight of domain 'general' is -1.0"),
    ],
)
def test_bad_arguments_are_errors(prior_fit, given, text):
    with pytest.raises(PlanError, match=text):
        screen(prior_fit, plans(2), **given)


def test_a_failed_fit_is_not_screened_unknowingly(prior_fit):
    fit = replace(prior_fit)
    object.__setattr__(fit, "given", (Check("R-hat", "fail", 1.2, 1.01, "more draws"),))
    with pytest.raises(ConvergenceError, match=r"failed R-hat.*more draws.*allow_failed=True"):
        screen(fit, plans(2))
    assert screen(fit, plans(2), allow_failed=True).attrs["failed_checks"] == ["R-hat"]
