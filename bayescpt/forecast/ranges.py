"""Range of the fitted runs, and ways in which a plan leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.sizes import SAME_SIZE
from bayescpt.forecast.plan import Plan
from bayescpt.forecast.posterior import Draws
from bayescpt.laws.trajectory import Trajectory
from bayescpt.model.starts import FIRST_ROW

# A plan shorter than this fraction of the shortest fitted run is out of range.
MUCH_SHORTER = 0.5
# Ratios that differ by less are one: curricula logged as floats.
SAME_RATIO = 1e-9
# What of a recipe may leave the range.
DIMENSIONS = ("start", "peak LR", "replay", "length", "size")
# Not a range: steps of LR 0 at the end, which no fit tells of.
IDLE = "idle steps"


@dataclass(frozen=True)
class FittedRange:
    """Range spanned by the fitted runs of one phase.

    Attributes
    ----------
    peak_lr : (float, float)
        Lowest and highest peak LR.
    n_steps : (int, int)
        Shortest and longest run, up to their last losses.
    replay : (float, float)
        Lowest and highest replay ratio at any step.
    starts : tuple of str
        Start checkpoints; empty if irrelevant.
    n_params : (float, float), or None
        Smallest and largest model; None if none is known.
    curricula : bool
        Whether the replay ratio changes along a run.
    """

    peak_lr: tuple[float, float]
    n_steps: tuple[int, int]
    replay: tuple[float, float]
    starts: tuple[str, ...] = ()
    n_params: tuple[float, float] | None = None
    curricula: bool = True

    def outside(self, path: Trajectory) -> list[str]:
        """Describe where a trajectory leaves the range.

        Parameters
        ----------
        path : Trajectory
            Trajectory of a plan.

        Returns
        -------
        list of str
            One clause per finding; empty if it stays inside.
        """
        return [*self.outside_schedule(path), *self.outside_replay(path)]

    def outside_schedule(self, path: Trajectory) -> list[str]:
        """Describe where the schedule of a trajectory leaves the range.

        Parameters
        ----------
        path : Trajectory
            Trajectory of a plan.

        Returns
        -------
        list of str
            One clause per finding.
        """
        found = [*self._schedule_findings(path), *self._size_findings(path)]
        return [text for _, text in found]

    def outside_replay(self, path: Trajectory) -> list[str]:
        """Describe where the replay ratio of a trajectory leaves the range.

        Parameters
        ----------
        path : Trajectory
            Trajectory of a plan.

        Returns
        -------
        list of str
            One clause per finding; none for a run from scratch.
        """
        return [text for _, text in self._replay_findings(path)]

    def dimensions_outside(self, path: Trajectory) -> list[str]:
        """Name what of a recipe leaves the range.

        Parameters
        ----------
        path : Trajectory
            Trajectory of a plan.

        Returns
        -------
        list of str
            Of `DIMENSIONS`, in their order; empty if it stays inside.
        """
        parts = self._schedule_findings, self._size_findings, self._replay_findings
        found = {kind for part in parts for kind, _ in part(path)}
        return [kind for kind in DIMENSIONS if kind in found]

    def first_step_outside(self, path: Trajectory) -> int | None:
        """Return the first step at which a trajectory is outside the range.

        Parameters
        ----------
        path : Trajectory
            Trajectory of a plan.

        Returns
        -------
        int or None
            1 where its start checkpoint, its model size, a low peak LR or a short length put all of
            it outside; None where it stays inside (`outside` is then empty).
        """
        (lowest, highest), n = self.peak_lr, path.n_steps
        top = path.lr.max()
        new_model = (self.starts and path.start not in self.starts) or self._size_findings(path)
        if new_model or top < lowest * 0.999 or n < MUCH_SHORTER * self.n_steps[0]:
            return 1
        steps = []
        if top > highest * 1.001:
            steps.append(int(np.argmax(path.lr > highest * 1.001)) + 1)
        if n > self.n_steps[1]:
            steps.append(self.n_steps[1] + 1)
        if idle := _idle_steps(path):
            steps.append(n - idle + 1)
        if path.is_cpt:
            low, high = self.replay
            out = (path.replay < low - 1e-9) | (path.replay > high + 1e-9)
            if out.any():
                steps.append(int(np.argmax(out)) + 1)
            if not self.curricula and (change := first_change(path.replay)):
                steps.append(change)
        return min(steps, default=None)

    def _schedule_findings(self, path: Trajectory) -> list[tuple[str, str]]:
        """Dimension and clause of each finding about the schedule."""
        out = []
        top, (lowest, highest) = path.lr.max(), self.peak_lr
        away, bound = ("above", highest) if top > highest * 1.001 else ("below", lowest)
        if top > highest * 1.001 or top < lowest * 0.999:
            # In a study of several sizes LRs are factors of the peak of the plan's own base.
            unit, of = path.lr_unit, "" if path.lr_unit == 1.0 else " at the peak LR of its base"
            text = f"peak LR {top * unit:.3g} is {away} the fitted {bound * unit:.3g}{of}"
            out.append(("peak LR", text))
        if zero_tail := _idle_steps(path):
            text = (
                f"the last {zero_tail} steps have LR 0, where training stops but the "
                "annealing term may still change"
            )
            out.append((IDLE, text))
        n = path.n_steps
        if n > self.n_steps[1]:
            out.append(("length", f"{n} steps are more than the fitted {self.n_steps[1]}"))
        elif n < MUCH_SHORTER * self.n_steps[0]:
            out.append(("length", f"{n} steps are far fewer than the fitted {self.n_steps[0]}"))
        if self.starts and path.start not in self.starts:
            text = (
                f"no fitted run starts from checkpoint {path.start!r} (they start from "
                f"{', '.join(map(repr, self.starts))})"
            )
            out.append(("start", text))
        return out

    def _size_findings(self, path: Trajectory) -> list[tuple[str, str]]:
        """Dimension and clause of a finding about the model size."""
        size = path.n_params
        if self.n_params is None or size is None:
            return []
        smallest, largest = self.n_params
        if size > largest * (1.0 + SAME_SIZE):
            text = f"{size:,.6g} parameters are more than the fitted {largest:,.6g}"
        elif size < smallest * (1.0 - SAME_SIZE):
            text = f"{size:,.6g} parameters are fewer than the fitted {smallest:,.6g}"
        else:
            return []
        return [("size", text)]

    def _replay_findings(self, path: Trajectory) -> list[tuple[str, str]]:
        """Dimension and clause of each finding about the replay ratio."""
        if not path.is_cpt:
            return []
        out = []
        # A constant ratio is one number in memory, broadcast over all steps.
        ratios = path.replay[:1] if path.replay.strides == (0,) else path.replay
        lowest, highest = ratios.min(), ratios.max()
        low, high = self.replay
        if lowest < low - 1e-9:
            out.append(("replay", f"replay ratio {lowest:g} is below the fitted {low:g}"))
        if highest > high + 1e-9:
            out.append(("replay", f"replay ratio {highest:g} is above the fitted {high:g}"))
        if not self.curricula and first_change(ratios):
            out.append(("replay", "the replay ratio changes along it, and along no fitted run"))
        return out


def first_change(replay: NDArray[np.float64]) -> int | None:
    """Return the first step whose replay ratio is another than that before.

    Parameters
    ----------
    replay : ndarray, shape (n_steps,)
        Replay ratio of each update.

    Returns
    -------
    int or None
        From 2; None for a constant ratio.

    Examples
    --------
    >>> first_change(np.array([0.1, 0.1, 0.5])), first_change(np.array([0.1, 0.1]))
    (3, None)
    """
    if replay.strides == (0,):
        return None
    changes = np.flatnonzero(np.abs(np.diff(replay)) > SAME_RATIO)
    return int(changes[0]) + 2 if changes.size else None


def _idle_steps(path: Trajectory) -> int:
    """Number of steps of LR 0 at the end; 0 where they are too few to matter."""
    tail = int(np.argmax(path.lr[::-1] > 0)) if path.lr.max() > 0 else path.n_steps
    return tail if tail > max(1, path.n_steps // 100) else 0


def range_of(paths: Sequence[Trajectory]) -> FittedRange:
    """Range spanned by some trajectories of one phase.

    Parameters
    ----------
    paths : sequence of Trajectory
        At least one.

    Returns
    -------
    FittedRange
    """
    peaks = [float(path.lr.max()) for path in paths]
    lengths = [path.n_steps for path in paths]
    ratios = [float(at) for path in paths for at in (path.replay.min(), path.replay.max())]
    sizes = [path.n_params for path in paths if path.n_params is not None]
    return FittedRange(
        peak_lr=(min(peaks), max(peaks)),
        n_steps=(min(lengths), max(lengths)),
        replay=(min(ratios), max(ratios)),
        starts=tuple(dict.fromkeys(str(path.start) for path in paths if path.is_cpt)),
        n_params=(min(sizes), max(sizes)) if sizes else None,
        curricula=any(first_change(path.replay) for path in paths),
    )


def fitted_ranges(draws: Draws) -> dict[str, FittedRange]:
    """Range of the fitted runs by phase, each up to its last loss.

    Parameters
    ----------
    draws : Draws
        Posterior with the fitted study.

    Returns
    -------
    dict of str to FittedRange
        Keys ``pt`` and ``cpt``, for the phases with fitted runs.
    """
    paths = list(draws.observed.values())
    phases = dict.fromkeys(path.phase for path in paths)
    return {phase: range_of([path for path in paths if path.phase == phase]) for phase in phases}


def steps_outside(
    draws: Draws, plans: Sequence[Plan], paths: Sequence[Trajectory]
) -> dict[str, int]:
    """First step at which each plan is outside the range of the fitted runs.

    Parameters
    ----------
    draws : Draws
        Posterior with the fitted study.
    plans : sequence of Plan
        Recipes.
    paths : sequence of Trajectory
        Their trajectories.

    Returns
    -------
    dict of str to int
        By name of the plan; those that stay inside are left out.
    """
    ranges = fitted_ranges(draws)
    first = {
        plan.name: ranges[path.phase].first_step_outside(path) if path.phase in ranges else 1
        for plan, path in zip(plans, paths, strict=True)
    }
    return {name: step for name, step in first.items() if step is not None}


def range_warnings(draws: Draws, plans: Sequence[Plan], paths: Sequence[Trajectory]) -> list[str]:
    """Warn about recipes outside the fitted range and start losses that were not measured.

    Parameters
    ----------
    draws : Draws
        Posterior with the fitted study.
    plans : sequence of Plan
        Recipes.
    paths : sequence of Trajectory
        Their trajectories.

    Returns
    -------
    list of str
        One sentence per finding; empty if all plans stay inside.
    """
    ranges = fitted_ranges(draws)
    warnings = []
    for plan, path in zip(plans, paths, strict=True):
        if path.phase not in ranges:
            warnings.append(f"plan {plan.name!r}: no fitted run has its phase ({path.phase})")
            continue
        warnings += [
            f"plan {plan.name!r}: {text}; the forecast extrapolates"
            for text in ranges[path.phase].outside(path)
        ]
        warnings += [f"plan {plan.name!r}: {text}" for text in identity_notes(draws, path)]
    return warnings


def identity_notes(draws: Draws, path: Trajectory) -> list[str]:
    """Describe where a plan differs from the run it names, or its start or target is not known.

    Parameters
    ----------
    draws : Draws
        Posterior with the fitted study.
    path : Trajectory
        Trajectory of a plan.

    Returns
    -------
    list of str
        One clause per finding.
    """
    out = []
    if path.run in draws.trajectories and not draws.is_fitted(path):
        out.append(
            f"its recipe differs from that of the fitted run {path.run!r}; forecast as a new run"
        )
    named = path.branch_step and path.branch_of in draws.trajectories
    if named and not draws.trunk_steps(path):
        out.append(
            f"its first {path.branch_step} steps differ from those of {path.branch_of!r}; the "
            "effects of that run are not used"
        )
    trained = {one.target for one in draws.observed.values() if one.is_cpt}
    if path.is_cpt and draws.card.law.pooled and path.target not in trained:
        out.append(
            f"no fitted run trains on {path.target!r}: its parameters are drawn from the "
            f"population of the {len(trained)} targets with runs"
        )
    if path.start in draws.labels.checkpoint:
        source = draws.rows.start["source"]
        out += [
            f"the loss of its start checkpoint on {domain!r} was not measured; its level is "
            "estimated from the runs that start there"
            for domain in draws.labels.domain
            if source[draws.labels.place("level", domain, None, path.start)] == FIRST_ROW
        ]
    return out
