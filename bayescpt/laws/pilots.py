"""Pilot runs that would tell what the others leave open: each is one of them with one change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.areas import warmup_steps
from bayescpt.laws.trajectory import Trajectory

Array = NDArray[np.float64]

# Replay ratios to choose from: the farthest from all pilots'.
RATIOS = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75)
# Peaks over that of a pilot, the first that is new: a lower one cannot diverge.
PEAKS = (0.5, 0.25, 2.0, 0.125)
# Shares of a run over which the LR decays.
DECAYS = (0.2, 0.5, 0.1, 0.05)
# An LR that ends below this share of its peak has decayed.
DECAYED = 0.7
# As many evaluations in the first tenth of a run show its start.
OFTEN = 8
# Two square roots of a replay ratio, or two logs of a peak or a decay, this close are the same.
SAME = 0.05
# Logs of base 2 of two peaks that are as far apart as a new pilot should be.
NEW_PEAK = 0.8


@dataclass(frozen=True)
class Pilots:
    """The runs of a study that a new pilot would join.

    Attributes
    ----------
    runs : tuple of Trajectory
        Fitted runs of the phase that the card is about, as planned.
    ends : Mapping of str to float
        Last LR of the runs whose end checkpoint a pilot could start from.
    early : Mapping of str to int
        Number of evaluations in the first tenth of each run.
    models : Mapping of str to (float or None, float)
        Model size, and unit of the LRs, of the runs of `ends`.
    """

    runs: tuple[Trajectory, ...]
    ends: Mapping[str, float] = field(default_factory=dict)
    early: Mapping[str, int] = field(default_factory=dict)
    models: Mapping[str, tuple[float | None, float]] = field(default_factory=dict)

    @property
    def typical(self) -> Trajectory:
        """The run that shares its start and LR with the most others; the first of equals."""
        recipes = [(run.start, run.lr.tobytes()) for run in self.runs]
        counts = Counter(recipes)
        return self.runs[max(range(len(recipes)), key=lambda k: counts[recipes[k]])]


@dataclass(frozen=True)
class Proposal:
    """A pilot run to add.

    Attributes
    ----------
    kind : str
        What to add, such as "add a run at another replay ratio".
    like : str
        Run that it repeats but for one change.
    change : str
        The change, such as "replay ratio 0.05 in place of 0.25".
    path : Trajectory
        Its recipe. Of a start checkpoint only the name counts.
    """

    kind: str
    like: str
    change: str
    path: Trajectory


# Gives a proposal, or None where the pilots leave no such run to add.
Change = Callable[[Pilots], Proposal | None]


def another_replay(pilots: Pilots) -> Proposal | None:
    """Propose the replay ratio that is farthest from all that were tried.

    Parameters
    ----------
    pilots : Pilots
        The runs there are.

    Returns
    -------
    Proposal or None

    Examples
    --------
    >>> lr = np.full(100, 1e-3)
    >>> run = Trajectory("a", "cpt", lr, np.full(100, 0.25), "base", 0.1, (), 1e-3, "german")
    >>> found = another_replay(Pilots((run,)))
    >>> found.kind, found.change
    ('add a run at another replay ratio', 'replay ratio 0 in place of 0.25')
    """
    like = pilots.typical
    if not like.is_cpt:
        return None
    tried = np.sqrt([float(run.replay.mean()) for run in pilots.runs])
    ratio, away = _farthest(RATIOS, np.sqrt(RATIOS), tried)
    if away < SAME:
        return None
    replay = np.broadcast_to(ratio, like.lr.shape)
    old = float(like.replay.mean())
    return Proposal(
        "add a run at another replay ratio",
        like.name,
        f"replay ratio {ratio:g} in place of {old:g}",
        _new(like, f"replay{ratio:g}", replay=replay),
    )


def another_peak(pilots: Pilots) -> Proposal | None:
    """Propose a peak LR that was not tried.

    Parameters
    ----------
    pilots : Pilots
        The runs there are.

    Returns
    -------
    Proposal or None
    """
    like = pilots.typical
    peak = float(like.lr.max())
    shown = peak * like.lr_unit
    tried = np.log2([float(run.lr.max()) / peak for run in pilots.runs])
    factor = next((f for f in PEAKS if np.abs(np.log2(f) - tried).min() > NEW_PEAK), None)
    if factor is None:
        return None
    return Proposal(
        "add a run at another peak LR",
        like.name,
        f"peak LR {factor * shown:.3g} in place of {shown:.3g}",
        _new(like, f"peak{factor * shown:.3g}", lr=factor * like.lr),
    )


def another_start(pilots: Pilots) -> Proposal | None:
    """Propose a start checkpoint of another LR, so that the LR rises by another amount.

    Parameters
    ----------
    pilots : Pilots
        The runs there are.

    Returns
    -------
    Proposal or None
        None where there is one base only.
    """
    like = pilots.typical
    peak = float(like.lr.max())
    here = pilots.ends.get(str(like.start), like.start_lr or 0.0)
    used = {run.start for run in pilots.runs if np.array_equal(run.lr, like.lr)}
    others = {
        name: abs(end - here) / peak
        for name, end in pilots.ends.items()
        if name not in used
        and abs(end - here) > SAME * peak
        and pilots.models.get(name, (like.n_params, 1.0))[0] == like.n_params
    }
    if not like.is_cpt or not others:
        return None
    start = max(others, key=lambda name: others[name])
    return Proposal(
        "add a run from another start checkpoint",
        like.name,
        f"start {start!r} in place of {like.start!r}",
        _new(like, f"from_{start}", start=start, start_lr=pilots.ends[start]),
    )


def another_size(pilots: Pilots) -> Proposal | None:
    """Propose a run on a model of another size, at the same factor of its base's peak LR.

    Parameters
    ----------
    pilots : Pilots
        The runs there are.

    Returns
    -------
    Proposal or None
        On the size of which there are the fewest runs; None where there is one size only.
    """
    like = pilots.typical
    counts = Counter(run.n_params for run in pilots.runs)
    others = [
        name for name, (size, _) in pilots.models.items()
        if size is not None and size != like.n_params
    ]  # fmt: skip
    if not like.is_cpt or not others:
        return None
    here = pilots.ends.get(str(like.start), like.start_lr or 0.0)

    def _order(name: str) -> tuple[int, float]:
        return counts[pilots.models[name][0]], abs(pilots.ends[name] - here)

    start = min(others, key=_order)
    size, unit = pilots.models[start]
    return Proposal(
        "add a run of another model size",
        like.name,
        f"{size:,.6g} parameters, start {start!r}",
        _new(
            like, f"on_{start}", start=start, start_lr=pilots.ends[start], n_params=size,
            lr_unit=unit,
        ),
    )  # fmt: skip


def another_decay(pilots: Pilots) -> Proposal | None:
    """Propose a run that decays where none does, one that does not where all do, else another.

    Parameters
    ----------
    pilots : Pilots
        The runs there are.

    Returns
    -------
    Proposal or None
    """
    shares = {run.name: _decay_share(run.lr) for run in pilots.runs}
    decaying = [share for share in shares.values() if share]
    like = pilots.typical
    if len(decaying) == len(shares):
        top = warmup_steps(like.lr)
        lr = np.where(np.arange(like.n_steps) < top, like.lr, like.lr[top])
        kind, change = "add a run whose LR stays constant", "constant after its warm-up"
        return Proposal(kind, like.name, change, _new(like, "constant", lr=lr))
    share, away = _farthest(DECAYS, np.log2(DECAYS), np.log2(decaying or [1.0]))
    if away < SAME:
        return None
    kind = "add a run whose LR decays" + (" over another part of it" if decaying else "")
    return Proposal(
        kind,
        like.name,
        f"a linear decay to 0 over its last {share:.0%}",
        _new(like, f"decay{100 * share:g}", lr=_decaying(like.lr, share)),
    )


def a_longer_run(pilots: Pilots) -> Proposal | None:
    """Propose a run of twice the steps of the longest.

    Parameters
    ----------
    pilots : Pilots
        The runs there are.

    Returns
    -------
    Proposal
    """
    like = pilots.typical
    top, steps = warmup_steps(like.lr), 2 * max(run.n_steps for run in pilots.runs)
    # The warm-up stays as it is.
    at = np.linspace(top, like.n_steps - 1, max(steps - top, 1))
    known = np.arange(like.n_steps)
    lr = np.concatenate([like.lr[:top], np.interp(at, known, like.lr)])
    replay = like.replay[:1] if np.ptp(like.replay) == 0.0 else np.interp(at, known, like.replay)
    if replay.size == 1:
        replay = np.broadcast_to(replay, lr.shape)
    else:
        replay = np.concatenate([like.replay[:top], replay])
    return Proposal(
        "add a longer run",
        like.name,
        f"{lr.size} steps in place of {like.n_steps}",
        _new(like, f"{lr.size}steps", lr=lr, replay=replay),
    )


def an_early_look(pilots: Pilots) -> Proposal | None:
    """Propose to repeat a run and evaluate it more often in its first tenth.

    Parameters
    ----------
    pilots : Pilots
        The runs there are.

    Returns
    -------
    Proposal or None
        None where a run was evaluated often enough there.
    """
    if max(pilots.early.values(), default=0) >= OFTEN:
        return None
    like = pilots.typical
    often = max(1, like.n_steps // 100)
    return Proposal(
        "evaluate runs more often in their first tenth",
        like.name,
        f"evaluated every {often} steps up to step {10 * often}",
        _new(like, "early"),
    )


def _new(like: Trajectory, suffix: str, **change: object) -> Trajectory:
    # It is a run of its own, without a trunk.
    own = {"name": f"{like.name}_{suffix}", "run": None, "branch_of": None, "branch_step": 0}
    return replace(like, **{**own, **change})  # type: ignore[arg-type]


def _farthest(choices: tuple[float, ...], places: Array, tried: Array) -> tuple[float, float]:
    """Choice whose place is farthest from all that were tried, the first of equals."""
    away = np.abs(np.asarray(places)[:, None] - np.asarray(tried)).min(axis=1).round(6)
    best = int(away.argmax())
    return choices[best], float(away[best])


def _decay_share(lr: Array) -> float:
    """Share of a run in which the LR is below its peak for good; 0 if it does not decay."""
    if lr[-1] > DECAYED * lr.max():
        return 0.0
    last = int(np.flatnonzero(lr >= lr.max() * (1.0 - 1e-6))[-1])
    return (lr.size - last) / lr.size


def _decaying(lr: Array, share: float) -> Array:
    """The same warm-up and peak, then a linear decay to 0."""
    top, n = warmup_steps(lr), max(1, round(share * lr.size))
    flat = np.where(np.arange(lr.size) < top, lr, lr[top])
    return np.minimum(flat, lr[top] * np.arange(lr.size, 0, -1) / n)
