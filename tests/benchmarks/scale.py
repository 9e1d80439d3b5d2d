"""Leave-one-run-out backtest of 12 runs on two Dask workers against one, on this machine.

Each worker is a process with one thread, and samples its chains on one core. The first backtest of
new workers, which compile the sampler, is shown beside those that find it compiled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bayescpt.evaluate import backtest
from tests.benchmarks.problem import DEFAULT, study
from tests.benchmarks.timing import Options, Result, ratio, seconds


def run(options: Options) -> Iterator[Result]:
    """Both clusters in turn."""
    from distributed import Client, LocalCluster

    settings: dict[str, Any] = {"draws": 250, "tune": 350, "chains": 2}
    if options.quick:
        settings = {"draws": 10, "tune": 20, "chains": 1, "runs": study().cpt_runs[:4]}

    def refit_all(client: Client, seed: int) -> float:
        # Another seed each time: Dask keeps the results of calls it has seen.
        executor = client.get_executor()
        return seconds(
            lambda: backtest(
                study(), card=DEFAULT, executor=executor, seed=seed, cores=1, **settings
            )
        )

    def cluster(workers: int) -> LocalCluster:
        return LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)

    runs = len(settings.get("runs", study().cpt_runs))
    with cluster(1) as one, cluster(2) as two, Client(one) as alone, Client(two) as pair:
        first = {"one": [refit_all(alone, 0)], "two": [refit_all(pair, 0)]}
        times: dict[str, list[float]] = {"one": [], "two": []}
        for repeat in range(1, options.slow_repeats + 1):
            times["one"].append(refit_all(alone, repeat))
            times["two"].append(refit_all(pair, repeat))
    for case, found, target in (
        (f"{runs} refits on two workers", times, ">= 1.5"),
        (f"{runs} refits on two new workers, compiling", first, ""),
    ):
        faster = ratio(found["one"], found["two"])
        yield Result(case, found["two"], "s", "one worker", found["one"], faster, target)
