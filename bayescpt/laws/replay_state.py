"""Replay ratio that the weights remember: the state that a curriculum leaves along a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Fading of what was trained on, (1 + ONSET x)^-BETA after an area of x reference areas: the shift's
# growth at the medians of its priors. Pilots with a constant ratio cannot identify it.
ONSET = 55.0
BETA = 0.34
# On its target a run forgets more slowly, and steps count as LR^.6, as they do in learning. The
# mean is of fourth roots of the target's share: what is learnt from a share is a low power of it.
# Chosen on eight curricula of `variant_curricula`, whose target losses are then those of the
# constant ratio so remembered to .02 of ratio (root mean square); as on other sets it was .09.
TARGET_ONSET = 5.0
TARGET_EXPONENT = 0.6
ROOT = 0.25
# Number of (change, step) pairs computed at a time.
BLOCK = 2**20


def remembered_on_target(replay: Array, area: Array, steps: NDArray[np.int64]) -> Array:
    """Replay ratio that a run's own target remembers.

    As `remembered_replay`, but of the fourth root of the target's share, 1 - r, and with a memory
    that fades more slowly: the target learns from its own tokens, early ones too, and loses while
    there are few. Replay that comes late costs it less than the general set gains.

    Parameters
    ----------
    replay : ndarray, shape (n_steps,)
        Replay ratio of each update.
    area : ndarray, shape (n_steps + 1,)
        Sum of LR^.6 at steps 0..n_steps, over that of the reference area at the reference peak.
    steps : ndarray of int, shape (n,)
        Steps, 0..n_steps.

    Returns
    -------
    ndarray, shape (n,)
        Within the range of the ratios so far; at step 0 the first ratio.

    Examples
    --------
    >>> area, steps = np.linspace(0.0, 1.0, 101), np.array([100])
    >>> rising = np.repeat([0.0, 0.5], 50)
    >>> remembered_on_target(rising, area, steps) < remembered_replay(rising, area, steps)
    array([ True])
    """
    first = np.full(steps.size, float(replay[0]))
    changes = np.flatnonzero(np.diff(replay)) if replay.strides != (0,) else np.empty(0, int)
    if not changes.size:
        return first
    share = remembered_replay((1.0 - replay) ** ROOT, area, steps, TARGET_ONSET)
    found = 1.0 - np.clip(share, 0.0, 1.0) ** (1.0 / ROOT)
    # Free of rounding up to the first change.
    return np.where(steps <= changes[0] + 1, first, found)


def remembered_replay(
    replay: Array, area: Array, steps: NDArray[np.int64], onset: float = ONSET
) -> Array:
    """Mean replay ratio of the updates so far, the recent ones counting more.

    What was trained on when matters: on a small model (English to French, 1,000 steps) replay that
    rises from 0 to .5 ends at 3.88 general / 2.72 target nats, falling from .5 to 0 at 4.12 / 2.62,
    a constant .25 at 3.95 / 2.67. With ``f(x) = (1 + E x)^-beta`` left of an update after an area
    of x, the ratio that is remembered at area s is

    ``sum_k (r_k - r_{k-1}) (1 - f(s - s_k)) / (1 - f(s))``

    over the changes k of the ratio, r_0 from the start: the mixture's share in a memory that fades
    as f (`bayescpt.laws.terms.shift_memory`), without what came before the run. A constant ratio is
    remembered as itself.

    Parameters
    ----------
    replay : ndarray, shape (n_steps,)
        Replay ratio of each update.
    area : ndarray, shape (n_steps + 1,)
        Forward area of the run at steps 0..n_steps, over the reference area.
    steps : ndarray of int, shape (n,)
        Steps, 0..n_steps.
    onset : float
        E.

    Returns
    -------
    ndarray, shape (n,)
        Within the range of the ratios so far; at step 0 the first ratio.

    Examples
    --------
    >>> area = np.linspace(0.0, 1.0, 101)
    >>> rising, falling = np.repeat([0.0, 0.5], 50), np.repeat([0.5, 0.0], 50)
    >>> [remembered_replay(r, area, np.array([100])).item() > 0.25 for r in (rising, falling)]
    [True, False]
    """
    remembered = np.full(steps.size, float(replay[0]))
    if replay.strides == (0,):
        return remembered
    changes = np.flatnonzero(np.diff(replay)) + 1
    if not changes.size:
        return remembered
    size = np.diff(replay)[changes - 1]
    here = area[steps]
    whole = _formed(here, onset)
    for low in range(0, changes.size, max(1, BLOCK // max(steps.size, 1))):
        part = slice(low, low + max(1, BLOCK // max(steps.size, 1)))
        since = here[:, None] - area[changes[part]][None, :]
        # A change takes effect from the next update on.
        reached = np.where(
            steps[:, None] > changes[part], _formed(np.maximum(since, 0.0), onset), 0.0
        )
        gained = reached @ size[part]
        remembered += np.divide(gained, whole, out=np.zeros_like(gained), where=whole > 0)
    return remembered


def _formed(area: Array, onset: float) -> Array:
    """Part of a memory that an area forms, 1 - f."""
    return -np.expm1(-BETA * np.log1p(onset * area))
