"""What an explorer of a fit may set: choices and the values of its sliders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayescpt.errors import PlanError
from bayescpt.forecast import Draws
from bayescpt.forecast.ranges import FittedRange, fitted_ranges

# Constructors of `bayescpt.schedules`, as a link names them, with what a person reads.
FAMILIES = {
    "wsd": "warm-up, stable, decay (WSD)",
    "cosine": "cosine",
    "linear": "linear",
    "constant_with_warmup": "constant",
}
# Those whose learning rate comes down, to a share of the peak.
FALLING = ("wsd", "cosine", "linear")
# How far sliders go beyond the pilots: as far as a forecast can be read with its warnings.
BEYOND_LR, SHORTEST, LONGEST = 4.0, 0.25, 10.0
PEAKS, LENGTHS = 41, 49
SHARES = tuple(round(k / 100, 2) for k in range(5, 101, 5))
FLOORS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
RATIOS = tuple(round(k / 100, 2) for k in range(101))


@dataclass(frozen=True)
class Controls:
    """Values that an explorer offers.

    Attributes
    ----------
    peaks : tuple of float
        Peak LRs, evenly spaced in the logarithm, with those of the pilots' range.
    lengths : tuple of int
        Numbers of steps, likewise.
    ratios : tuple of float
        Replay ratios; empty where the law has none.
    starts, domains : tuple of str
        Start checkpoints that fitted runs start from, and targets; empty for pre-training.
    goals : tuple of str
        Domains that a goal may be about.
    warmup : float
        Share of the warm-up in the steps: that of the middle pilot.
    fitted : FittedRange
        Range of the pilots.
    """

    peaks: tuple[float, ...]
    lengths: tuple[int, ...]
    ratios: tuple[float, ...]
    starts: tuple[str, ...]
    domains: tuple[str, ...]
    goals: tuple[str, ...]
    warmup: float
    fitted: FittedRange

    @classmethod
    def of(cls, draws: Draws) -> Controls:
        """Controls for the draws of a fit.

        Parameters
        ----------
        draws : Draws
            Posterior with the fitted study.

        Returns
        -------
        Controls

        Raises
        ------
        PlanError
            If nothing was fitted that a recipe could be compared with.
        """
        ranges = fitted_ranges(draws)
        phase = "cpt" if "cpt" in ranges else "pt"
        if phase not in ranges:
            raise PlanError("the fit has no run with learning rates, so there is nothing to vary")
        fitted = ranges[phase]
        lrs = [path.lr for path in draws.observed.values() if path.phase == phase]
        rises = [float(np.argmax(lr >= lr.max() * (1 - 1e-9))) / lr.size for lr in lrs]
        # A run whose LR rises to the end has no warm-up in this sense.
        known = [rise for rise in rises if rise < 0.5] or [0.02]
        continual = phase == "cpt"
        return cls(
            peaks=_spread(fitted.peak_lr, 1 / BEYOND_LR, BEYOND_LR, PEAKS),
            lengths=_lengths(fitted.n_steps),
            ratios=RATIOS if continual and draws.card.law.needs_replay else (),
            starts=fitted.starts,
            domains=tuple(draws.study.targets) if continual else (),
            goals=draws.domains,
            warmup=float(np.median(known)),
            fitted=fitted,
        )


def _spread(
    ends: tuple[float, float], below: float, above: float, points: int
) -> tuple[float, ...]:
    """Values of three digits from below a range to above it, with both ends of the range."""
    grid = np.geomspace(ends[0] * below, ends[1] * above, points)
    return tuple(sorted({float(f"{value:.3g}") for value in (*grid, *ends)}))


def _lengths(ends: tuple[int, int]) -> tuple[int, ...]:
    """Numbers of steps, as `_spread`; the ends of the range are the pilots' own."""
    near = {float(f"{end:.3g}") for end in ends} - {float(end) for end in ends}
    spread = {value for value in _spread(ends, SHORTEST, LONGEST, LENGTHS) if value not in near}
    return tuple(sorted({max(round(value), 2) for value in spread} | {*ends}))
