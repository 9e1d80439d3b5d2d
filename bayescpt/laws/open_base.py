"""Open bases: start checkpoints whose pre-training schedule is not known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from bayescpt.laws.trajectory import Trajectory

# Forward area of pre-training over that of the median pilot, where nothing is known of the base:
# pilots of 4% of its tokens at its LR. The 90% interval is 4 to 150: pilots of a quarter of the
# pre-training are rare, and NUTS needs small steps in that tail. Far above, the base term
# stands still, whatever the area.
AREA_RATIO = 25.0
AREA_SD = 1.1
# Of fits saved before these were changed.
OLD_RATIO, OLD_SD = 20.0, 1.3
# Where the tokens of pre-training are known: its mean LR over the pilots', which mostly start at
# half the peak of the base or below.
LR_RATIO = 2.0
TOKENS_SD = 0.7
# Where only the model size is known: tokens per parameter of open models, 20 (compute-optimal) to
# 2,000 (Llama 3 8B).
TOKENS_PER_PARAMETER = 200.0
SIZE_SD = 1.5


class OpenArea(NamedTuple):
    """Prior of the forward area of an open base.

    Attributes
    ----------
    center : float
        Median, LR x steps.
    sd : float
        Standard deviation of its logarithm.

    Examples
    --------
    >>> OpenArea(6.0, 1.3).center
    6.0
    """

    center: float
    sd: float


def open_area(
    trajectory: Trajectory,
    shift_area: float,
    mean_lr: float,
    unknown: tuple[float, float] = (AREA_RATIO, AREA_SD),
) -> OpenArea:
    """Prior of the forward area that an open base had spent.

    Parameters
    ----------
    trajectory : Trajectory
        A run from the base.
    shift_area : float
        Forward area of the median pilot, LR x steps.
    mean_lr : float
        Mean LR of the pilots.
    unknown : tuple of float
        Where nothing is known of the base: median over `shift_area`, and standard deviation of the
        logarithm.

    Returns
    -------
    OpenArea

    Examples
    --------
    >>> from bayescpt.laws.trajectory import Trajectory
    >>> lr = np.full(10, 1e-3)
    >>> path = Trajectory("run", "cpt", lr, np.zeros(10), "base", 0.0, (), None, "code")
    >>> open_area(path, 0.01, 1e-3).center
    0.25
    """
    updates = trajectory.open_updates
    if updates is None:
        ratio, sd = unknown
        return OpenArea(ratio * shift_area, sd)
    sd = TOKENS_SD if trajectory.open_tokens_known else SIZE_SD
    return OpenArea(LR_RATIO * mean_lr * updates, sd)


def expected_start_area(fitted: Sequence[Trajectory], shift_area: float) -> float:
    """Largest forward area of a start checkpoint, of an open base as expected.

    Parameters
    ----------
    fitted : sequence of Trajectory
        Continual pre-training runs.
    shift_area : float
        Forward area of the median run, LR x steps.

    Returns
    -------
    float
        LR x steps.
    """
    mean_lr = pilot_lr(fitted)
    return max(
        path.start_area + (open_area(path, shift_area, mean_lr).center if path.is_open else 0.0)
        for path in fitted
    )


def pilot_lr(fitted: Sequence[Trajectory]) -> float:
    """Return the median of the runs' mean LRs."""
    return float(np.median([path.lr.mean() for path in fitted]))
