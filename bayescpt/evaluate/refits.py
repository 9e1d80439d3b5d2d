"""Which fits a backtest needs, and the splits that each of them forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bayescpt.errors import PlanError, StudyError
from bayescpt.evaluate.pilot_splits import PILOTS, REPEATS, split_by_pilots
from bayescpt.evaluate.splits import Split, split_by_cutoff, split_by_fit, split_by_run
from bayescpt.evaluate.target_splits import split_by_target

if TYPE_CHECKING:
    from bayescpt.data import Study

WAYS = ("run", "cutoff", "split", "pilots", "target")
OF_PILOTS = ("pilots", "repeats", "pilots_from", "judge")
# More draws of pilots than these must be given as repeats: the sampler's draws may be meant.
MOST_DRAWS = 200


def pilot_draws(
    repeats: int | None, fit_options: dict[str, Any]
) -> tuple[int | None, dict[str, Any]]:
    """Tell the number of draws of pilots from the sampler's draws, which share a name.

    Parameters
    ----------
    repeats : int or None
        Number of draws of pilots, where it is given by this name.
    fit_options : dict
        Options of the forecasting method.

    Returns
    -------
    repeats : int or None
        The same, or else ``draws`` of the options.
    fit_options : dict
        Without ``draws`` where that was the number of draws of pilots.

    Raises
    ------
    PlanError
        If ``draws`` is so large that the sampler's draws must have been meant.

    Examples
    --------
    >>> pilot_draws(None, {"draws": 20, "chains": 2})
    (20, {'chains': 2})
    >>> pilot_draws(8, {"draws": 500})
    (8, {'draws': 500})
    """
    if repeats is not None or "draws" not in fit_options:
        return repeats, fit_options
    drawn = fit_options["draws"]
    if drawn > MOST_DRAWS:
        raise PlanError(
            f"draws is {drawn}: with by='pilots' and without repeats, draws is the number of draws "
            "of pilots, each a fit of its own; give repeats=, and draws is the sampler's draws per "
            "chain"
        )
    return drawn, {name: value for name, value in fit_options.items() if name != "draws"}


def refits(study: Study, by: str, random_seed: int, **given: Any) -> dict[str, list[Split]]:
    """Splits, grouped by the fit that forecasts them.

    Parameters
    ----------
    study : Study
        The study.
    by : str
        One of `WAYS`.
    random_seed : int
        Seed of draws of pilots.
    **given
        Arguments of `bayescpt.backtest` that say what is held out: runs, fit_runs, cutoffs,
        domains, pilots, repeats, pilots_from and judge; None where the user gave none.

    Returns
    -------
    dict of str to list of Split
        By name of the fit.

    Raises
    ------
    PlanError
        If `by` is invalid, or arguments are given that it has no use for.
    StudyError
        If no row can be held out.
    """
    if by not in WAYS:
        raise PlanError(f"by is {by!r}; it must be 'run', 'cutoff', 'split', 'pilots' or 'target'")
    runs, domains = given["runs"], given["domains"]
    if (given["fit_runs"] is not None) != (by == "split"):
        raise PlanError(
            f"by is {by!r}; by='split' requires fit_runs, which no other choice accepts"
        )
    of_pilots = {name: given[name] for name in OF_PILOTS if given[name] is not None}
    if of_pilots and by != "pilots":
        raise PlanError(f"by is {by!r}; only by='pilots' takes {', '.join(of_pilots)}")
    if by == "pilots":
        numbers = {"pilots": PILOTS, "repeats": REPEATS}
        options = {**numbers, "random_seed": random_seed, **of_pilots}
        splits = split_by_pilots(study, runs=runs, domains=domains, **options)
    elif by == "split":
        splits = split_by_fit(study, given["fit_runs"], runs, domains)
    elif by == "target":
        splits = split_by_target(study, runs, domains)
    elif by == "run":
        splits = split_by_run(study, runs, domains)
    else:
        splits = split_by_cutoff(study, runs, given["cutoffs"], domains)
    if not splits:
        raise StudyError(f"study {study.name!r} has no row that can be held out")
    out: dict[str, list[Split]] = {}
    for split in splits:
        out.setdefault(split.refit, []).append(split)
    return out
