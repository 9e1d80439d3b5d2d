"""Turning length: steps after which the general loss is back at its starting value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.decide.derived.ends import Ends
from bayescpt.decide.derived.family import Family, open_family
from bayescpt.decide.derived.quantity import Quantity, rise_curve
from bayescpt.decide.forecaster import Forecaster
from bayescpt.decide.space import Space
from bayescpt.errors import PlanError
from bayescpt.forecast.ratios import allowed_rise
from bayescpt.random_seed import takes_seed

Array = NDArray[np.float64]
POINTS = 40


@dataclass(frozen=True, repr=False, eq=False)
class TurningLength(Quantity):
    """Turning length by draw: ``-inf`` where the loss is never above, ``inf`` where not back.

    Attributes
    ----------
    lengths : ndarray of int, shape (n_lengths,)
        Numbers of steps at which it was looked for.
    curve : pandas.DataFrame
        Indexed by the number of steps: ``lower``, ``median`` and ``upper`` (90%) of the rise of
        the expected general loss over the start (nats/token) at the end of a run of that length,
        and ``prob_back``, the probability that it is within the tolerance.
    fitted : int
        Steps of the longest pilot.
    """

    lengths: Array = None  # type: ignore[assignment]
    curve: pd.DataFrame = None  # type: ignore[assignment]
    fitted: int = 0

    @property
    def never(self) -> float:
        """Probability that the loss rises and does not come back within the horizon."""
        return self.above

    @property
    def never_above(self) -> float:
        """Probability that the loss is not above its start at any length."""
        return self.below

    @property
    def beyond_pilots(self) -> float:
        """Probability that it comes back, but only after more steps than any pilot has."""
        return float(np.mean((self.values > self.fitted) & np.isfinite(self.values)))


@takes_seed
def turning_length(
    fit: Forecaster,
    space: Space | Mapping[str, Any],
    tolerance: float | str = 0.0,
    points: int = POINTS,
    random_seed: int = 0,
    allow_failed: bool = False,
    extrapolate: bool = False,
) -> TurningLength:
    """Compute the fewest steps after which the general loss is back at its starting value.

    Turning length of Wang et al. (arXiv 2505.07796) for a family of schedules, each
    run whole: the loss is that at the end of a run of so many steps, not that on the way of a
    longer one. It is about the expected curve `mu`, without the errors of single runs.

    Parameters
    ----------
    fit : Forecaster
        Fit of loss curves.
    space : Space or mapping of str to Any
        Settings, of which only ``num_training_steps`` varies: a range (shortest, horizon), or a
        list. Warm-up and decay as shares (``warmup_share``, ``decay_share``) grow with it.
    tolerance : float or str
        Rise over the start checkpoint that counts as back: nats, or a share such as ``"1%"``.
    points : int
        Number of lengths of a range, evenly spaced in the logarithm; between them the rise is
        interpolated.
    random_seed : int
        Seed of levels of start checkpoints that were not fitted; also accepted as ``seed``.
    allow_failed : bool
        Go on even if a convergence check of the fit failed.
    extrapolate : bool
        Also take recipes absurdly far from the pilots.

    Returns
    -------
    TurningLength
        Steps, by draw: the first length at which the loss has come back from above. `never` is
        the probability that it does not within the horizon.

    Raises
    ------
    ConvergenceError
        If a check of the fit failed and `allow_failed` is not set.
    PlanError
        If another setting varies, fewer than two lengths are given, the study has no general set,
        or the tolerance is in neither form.

    Examples
    --------
    >>> import bayescpt as bc
    >>> space = bc.Space(
    ...     schedule="wsd", lr=2e-3, num_training_steps=(100, 10_000), warmup_share=0.03,
    ...     decay_share=0.2, replay_ratio=0.5, start="pt_r0",
    ... )  # fmt: skip
    >>> fit = bc.load_fit("fit.nc")  # doctest: +SKIP
    >>> turning = bc.turning_length(fit, space)  # doctest: +SKIP
    >>> turning.median, turning.interval(0.9), turning.never  # doctest: +SKIP
    """
    ends = Ends(fit, allow_failed, extrapolate, random_seed)
    family = open_family(ends, space)
    family.only("num_training_steps")
    return of_family(ends, family, tolerance, points)


def of_family(
    ends: Ends, family: Family, tolerance: float | str = 0.0, points: int = POINTS
) -> TurningLength:
    """Turning length of a family whose other settings are in the middle.

    Parameters
    ----------
    ends : Ends
        Opened fit.
    family : Family
        Recipes.
    tolerance : float or str
        Rise that counts as back.
    points : int
        Number of lengths of a range.

    Returns
    -------
    TurningLength

    Raises
    ------
    PlanError
        If there are fewer than two lengths, or the tolerance is in neither form.
    """
    lengths = np.array(family.numbers("num_training_steps", points), dtype=float)
    if lengths.size < 2:
        raise PlanError(
            "num_training_steps has one value; give a range (shortest, horizon) or a list, in "
            "which the turning length is looked for"
        )
    plans = family.plans([{"num_training_steps": int(n)} for n in lengths])
    start = ends.starts(plans[:1])[0, ends.general]
    rise = ends.rises(plans, ends.general)
    over = rise - allowed_rise(tolerance, start)
    values = first_return(lengths, over)
    curve = rise_curve(rise, over, pd.Index(lengths.astype(int), name="steps"))
    horizon = f"{lengths[-1]:,.0f} steps"
    return TurningLength(
        name="turning length, steps",
        values=ends.by_chain(values),
        low=float(lengths[0]),
        high=float(lengths[-1]),
        margin=ends.by_chain(over[-1]),
        below_means="never above its start",
        above_means=f"not back within {horizon}",
        notes=_notes(ends, family, values),
        lengths=lengths.astype(int),
        curve=curve,
        fitted=family.longest,
    )


def first_return(lengths: Array, over: Array) -> Array:
    """Length at which a rise first comes back to 0 from above, by draw.

    Parameters
    ----------
    lengths : ndarray, shape (n,)
        Increasing.
    over : ndarray, shape (n, n_draws)
        Loss over the level that counts as back.

    Returns
    -------
    ndarray, shape (n_draws,)
        ``-inf`` where it is never above 0, ``inf`` where it is and does not come back. Linear in
        the logarithm of the length between neighbours.

    Examples
    --------
    >>> over = np.array([[-1.0, 1.0, 1.0], [-1.0, 1.0, 2.0], [-2.0, -1.0, 1.0]])
    >>> first_return(np.array([1.0, 10.0, 1000.0]), over).round(6).tolist()
    [-inf, 100.0, inf]
    """
    above = over > 0
    back = above[:-1] & ~above[1:]
    some = back.any(axis=0)
    k = np.argmax(back, axis=0)
    draw = np.arange(over.shape[1])
    before, after = over[k, draw], over[k + 1, draw]
    share = before / np.where(some, before - after, 1.0)
    x = np.log(lengths)
    found = np.exp(x[k] + np.where(some, share, 0.0) * (x[k + 1] - x[k]))
    return np.where(some, found, np.where(above.any(axis=0), np.inf, -np.inf))


def _notes(ends: Ends, family: Family, values: Array) -> tuple[str, ...]:
    """Where the answer lies outside the range of the pilots."""
    (plan,) = family.plans([{}])
    notes = ends.outside(plan)
    far = float(np.mean(values > family.longest))
    if far > 0:
        notes.append(
            f"with probability {far:.2f} it is more than the {family.longest:,} steps of the "
            "longest pilot, where the law extrapolates"
        )
    return tuple(notes)
