import pickle
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescpt.data import load_example
from bayescpt.errors import PlanError, StudyError
from bayescpt.evaluate.backtest import backtest, split_seed
from bayescpt.evaluate.baselines import last_value
from bayescpt.evaluate.predict import Prediction
from bayescpt.evaluate.score import QUANTILES, quantile_column


def echo_fit(train, card, seed, progress):
    """Stand-in for bayescpt.fit: forecasts each domain's mean loss, with a known spread."""
    means = train.curves.groupby("domain")["loss"].mean()

    def predict(plans, steps, seed, allow_failed):
        assert allow_failed
        shape = (2, 100, 1, len(means), len(steps))
        noise = np.random.default_rng(seed).normal(0, 0.01, shape)
        dims = ("chain", "draw", "plan", "domain", "step")
        coords = {"plan": [plans[0].name], "domain": list(means.index), "step": steps}
        loss = means.to_numpy()[:, None] + noise
        return SimpleNamespace(dataset=xr.Dataset({"loss": (dims, loss)}, coords))

    return SimpleNamespace(forecast=predict, failed_checks=["R-hat"])


class PicklingExecutor(Executor):
    """Runs tasks here, after a trip through pickle, last submitted first."""

    def __init__(self):
        self.waiting = []

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        self.waiting.append((future, pickle.dumps((fn, args, kwargs))))
        if len(self.waiting) == 3:
            for done, task in reversed(self.waiting):
                function, given, named = pickle.loads(task)  # noqa: S301
                done.set_result(function(*given, **named))
        return future


RUNS = ["r0_wsd", "r10_cosine", "r25_constant"]


@pytest.fixture(scope="module")
def done(study):
    return backtest(study, runs=RUNS, fit=echo_fit)


def test_table_is_tidy(study, done):
    columns = [
        *("split", "run", "domain", "cutoff", "step", "horizon", "fraction", "phase", "final"),
        *("shared", "observed", "mean", "median", *map(quantile_column, QUANTILES)),
        *("pit", "crps", "log_score", "energy"),
    ]
    assert set(done.table.columns) == set(columns)
    assert len(done.table) == 3 * 2 * 10
    row = done.table.query("run == 'r0_wsd' and domain == 'target' and step == 5000").iloc[0]
    curve = study.curve("r0_wsd", "target").set_index("step")["loss"]
    assert row["observed"] == curve[5000]
    assert (row["fraction"], row["horizon"], row["phase"]) == (1.0, 5000, "decay")
    assert done.table["final"].sum() == 6
    assert row["final"]
    ordered = done.table[[quantile_column(q) for q in QUANTILES]].to_numpy()
    assert (np.diff(ordered, axis=1) >= 0).all()


def test_final_draws_are_kept_paired_over_domains(study):
    made = backtest(study, runs=RUNS, method=paired)
    finals = made.finals
    assert list(finals.columns) == [
        *("split", "run", "domain", "cutoff", "step", "observed", "draw", "loss")
    ]
    assert len(finals) == 3 * 2 * 500
    assert set(finals["step"]) == {5000}
    wide = finals.pivot_table(index=["run", "draw"], columns="domain", values="loss")
    np.testing.assert_allclose(wide["target"], wide["general"])
    last = made.table[made.table["final"]].set_index(["run", "domain"])["observed"]
    kept = finals.groupby(["run", "domain"])["observed"].first()
    assert (kept == last.loc[kept.index]).all()


def paired(train, run, rows, *, seed):
    """Forecast that differs between draws, not between rows."""
    common = np.random.default_rng(seed).normal(3, 1, (1000, 1))
    return Prediction(np.repeat(common, len(rows), axis=1))


class CountedFit:
    """echo_fit that counts its calls."""

    def __init__(self):
        self.trained = []

    def __call__(self, train, card, seed, progress):
        self.trained.append(train)
        return echo_fit(train, card, seed, progress)


def test_one_fit_forecasts_all_others(study):
    fit, names = CountedFit(), []
    options = {"by": "split", "fit_runs": RUNS, "fit": fit, "on_split": names.append}
    made = backtest(study, **options)
    [train] = fit.trained
    assert names == ["fit r0_wsd+r10_cosine+r25_constant"]
    assert set(made.table["run"]) == set(study.cpt_runs) - set(RUNS)
    late = train.curves[(train.curves["step"] > 0) & train.curves["run"].isin(study.cpt_runs)]
    assert set(late["run"]) == set(RUNS)
    assert made.fits["rows"].item() == len(made.table) == 9 * 2 * 10
    assert made.finals.groupby(["run", "domain"]).size().eq(200).all()
    some = backtest(study, runs=["r50_wsd", "r0_cosine"], **options)
    assert set(some.table["run"]) == {"r50_wsd", "r0_cosine"}
    assert set(fit.trained[1].curves["run"]) == set(train.curves["run"])


def test_baselines_forecast_each_run_of_a_split(study):
    made = backtest(study, by="split", fit_runs=RUNS, method=last_value)
    assert made.table["run"].nunique() == 9
    assert len(made.fits) == 1


