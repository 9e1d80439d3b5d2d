"""Reports on plans: one HTML file, for those who decide and those who train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bayescpt.decide import Goal
from bayescpt.decide.costs import Rates
from bayescpt.forecast import Plan
from bayescpt.inference import Fit
from bayescpt.present.report.case import Options, make_case
from bayescpt.present.report.page import save_page
from bayescpt.random_seed import takes_seed

__all__ = ["report"]


@takes_seed
def report(
    fit: Fit,
    plans: Sequence[Plan] | Plan,
    goal: Goal | Mapping[str, float | str] | None = None,
    path: str | Path = "report.html",
    risk: str | None = None,
    level: float = 0.9,
    weights: Mapping[str, float] | None = None,
    min_probability: float | None = None,
    rates: Rates | Mapping[str, Any] | None = None,
    random_seed: int = 0,
    allow_failed: bool = False,
    extrapolate: bool = False,
) -> Path:
    """Write a report on plans: one HTML file that needs no other file, no network and no script.

    It says which plan to run and why, with which probability the goal is met, where the losses end,
    what the plans cost, which cannot be told apart, how far they reach outside the pilots, whether
    the fit can be trusted, and how to make the report again. Its numbers are those of `compare` and
    `goal_probability` at each plan's own last step.

    Parameters
    ----------
    fit : Fit
        The fit.
    plans : Plan or sequence of Plan
        Recipes, at most 40.
    goal : Goal or mapping of str to float or str, optional
        The highest loss allowed by domain, in any form that `Goal` takes.
    path : str or Path
        File to write; replaced if it exists.
    risk, level, weights, min_probability : Any
        As in `compare`.
    rates : Rates or mapping of str to Any, optional
        What tokens cost: ``throughput`` (tokens per second of one GPU), ``price`` (of a GPU-hour),
        ``currency``, and ``tokens_per_step`` where the study does not say.
    random_seed : int
        Seed of the noise; also accepted as ``seed``.
    allow_failed : bool
        Report even if a convergence check failed; the report says so first.
    extrapolate : bool
        Also take plans absurdly far from the pilots.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConvergenceError
        If a check failed and `allow_failed` is not set.
    PlanError
        If there are no plans or more than 40, or one of them, the goal, the weights or a rate is
        invalid.
    WriteError
        If the file cannot be written.

    Examples
    --------
    >>> import bayescpt as bc
    >>> fit = bc.load_fit("fit.nc")  # doctest: +SKIP
    >>> goal = {"general": "+6%", "german": 3.01}
    >>> bc.report(fit, plans, goal=goal, rates={"throughput": 9_000})  # doctest: +SKIP
    PosixPath('report.html')
    """
    options = Options(risk, level, weights, min_probability, random_seed, allow_failed, extrapolate)
    return save_page(make_case(fit, plans, goal, rates, options), path)
