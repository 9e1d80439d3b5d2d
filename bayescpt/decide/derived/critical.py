"""Critical point: a replay ratio or peak LR beyond which the general loss never comes back."""

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
# Points of a range of the setting, and of lengths.
POINTS, LENGTHS = 21, 12
# Whether a higher value brings the general loss back more easily.
HIGHER_HELPS = {"replay_ratio": True, "lr": False}


@dataclass(frozen=True, repr=False, eq=False)
class CriticalPoint(Quantity):
    """Critical point by draw.

    Attributes
    ----------
    setting : str
        ``replay_ratio`` or ``lr``.
    horizon : int
        Most steps that were looked at.
    curve : pandas.DataFrame
        Indexed by the setting: ``median`` and 90% ``lower`` and ``upper`` of the lowest rise over
        all lengths (nats/token), and ``prob_back``, the probability that some length brings the
        general loss back.
    """

    setting: str = ""
    horizon: int = 0
    curve: pd.DataFrame = None  # type: ignore[assignment]

    @property
    def never(self) -> float:
        """Probability that no value of the range brings the general loss back."""
        return self.above if HIGHER_HELPS[self.setting] else self.below

    @property
    def always(self) -> float:
        """Probability that all values of the range do."""
        return self.below if HIGHER_HELPS[self.setting] else self.above


@takes_seed
def critical_point(
    fit: Forecaster,
    space: Space | Mapping[str, Any],
    setting: str = "replay_ratio",
    tolerance: float | str = 0.0,
    points: int = POINTS,
    random_seed: int = 0,
    allow_failed: bool = False,
    extrapolate: bool = False,
) -> CriticalPoint:
    """Compute the value beyond which no number of steps brings the general loss back.

    Critical point of Wang et al. (arXiv 2505.07796): the least replay, or the highest
    peak LR, at which some length of the family, up to a horizon, ends at or below the starting
    value. It is about the expected curve `mu`, without the errors of single runs. The critical
    mixture ratio at one length and any tolerance is `Fit.critical_ratio`.

    Parameters
    ----------
    fit : Forecaster
        Fit of loss curves.
    space : Space or mapping of str to Any
        Settings, of which `setting` and ``num_training_steps`` vary; the end of the latter is the
        horizon.
    setting : {"replay_ratio", "lr"}
        What the critical value is of.
    tolerance : float or str
        Rise over the start checkpoint that counts as back: nats, or a share such as ``"1%"``.
    points : int
        Number of values of a range; between them the rise is interpolated.
    random_seed : int
        Seed of levels of start checkpoints that were not fitted; also accepted as ``seed``.
    allow_failed : bool
        Go on even if a convergence check of the fit failed.
    extrapolate : bool
        Also take recipes absurdly far from the pilots.

    Returns
    -------
    CriticalPoint
        The value, by draw. `never` is the probability that no value of the range brings the loss
        back within the horizon, `always` that all do.

    Raises
    ------
    ConvergenceError
        If a check of the fit failed and `allow_failed` is not set.
    PlanError
        If the setting is neither, does not vary, another one varies, the study has no general
        set, or the tolerance is in neither form.

    Examples
    --------
    >>> import bayescpt as bc
    >>> space = bc.Space(
    ...     schedule="wsd", lr=2e-3, num_training_steps=(100, 10_000), warmup_share=0.03,
    ...     decay_share=0.2, replay_ratio=(0.0, 0.75), start="pt_r0",
    ... )  # fmt: skip
    >>> fit = bc.load_fit("fit.nc")  # doctest: +SKIP
    >>> point = bc.critical_point(fit, space)  # doctest: +SKIP
    >>> point.median, point.interval(0.9), point.never  # doctest: +SKIP
    """
    ends = Ends(fit, allow_failed, extrapolate, random_seed)
    family = open_family(ends, space)
    if setting not in HIGHER_HELPS:
        raise PlanError(f"setting = {setting!r}: give one of {', '.join(HIGHER_HELPS)}")
    family.only(setting, "num_training_steps")
    return of_family(ends, family, setting, tolerance, points)


