"""Backtests by random pilots: tables, failed fits, goals by target."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescpt.data import Study
from bayescpt.errors import FitError, PlanError
from bayescpt.evaluate import (
    backtest,
    goal_calibration,
    scores_by_extrapolation,
    side_by_side,
)
from bayescpt.evaluate.baselines import last_value


def echo_fit(train, card, seed, progress, **options):
    """Stand-in for bayescpt.fit: forecasts each domain's mean loss, with a known spread."""
    means = train.curves.groupby("domain")["loss"].mean()

    def predict(plans, steps, seed, allow_failed):
        noise = np.random.default_rng(seed).normal(0, 0.3, (2, 100, 1, len(means), len(steps)))
        coords = {"plan": [plans[0].name], "domain": list(means.index), "step": steps}
        loss = means.to_numpy()[:, None] + noise
        dims = ("chain", "draw", "plan", "domain", "step")
        return SimpleNamespace(dataset=xr.Dataset({"loss": (dims, loss)}, coords))

    return SimpleNamespace(forecast=predict, failed_checks=[], options=options)


class FailsOn:
    """Fit that cannot be sampled at some of its calls."""

    def __init__(self, *calls):
        self.calls, self.made = calls, 0

    def __call__(self, train, card, seed, progress):
        self.made += 1
        if self.made in self.calls:
            raise FitError("sampling failed: all starts are at -inf")
        return echo_fit(train, card, seed, progress)


@pytest.fixture(scope="module")
def mixed(study):
    """The study with two other peaks of the LR, so that there is something to extrapolate."""
    lrs = {**study.lrs, "r0_cosine": study.lrs["r0_cosine"] / 2}
    lrs["r50_cosine"] = study.lrs["r50_cosine"] * 2
    return Study.from_frames(study.curves, study.runs, lrs, general="general")


@pytest.fixture(scope="module")
def done(mixed):
    return backtest(mixed, by="pilots", pilots=3, repeats=4, fit=echo_fit)


def test_each_draw_is_a_fit_of_its_pilots(mixed, done):
    assert list(done.fits["split"]) == ["draw 1", "draw 2", "draw 3", "draw 4"]
    for row in done.fits.to_dict("records"):
        pilots, scored = row["pilots"].split(", "), row["run"].split(", ")
        assert len(pilots) == 3
        assert sorted([*pilots, *scored]) == sorted(mixed.cpt_runs)
        part = done.table[done.table["repeat"] == int(row["split"][-1])]
        assert set(part["run"]) == set(scored)
        assert row["rows"] == len(part) == 9 * 2 * 10
    assert set(done.table["target"]) == {"target"}
    assert {"repeat", "target", "outside"} <= set(done.finals)


def test_draws_are_of_pilots_unless_repeats_are_given(mixed):
    given = []

    def spy(train, card, seed, progress, **options):
        given.append(options)
        return echo_fit(train, card, seed, progress)

    short = backtest(mixed, by="pilots", pilots=3, draws=2, fit=spy)
    assert len(short.fits) == 2
    assert given == [{}, {}]
    backtest(mixed, by="pilots", pilots=3, repeats=1, draws=50, fit=spy)
    assert given[2:] == [{"draws": 50}]
    with pytest.raises(PlanError, match=r"draws is 1000: .* give repeats="):
        backtest(mixed, by="pilots", pilots=3, draws=1000, fit=spy)


def test_the_first_draws_do_not_depend_on_the_others(mixed, done):
    fewer = backtest(mixed, by="pilots", pilots=3, repeats=2, fit=echo_fit)
    part = done.table[done.table["repeat"] <= 2].reset_index(drop=True)
    pd.testing.assert_frame_equal(fewer.table, part, check_like=True)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"by": "run", "pilots": 4}, "only by='pilots' takes pilots"),
        ({"by": "cutoff", "judge": {"a": 1}}, "only by='pilots' takes judge"),
        ({"by": "pilots", "fit_runs": ["r0_wsd"]}, "requires fit_runs"),
        ({"by": "moon"}, "'pilots' or 'target'"),
    ],
)
def test_options_of_pilots_belong_to_pilots(study, options, part):
    with pytest.raises(PlanError, match=part):
        backtest(study, method=last_value, **options)


