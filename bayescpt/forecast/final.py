"""Losses of many plans at their last steps, a group of plans at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayescpt.forecast.effects import run_effects
from bayescpt.forecast.folding import Folding, Value
from bayescpt.forecast.noise import noise_scale, plan_rng, simulate_noise
from bayescpt.forecast.plan import Plan, Starts
from bayescpt.forecast.posterior import Draws
from bayescpt.forecast.ranges import FittedRange, fitted_ranges
from bayescpt.forecast.weights import draw_weights
from bayescpt.laws.curve import expected_loss
from bayescpt.laws.features import Features, Path, features, warming

Array = NDArray[np.float64]

# Schedules whose areas are kept; plans that differ in replay alone share them.
KEPT_SCHEDULES = 4096


@dataclass(frozen=True)
class Placed:
    """A plan at its start checkpoint, with what the law sees of it at its last step.

    Attributes
    ----------
    path : Path
        Its trajectory.
    seen : Features
        At the last step; plans of one schedule and start share the object. Its replay is not
        the plan's.
    replay : float
        Mean replay ratio, weighted by LR.
    outside : tuple of str
        Where it leaves the range of what was fitted.
    """

    path: Path
    seen: Features
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
        self._refs = draws.rows.refs
        self._starts = Starts(draws.study, draws.rows.refs.warmup)
        self._ranges = fitted_ranges(draws)
        self._kept: OrderedDict[Hashable, tuple[Features, tuple[str, ...]]] = OrderedDict()
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
        path = self._starts.path(plan)
        within = self._ranges.get(path.phase)
        if np.ndim(plan.replay_ratio):
            seen, outside = self._seen(path)
            replay = float(seen.replay[0])
        else:
            if self._last[0] is not plan.schedule:
                self._last = (plan.schedule, plan.schedule.digest)
            key = (path.start, self._last[1])
            if key not in self._kept:
                self._kept[key] = self._seen(path)
                if len(self._kept) > KEPT_SCHEDULES:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            seen, outside = self._kept[key]
            replay = float(plan.replay_ratio)
        if within is not None:
            outside = (*outside, *within.outside_replay(path))
        return Placed(path, seen, replay, outside)

    def _seen(self, path: Path) -> tuple[Features, tuple[str, ...]]:
        within = self._ranges.get(path.phase)
        outside = (
            [f"no fitted run is of its phase ({path.phase})"]
            if within is None
            else within.outside_schedule(path)
        )
        return features(path, np.array([path.n_steps]), self._refs), tuple(outside)


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
        self._kernel = np.ascontiguousarray(draw_weights(draws).T)
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
        is_cpt = path.phase == "cpt"
        domains = [
            d
            for d, domain in enumerate(draws.labels.domain)
            if not is_cpt or (domain, str(path.target)) in draws.labels.pair
        ]
        starts = self._random(plans, kind, domains, out)
        areas = self._areas(plans)
        by_plan = self._folding.of_plans
        replay = by_plan(np.array([[plan.replay] for plan in plans]))
        warmings = np.array([warming(plan.path, draws.rows.refs) for plan in plans])
        rise, log_peak = by_plan(warmings[:, :1]), by_plan(warmings[:, 1:])
        for d, domain in enumerate(draws.labels.domain):
            if d not in domains:
                out[:, d] = np.nan
                continue
            terms = draws.law_terms(
                self._parameters(path, domain),
                starts[d],
                replay,
                float(domain == path.target),
                rise,
                log_peak,
                self._folding,
            )
            area = areas[draws.card.area_name(domain == path.target)]
            out[:, d] += expected_loss(
                **terms,
                log_area=areas["log_area"],
                log_area_start=areas["log_area_start"],
                anneal=areas["anneal"],
                shift_area=area,
                xp=self._folding,
            ).array

    def _random(
        self, plans: list[Placed], kind: str, domains: list[int], out: Array
    ) -> dict[int, Any]:
        """Start levels by domain; noise and effects into out, drawn in the order of `forecast`."""
        draws, path = self._draws, plans[0].path
        is_cpt, realised = path.phase == "cpt", kind == "loss"
        known = not is_cpt or str(path.start) in draws.labels.checkpoint
        starts: dict[int, Any] = {}
        if is_cpt and known:
            rng = np.random.default_rng(0)  # A fitted checkpoint's level asks nothing of it.
            for d in domains:
                level = partial(draws.start_level, path, d, rng)
                starts[d] = self._lasting(("start", path.start, d), level)
        elif not is_cpt:
            starts = dict.fromkeys(domains)
        if not realised:
            out[:] = 0.0
        if known and not realised:
            return starts
        fraction = np.ones(1)
        if ("scale", is_cpt) not in self._kept:
            self._kept["scale", is_cpt] = noise_scale(draws, is_cpt, fraction)
        scale = self._kept["scale", is_cpt]
        levels: dict[int, list[Array]] = {d: [] for d in domains}
        for k, plan in enumerate(plans):
            rng = plan_rng(self._seed, plan.path.name)
            noise = simulate_noise(draws, is_cpt, fraction, rng, scale)[..., 0]
            novel = draws.novelty(plan.path)
            if realised:
                out[k] = noise
            for d in domains:
                if not known:
                    levels[d].append(draws.start_level(plan.path, d, rng))
                drawn = run_effects(draws, plan.path, d, novel, rng)
                if realised:
                    out[k, d] += drawn.misfit(plan.seen)[:, 0]
        if not known:
            starts = {d: self._folding.of_plans(np.stack(levels[d])) for d in domains}
        return starts

    def _areas(self, plans: list[Placed]) -> dict[str, Any]:
        """Areas at the last step; those of a schedule once."""
        unique = {id(plan.seen): plan.seen for plan in plans}
        where = list(unique)
        index = [where.index(id(plan.seen)) for plan in plans] if len(unique) > 1 else slice(None)
        seen = list(unique.values())

        def at_end(name: str) -> Value:
            values = np.array([getattr(one, name)[0] for one in seen])
            return self._folding.of_plans(values[index][:, None])

        anneal = np.concatenate([one.anneal for one in seen]) @ self._kernel
        return {
            "log_area": at_end("log_area"),
            "log_area_start": seen[0].log_area_start,
            "anneal": self._folding.of_plans(anneal[index]),
            "shift_area": at_end("shift_area"),
            "target_area": at_end("target_area"),
        }

    def _parameters(self, path: Path, domain: str) -> dict[str, Value]:
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
