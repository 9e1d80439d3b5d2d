"""Final losses of many plans, evaluated group by group."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.data.conversion import LossUnits
from bayescpt.forecast.discrepancy.effects import run_effects
from bayescpt.forecast.folding import Folding, Value
from bayescpt.forecast.noise import noise_scale, plan_rng, simulate_noise
from bayescpt.forecast.out_of_domain import SetCurves
from bayescpt.forecast.plan import Plan, Starts
from bayescpt.forecast.possible import possible
from bayescpt.forecast.posterior import Draws
from bayescpt.forecast.ranges import FittedRange, fitted_ranges, identity_notes
from bayescpt.forecast.reach import check_reach
from bayescpt.forecast.starts import observed_range, start_losses
from bayescpt.laws.trajectory import Trajectory
from bayescpt.laws.view import View

Array = NDArray[np.float64]

# Size of the cache of schedule areas; plans that differ only in replay share an entry.
KEPT_SCHEDULES = 4096


@dataclass(frozen=True)
class Placed:
    """A plan attached to its start checkpoint and viewed at its last step.

    Attributes
    ----------
    path : Trajectory
        Trajectory of the plan.
    view : View
        View of the last step. Plans with the same schedule and start share one object, so its
        replay may be another plan's unless the law reads replay.
    replay : float
        Remembered replay ratio at the last step.
    outside : tuple of str
        Ways in which the plan leaves the fitted range.
    """

    path: Trajectory
    view: View
    replay: float
    outside: tuple[str, ...]


class Placer:
    """Attaches plans to their start checkpoints, computing the areas of each schedule once.

    Parameters
    ----------
    draws : Draws
        Posterior with its study.
    extrapolate : bool
        Also take plans absurdly far from the pilots.
    """

    def __init__(self, draws: Draws, extrapolate: bool = False) -> None:
        self._draws, self._extrapolate = draws, extrapolate
        self._starts = Starts(draws.study, draws.rows.refs.warmup, draws.card)
        self._ranges = fitted_ranges(draws)
        self._cache: OrderedDict[Hashable, tuple[View, tuple[str, ...]]] = OrderedDict()
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
            If the study lacks the plan's start checkpoint or target domain, the plan lacks a
            replay ratio that the law needs, or it is absurdly far from the pilots.
        """
        path = self._starts.trajectory(self._starts.complete(plan))
        if not self._extrapolate:
            check_reach(self._draws, plan, path)
        within = self._ranges.get(path.phase)
        if self._last[0] is not plan.schedule:
            self._last = (plan.schedule, plan.schedule.digest)
        constant = path.replay.strides == (0,)
        # Plans that differ only in replay share their features.
        ratio = None
        if self._draws.card.law.reads_replay:
            ratio = (path.replay[:1] if constant else path.replay).tobytes()
        key = (path.start, path.target, self._last[1], ratio)
        if key not in self._cache:
            self._cache[key] = self._view(path)
            if len(self._cache) > KEPT_SCHEDULES:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        view, outside = self._cache[key]
        remembered = path.replay if constant else replace(view, trajectory=path).replay
        replay = float(remembered[0])
        if within is not None:
            outside = (*outside, *within.outside_replay(path))
        return Placed(path, view, replay, (*outside, *identity_notes(self._draws, path)))

    def _view(self, path: Trajectory) -> tuple[View, tuple[str, ...]]:
        within = self._ranges.get(path.phase)
        outside = (
            [f"no fitted run has its phase ({path.phase})"]
            if within is None
            else within.outside_schedule(path)
        )
        view = View(path, np.array([path.n_steps]), self._draws.rows.refs)
        return view, tuple(outside)


