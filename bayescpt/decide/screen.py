"""Many plans at their last steps, streamed: what each meets and risks, in bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.decide.draws import Kind
from bayescpt.decide.goals import Goal
from bayescpt.decide.risk import Risk
from bayescpt.decide.summary import summary
from bayescpt.errors import PlanError
from bayescpt.forecast import Draws, Plan
from bayescpt.forecast.final import FinalLosses, Placed, Placer

if TYPE_CHECKING:
    from bayescpt.inference import Fit

# Arrays of one plan's draws, a domain, that an evaluation and its summary hold at a time.
ARRAYS = 12
CHUNK_BYTES = 12 * 2**20


def screen(
    fit: Fit,
    plans: Iterable[Plan],
    goal: Goal | Mapping[str, float] | None = None,
    risk: Risk = "mean",
    level: float = 0.9,
    weights: Mapping[str, float] | None = None,
    probs: Sequence[float] = (0.05, 0.5, 0.95),
    kind: Kind = "loss",
    seed: int = 0,
    allow_failed: bool = False,
    chunk_bytes: int = CHUNK_BYTES,
    workers: int | None = None,
) -> pd.DataFrame:
    """Judge any number of plans at their own last steps.

    Plans may come from a generator: no more than some chunks of them are in memory at a time. The
    numbers are those of `Fit.forecast` at the last step with the same seed, whatever the chunks
    and threads.

    Parameters
    ----------
    fit : Fit
        Fit of the pilot runs.
    plans : iterable of Plan
        Recipes with names of their own. It is fastest if plans that differ in replay ratio alone
        follow each other.
    goal : Goal or mapping of str to float, optional
        Domain to the highest loss allowed, nats/token.
    risk : {"mean", "quantile", "cvar", "probability"}
        Measure of the weighted loss; ``probability`` is that of the goal and adds no column.
    level : float
        Level of the quantile and the CVaR.
    weights : mapping of str to float, optional
        Weight of each domain's loss, scaled to sum to 1. By default equal over the goal's domains;
        without a goal, over all domains of the fit.
    probs : sequence of float
        Probabilities of the quantiles of each domain's loss, 0 to 1; empty for none.
    kind : {"loss", "mu"}
        `loss` is what the log of a new run will show; `mu` is the expected curve.
    seed : int
        Seed of the noise.
    allow_failed : bool
        Go on although a convergence check of the fit failed.
    chunk_bytes : int
        About how much memory one chunk of plans may take, bytes; at least one plan is taken.
    workers : int, optional
        Threads; by default as many as cores, at most 8.

    Returns
    -------
    pandas.DataFrame
        A row a plan, in order, indexed by plan. With a goal ``joint`` and one column a goal
        domain, the probabilities, and ``joint_mcse``, ``<domain>_mcse``, their Monte Carlo
        standard errors (by batch means, so some percent from those of `goal_probability`). The
        chosen risk of the weighted loss and its ``<risk>_mcse`` (nats/token). ``<domain>_q5``, ...,
        quantiles of the loss (nats/token; NaN on a domain that the plan has no forecast for).
        ``outside``: where the plan leaves the range of what was fitted, or "". `attrs` holds goal,
        risk, level, weights, kind and failed_checks.

    Raises
    ------
    ConvergenceError
        If a check of the fit failed and `allow_failed` is not set.
    PlanError
        If there is no plan, two have one name, a plan does not belong to the study or has no
        forecast on a domain that is needed, or an argument is out of range.
    """
    draws = fit.draws(allow_failed)
    how = summary(draws, goal, risk, level, weights, probs, kind)
    per_plan = 8 * ARRAYS * draws.size * len(draws.labels.domain)
    size = max(1, int(chunk_bytes) // per_plan)
    count = workers or min(8, os.cpu_count() or 1)
    names: list[str] = []
    outside: list[str] = []
    found: list[dict[str, NDArray[np.float64]]] = []

    evaluators: SimpleQueue[FinalLosses] = SimpleQueue()
    for _ in range(count):
        evaluators.put(FinalLosses(draws, seed))

    def _judge(placed: list[Placed]) -> dict[str, NDArray[np.float64]]:
        evaluator = evaluators.get()
        try:
            return how.table(placed, evaluator(placed, kind))
        finally:
            evaluators.put(evaluator)

    with ThreadPoolExecutor(count) as pool:
        waiting: deque[Future[dict[str, NDArray[np.float64]]]] = deque()
        try:
            for placed in _chunks(draws, plans, size):
                names += [plan.path.name for plan in placed]
                outside += ["; ".join(plan.outside) for plan in placed]
                waiting.append(pool.submit(_judge, placed))
                if len(waiting) > 2 * count:
                    found.append(waiting.popleft().result())
            found += [future.result() for future in waiting]
        except BaseException:
            for future in waiting:
                future.cancel()
            raise
    if not names:
        raise PlanError("no plan to screen")
    table = pd.DataFrame(
        {name: np.concatenate([part[name] for part in found]) for name in found[0]},
        index=pd.Index(names, name="plan"),
    )
    table["outside"] = outside
    table.attrs = {
        "goal": None if how.goal is None else dict(how.goal.thresholds),
        "risk": risk,
        "level": level,
        "weights": how.weights,
        "kind": kind,
        "failed_checks": fit.failed_checks,
    }
    return table


def _chunks(draws: Draws, plans: Iterable[Plan], size: int) -> Iterator[list[Placed]]:
    """Plans at their starts, `size` at a time."""
    placer, seen = Placer(draws), set[str]()
    source = iter(plans)
    while chunk := list(islice(source, size)):
        for plan in chunk:
            if plan.name in seen:
                raise PlanError(f"two plans are called {plan.name!r}; give each a name of its own")
            seen.add(plan.name)
        yield [placer.place(plan) for plan in chunk]