def of_family(
    ends: Ends,
    family: Family,
    setting: str,
    tolerance: float | str = 0.0,
    points: int = POINTS,
) -> CriticalPoint:
    """Critical point of a family whose other settings are in the middle.

    Parameters
    ----------
    ends : Ends
        Opened fit.
    family : Family
        Recipes.
    setting : str
        ``replay_ratio`` or ``lr``.
    tolerance : float or str
        Rise that counts as back.
    points : int
        Number of values of a range.

    Returns
    -------
    CriticalPoint

    Raises
    ------
    PlanError
        If the setting does not vary, or the tolerance is in neither form.
    """
    values = np.array(family.numbers(setting, points), dtype=float)
    if values.size < 2:
        raise PlanError(f"{setting} has one value; give a range (low, high) or a list")
    lengths = family.numbers("num_training_steps", LENGTHS)
    # Plans that differ in replay alone follow each other: they share the areas of a schedule.
    grid = [(n, float(value)) for n in lengths for value in values]
    plans = family.plans([{"num_training_steps": n, setting: value} for n, value in grid])
    start = ends.starts(plans[:1])[0, ends.general]
    allowed = allowed_rise(tolerance, start)
    lowest = ends.rises(plans, ends.general).reshape(len(lengths), values.size, -1).min(axis=0)
    over = lowest - allowed
    helps = HIGHER_HELPS[setting]
    found = last_back(values if not helps else values[::-1], over if not helps else over[::-1])
    none = ~(over <= 0).any(axis=0)
    every = (over[0] <= 0) if helps else (over[-1] <= 0)
    by_draw = np.where(none, np.inf if helps else -np.inf, found)
    by_draw = np.where(every, -np.inf if helps else np.inf, by_draw)
    curve = rise_curve(lowest, over, pd.Index(values, name=setting))
    horizon = int(max(lengths))
    said = (f"no value up to {values[-1]:.3g} brings it back", "all values searched bring it back")
    return CriticalPoint(
        name=f"critical {setting}",
        values=ends.by_chain(by_draw),
        low=float(values[0]),
        high=float(values[-1]),
        margin=ends.by_chain(over[values.size // 2]),
        below_means=said[1] if helps else f"no value from {values[0]:.3g} brings it back",
        above_means=said[0] if helps else said[1],
        notes=_notes(ends, family, setting, horizon),
        setting=setting,
        horizon=horizon,
        curve=curve,
    )


def last_back(values: Array, over: Array) -> Array:
    """Last value, in the order given, at which the loss is back, between neighbours interpolated.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Values, those that bring the loss back most easily first.
    over : ndarray, shape (n, n_draws)
        Loss over the level that counts as back.

    Returns
    -------
    ndarray, shape (n_draws,)
        Of no meaning where the loss is back at none of them, or at the last.

    Examples
    --------
    >>> last_back(np.array([0.5, 0.25, 0.0]), np.array([[-1.0, -1.0], [1.0, -1.0], [2.0, 3.0]]))
    array([0.375 , 0.1875])
    """
    back = over <= 0
    n = len(values)
    k = np.minimum(n - 1 - np.argmax(back[::-1], axis=0), n - 2)
    draw = np.arange(over.shape[1])
    before, after = over[k, draw], over[k + 1, draw]
    gap = after - before
    share = np.clip(-before / np.where(gap > 0, gap, 1.0), 0.0, 1.0)
    return np.asarray(values[k] + share * (values[k + 1] - values[k]))


def _notes(ends: Ends, family: Family, setting: str, horizon: int) -> tuple[str, ...]:
    """Where the search leaves the range of the pilots."""
    values = family.numbers(setting, 2)
    plans = family.plans([{setting: values[0]}, {setting: values[-1]}])
    notes = list(dict.fromkeys(text for plan in plans for text in ends.outside(plan)))
    if horizon > family.longest:
        notes.append(
            f"lengths up to {horizon:,} steps are searched, and the longest pilot has "
            f"{family.longest:,}: beyond, the law extrapolates"
        )
    return tuple(notes)
