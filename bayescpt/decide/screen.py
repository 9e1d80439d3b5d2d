"""Judge many plans at their last steps, as a stream in bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from queue import SimpleQueue

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.decide.draws import Kind
from bayescpt.decide.forecaster import (
    FinalEvaluator,
    Forecaster,
    PlacedPlan,
    Screener,
    open_screener,
)
from bayescpt.decide.goals import Goal
from bayescpt.decide.summary import make_summary
from bayescpt.errors import PlanError
from bayescpt.forecast import Plan
from bayescpt.random_seed import takes_seed

# Arrays of one plan's draws, per domain, that an evaluation and its summary hold at a time.
ARRAYS = 12
CHUNK_BYTES = 12 * 2**20


Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Chunk:
    """Plans that are evaluated together.

    Attributes
    ----------
    names : list of str
        Names of the plans.
    placed : list of PlacedPlan
        The plans at their start checkpoints.
    """

    names: list[str]
    placed: list[PlacedPlan]


@takes_seed
def screen(
    fit: Forecaster,
    plans: Iterable[Plan],
    goal: Goal | Mapping[str, float | str] | None = None,
    risk: str = "mean",
    level: float = 0.9,
    weights: Mapping[str, float] | None = None,
    probs: Sequence[float] = (0.05, 0.5, 0.95),
    kind: Kind = "loss",
    random_seed: int = 0,
    allow_failed: bool = False,
    chunk_bytes: int = CHUNK_BYTES,
    workers: int | None = None,
    extrapolate: bool = False,
) -> pd.DataFrame:
    """Judge any number of plans at their own last steps.

    Plans may come from a generator: only a few chunks of them are in memory at a time. The
    numbers are those of `Fit.forecast` at the last step with the same seed, and do not depend on
    chunks or threads.

    Parameters
    ----------
    fit : Forecaster
        Fit of the pilot runs, or anything else that forecasts, such as an ensemble of fits.
    plans : iterable of Plan
        Recipes, no two of one name. It is fastest if plans that differ in replay ratio alone
        follow each other.
    goal : Goal or mapping of str to float or str, optional
        The highest loss allowed by domain, in any form that `Goal` takes.
    risk : str
        Name of a registered risk measure that judges a plan without the others: ``mean``,
        ``quantile`` or ``cvar`` of the weighted loss, or ``probability`` of the goal, which adds
        no column.
    level : float
        Level of the measures that have one (the quantile and the CVaR).
    weights : mapping of str to float, optional
        Weight of each domain's loss, scaled to sum to 1. By default equal over the goal's domains;
        without a goal, over all domains of the fit.
    probs : sequence of float
        Probabilities of the quantiles of each domain's loss, 0 to 1; empty for none.
    kind : {"loss", "mu"}
        `loss` is what the log of a new run will show; `mu` is the expected curve.
    random_seed : int
        Seed of the noise; also accepted as ``seed``.
    allow_failed : bool
        Go on even if a convergence check of the fit failed.
    chunk_bytes : int
        Approximate memory that one chunk of plans may take, bytes; it has at least one plan.
    workers : int, optional
        Number of threads; by default one per core, at most 8.
    extrapolate : bool
        Also take plans absurdly far from the pilots; see `Fit.forecast`.

    Returns
    -------
    pandas.DataFrame
        One row per plan, in order, indexed by plan. With a goal ``joint`` and one column per goal
        domain, the probabilities, and ``joint_mcse``, ``<domain>_mcse``, their Monte Carlo
        standard errors (by batch means, so within a few percent of those of `goal_probability`),
        and ``<domain>_limit``, the loss that the goal allows (nats/token).
        The chosen risk and its ``<risk>_mcse`` (nats/token). ``<domain>_q5``, ..., quantiles of
        the loss (nats/token; NaN on a domain that the plan has no forecast for). ``outside``:
        where the plan leaves the range of the fitted runs, or "". `attrs` holds goal, risk, level,
        weights, kind and failed_checks.

    Raises
    ------
    ConvergenceError
        If a check of the fit failed and `allow_failed` is not set.
    PlanError
        If there is no plan, two have one name, a plan does not belong to the study or has no
        forecast on a domain that is needed, an argument is out of range, or `fit` does not
        forecast.

    Examples
    --------
    >>> import bayescpt as bc
    >>> fit = bc.load_fit("fit.nc")  # doctest: +SKIP
    >>> schedule = bc.schedules.wsd(2e-3, 1000, num_warmup_steps=30, num_decay_steps=200)
    >>> plans = (bc.Plan(f"replay {n}%", schedule, n / 100, start="pt_r0") for n in range(10, 50))
    >>> table = bc.screen(fit, plans, goal={"german": 3.0})  # doctest: +SKIP
    >>> likeliest = table["joint"].idxmax()  # doctest: +SKIP
    """
    screener = open_screener(fit, allow_failed, extrapolate)
    summary = make_summary(screener, goal, risk, level, weights, probs, kind)
    bytes_per_plan = 8 * ARRAYS * screener.n_draws * len(screener.domains)
    size = max(1, int(chunk_bytes) // bytes_per_plan)
    n_threads = workers or min(8, os.cpu_count() or 1)
    evaluators: SimpleQueue[FinalEvaluator] = SimpleQueue()
    for _ in range(n_threads):
        evaluators.put(screener.evaluator(random_seed))

    starts_of = getattr(screener, "start_losses", None)

    def _summarise(chunk: Chunk) -> Columns:
        evaluator = evaluators.get()
        try:
            losses = evaluator(chunk.placed, kind)
            starts = None if starts_of is None else partial(starts_of, chunk.placed, random_seed)
            return summary.table(chunk.names, losses, starts)
        finally:
            evaluators.put(evaluator)

    names: list[str] = []
    outside: list[str] = []
    parts: list[Columns] = []
    for chunk, columns in _in_threads(_summarise, _chunks(screener, plans, size), n_threads):
        names += chunk.names
        outside += ["; ".join(plan.outside) for plan in chunk.placed]
        parts.append(columns)
    if not names:
        raise PlanError("no plan to screen")
    table = pd.DataFrame(
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
        index=pd.Index(names, name="plan"),
    )
    table["outside"] = outside
    table.attrs = {
        "goal": None if summary.goal is None else dict(summary.goal.thresholds),
        "risk": risk,
        "level": level,
        "weights": summary.weights,
        "kind": kind,
        "failed_checks": fit.failed_checks,
    }
    return table


def _in_threads(
    summarise: Callable[[Chunk], Columns], chunks: Iterable[Chunk], n_threads: int
) -> Iterator[tuple[Chunk, Columns]]:
    """Yield each chunk with its columns, in order; only a few chunks are in memory at a time."""
    waiting: deque[tuple[Chunk, Future[Columns]]] = deque()
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            for chunk in chunks:
                waiting.append((chunk, pool.submit(summarise, chunk)))
                if len(waiting) > 2 * n_threads:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        except BaseException:
            for _, future in waiting:
                future.cancel()
            raise


def _chunks(screener: Screener, plans: Iterable[Plan], size: int) -> Iterator[Chunk]:
    """Yield plans at their start checkpoints, `size` at a time."""
    seen = set[str]()
    source = iter(plans)
    while chunk := list(islice(source, size)):
        for plan in chunk:
            if plan.name in seen:
                raise PlanError(f"two plans are called {plan.name!r}; give each a name of its own")
            seen.add(plan.name)
        yield Chunk([plan.name for plan in chunk], [screener.place(plan) for plan in chunk])
