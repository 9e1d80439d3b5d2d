"""What an explorer shows for its settings: bands, probability of the goal, costs, what to note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data.final_losses import is_final
from bayescpt.decide import Goal, goal_probability
from bayescpt.decide.costs import Rates, plan_costs
from bayescpt.decide.goal_levels import goal_limits
from bayescpt.decide.limits import limit_labels
from bayescpt.errors import BayescptError, PlanError
from bayescpt.forecast import Draws, Plan, forecast
from bayescpt.forecast.novelty import novelties
from bayescpt.forecast.plan import Starts
from bayescpt.forecast.plan_text import plan_text
from bayescpt.forecast.step_grid import plan_steps
from bayescpt.inference import Fit
from bayescpt.present.explorer.controls import Controls
from bayescpt.present.explorer.state import NAME, State, read_state

Array = NDArray[np.float64]

# Steps of a curve and draws behind its bands: with these, an edge of the 90% band is known to about
# a fiftieth of its width. Probabilities and last losses are from all draws, as in `bayescpt goal`.
POINTS, DRAWS = 100, 1000
# Losses of a pilot that are drawn.
PILOT_POINTS = 60
BANDS = (0.5, 0.9)


@dataclass(frozen=True)
class Curve:
    """Bands of one domain, losses in the unit of the study.

    Attributes
    ----------
    domain : str
        The domain.
    steps : ndarray of int, shape (n,)
        Steps of the recipe.
    median : ndarray, shape (n,)
        Median.
    bands : dict of float to (ndarray, ndarray), shape (n,)
        Lower and upper end by probability.
    last : (float, float, float)
        Lower end of the 90% band, median and upper end of the last loss, from all draws.
    level : float or None
        The highest loss allowed.
    pilots : dict of str to (ndarray, ndarray)
        Steps and losses of the fitted runs from the same start to the same target.
    """

    domain: str
    steps: NDArray[np.int64]
    median: Array
    bands: dict[float, tuple[Array, Array]]
    last: tuple[float, float, float]
    level: float | None
    pilots: dict[str, tuple[NDArray[np.int64], Array]]


@dataclass(frozen=True)
class View:
    """All that is shown.

    Attributes
    ----------
    state : State
        The settings.
    plan : Plan
        The recipe.
    entry : str
        The recipe as an entry of a file of plans.
    curves : list of Curve
        By domain.
    chances : pandas.DataFrame or None
        One row of `goal_probability`; None without a goal that can be read.
    limits : dict of str to str
        The goal by domain, with what it means.
    problems : dict of str to str
        What is wrong with a goal, by domain.
    costs : pandas.Series
        Row of `plan_costs`.
    outside : int or None
        First step outside the range of the pilots.
    notes : list of str
        How far the recipe reaches, and what else to know.
    alarm : str
        What is wrong with the fit; empty if its checks passed.
    """

    state: State
    plan: Plan
    entry: str
    curves: list[Curve]
    chances: pd.DataFrame | None
    limits: dict[str, str]
    problems: dict[str, str]
    costs: pd.Series
    outside: int | None
    notes: list[str]
    alarm: str


@dataclass(frozen=True, eq=False)
class Session:
    """A fit that is explored.

    Parameters
    ----------
    fit : Fit
        The fit.
    rates : Rates
        What tokens cost.
    goals : Mapping of str to str
        Goals that an address without any begins with.
    seed : int
        Seed of the noise.
    allow_failed : bool
        Explore even if a check of the fit failed.

    Raises
    ------
    ConvergenceError
        If a check failed and `allow_failed` is not set.
    PlanError
        If the fit is of final losses, or a goal is about a domain that it does not forecast.
    """

    fit: Fit
    rates: Rates = field(default_factory=Rates)
    goals: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    allow_failed: bool = False

    def __post_init__(self) -> None:
        """Refuse early what could not be shown."""
        if is_final(self.fit.study):
            raise PlanError(
                "the fit is of final losses, which have no curve to explore; `bayescpt optimise` "
                "searches recipes of such fits"
            )
        if self.fit.leading is not self.fit:
            raise PlanError(
                f"the fit is an ensemble of {self.fit.card.name}: explore the fit of one card, "
                f"such as that of `bayescpt fit STUDY --card {self.fit.leading.card.name}`"
            )
        forecast_domains = self.controls.goals  # of draws that are refused where a check failed
        for domain in self.goals:
            if domain not in forecast_domains:
                raise PlanError(
                    f"goal {domain}: the fit does not forecast that domain; it has "
                    f"{', '.join(forecast_domains)}"
                )

    @cached_property
    def draws(self) -> Draws:
        """All draws."""
        return self.fit.draws(self.allow_failed)

    @cached_property
    def few(self) -> Draws:
        """At most `DRAWS` draws, evenly spaced."""
        posterior = self.fit.posterior
        size = posterior.sizes["chain"] * posterior.sizes["draw"]
        every = max(-(-size // DRAWS), 1)
        thinned = posterior.isel(draw=slice(None, None, every))
        return Draws(thinned, self.fit.card, self.fit.study, self.fit.rows)

    @cached_property
    def controls(self) -> Controls:
        """What may be set."""
        return Controls.of(self.draws)

    @cached_property
    def alarm(self) -> str:
        """What is wrong with the fit, in a sentence."""
        failed = [check for check in self.fit.checks() if check.status == "fail"]
        if not failed:
            return ""
        advice = "; ".join(check.advice for check in failed if check.advice)
        names = ", ".join(check.name for check in failed)
        return f"This fit FAILED {names}: do not trust these numbers. {advice}".strip()

    def read(self, query: Mapping[str, Any]) -> State:
        """State of an address.

        Parameters
        ----------
        query : mapping of str to str or sequence of str
            Parameters of the address.

        Returns
        -------
        State
        """
        return read_state(query, self.controls, self.goals)

    def view(self, state: State) -> View:
        """What is shown for a state.

        Parameters
        ----------
        state : State
            The settings.

        Returns
        -------
        View

        Raises
        ------
        PlanError
            If the recipe cannot be forecast.
        """
        plan = state.plan(self.controls)
        n_steps = plan.schedule.n_steps
        curve = forecast(self.few, plan, plan_steps(n_steps, POINTS), self.seed)
        end = forecast(self.draws, plan, [n_steps], self.seed)
        goal, problems = self._goal(state, end)
        chances = None if goal is None else goal_probability(end, goal)
        levels = {} if chances is None else chances.attrs["levels"]
        limits = (
            {}
            if goal is None or chances is None
            else limit_labels(goal.thresholds, levels, chances.attrs)
        )
        return View(
            state=state,
            plan=plan,
            entry=self._entry(plan),
            curves=self._curves(state, curve, end, levels),
            chances=chances,
            limits=limits,
            problems=problems,
            costs=plan_costs([plan], self.fit.study, self.rates).iloc[0],
            outside=curve.leaves_range.get(NAME),
            notes=self._notes(plan, curve.warnings),
            alarm=self.alarm,
        )

    def _entry(self, plan: Plan) -> str:
        starts = Starts(self.fit.study, self.fit.rows.refs.warmup, self.fit.card)
        path = starts.trajectory(starts.complete(plan))
        return plan_text(replace(path, name="explored"))

    def _goal(self, state: State, end: Any) -> tuple[Goal | None, dict[str, str]]:
        """The goal of the domains whose text can be read, and what is wrong with the others."""
        good: dict[str, str] = {}
        problems: dict[str, str] = {}
        for domain, text in state.goals.items():
            if not text.strip():
                continue
            try:
                goal_limits(end, Goal({domain: text}), "loss")
            except BayescptError as error:
                problems[domain] = str(error)
            else:
                good[domain] = text
        return (Goal(dict(good)) if good else None), problems

    def _curves(self, state: State, curve: Any, end: Any, levels: Any) -> list[Curve]:
        units = self.fit.study.units
        central = {p: curve.interval(p).sel(plan=NAME) for p in BANDS}
        last = end.interval(BANDS[-1]).sel(plan=NAME).isel(step=0)
        made = []
        for domain in (str(name) for name in curve.dataset["domain"].values):
            shown = {p: band.sel(domain=domain) for p, band in central.items()}
            if not np.isfinite(shown[BANDS[0]]["median"]).all():
                continue
            level = levels.get(domain, {}).get(NAME)
            low, middle, high = (
                float(units.show(last[name].sel(domain=domain), domain))
                for name in ("lower", "median", "upper")
            )
            made.append(
                Curve(
                    domain=domain,
                    steps=curve.dataset["step"].to_numpy(),
                    median=units.show(shown[BANDS[0]]["median"], domain),
                    bands={
                        p: (units.show(band["lower"], domain), units.show(band["upper"], domain))
                        for p, band in shown.items()
                    },
                    last=(low, middle, high),
                    level=None if level is None else float(units.show(level, domain)),
                    pilots=self._pilots(state.start, state.domain, domain),
                )
            )
        return made

    def _pilots(
        self, start: str | None, target: str | None, domain: str
    ) -> dict[str, tuple[NDArray[np.int64], Array]]:
        """Losses of the fitted runs like the recipe, thinned."""
        key = start, target, domain
        if key not in self._seen:
            study, found = self.fit.study, {}
            for name in study.cpt_runs if start is not None else study.pt_runs:
                run, losses = study.run(name), study.curve(name, domain)
                if run.parent != start or (start and run.domain != target) or losses.empty:
                    continue
                at = np.unique(np.linspace(0, len(losses) - 1, PILOT_POINTS).round().astype(int))
                thin = losses.iloc[at]
                found[name] = (
                    thin["step"].to_numpy(),
                    study.units.show(thin["loss"].to_numpy(), domain),
                )
            self._seen[key] = found
        return self._seen[key]

    @cached_property
    def _seen(self) -> dict[Any, Any]:
        return {}

    def _notes(self, plan: Plan, warnings: list[str]) -> list[str]:
        """Reach and warnings, as sentences about the one recipe."""
        [new] = novelties(self.draws, [plan])
        reach = f"Distance to the nearest pilot, {new.nearest}: {new.distance:.2g}"
        scale = (
            "0 is a repeat of it, 1 a factor of two in peak or length, 3 as unknown as any; bands "
            "widen with it"
        )
        notes = [f"{reach} ({scale})." if new.nearest else "No pilot is like this recipe."]
        for warning in warnings:
            text = warning.removeprefix(f"plan {NAME!r}: ")
            notes.append(f"{text[:1].upper()}{text[1:]}.")
        return notes