@pytest.mark.parametrize(
    ("options", "part"),
    [({"by": "split"}, "requires fit_runs"), ({"by": "run", "fit_runs": RUNS}, "by is 'run'")],
)
def test_runs_to_fit_belong_to_a_split(study, options, part):
    with pytest.raises(PlanError, match=part):
        backtest(study, **options)


def test_trunk_rows_of_a_split_are_there_but_not_scored():
    study = load_example("mpl_100m")
    made = backtest(study, by="split", fit_runs=["constant_24000"], runs=["wsd_20000_24000"],
                    method=last_value_of_pt)  # fmt: skip
    table = made.table
    assert table["shared"].any()
    assert table.loc[~table["shared"], "step"].min() > 20_000 - 128
    assert table.loc[table["shared"], "step"].max() <= 20_000
    scores = made.scores().iloc[0]
    assert scores["rows"] == (~table["shared"]).sum() == made.fits["rows"].item()
    error = (table["median"] - table["observed"]).abs()
    assert scores["mae"] == pytest.approx(error[~table["shared"]].mean())
    assert scores["mae_all_rows"] == pytest.approx(error.mean())
    # The share left out is left out of the one, not of the other.
    late = made.scores(by="run", after=0.95).iloc[0]
    assert late["rows"] < scores["rows"]
    assert late["mae_all_rows"] == scores["mae_all_rows"]


def test_a_fit_that_failed_is_named(done):
    assert list(done.fits["split"]) == RUNS
    assert set(done.fits["failed_checks"]) == {"R-hat"}
    assert (done.fits["rows"] == 20).all()


def test_executors_do_not_change_the_result(study, done):
    for executor in (PicklingExecutor(), ThreadPoolExecutor(2)):
        with executor:
            other = backtest(study, runs=RUNS, fit=echo_fit, executor=executor)
        pd.testing.assert_frame_equal(other.table, done.table)


def test_other_splits_do_not_change_a_split(study, done):
    alone = backtest(study, runs=RUNS[1:2], fit=echo_fit)
    same = done.table[done.table["run"] == RUNS[1]].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.table, same)
    assert split_seed(1, "a") != split_seed(1, "b") != split_seed(2, "b")


def test_cutoffs(study):
    names = []
    made = backtest(
        study,
        by="cutoff",
        runs=["r0_wsd"],
        cutoffs=(0.5, 0.9),
        method=last_value,
        on_split=names.append,
    )
    assert names == ["r0_wsd@50%", "r0_wsd@90%"]
    early = made.table[made.table["cutoff"] == 0.5]
    assert early["step"].min() == 3000
    assert early["horizon"].min() == 500
    by = made.scores(by="cutoff")
    assert list(by["cutoff"]) == [0.5, 0.9]


def test_a_method_never_sees_what_was_observed(study):
    seen = []

    def spy(train, run, rows, *, seed):
        seen.append((train, run, list(rows.columns)))
        return Prediction(np.random.default_rng(seed).normal(3, 1, (50, len(rows))))

    backtest(study, runs=["r0_wsd"], method=spy)
    train, run, columns = seen[0]
    assert columns == ["step", "domain"]
    assert list(train.curve(run, "target")["step"]) == [0]


def test_rows_without_a_forecast_are_counted_not_scored(study):
    def half(train, run, rows, *, seed):
        draws = np.random.default_rng(seed).normal(3, 1, (50, len(rows)))
        draws[:, (rows["domain"] == "general").to_numpy()] = np.nan
        return Prediction(draws)

    made = backtest(study, runs=["r0_wsd"], method=half)
    assert set(made.table["domain"]) == {"target"}
    assert made.fits["rows_without_forecast"].item() == 10


def test_scores_of_a_backtest(done):
    by = done.scores(by=["domain", "phase"], after=0.1)
    assert set(by["domain"]) == {"general", "target"}
    assert done.scores(after=0.95)["rows"].item() == 6
    assert done.scores()["runs"].item() == 3


def test_what_cannot_be_tested(study):
    with pytest.raises(PlanError, match="by is 'moon'"):
        backtest(study, by="moon")
    with pytest.raises(StudyError, match="no row that can be held out"):
        backtest(study, runs=[], fit=echo_fit)


def test_cards_are_read_where_the_backtest_starts(study, tmp_path):
    given = []

    def spy(train, run, rows, *, seed, card):
        given.append(card)
        return Prediction(np.random.default_rng(seed).normal(3, 1, (50, len(rows))))

    backtest(study, card="cpt_replay", runs=["r0_wsd"], method=spy)
    assert given[0].name == "cpt_replay"
    assert pickle.loads(pickle.dumps(given[0])) == given[0]  # noqa: S301


def test_rows_of_a_trunk_are_not_scored():
    study = load_example("mpl_100m")
    made = backtest(study, runs=["wsd_20000_24000"], method=last_value_of_pt)
    assert made.table["step"].min() > 20_000 - 128
    assert made.table["horizon"].min() <= 128


def last_value_of_pt(train, run, rows, *, seed):
    return Prediction(np.random.default_rng(seed).normal(3, 1, (50, len(rows))))
