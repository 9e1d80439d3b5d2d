"""The learning rate of every update, from a column that is logged now and then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.readers.infer import hinted_shapes, inferred_shapes
from bayescpt.data.readers.shape import Shape
from bayescpt.data.schedule import Schedule
from bayescpt.errors import ScheduleError

Floats = NDArray[np.float64]

TOLERANCE = 1e-6  # relative, of a schedule that is taken for a column
_SLACK = 1e-9  # of the peak: rates near 0 are differences of larger numbers
# A column printed in steps larger than this share of its peak says too little.
_COARSE = 0.01
# A warm-up shorter than this share of a run hardly matters.
_UNSEEN = 0.005
# Where printed digits round by more than this share, only simple schedules are believed.
_ROUNDED = 1e-5


@dataclass(frozen=True)
class FoundLR:
    """Learning rates of a run.

    Parameters
    ----------
    lr : ndarray, shape (steps,), or None
        Of each update; None if the column does not tell.
    schedule : Schedule or None
        The schedule that the column fits exactly, if there is one.
    notes : list of str
        How they were found.
    """

    lr: Floats | None
    schedule: Schedule | None = None
    notes: list[str] = field(default_factory=list)


def find_lr(
    steps: NDArray[np.int64],
    rates: Floats,
    planned: int,
    hints: Mapping[str, Any],
    decimals: int | None = None,
    offset: int = 0,
) -> FoundLR:
    """Learning rate of every update of a run.

    Trainers log every k-th update, and some of them the rate of the next update. Every schedule
    that the configuration or the column suggests is compared with the whole column as the rate of
    this and of the next update, and taken only if it fits all rows to a relative 1e-6, or to the
    digits that are printed. Otherwise the column is right, and is interpolated.

    Parameters
    ----------
    steps : ndarray of int, shape (rows,)
        Updates, from 1, increasing.
    rates : ndarray, shape (rows,)
        Learning rates in their rows.
    planned : int
        Updates that the run is to have.
    hints : mapping of str to object
        ``LogRun.config``.
    decimals : int, optional
        Decimals with which a text log prints rates.
    offset : int
        Steps of an earlier run that the trainer, and so its schedule, counts too.

    Returns
    -------
    FoundLR
        Rates of the planned updates if a schedule fits, else of the logged ones.

    Examples
    --------
    >>> import numpy as np
    >>> from bayescpt.data import schedules
    >>> from bayescpt.data.readers.lr import find_lr
    >>> truth = schedules.cosine(2e-4, 1000, num_warmup_steps=100)
    >>> steps = np.arange(10, 1000, 10)
    >>> found = find_lr(steps, truth.lr[steps], 1000, {})  # of the next update
    >>> found.schedule == truth, found.notes
    (True, ["the logged learning rate is the next update's"])
    """
    if not len(rates):
        return FoundLR(None)
    highest = float(rates.max())
    printed = _unit(rates, decimals)
    # Rates that look rounded, such as those of a warm-up to 1e-4 in 100 steps, may be exact.
    units = [printed] if decimals is not None or not printed.any() else [0.0 * printed, printed]
    for unit in units:
        coarse = bool(2 * unit.max() > _COARSE * highest and rates.min() < highest)
        best = _Fits(steps, rates, unit)
        if highest > 0 and (exact := _search(best, planned, hints, offset, hinted_only=coarse)):
            return _exact(exact, best, planned, hints)
    if highest <= 0 or coarse:
        return FoundLR(
            None, None, ["learning rates are printed with too few digits to tell the schedule"]
        )
    return _column(steps, rates, planned, best)


_Exact = tuple[float, int, Shape, int, int, Schedule]


def _search(
    best: _Fits, planned: int, hints: Mapping[str, Any], offset: int, hinted_only: bool
) -> _Exact | None:
    """The least odd shape that fits the whole column."""
    exact: list[_Exact] = []
    for start in dict.fromkeys((0, offset)):
        for late in (0, 1):
            counter = (best.steps - 1 + late + start).astype(np.float64)
            for hinted, shape in _shapes(counter, best, planned + start, hints, hinted_only):
                cost = -1.0 if hinted else _cost(shape, planned + start)
                if exact and cost >= min(exact)[0]:
                    continue
                if best.try_shape(shape, counter, late):
                    found = _schedule(shape, planned + start)
                    if found is not None:
                        exact.append((cost, len(exact), shape, late, start, found))
    return min(exact) if exact else None


def _cost(shape: Shape, planned: int) -> float:
    """How odd a shape is: one shifted by a step fits as well, but has odd numbers."""
    odd_end = bool(shape.decay) and shape.decay != "inverse_sqrt" and shape.end != planned
    has_plateau = bool(shape.decay) and shape.start != shape.warmup
    digits = _digits(shape.peak) + _digits(shape.floor / shape.peak)
    # Some trainers warm up from the first step's share; any other start is rarer.
    is_share = abs(shape.init * (shape.warmup + 1) / shape.peak - 1.0) < TOLERANCE
    init = 0.0 if not shape.init else 0.5 if is_share else 2.0
    return init + odd_end + has_plateau + 0.25 * digits


def _digits(value: float) -> int:
    """Significant digits of a number, at most 6."""
    return next((k for k in range(1, 6) if float(f"{value:.{k - 1}e}") == value), 6)


class _Fits:
    """The share of rows that the best shape so far fits."""

    def __init__(self, steps: NDArray[np.int64], rates: Floats, unit: Floats) -> None:
        self.steps, self.rates, self.unit = steps, rates, unit
        slack = np.maximum(TOLERANCE * rates, _SLACK * rates.max())
        self.tolerance = np.maximum(slack, unit * (1 + 1e-9))
        self.share, self.late = 0.0, 0
        self.shape: Shape | None = None
        few = np.unique(np.linspace(0, len(rates) - 1, 9).astype(int))
        self._few = few

    def try_shape(self, shape: Shape, counter: Floats, late: int) -> bool:
        """Whether a shape fits all rows; remembers the one that fits most."""
        few = self._few
        if (np.abs(shape.at(counter[few]) - self.rates[few]) > self.tolerance[few]).mean() > 0.8:
            return False
        fits = np.abs(shape.at(counter) - self.rates) <= self.tolerance
        if fits.mean() > self.share:
            self.share, self.shape, self.late = float(fits.mean()), shape, late
        return bool(fits.all())


def _shapes(
    counter: Floats, column: _Fits, planned: int, hints: Mapping[str, Any], hinted_only: bool
) -> Iterator[tuple[bool, Shape]]:
    """Candidates, and whether the configuration names them."""
    highest = float(column.rates.max())
    for shape in hinted_shapes(hints, planned, highest):
        yield True, shape
    if not hinted_only:
        rounded = bool(column.unit.max() > _ROUNDED * highest)
        for shape in inferred_shapes(counter, column.rates, planned, hints, rounded):
            yield False, shape


def _unit(rates: Floats, decimals: int | None) -> Floats:
    """Largest rounding error of each rate, from its printed digits; 0 at full precision."""
    if decimals is not None:
        return np.full(rates.shape, 0.5 * 10.0**-decimals)
    some = np.unique(rates[rates > 0])
    some = some[:: max(1, some.size // 500)]
    if some.size < 5:  # a constant rate has few digits of its own
        return np.zeros(rates.shape)
    size = np.floor(np.log10(some))
    for digits in range(1, 8):
        scaled = some / 10.0 ** (size - digits + 1)
        if _whole(scaled):
            break
    else:
        return np.zeros(rates.shape)
    # Decimals where all have the same number of them, beyond which the digits are not known.
    places = next((k for k in range(1, 16) if _whole(some * 10.0**k)), 16)
    with np.errstate(divide="ignore"):
        own = 0.5 * 10.0 ** (np.floor(np.log10(rates)) - digits + 1)
    return np.maximum(np.where(rates > 0, own, 0.0), 0.5 * 10.0**-places)


def _whole(values: Floats) -> bool:
    return bool(np.allclose(values, np.round(values), rtol=1e-9, atol=1e-6) and values.min() > 0.5)


def _schedule(shape: Shape, steps: int) -> Schedule | None:
    try:
        return shape.schedule(steps)
    except ScheduleError:
        return None


def _exact(
    fit: _Exact,
    column: _Fits,
    planned: int,
    hints: Mapping[str, Any],
) -> FoundLR:
    _, _, shape, late, start, found = fit
    notes = (
        ["the logged learning rate is the next update's"]
        if late and (shape.decay or shape.warmup)
        else []
    )
    first, last = int(column.steps[0]), int(column.steps[-1])
    unseen = column.rates[0] >= column.rates.max() and first > max(2, _UNSEEN * planned)
    if unseen and not hints.keys() & {"warmup_steps", "warmup_ratio", "scheduler"}:
        notes.append(
            f"the first logged learning rate, at step {first}, is the highest: a warm-up before it "
            "is not seen; if there was one, give the schedule in runs.csv"
        )
    if not shape.decay and "scheduler" not in hints and planned > 1.05 * last:
        notes.append(
            f"the learning rate is constant up to step {last}, and taken as constant up to the "
            f"planned step {planned}: give the schedule in runs.csv if it decays"
        )
    # A trainer that counts the steps of an earlier run has them in its schedule too.
    return FoundLR(found.lr[start:], None if start else found, notes)


def _column(steps: NDArray[np.int64], rates: Floats, planned: int, best: _Fits) -> FoundLR:
    """The column, with the rates between its rows on straight lines."""
    late = best.late if best.share > 0.1 else 0
    own = steps + late
    last = int(steps[-1])
    # Rates end where the log does, but for the few updates up to a planned end.
    spacing = int(np.median(np.diff(steps))) if len(steps) > 1 else 0
    end = planned if planned - last <= max(2 * spacing, 1) else last
    lr = np.interp(np.arange(1, end + 1), own, rates)
    if len(rates) > 1 and own[0] > 1 and rates[1] > rates[0]:  # a warm-up before the first row
        slope = (rates[1] - rates[0]) / (own[1] - own[0])
        before = np.arange(1, own[0])
        lr[: own[0] - 1] = np.clip(rates[0] - slope * (own[0] - before), 0.0, rates[0])[:end]
    rows = "" if len(rates) == end else ", and rates between its rows are interpolated"
    notes = [f"no known schedule fits all logged learning rates: the column is kept{rows}"]
    if best.shape is not None and best.share > 0.1:
        notes[0] += (
            f" (a {best.shape.decay or 'constant'} schedule fits {best.share:.0%} of them: updates "
            "may have been skipped)"
        )
    if best.late and best.share > 0.1:
        notes.append("the logged learning rate is the next update's")
    if end < planned:
        notes.append(
            f"{planned} steps are planned, but learning rates are known to step {end}: give the "
            "schedule in runs.csv to forecast to the planned end"
        )
    return FoundLR(lr, None, notes)
