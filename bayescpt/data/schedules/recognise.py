"""Constructor and arguments of a schedule of which only the learning rates are known."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescpt.data.schedules.registry import from_name
from bayescpt.data.schedules.stages import DECAY_TYPES, decay
from bayescpt.errors import ScheduleError

Array = NDArray[np.float64]

# Learning rates that agree to this share of the peak are the same.
TOLERANCE = 2e-3
# Digits of the learning rates among the arguments: the fewest that give the schedule.
DIGITS = (3, 6)


def recognise(lr: ArrayLike, tolerance: float = TOLERANCE) -> tuple[str, dict[str, Any]] | None:
    """Find the constructor of a schedule and its arguments.

    Parameters
    ----------
    lr : array_like, shape (n_steps,)
        Learning rate of each update.
    tolerance : float
        Largest difference, as a share of the peak.

    Returns
    -------
    (str, dict) or None
        Name and arguments for `bayescpt.schedules.from_name`: a linear warm-up, a constant stage
        and a decay, each of which may be missing; else pieces between which the learning rate is
        linear. None if it is neither.

    Examples
    --------
    >>> from bayescpt.data import schedules
    >>> lr = schedules.wsd(2e-3, 1000, num_warmup_steps=30, num_decay_steps=200).lr
    >>> name, arguments = recognise(lr)
    >>> name, arguments["num_warmup_steps"], arguments["num_decay_steps"]
    ('wsd', 30, 200)
    """
    rates = np.asarray(lr, dtype=np.float64)
    candidates = (*_stages(rates, tolerance), *_pieces(rates, tolerance))
    for name, exact in candidates:
        for digits in DIGITS:
            arguments = {key: _rounded(value, digits) for key, value in exact.items()}
            try:
                made = from_name(name, **arguments).lr
            except ScheduleError:
                continue
            if np.allclose(made, rates, rtol=0.0, atol=tolerance * rates.max()):
                return name, arguments
    return None


def _stages(rates: Array, tolerance: float) -> list[tuple[str, dict[str, Any]]]:
    """Schedules of warm-up, constant stage and decay that it may be."""
    peak, n = float(rates.max()), rates.size
    at_peak = np.flatnonzero(rates >= peak * (1.0 - 1e-9))
    top, last = int(at_peak[0]), int(at_peak[-1])
    common = {"lr": peak, "num_training_steps": n}
    warmup: dict[str, Any] = {"num_warmup_steps": top} if top else {}
    if top and rates[0] > tolerance * peak:
        warmup["warmup_init_lr"] = float(rates[0])
    if last == n - 1:
        return [("constant_with_warmup" if top else "constant", {**common, **warmup})]
    # The decay starts at the last update at the peak; equal rates at the end are past it.
    tail = rates[last:]
    rest = int(np.argmax(tail[::-1] > tail[-1] + 1e-9 * peak))
    found = []
    for length in dict.fromkeys((tail.size, tail.size - rest)):
        for shape in DECAY_TYPES:
            end = float(tail[-1]) if length < tail.size else _end(tail, shape)
            if not (length > 1 and np.isfinite(end) and -tolerance * peak <= end < peak):
                continue
            end = 0.0 if abs(end) < tolerance * peak else end
            floor = {"min_lr": end} if end else {}
            kind: dict[str, Any] = {"num_decay_steps": length, **floor}
            if last == top and shape in ("linear", "cosine"):
                whole = {} if length == tail.size else {"num_decay_steps": length}
                found.append((shape, {**common, **warmup, **whole, **floor}))
            else:
                typed: dict[str, Any] = {} if shape == "linear" else {"decay_type": shape}
                if length < tail.size:
                    typed["num_stable_steps"] = last - top
                found.append(("wsd", {**common, **warmup, **kind, **typed}))
    return found


def _end(tail: Array, shape: str) -> float:
    """Learning rate that a decay of a shape reaches one update after its last."""
    peak, last = float(tail[0]), float(tail[-1])
    if shape == "geometric":
        return peak * (last / peak) ** (tail.size / (tail.size - 1)) if last > 0 else np.nan
    left = float(decay(1.0, 0.0, tail.size, shape)[-1])
    return (last - peak * left) / (1.0 - left) if left < 1.0 else np.nan


def _pieces(rates: Array, tolerance: float) -> list[tuple[str, dict[str, Any]]]:
    """Pieces between which it is linear; at most 20."""
    knots = [0, rates.size - 1]
    while len(knots) <= 20:
        between = np.interp(np.arange(rates.size), knots, rates[knots])
        off = np.abs(between - rates)
        if off.max() <= tolerance * rates.max():
            break
        knots = sorted({*knots, int(off.argmax())})
    else:
        return []
    rows: list[list[Any]] = []
    for first, last in pairwise(knots):
        start, end = float(rates[first]), float(rates[last])
        rows.append([last - first, "constant" if start == end else "linear", start, end])
    # The last update itself.
    final = float(rates[-1])
    return [("piecewise", {"pieces": [*rows, [1, "constant", final, final]]})]


def _rounded(value: Any, digits: int) -> Any:
    """Learning rates with so many digits; all else unchanged."""
    if isinstance(value, list):
        return [_rounded(item, digits) for item in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value
