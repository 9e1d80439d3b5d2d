"""Range of what was fitted, and where a plan leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayescpt.forecast.plan import Plan
from bayescpt.forecast.posterior import Draws
from bayescpt.laws.features import Path, run_path


@dataclass(frozen=True)
class FittedRange:
    """What the fitted runs of one phase span.

    Attributes
    ----------
    peak_lr : (float, float)
        Lowest and highest peak LR.
    n_steps : (int, int)
        Shortest and longest run.
    replay : (float, float)
        Lowest and highest replay ratio at any step.
    """

    peak_lr: tuple[float, float]
    n_steps: tuple[int, int]
    replay: tuple[float, float]

    def outside(self, path: Path) -> list[str]:
        """Say where a path leaves the range.

        Parameters
        ----------
        path : Path
            Path of a plan.

        Returns
        -------
        list of str
            One clause a finding; empty if it stays inside.
        """
        return [*self.outside_schedule(path), *self.outside_replay(path)]

    def outside_schedule(self, path: Path) -> list[str]:
        """Say where the schedule of a path leaves the range.

        Parameters
        ----------
        path : Path
            Path of a plan.

        Returns
        -------
        list of str
            One clause a finding.
        """
        out = []
        top, (lowest, highest) = path.lr.max(), self.peak_lr
        if top > highest * 1.001:
            out.append(f"peak LR {top:.3g} is above the fitted {highest:.3g}")
        elif top < lowest * 0.999:
            out.append(f"peak LR {top:.3g} is below the fitted {lowest:.3g}")
        zero_tail = int(np.argmax(path.lr[::-1] > 0)) if top > 0 else path.n_steps
        if zero_tail > max(1, path.n_steps // 100):
            out.append(
                f"the last {zero_tail} steps have LR 0, where training stands still but the "
                "annealing term may not"
            )
        if path.n_steps > self.n_steps[1]:
            out.append(f"{path.n_steps} steps are more than the fitted {self.n_steps[1]}")
        return out

    def outside_replay(self, path: Path) -> list[str]:
        """Say where the replay ratio of a path leaves the range.

        Parameters
        ----------
        path : Path
            Path of a plan.

        Returns
        -------
        list of str
            One clause a finding; none for a run from scratch.
        """
        if path.phase != "cpt":
            return []
        out = []
        # One ratio is one number in memory, however many steps it is for.
        seen = path.replay[:1] if path.replay.strides == (0,) else path.replay
        lowest, highest = seen.min(), seen.max()
        low, high = self.replay
        if lowest < low - 1e-9:
            out.append(f"replay ratio {lowest:g} is below the fitted {low:g}")
        if highest > high + 1e-9:
            out.append(f"replay ratio {highest:g} is above the fitted {high:g}")
        return out


def fitted_ranges(draws: Draws) -> dict[str, FittedRange]:
    """Range of the fitted runs by phase.

    Parameters
    ----------
    draws : Draws
        Posterior with the fitted study.

    Returns
    -------
    dict of str to FittedRange
        ``pt`` and ``cpt``, those of which a run was fitted.
    """
    paths = [run_path(draws.study, name) for name in draws.labels.run]
    ranges = {}
    for phase in dict.fromkeys(path.phase for path in paths):
        alike = [path for path in paths if path.phase == phase]
        peaks = [float(path.lr.max()) for path in alike]
        lengths = [path.n_steps for path in alike]
        ratios = [float(at) for path in alike for at in (path.replay.min(), path.replay.max())]
        ranges[phase] = FittedRange(
            peak_lr=(min(peaks), max(peaks)),
            n_steps=(min(lengths), max(lengths)),
            replay=(min(ratios), max(ratios)),
        )
    return ranges


def range_warnings(draws: Draws, plans: Sequence[Plan], paths: Sequence[Path]) -> list[str]:
    """Say where a plan's LR, replay ratio or length was never seen.

    Parameters
    ----------
    draws : Draws
        Posterior with the fitted study.
    plans : sequence of Plan
        Recipes.
    paths : sequence of Path
        Their paths.

    Returns
    -------
    list of str
        One sentence a finding; empty if all plans stay inside.
    """
    ranges = fitted_ranges(draws)
    found = []
    for plan, path in zip(plans, paths, strict=True):
        if path.phase not in ranges:
            found.append(f"plan {plan.name!r}: no fitted run is of its phase ({path.phase})")
            continue
        found += [
            f"plan {plan.name!r}: {text}; the forecast extrapolates"
            for text in ranges[path.phase].outside(path)
        ]
    return found
