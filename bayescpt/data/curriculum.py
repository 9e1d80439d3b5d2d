"""Replay ratios that change along a run, from pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.errors import StudyError


def curriculum(pieces: Sequence[Sequence[float]], n_steps: int) -> NDArray[np.float64]:
    """Replay ratio of each update, from pieces in which it is constant.

    Parameters
    ----------
    pieces : sequence of (step, ratio)
        ``[(0, 0.1), (5000, 0.5)]``: 0.1 from the start, 0.5 from step 5000 on, which is after 5000
        updates. Steps are whole numbers that increase from 0.
    n_steps : int
        Number of updates.

    Returns
    -------
    ndarray, shape (n_steps,)
        Replay ratios.

    Raises
    ------
    StudyError
        If there is no piece, the first does not start at step 0, steps do not increase or lie past
        the end, or a ratio is outside 0..1.

    Examples
    --------
    >>> import bayescpt as bc
    >>> bc.curriculum([(0, 0.1), (3, 0.5)], 5).tolist()
    [0.1, 0.1, 0.1, 0.5, 0.5]
    """
    example = "such as [[0, 0.1], [5000, 0.5]]"
    if not is_pieces(pieces):
        raise StudyError(f"replay_ratio is {pieces!r}; expected pieces (step, ratio), {example}")
    out = np.empty(n_steps)
    last = -1
    for step, ratio in pieces:
        if step % 1 != 0 or step <= last or (last < 0 and step != 0):
            raise StudyError(
                f"replay_ratio has a piece from step {step:g}; expected whole steps that increase "
                f"from 0, {example}"
            )
        if step >= n_steps:
            raise StudyError(
                f"replay_ratio has a piece from step {step:g}, past the end of the run at step "
                f"{n_steps}"
            )
        if not 0 <= ratio <= 1:
            hint = f": looks like a percentage; write {ratio / 100:g}" if 1 < ratio <= 100 else ""
            raise StudyError(f"replay_ratio is {ratio:g} from step {step:g}; expected 0 to 1{hint}")
        last = int(step)
        out[last:] = ratio
    return out


def is_pieces(value: Any) -> bool:
    """Whether a value is a sequence of pairs of numbers.

    Parameters
    ----------
    value : object
        Any value.

    Returns
    -------
    bool

    Examples
    --------
    >>> from bayescpt.data.curriculum import is_pieces
    >>> is_pieces([[0, 0.1], [5000, 0.5]]), is_pieces([0.1, 0.5])
    (True, False)
    """
    if not _is_sequence(value) or not len(value):
        return False
    pairs = [_is_sequence(piece) and len(piece) == 2 for piece in value]
    numbers = (int, float, np.number)
    return all(pairs) and all(
        isinstance(x, numbers) and not isinstance(x, bool) for piece in value for x in piece
    )


def _is_sequence(value: Any) -> bool:
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)
