"""Schedules that a column of learning rates may come from, from hints and from the column."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.readers.shape import DECAYS, Shape

Floats = NDArray[np.float64]

# The trainers' names of schedulers, by the start of the name, and the decay that they have.
_SCHEDULERS = {
    "constant": "",
    "linear": "linear",
    "polynomial": "linear",
    "cosine": "cosine",
    "inverse": "inverse_sqrt",
    "wsd": "wsd",
    "warmup_stable": "wsd",
    "trapez": "wsd",
}
_DECAY_TYPES = {"minus_sqrt": "1-sqrt", "1_sqrt": "1-sqrt", "sqrt": "1-sqrt"}
_FLOOR_RATIOS = (0.1, 0.01, 0.05, 0.2, 0.25, 0.3, 0.5, 0.02, 0.15, 0.4, 0.001)
_FLOORS = (1e-5, 1e-6, 1e-7, 1e-8)


def hinted_shapes(hints: Mapping[str, Any], steps: int, highest: float) -> Iterator[Shape]:
    """Schedules that a configuration describes.

    Parameters
    ----------
    hints : mapping of str to object
        ``LogRun.config``.
    steps : int
        Planned updates.
    highest : float
        Highest learning rate of the column, tried as the peak beside that of the configuration.

    Yields
    ------
    Shape
        Candidates; none if the scheduler is not named.

    Examples
    --------
    >>> from bayescpt.data.readers.infer import hinted_shapes
    >>> hints = {"scheduler": "cosine", "peak_lr": 1e-4, "warmup_ratio": 0.1}
    >>> next(hinted_shapes(hints, 1000, 1e-4))
    Shape(peak=0.0001, warmup=100, init=0.0, start=100, end=1000, floor=0.0, decay='cosine')
    """
    named = str(hints.get("scheduler", "")).lower().replace("-", "_")
    kind = next((d for start, d in _SCHEDULERS.items() if named.startswith(start)), None)
    if kind is None:
        return
    for peak in dict.fromkeys(p for p in (hints.get("peak_lr"), highest) if p):
        floors = [hints.get("min_lr"), hints.get("min_lr_ratio", -1.0) * peak]
        floor = next((f for f in floors if f is not None and 0 < f < peak), 0.0)
        for warmup in warmups(hints, steps):
            end = int(hints.get("decay_end") or steps)
            if kind != "wsd":
                scale = warmup or 10_000
                end = warmup + scale if kind == "inverse_sqrt" else end
                end = warmup + int(hints["decay_steps"]) if "decay_steps" in hints else end
                yield Shape(peak, warmup, 0.0, warmup, end, floor, kind)
                if kind == "linear" and named.startswith("polynomial"):
                    yield Shape(peak, warmup, 0.0, warmup, end, 1e-7, kind)
                continue
            length = int(hints.get("decay_steps") or 0)
            start = warmup + int(hints["stable_steps"]) if "stable_steps" in hints else end - length
            given = hints.get("decay_type")
            for decay in [_DECAY_TYPES.get(given, given)] if given else DECAYS[:5]:
                if length and decay in DECAYS and (floor or decay != "geometric"):
                    # transformers warms up from the floor.
                    for init in dict.fromkeys((0.0, floor)):
                        yield Shape(peak, warmup, init, start, start + length, floor, decay)


def warmups(hints: Mapping[str, Any], steps: int) -> list[int]:
    """Numbers of warm-up updates that a configuration may mean.

    Parameters
    ----------
    hints : mapping of str to object
        ``LogRun.config``.
    steps : int
        Planned updates.

    Returns
    -------
    list of int
        One, or the ways in which trainers round a ratio.
    """
    if "warmup_steps" in hints:
        return [int(hints["warmup_steps"])]
    if not hints.get("warmup_ratio"):
        return [0]
    share = hints["warmup_ratio"] * steps
    return list(dict.fromkeys([math.ceil(share), math.floor(share), round(share)]))


def inferred_shapes(
    counter: Floats,
    rates: Floats,
    steps: int,
    hints: Mapping[str, Any],
    rounded: bool = False,
) -> Iterator[Shape]:
    """Schedules that rows of learning rates suggest.

    Each part of a schedule is a straight line in the right coordinate: the warm-up as it is, each
    decay after the inverse of its formula. Two rows give the line, which says where the part starts
    and ends; the caller compares with all rows.

    Parameters
    ----------
    counter : ndarray, shape (rows,)
        Updates done at each row, increasing.
    rates : ndarray, shape (rows,)
        Learning rates.
    steps : int
        Planned updates.
    hints : mapping of str to object
        ``LogRun.config``, for what the rows do not show.
    rounded : bool
        Whether rates are printed with few digits. Lines through two of them are then not exact, and
        whole numbers near them are tried, for decays that end where the run does.

    Yields
    ------
    Shape
        Candidates.

    Examples
    --------
    >>> import numpy as np
    >>> from bayescpt.data.readers.infer import inferred_shapes
    >>> from bayescpt.data.readers.shape import Shape
    >>> counter = np.arange(0.0, 200, 7)
    >>> rates = Shape(2e-4, warmup=20, start=150, end=200, decay="1-sqrt").at(counter)
    >>> found = inferred_shapes(counter, rates, 200, {})
    >>> any(np.allclose(shape.at(counter), rates, rtol=1e-9) for shape in found)
    True
    """
    highest = float(rates.max())
    top = np.flatnonzero(rates >= highest * (1 - 1e-9))
    rise = np.arange(top[0])
    rise = rise[rates[: top[0]] < highest]
    fall = np.arange(top[-1] + 1, len(rates))
    # A single highest row may be of the warm-up or of the decay.
    below = fall if fall.size > 1 else np.arange(top[-1], len(rates))
    for peak in _peaks(highest, top.size, hints):
        starts = _warmups(counter[rise], rates[rise], peak, steps, hints, rounded)
        if not fall.size:
            for warmup, init in starts:
                yield Shape(peak, warmup, init)
            continue
        for floor in _floors(peak, counter[fall], rates[fall], steps, hints):
            for decay in DECAYS:
                line = _line(counter[below], rates[below], peak, floor, decay, steps)
                if line is None:
                    continue
                for start, end in _near(*line, starts, steps) if rounded else [line]:
                    ways = starts if rise.size else [*starts, (start, 0.0)]
                    for warmup, init in dict.fromkeys(ways):
                        if warmup <= start < end and start <= counter[fall[0]]:
                            yield Shape(peak, warmup, init, start, end, floor, decay)


def _near(
    start: int, end: int, starts: list[tuple[int, float]], steps: int
) -> list[tuple[int, int]]:
    """Starts of a decay to the planned end, near one that rounded rates give."""
    if abs(end - steps) > 0.05 * (end - start) + 2:
        return []
    slack = max(2, round(0.01 * (end - start)))
    near = [warmup for warmup, _ in starts if abs(warmup - start) <= 5 * slack]
    return [(k, steps) for k in dict.fromkeys([*near, *range(start - slack, start + slack + 1)])]


def _peaks(highest: float, rows_at_top: int, hints: Mapping[str, Any]) -> list[float]:
    """The peak is in the column if two rows have it; else a round number a little above."""
    # Rates such as 0.00030000000000000003 come from a product.
    peaks = [float(f"{highest:.12g}")]
    if rows_at_top == 1:
        if hints.get("peak_lr"):
            peaks.insert(0, float(hints["peak_lr"]))
        unit = 10.0 ** (math.floor(math.log10(highest)) - 1)
        first = math.ceil(highest / unit)
        peaks += [float(f"{k * unit:.3g}") for k in range(first, int(first * 1.3) + 2)]
    return list(dict.fromkeys(p for p in peaks if p >= highest * (1 - 1e-9)))


def _warmups(
    counter: Floats,
    rates: Floats,
    peak: float,
    steps: int,
    hints: Mapping[str, Any],
    rounded: bool,
) -> list[tuple[int, float]]:
    """Updates of warm-up and rate at their start."""
    if not len(rates):
        return [(warmup, 0.0) for warmup in warmups(hints, steps)]
    if len(rates) == 1:
        slope, init = rates[0] / max(counter[0], 1e-9), 0.0
    else:
        slope = (rates[-1] - rates[0]) / (counter[-1] - counter[0])
        init = rates[0] - slope * counter[0]
        init = 0.0 if abs(init) < 1e-6 * peak else float(f"{init:.9g}")
    if slope <= 0 or init < 0:
        return []
    if not rounded:
        return [(round((peak - init) / slope), init)]
    length = round(peak * counter[-1] / rates[-1])
    slack = max(1, round(0.02 * length))
    near = sorted(range(max(1, length - slack), length + slack + 1), key=_digits)
    # nanoGPT and llm.c warm up from the first step's share, not from 0.
    return [way for k in near for way in ((k, 0.0), (k - 1, peak / k))]


def _digits(number: int) -> int:
    return len(str(number).rstrip("0"))


def _floors(
    peak: float, counter: Floats, falling: Floats, steps: int, hints: Mapping[str, Any]
) -> list[float]:
    lowest = float(falling.min())
    given = [hints.get("min_lr"), hints.get("min_lr_ratio", -1.0) * peak]
    tried = [*given, 0.0, *(ratio * peak for ratio in _FLOOR_RATIOS), *_FLOORS]
    if lowest > 0:
        unit = 10.0 ** math.floor(math.log10(lowest))
        tried += [math.floor(lowest / part) * part for part in (unit, unit / 10)]
    # The last row of a run in flight is no floor.
    if counter[-1] >= steps - 1 or (falling <= lowest * (1 + 1e-9)).sum() > 1:
        tried.append(lowest)
    return list(
        dict.fromkeys(
            float(f"{floor:.12g}")
            for floor in tried
            if floor is not None and 0 <= floor <= lowest * (1 + 1e-9)
        )
    )


def _line(
    counter: Floats, rates: Floats, peak: float, floor: float, decay: str, steps: int
) -> tuple[int, int] | None:
    """Start and end of a decay, from the line that its rows are on."""
    if decay == "geometric" and floor <= 0:
        return None
    rest = (rates - floor) / (peak - floor) if peak > floor else np.zeros_like(rates)
    # The ends of a decay tell little: there, cosines are flat and floors reached.
    usable = np.flatnonzero((rest > 1e-9) & (rest < 1 - 1e-9))
    inner = usable[(rest[usable] > 0.02) & (rest[usable] < 0.98)]
    usable = inner if inner.size > 1 else usable
    if usable.size < 2:
        return None
    a, b = usable[0], usable[-1]
    p = _progress(np.array([rest[a], rest[b]]), np.array([rates[a], rates[b]]), peak, floor, decay)
    slope = (p[1] - p[0]) / (counter[b] - counter[a])
    if not np.isfinite(slope) or slope <= 0:
        return None
    start = float(counter[a] - p[0] / slope)
    end = start + 1.0 / slope
    # Two rows lie on any line: then the end must be the planned one.
    if end > 1e12 or (usable.size == 2 and abs(end - steps) > 0.5):
        return None
    return (round(start), round(end)) if start > -0.5 else None


def _progress(rest: Floats, rates: Floats, peak: float, floor: float, decay: str) -> Floats:
    """Progress through a decay at which it has some rest left: the inverse of its formula."""
    if decay == "linear":
        return 1.0 - rest
    if decay == "cosine":
        return np.arccos(2.0 * rest - 1.0) / np.pi
    if decay == "1-sqrt":
        return (1.0 - rest) ** 2
    if decay == "exponential":
        return 1.0 - np.log2(1.0 + rest)
    if decay == "geometric":
        return np.log(rates / peak) / math.log(floor / peak)
    return (peak / rates) ** 2 - 1.0
