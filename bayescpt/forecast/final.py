"""Losses of many plans at their last steps, a group of plans at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.discrepancy.effects import run_effects
from bayescpt.forecast.folding import Folding, Value
from bayescpt.forecast.noise import noise_scale, plan_rng, simulate_noise
from bayescpt.forecast.plan import Plan, Starts
from bayescpt.forecast.posterior import Draws
from bayescpt.forecast.ranges import FittedRange, fitted_ranges, identity_notes
from bayescpt.laws.trajectory import Trajectory
from bayescpt.laws.view import View

Array = NDArray[np.float64]

# Schedules whose areas are kept; plans that differ in replay alone share them.
KEPT_SCHEDULES = 4096


@dataclass(frozen=True)
class Placed:
    """A plan at its start checkpoint, with what the law sees of it at its last step.

    Attributes
    ----------
    path : Trajectory
        Its trajectory.
    view : View
        At the last step; plans of one schedule and start share the object, whose replay is then not
        the plan's, unless the law reads it.
    replay : float
        Replay ratio that is remembered there.
    outside : tuple of str
        Where it leaves the range of what was fitted.
    """

    path: Trajectory
    view: View
    replay: float
    outside: tuple[str, ...]


class Placer:
    """Places plans one by one, computing the areas of a schedule once.

    Parameters
    ----------
    draws : Draws
        Posterior with its study.
    """

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self._starts = Starts(draws.study, draws.rows.refs.warmup)
        self._ranges = fitted_ranges(draws)
        self._kept: OrderedDict[Hashable, tuple[View, tuple[str, ...]]] = OrderedDict()
        self._last: tuple[Any, str] = (None, "")

    def place(self, plan: Plan) -> Placed:
        """Place a plan.

        Parameters
        ----------
        plan : Plan
            The recipe.

        Returns
        -------
        Placed

        Raises
        ------
        PlanError
            If its start checkpoint or target domain is not of the study.
        """
        path = self._starts.trajectory(plan)
        within = self._ranges.get(path.phase)
        if np.ndim(plan.replay_ratio):
            view, outside = self._view(path)
            replay = float(view.replay[0])
        else:
            if self._last[0] is not plan.schedule:
                self._last = (plan.schedule, plan.schedule.digest)
            # Plans of one schedule that differ in replay alone share what the law reads.
            ratio = float(path.replay[0]) if self._draws.card.law.reads_replay else None
            key = (path.start, path.target, self._last[1], ratio)
            if key not in self._kept:
                self._kept[key] = self._view(path)
                if len(self._kept) > KEPT_SCHEDULES:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            view, outside = self._kept[key]
            replay = float(path.replay[0])
        if within is not None:
            outside = (*outside, *within.outside_replay(path))
        return Placed(path, view, replay, (*outside, *identity_notes(self._draws, path)))

    def _view(self, path: Trajectory) -> tuple[View, tuple[str, ...]]:
        within = self._ranges.get(path.phase)
        outside = (
            [f"no fitted run is of its phase ({path.phase})"]
            if within is None
            else within.outside_schedule(path)
        )
        view = View(path, np.array([path.n_steps]), self._draws.rows.refs)
        return view, tuple(outside)


class FinalLosses:
    """Evaluates placed plans at their last steps; for one thread.

    Parameters
    ----------
    draws : Draws
        Posterior.
    seed : int
        Seed of the noise.
    """

    def __init__(self, draws: Draws, seed: int = 0) -> None:
        self._draws, self._seed = draws, seed
        self._folding = Folding()
        self._weights = {name: np.ascontiguousarray(w.T) for name, w in draws.weights.items()}
        self._kept: dict[Hashable, Any] = {}
        self._room = np.empty((0, 0, 0))

    def __call__(self, plans: Sequence[Placed], kind: str = "loss") -> Array:
        """Losses of plans.

        Parameters
        ----------
        plans : sequence of Placed
            From one `Placer`.
        kind : str
            ``loss``, what the log of a new run will show, or ``mu``, the expected curve.

        Returns
        -------
        ndarray, shape (plans, domains, draws)
            Nats per token; NaN on a domain that no fitted run of the plan's target shows. The next
            call writes over it.

        Raises
        ------
        PlanError
            If the fit says nothing of a plan's start.
        """
        if len(self._room) < len(plans):
            # New memory for every group would cost as much time as a logarithm.
            self._room = np.empty((len(plans), len(self._draws.labels.domain), self._draws.size))
        out = self._room[: len(plans)]
        groups: dict[tuple[str | None, str | None], list[int]] = {}
        for k, plan in enumerate(plans):
            groups.setdefault((plan.path.start, plan.path.target), []).append(k)
        if len(groups) == 1:
            self._group(list(plans), kind, out)
            return out
        for at in groups.values():
            part = np.empty((len(at), *out.shape[1:]))
            self._group([plans[k] for k in at], kind, part)
            out[at] = part
        return out

    def _group(self, plans: list[Placed], kind: str, out: Array) -> None:
        """Write the losses of plans of one start and target."""
        self._folding.next_plans()
        draws, path = self._draws, plans[0].path
        domains = [domain for domain in draws.labels.domain if draws.shows(path, domain)]
        starts = self._random(plans, kind, domains, out)
        replay = self._folding.of_plans(np.array([[plan.replay] for plan in plans]))
        seen: dict[bool, dict[str, Any]] = {}
        for d, domain in enumerate(draws.labels.domain):
            if domain not in domains:
                out[:, d] = np.nan
                continue
            is_target = path.is_cpt and domain == path.target
            if is_target not in seen:
                seen[is_target] = self._features(plans, domain)
            f = {**seen[is_target], "replay": replay}
            p = dict(self._parameters(path, domain))
            if path.is_cpt:
                p["start_level"] = starts[domain]
            out[:, d] += draws.card.law.value(p, f, self._folding).array

    def _random(
        self, plans: list[Placed], kind: str, domains: list[str], out: Array
    ) -> dict[str, Any]:
        """Start levels by domain; noise and effects into out, drawn in the order of `forecast`."""
        draws, path = self._draws, plans[0].path
        realised = kind == "loss"
        known = not path.is_cpt or str(path.start) in draws.labels.checkpoint
        starts: dict[str, Any] = {}
        if path.is_cpt and known:
            rng = np.random.default_rng(0)  # A fitted checkpoint's level asks nothing of it.
            for domain in domains:
                level = partial(draws.start_level, path, domain, rng)
                starts[domain] = self._lasting(("start", path.start, domain), level)
        if not realised:
            out[:] = 0.0
        if known and not realised:
            return starts
        fraction = np.ones(1)
        if ("scale", path.is_cpt) not in self._kept:
            self._kept["scale", path.is_cpt] = noise_scale(draws, path.is_cpt, fraction)
        scale = self._kept["scale", path.is_cpt]
        levels: dict[str, list[Array]] = {domain: [] for domain in domains}
        for k, plan in enumerate(plans):
            rng = plan_rng(self._seed, plan.path.name)
            noise = simulate_noise(draws, path.is_cpt, fraction, rng, scale)[..., 0]
            distance = draws.extrapolation(plan.path)
            if realised:
                out[k] = noise
            for domain in domains:
                if not known:
                    levels[domain].append(draws.start_level(plan.path, domain, rng))
                effects = run_effects(draws, plan.path, domain, distance, rng)
                if realised:
                    d = draws.labels.domain.index(domain)
                    out[k, d] += effects.discrepancy(plan.view)[:, 0]
        if not known:
            starts = {d: self._folding.of_plans(np.stack(levels[d])) for d in domains}
        return starts

    def _features(self, plans: list[Placed], domain: str) -> dict[str, Any]:
        """What the law reads of plans at their last steps; that of a schedule once."""
        unique = {id(plan.view): plan.view for plan in plans}
        where = {key: k for k, key in enumerate(unique)}
        index = [where[id(plan.view)] for plan in plans] if len(unique) > 1 else slice(None)
        path = plans[0].path
        is_target = path.is_cpt and domain == path.target
        read = self._draws.card.law.features
        by_view = [
            view.shared(f"features {is_target}", partial(read, view, is_target))
            for view in unique.values()
        ]
        f: dict[str, Any] = {"is_cpt": float(path.is_cpt), "is_target": float(is_target)}
        for name in by_view[0]:
            if name in self._weights:
                basis = np.concatenate([one[name] for one in by_view])
                f[name] = self._folding.of_plans((basis @ self._weights[name])[index])
                continue
            values = np.array([one[name] for one in by_view], dtype=float).reshape(-1, 1)
            f[name] = self._folding.of_plans(values[index])
        return f

    def _parameters(self, path: Trajectory, domain: str) -> dict[str, Value]:
        key = ("parameters", path.phase, path.target, domain)
        if key not in self._kept:
            values = self._draws.parameters(path, domain)
            self._kept[key] = {name: self._folding.by_draw(v) for name, v in values.items()}
        kept: dict[str, Value] = self._kept[key]
        return kept

    def _lasting(self, key: Hashable, made: Any) -> Value:
        if key not in self._kept:
            self._kept[key] = self._folding.by_draw(made())
        kept: Value = self._kept[key]
        return kept


class Screener:
    """Evaluates many plans at their last steps under one posterior.

    Parameters
    ----------
    draws : Draws
        Posterior with its study.
    """

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self._placer = Placer(draws)

    @property
    def domains(self) -> tuple[str, ...]:
        """Evaluated domains."""
        return self._draws.labels.domain

    @property
    def n_chains(self) -> int:
        """Number of chains."""
        return int(self._draws.posterior.sizes["chain"])

    @property
    def n_draws(self) -> int:
        """Number of draws over all chains."""
        return self._draws.size

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Fitted start checkpoints."""
        return self._draws.labels.checkpoint

    @property
    def ranges(self) -> dict[str, FittedRange]:
        """Range of the fitted runs of each phase."""
        return fitted_ranges(self._draws)

    def place(self, plan: Plan) -> Placed:
        """Place a plan at its start checkpoint; for one thread.

        Parameters
        ----------
        plan : Plan
            Recipe.

        Returns
        -------
        Placed

        Raises
        ------
        PlanError
            If its start checkpoint or target domain is not of the study.
        """
        return self._placer.place(plan)

    def evaluator(self, seed: int = 0) -> FinalLosses:
        """Return an evaluator for one thread.

        Parameters
        ----------
        seed : int
            Seed of the noise.

        Returns
        -------
        FinalLosses
        """
        return FinalLosses(self._draws, seed)