def test_scores_by_what_is_extrapolated(done):
    scores = scores_by_extrapolation(done, after=0.1)
    assert list(scores)[:5] == ["extrapolated", "domain", "forecasts", "rows", "runs"]
    table = done.table[done.table["fraction"] > 0.1]
    for row in scores.to_dict("records"):
        tagged = table["outside"].str.split(", ").map(lambda tags, t=row["extrapolated"]: t in tags)
        part = table[tagged & (table["domain"] == row["domain"])]
        assert row["rows"] == len(part)
        assert row["forecasts"] == part["split"].nunique()
        assert row["runs"] == part["run"].nunique()
        inside = (part["q0.05"] <= part["observed"]) & (part["observed"] <= part["q0.95"])
        assert row["coverage_90"] == pytest.approx(inside.mean())
        assert row["crps"] == pytest.approx(part["crps"].mean())
    kinds = list(dict.fromkeys(scores["extrapolated"]))
    assert kinds[0] == "none"
    assert {"peak LR", "replay", "schedule"} <= set(kinds)
    several = table["outside"].str.contains(",").sum()
    assert several
    assert scores["rows"].sum() > len(table)


def test_scores_by_extrapolation_beside_a_baseline(mixed, done):
    other = backtest(mixed, by="pilots", pilots=3, repeats=4, method=last_value)
    joined = side_by_side({"ours": done, "last": other})
    scores = scores_by_extrapolation(joined, ["method", "domain"])
    assert list(scores.columns[:3]) == ["method", "extrapolated", "domain"]
    assert list(dict.fromkeys(scores["method"])) == ["ours", "last"]
    both = scores.pivot_table(index=["extrapolated", "domain"], columns="method",
                              values="rows", observed=True)  # fmt: skip
    assert (both["ours"] == both["last"]).all()


def test_other_backtests_do_not_know_what_they_extrapolate(study):
    with pytest.raises(PlanError, match="only a backtest by pilots"):
        scores_by_extrapolation(backtest(study, runs=["r0_wsd"], method=last_value))


def test_a_fit_that_cannot_be_sampled_is_counted_not_hidden(mixed, done):
    made = backtest(mixed, by="pilots", pilots=3, repeats=4, fit=FailsOn(2))
    assert list(made.fits["rows"] == 0) == [False, True, False, False]
    lost = made.fits.iloc[1]
    assert "all starts are at -inf" in lost["failed_checks"]
    assert lost["rows_without_forecast"] == done.fits["rows"].iloc[1]
    assert set(made.table["repeat"]) == {1, 3, 4}
    assert set(made.finals["repeat"]) == {1, 3, 4}
    with pytest.raises(FitError, match=r"no refit could be sampled; draw 1: .*-inf"):
        backtest(mixed, by="pilots", pilots=3, repeats=2, fit=FailsOn(1, 2))
    with pytest.raises(FitError, match="-inf"):
        backtest(mixed, runs=["r0_wsd", "r0_cosine"], fit=FailsOn(2))


def test_goals_count_every_draw(done):
    made = goal_calibration(done)
    assert made.table().loc["general", "forecasts"] == 9 * 9 * 4
    assert made.reliability()["forecasts"].sum() == made.table()["forecasts"].sum()


def test_goals_have_the_thresholds_of_their_target(done):
    """Two targets whose losses lie a nat apart, where common thresholds would tell little."""
    finals = done.finals
    second = finals.assign(
        target="other",
        run=finals["run"] + "_2",
        split=finals["split"] + "_2",
        observed=finals["observed"] + 1,
        loss=finals["loss"] + 1,
        domain=finals["domain"].replace("target", "other"),
    )
    one = goal_calibration(done)
    two = goal_calibration(type(done)(done.table, done.fits, pd.concat([finals, second])))
    assert list(two.table().index) == ["general", "target", "joint", "other"]
    assert two.table().loc["general", "brier"] == pytest.approx(one.table().loc["general", "brier"])
    assert two.table().loc["joint", "forecasts"] == 2 * one.table().loc["joint", "forecasts"]
    alone = second[second["run"] == second["run"].iloc[0]]
    more = goal_calibration(type(done)(done.table, done.fits, pd.concat([finals, alone])))
    assert len(more.forecasts) == len(one.forecasts)
    first = finals[finals["run"] == finals["run"].iloc[0]]
    for few in (alone, pd.concat([first, alone])):
        with pytest.raises(PlanError, match="only one run"):
            goal_calibration(type(done)(done.table, done.fits, few))