class FinalLosses:
    """Evaluates placed plans at their last steps; not thread-safe.

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
        self._cache: dict[Hashable, Any] = {}
        self._buffer = np.empty((0, 0, 0))

    def __call__(self, plans: Sequence[Placed], kind: str = "loss") -> Array:
        """Losses of plans.

        Parameters
        ----------
        plans : sequence of Placed
            From one `Placer`.
        kind : str
            ``loss``, the loss that a new run would log, or ``mu``, the expected loss.

        Returns
        -------
        ndarray, shape (plans, domains, draws)
            Nats per token; NaN on domains that no fitted run with the plan's target was evaluated
            on. The next call overwrites the array.

        Raises
        ------
        PlanError
            If the loss of a plan's start checkpoint is unknown.
        """
        if len(self._buffer) < len(plans):
            # Allocating memory for every group would cost as much time as a logarithm.
            self._buffer = np.empty((len(plans), len(self._draws.domains), self._draws.size))
        out = self._buffer[: len(plans)]
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
        """Write the losses of plans that share a start and a target."""
        n = len(self._draws.labels.domain)
        self._by_law(plans, kind, out[:, :n])
        if not self._draws.sets:
            return
        for plan, losses in zip(plans, out, strict=True):
            sets = SetCurves(self._draws, plan.path, self._seed)
            if kind == "mu":
                losses[n:] = sets.expected(losses[:n])
            else:
                losses[n:] = sets.realised(losses[:n, :, None], np.ones(1))[..., 0]

    def _by_law(self, plans: list[Placed], kind: str, out: Array) -> None:
        """Write the losses on the domains of the law."""
        self._folding.next_plans()
        draws, path = self._draws, plans[0].path
        domains = [domain for domain in draws.labels.domain if draws.shows(path, domain)]
        starts = self._random(plans, kind, domains, out)
        replay = self._folding.of_plans(np.array([[plan.replay] for plan in plans]))
        by_role: dict[bool, dict[str, Any]] = {}
        for d, domain in enumerate(draws.labels.domain):
            if domain not in domains:
                out[:, d] = np.nan
                continue
            is_target = path.is_cpt and domain == path.target
            if is_target not in by_role:
                by_role[is_target] = self._features(plans, domain)
            f = {**by_role[is_target], "replay": replay}
            p = dict(self._parameters(path, domain))
            if path.is_cpt:
                p["start_level"] = starts[domain]
                if "start_mean" in draws.posterior:
                    p["start_mean"] = self._mean(path, domain, starts[domain])
            out[:, d] += draws.card.law.value(p, f, self._folding).array
        possible(out)

    def _random(
        self, plans: list[Placed], kind: str, domains: list[str], out: Array
    ) -> dict[str, Any]:
        """Start levels by domain; fills `out` with noise and effects, drawn as in `forecast`."""
        draws, path = self._draws, plans[0].path
        realised = kind == "loss"
        known = not path.is_cpt or str(path.start) in draws.labels.checkpoint
        starts: dict[str, Any] = {}
        if path.is_cpt and known:
            rng = np.random.default_rng(0)  # Not drawn from: the level was fitted.
            for domain in domains:
                level = partial(draws.start_level, path, domain, rng)
                starts[domain] = self._lasting(("start", path.start, domain), level)
        if not realised:
            out[:] = 0.0
        if known and not realised:
            return starts
        fraction = np.ones(1)
        if ("scale", path.is_cpt) not in self._cache:
            self._cache["scale", path.is_cpt] = noise_scale(draws, path.is_cpt, fraction)
        scale = self._cache["scale", path.is_cpt]
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

    def _mean(self, path: Trajectory, domain: str, level: Value) -> Value:
        """Mean level of the checkpoints that the start of plans is compared with."""
        key = ("mean", path.start, domain)
        if key not in self._cache:
            mean = self._draws.start_mean(path, domain, level.array)
            if mean.ndim > 1:
                return level  # Of each plan: there is no other checkpoint of its size.
            self._cache[key] = self._folding.by_draw(mean)
        found: Value = self._cache[key]
        return found

    def _features(self, plans: list[Placed], domain: str) -> dict[str, Any]:
        """Features of plans at their last steps, computed once per schedule."""
        unique = {id(plan.view): plan.view for plan in plans}
        where = {key: k for k, key in enumerate(unique)}
        index = [where[id(plan.view)] for plan in plans] if len(unique) > 1 else slice(None)
        path = plans[0].path
        is_target = path.is_cpt and domain == path.target
        law_features = self._draws.card.law.features
        by_view = [
            view.shared(f"features {is_target}", partial(law_features, view, is_target))
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
        key = ("parameters", path.phase, path.target, path.n_params, domain)
        if key not in self._cache:
            values = self._draws.parameters(path, domain)
            self._cache[key] = {name: self._folding.by_draw(v) for name, v in values.items()}
        parameters: dict[str, Value] = self._cache[key]
        return parameters

    def _lasting(self, key: Hashable, compute: Any) -> Value:
        if key not in self._cache:
            self._cache[key] = self._folding.by_draw(compute())
        value: Value = self._cache[key]
        return value


class Screener:
    """Evaluates many plans at their last steps under one posterior.

    Parameters
    ----------
    draws : Draws
        Posterior with its study.
    extrapolate : bool
        Also take plans absurdly far from the pilots.
    """

    def __init__(self, draws: Draws, extrapolate: bool = False) -> None:
        self._draws = draws
        self._placer = Placer(draws, extrapolate)

    @property
    def domains(self) -> tuple[str, ...]:
        """Evaluated domains."""
        return self._draws.domains

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

    @property
    def units(self) -> LossUnits:
        """Unit of the losses, and that of the user."""
        return self._draws.study.units

    @property
    def observed(self) -> dict[str, list[float]]:
        """Lowest and highest loss of the fitted runs by domain, nats."""
        return observed_range(self._draws)

    def start_losses(self, plans: Sequence[Placed], seed: int = 0) -> Array:
        """Losses of the start checkpoints of plans.

        Parameters
        ----------
        plans : sequence of Placed
            From `place`.
        seed : int
            Seed of the noise.

        Returns
        -------
        ndarray, shape (plans, domains, draws)
            Nats; NaN from scratch.
        """
        return np.stack([start_losses(self._draws, plan.path, seed) for plan in plans])

    def place(self, plan: Plan) -> Placed:
        """Place a plan at its start checkpoint; not thread-safe.

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
            If the study lacks the plan's start checkpoint or target domain, the plan lacks a
            replay ratio that the law needs, or it is absurdly far from the pilots.
        """
        return self._placer.place(plan)

    def evaluator(self, seed: int = 0) -> FinalLosses:
        """Return an evaluator for use in one thread.

        Parameters
        ----------
        seed : int
            Seed of the noise.

        Returns
        -------
        FinalLosses
        """
        return FinalLosses(self._draws, seed)
