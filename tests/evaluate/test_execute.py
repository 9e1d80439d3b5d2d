"""Fits on executors: threads, processes and a Dask cluster give what one process gives."""

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pandas as pd
import pytest

from bayescpt.evaluate import backtest, simulate_study
from bayescpt.evaluate.execute import run_tasks

RUNS = ["r0_wsd", "r25_cosine"]
SPAWN = multiprocessing.get_context("spawn")
# Enough to sample, too few to trust.
SMALL = {"card": "cpt_replay", "runs": RUNS, "draws": 20, "tune": 50, "chains": 2, "cores": 1}


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor(2)])
def test_results_come_in_the_order_of_the_tasks(executor):
    assert list(run_tasks(divmod, [(7, 2), (9, 4)], executor)) == [(3, 1), (2, 1)]


def test_threads_of_one_process_take_turns():
    inside, most = [], []

    def task(number):
        inside.append(number)
        threading.Event().wait(0.01)
        most.append(len(inside))
        inside.remove(number)

    with ThreadPoolExecutor(4) as executor:
        list(run_tasks(task, [(n,) for n in range(8)], executor))
    assert most == [1] * 8


def test_a_failure_cancels_what_has_not_begun():
    begun = []
    may_end = threading.Event()

    def task(number):
        begun.append(number)
        if number == 0:
            raise ValueError("this one")
        may_end.wait(10)

    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(ValueError, match="this one"):
            list(run_tasks(task, [(n,) for n in range(20)], executor))
        may_end.set()
    assert len(begun) < 20


@pytest.fixture(scope="module")
def small():
    return simulate_study(
        replays=(0.0, 0.25), cpt_schedules=("wsd", "cosine"), eval_every=450, pt_eval_every=2000
    ).study


@pytest.fixture(scope="module")
def alone(small):
    # What numba has just compiled rounds otherwise than what it reads from its files, so the files
    # are made first, by a process of their own.
    with ProcessPoolExecutor(1, mp_context=SPAWN) as executor:
        backtest(small, executor=executor, **SMALL)
    return backtest(small, **SMALL)


@pytest.fixture
def dask():
    """Client of two worker processes of two threads each."""
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None)
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.mark.slow
def test_processes_do_not_change_the_result(small, alone):
    with ProcessPoolExecutor(2, mp_context=SPAWN) as executor:
        other = backtest(small, executor=executor, **SMALL)
    pd.testing.assert_frame_equal(other.table, alone.table)


@pytest.mark.slow
def test_dask_does_not_change_the_result_and_a_worker_compiles_once(small, alone, dask):
    def samplers_compiled():  # inside, because the workers cannot import this file
        from bayescpt.inference.compile import _COMPILED

        return len(_COMPILED)

    executor = dask.get_executor()
    more = {**SMALL, "runs": [*RUNS, "r0_cosine", "r25_wsd"]}
    other = backtest(small, executor=executor, **more)
    same = other.table[other.table["run"].isin(RUNS)].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, alone.table)
    compiled = dask.run(samplers_compiled).values()
    assert max(compiled) == 1
