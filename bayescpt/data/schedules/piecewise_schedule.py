"""A schedule of pieces, one after another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.schedules.arguments import check_count
from bayescpt.data.schedules.registry import register_schedule
from bayescpt.data.schedules.stages import decay
from bayescpt.errors import ScheduleError


@register_schedule
def piecewise(pieces: Sequence[tuple[int, str, float, float]]) -> NDArray[np.float64]:
    """Pieces, one after another.

    Parameters
    ----------
    pieces : sequence of (duration, shape, start, end)
        Duration in updates; shape, "constant" or a decay type of `warmup_stable_decay`; learning
        rate of the first update of the piece; learning rate of the update after the piece, as in
        every trainer's decay: a next piece that starts from it continues without a jump. A piece
        may rise.

    Returns
    -------
    Schedule
        Learning rates, shape (sum of durations,).

    Raises
    ------
    ScheduleError
        If an argument is out of range, or there is no piece.

    Examples
    --------
    >>> from bayescpt.data import schedules
    >>> pieces = [(2, "linear", 0.0, 2e-3), (2, "constant", 2e-3, 2e-3), (2, "linear", 2e-3, 0.0)]
    >>> schedules.piecewise(pieces).lr.tolist()
    [0.0, 0.001, 0.002, 0.002, 0.002, 0.001]
    """
    parts, total = [], 0
    for number, piece in enumerate(pieces, start=1):
        try:
            duration, shape, start, end = piece
        except (TypeError, ValueError):
            raise ScheduleError(
                f"piece {number} is {piece!r}; expected (duration, shape, start, end)"
            ) from None
        check_count("duration", duration, f"piece {number}: ")
        total += duration
        check_count("the sum of durations", total, f"piece {number}: ")
        if shape == "constant":
            if start != end:
                raise ScheduleError(
                    f"piece {number}: constant, but starts at {start} and ends at {end}"
                )
            shape = "linear"
        parts.append(decay(start, end, duration, shape))
    return np.concatenate(parts) if parts else np.empty(0)
