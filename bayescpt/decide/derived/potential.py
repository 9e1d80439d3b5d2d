"""Loss potential of start checkpoints, and what it does to the end of a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bayescpt.data import Study
from bayescpt.decide.derived.ends import Ends
from bayescpt.decide.forecaster import Forecaster
from bayescpt.decide.montecarlo import probability_mcse
from bayescpt.errors import PlanError
from bayescpt.forecast import Plan
from bayescpt.forecast.tails import equal_tails
from bayescpt.random_seed import takes_seed


def potential_of(study: Study, start: str) -> float:
    """Loss potential of a checkpoint: final LR of its run over the peak.

    Parameters
    ----------
    study : Study
        Study with the run.
    start : str
        Name of the run.

    Returns
    -------
    float
        0 to 1: 0 after a full anneal, 1 at the peak. NaN for an open base, whose schedule is not
        known.

    Raises
    ------
    StudyError
        If the study has no such run.

    Examples
    --------
    >>> from bayescpt.data import load_example
    >>> study = load_example("cpt_micro")
    >>> [round(potential_of(study, start), 2) for start in ("pt_r0", "pt_r0.5", "pt_r1")]
    [0.0, 0.5, 1.0]
    """
    schedule = study.run(start).schedule
    if schedule is None or not schedule.peak_lr > 0:
        return float("nan")
    return float(schedule.final_lr / schedule.peak_lr)


@takes_seed
def loss_potential(
    fit: Forecaster,
    plan: Plan,
    starts: Sequence[str] | None = None,
    prob: float = 0.9,
    random_seed: int = 0,
    allow_failed: bool = False,
    extrapolate: bool = False,
) -> pd.DataFrame:
    """Compute where one recipe ends from start checkpoints of different loss potentials.

    Loss potential of Wang et al. (arXiv 2505.07796): the final LR of pre-training over
    its peak. The losses are those of the expected curve `mu` at the last step, without the errors
    of single runs.

    Parameters
    ----------
    fit : Forecaster
        Fit of loss curves.
    plan : Plan
        The recipe; its own start does not count.
    starts : sequence of str, optional
        Runs of the study to start from; by default those that the fitted runs start from.
    prob : float
        Probability of the intervals.
    random_seed : int
        Seed of levels of start checkpoints that were not fitted; also accepted as ``seed``.
    allow_failed : bool
        Go on even if a convergence check of the fit failed.
    extrapolate : bool
        Also take a recipe absurdly far from the pilots.

    Returns
    -------
    pandas.DataFrame
        Indexed by start, the lowest potential first. ``potential`` (0 to 1; NaN where the schedule
        is not known); for each domain ``<domain>_start``, the median loss of the checkpoint,
        ``<domain>_lower``, ``<domain>_median`` and ``<domain>_upper`` of the end (nats/token),
        ``<domain>_difference`` from the first start, draw by draw, with ``_difference_lower`` and
        ``_difference_upper``, and ``<domain>_prob_lower``, the probability that it ends lower than
        from the first start, with its Monte Carlo error ``_mcse`` (NaN for the first). ``outside``:
        where the plan leaves the range of the fitted runs, or "". `attrs` holds `prob` and
        `domains`.

    Raises
    ------
    ConvergenceError
        If a check of the fit failed and `allow_failed` is not set.
    PlanError
        If there is no start, one is unknown, or `prob` is not between 0 and 1.

    Examples
    --------
    >>> import bayescpt as bc
    >>> plan = bc.Plan("wsd", bc.schedules.wsd(2e-3, 1000, 30, 200), 0.25)
    >>> fit = bc.load_fit("fit.nc")  # doctest: +SKIP
    >>> table = bc.loss_potential(fit, plan)  # doctest: +SKIP
    >>> table[["potential", "german_median", "german_prob_lower"]]  # doctest: +SKIP
    """
    tails = equal_tails(prob)
    ends = Ends(fit, allow_failed, extrapolate, random_seed)
    names = list(dict.fromkeys(ends.screener.checkpoints if starts is None else starts))
    if not names:
        raise PlanError("no start checkpoint: give starts=")
    for name in names:
        if name not in ends.study:
            known = ", ".join(ends.study.pt_runs)
            raise PlanError(f"unknown start checkpoint {name!r}; runs are {known}")
    potential = {name: potential_of(ends.study, name) for name in names}
    names.sort(key=lambda name: (np.isnan(potential[name]), potential[name]))
    plans = [replace(plan, name=name, start=name, run=None) for name in names]
    losses, at_start = ends.losses(plans), ends.starts(plans)
    table = pd.DataFrame({"potential": potential}).loc[names].rename_axis("start")
    shown = []
    for d, domain in enumerate(ends.screener.domains):
        if np.isnan(losses[:, d]).any():
            continue
        shown.append(domain)
        columns = _columns(ends, losses[:, d], tails)
        table[f"{domain}_start"] = np.median(at_start[:, d], axis=1)
        for name, values in columns.items():
            table[f"{domain}_{name}"] = values
    table["outside"] = ["; ".join(ends.outside(one)) for one in plans]
    table.attrs = {"prob": prob, "domains": shown}
    return table


def _columns(ends: Ends, losses: Any, tails: tuple[float, float]) -> dict[str, Any]:
    """Intervals of the ends, and differences from the first, of one domain."""
    at = [tails[0], 0.5, tails[1]]
    lower, median, upper = np.quantile(losses, at, axis=1)
    difference = losses - losses[0]
    low, middle, high = np.quantile(difference, at, axis=1)
    chance = (difference < 0).mean(axis=1)
    by_chain = ends.by_chain(difference)
    mcse = probability_mcse(by_chain < 0, by_chain)
    chance[0] = mcse[0] = np.nan
    return {
        "lower": lower,
        "median": median,
        "upper": upper,
        "difference": middle,
        "difference_lower": low,
        "difference_upper": high,
        "prob_lower": chance,
        "prob_lower_mcse": mcse,
    }
