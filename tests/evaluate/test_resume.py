"""Backtests go on from what is finished, with the same result to the bit."""

import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import load_example
from bayescpt.errors import FitError, WorkError
from bayescpt.evaluate import backtest
from bayescpt.evaluate.execute import run_tasks
from bayescpt.evaluate.kept import keep_result, kept_result
from bayescpt.evaluate.predict import Prediction
from bayescpt.interruption import Interrupted
from bayescpt.work import Work, pieces

CALLS: list[str] = []


def noisy(train, run, rows, *, seed, spread=0.1):
    """A method whose forecasts depend on the seed, and which counts its calls."""
    CALLS.append(run)
    rng = np.random.default_rng(seed)
    return Prediction(3.0 + spread * rng.standard_normal((50, len(rows))), ("one",))


def stop_after(count):
    def stop(_name):
        if len(CALLS) >= count:
            raise Interrupted(signal.SIGINT)

    return stop


def assert_same(one, other):
    pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)
    pd.testing.assert_frame_equal(one.finals, other.finals, check_exact=True)
    times = {"columns": "seconds"}
    pd.testing.assert_frame_equal(one.fits.drop(**times), other.fits.drop(**times))


@pytest.fixture(autouse=True)
def no_calls():
    CALLS.clear()


@pytest.mark.parametrize("by", ["run", "pilots"])
def test_a_backtest_goes_on_from_its_finished_refits(tmp_path, by):
    study = load_example("cpt_micro")
    asked = {"method": noisy, "by": by} | ({"pilots": 4, "repeats": 3} if by == "pilots" else {})
    whole = backtest(study, **asked)
    count = len(CALLS)
    CALLS.clear()
    with pytest.raises(Interrupted):
        backtest(study, work=tmp_path, on_split=stop_after(count // 2), **asked)
    kept = len(CALLS)
    assert len(pieces(tmp_path)) >= 1
    again = backtest(study, work=tmp_path, **asked)
    assert_same(again, whole)
    assert len(CALLS) == count
    assert kept < count


def test_a_damaged_refit_is_done_again(simulated_study, tmp_path):
    whole = backtest(simulated_study, work=tmp_path, method=noisy)
    first = pieces(tmp_path)[0]
    first.write_bytes(first.read_bytes()[:-7])
    CALLS.clear()
    assert_same(backtest(simulated_study, work=tmp_path, method=noisy), whole)
    assert len(CALLS) == 1


@pytest.mark.parametrize("change", [{"spread": 0.2}, {"random_seed": 2}, {"runs": None}])
def test_refits_of_another_backtest_are_refused(simulated_study, tmp_path, change):
    runs = simulated_study.cpt_runs[:2]
    asked = {"method": noisy, "runs": runs, "spread": 0.1, "random_seed": 1}
    backtest(simulated_study, work=tmp_path, **asked)
    with pytest.raises(WorkError, match="finished pieces of other work"):
        backtest(simulated_study, work=tmp_path, **{**asked, **change})


def slow_first(number):
    if number == 0:
        raise FitError("the first fails late")
    return pd.DataFrame({"number": [number]}), {"number": number}


def test_later_results_are_kept_when_an_earlier_task_fails(tmp_path):
    with Work(tmp_path, {}) as work, ThreadPoolExecutor(1) as executor:
        results = run_tasks(slow_first, [(1,), (0,), (2,)], executor, work)
        assert next(results)[1] == {"number": 1}
        with pytest.raises(FitError, match="fails late"):
            next(results)
    assert "task-00000.piece" in {path.name for path in pieces(tmp_path)}


def test_results_come_back_with_their_types(tmp_path):
    table = pd.DataFrame(
        {
            "text": ["a", "ä"],
            "loss": [0.1 + 0.2, np.nan],
            "whole": np.array([1, 2], dtype=np.int64),
            "flag": [True, False],
            "nothing": [None, None],
        }
    )
    report = {"rows": np.int64(3), "seconds": 0.1 + 0.2, "failed_checks": "R-hat"}
    with Work(tmp_path, {}) as work:
        keep_result(work, 0, (table, pd.DataFrame(), report))
        first, empty, again = kept_result(work, 0)
        assert kept_result(work, 1) is None
    pd.testing.assert_frame_equal(first, table, check_exact=True)
    assert empty.empty
    assert again == report
