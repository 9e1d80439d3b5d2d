"""Plans so far from the pilots that a forecast would say nothing: refused unless asked for."""

from __future__ import annotations

import numpy as np

from bayescpt.errors import PlanError
from bayescpt.forecast.plan import Plan
from bayescpt.forecast.posterior import Draws
from bayescpt.laws.trajectory import Trajectory

# Sweeps of a peak LR span a factor of ten or so, and beyond it training diverges, which the law
# does not know: factors above and below the LRs of the pilots and of the runs they start from.
HIGHEST_LR, LOWEST_LR = 10.0, 1e-3
# Pilots are a fifth to a hundredth of the run that they are for.
LONGEST = 100.0


def check_reach(draws: Draws, plan: Plan, path: Trajectory) -> None:
    """Raise an error if a plan is absurdly far from the fitted runs.

    Milder extrapolation is warned about, see `bayescpt.forecast.ranges`. The recipe of a run that
    exists (`Plan.from_run`) is taken as it is: it was run, and a backtest may hold it out.

    Parameters
    ----------
    draws : Draws
        Posterior with the fitted study.
    plan : Plan
        The recipe.
    path : Trajectory
        Its trajectory.

    Raises
    ------
    PlanError
        If its peak LR or its length is out of all proportion to those of the fitted runs and of
        the runs that they start from.
    """
    if plan.run is not None:
        return
    if "reach" not in draws.cache:
        known = list(draws.trajectories.values())
        arrays = [lr for one in known for lr in (one.lr, *one.before)]
        peaks = [float(lr.max()) for lr in arrays if lr.size]
        draws.cache["reach"] = min(peaks), max(peaks), max(lr.size for lr in arrays)
    lowest, highest, longest = draws.cache["reach"]
    peak = float(path.lr.max())
    ending = "; extrapolate=True (--extrapolate) forecasts it all the same"
    where = f"plan {plan.name!r}: its"
    runs = "the pilots and the runs they start from"
    if peak > HIGHEST_LR * highest:
        hint = _nearby(peak, lowest, highest)
        raise PlanError(
            f"{where} peak LR {peak:g} is {peak / highest:,.0f} times the highest of {runs} "
            f"({lowest:g} to {highest:g}){hint}{ending}"
        )
    if 0 < peak < LOWEST_LR * lowest:
        raise PlanError(
            f"{where} peak LR {peak:g} is {peak / lowest:.2g} of the lowest of {runs} "
            f"({lowest:g} to {highest:g}){_nearby(peak, lowest, highest)}{ending}"
        )
    if path.n_steps > LONGEST * longest:
        raise PlanError(
            f"{where} {path.n_steps:,} steps are {path.n_steps / longest:,.0f} times the most of "
            f"{runs} ({longest:,}){ending}"
        )


def _nearby(peak: float, lowest: float, highest: float) -> str:
    """Suggest the same digits with another exponent, if they lie among the LRs that were run."""
    for exponent in range(-12, 3):
        digits = peak / 10.0 ** np.floor(np.log10(peak))
        if lowest / 3 <= (other := digits * 10.0**exponent) <= highest * 3:
            return f"; did you mean {other:.3g}?"
    return ""
