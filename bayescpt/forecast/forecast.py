"""Expected and realised loss curves of plans, from posterior draws."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bayescpt.data.figures import Figure, figure
from bayescpt.data.html import html_block
from bayescpt.errors import PlanError
from bayescpt.forecast.curves import BLOCK, PlanCurves, blocks
from bayescpt.forecast.in_flight import COLUMNS, losses_so_far
from bayescpt.forecast.plan import Plan, Starts
from bayescpt.forecast.posterior import Draws
from bayescpt.forecast.ranges import range_warnings, steps_outside
from bayescpt.forecast.reach import check_reach
from bayescpt.forecast.starts import observed_range, start_losses
from bayescpt.forecast.steps import chosen_steps, within
from bayescpt.forecast.tails import equal_tails
from bayescpt.forecast.width import wide_bands

# Bytes of the draws of a forecast; a larger one is refused, and can be had in blocks.
MEMORY_LIMIT = 4e9


@dataclass(frozen=True, repr=False)
class Forecast:
    """Forecast curves of plans.

    Attributes
    ----------
    dataset : xr.Dataset
        ``mu``, the expected loss, and ``loss``, the loss that a new run would log; dims chain,
        draw, plan, domain, step; nats per token. NaN past the last step of a plan. ``start_loss``,
        the loss of the start checkpoint, without dim step: as measured, else by draw; NaN from
        scratch. Attributes say the units and the range of the fitted losses.
    plans : list of Plan
        The recipes, in order.
    warnings : list of str
        Ways in which plans leave the fitted range.
    failed_checks : list of str
        Failed convergence checks of the fit, if they were overridden.
    study_name : str
        Name of the fitted study.
    so_far : DataFrame
        Fitted losses of the plans that are runs in flight: columns run (the name of the plan),
        step, domain and loss.
    leaves_range : dict of str to int
        First step at which each plan is outside the range of the fitted runs (peak LR, length,
        replay ratio, start checkpoint), by name; plans that stay inside are left out.

    Examples
    --------
    >>> import bayescpt as bc
    >>> schedule = bc.schedules.cosine(2e-3, 3)
    >>> plan = bc.Plan("half", schedule, replay_ratio=0.5, start="pt")
    >>> mu = xr.DataArray(
    ...     np.array([2.5, 2.0, 1.5]) + np.zeros((2, 100, 1, 1, 3)),
    ...     {"plan": ["half"], "domain": ["general"], "step": [1, 2, 3]},
    ...     ("chain", "draw", "plan", "domain", "step"),
    ... )
    >>> noise = 0.1 * np.random.default_rng(1).standard_normal(mu.shape)
    >>> forecast = Forecast(xr.Dataset({"mu": mu, "loss": mu + noise}), [plan])
    >>> forecast.mu.mean(("chain", "draw")).sel(plan="half", domain="general").to_numpy().tolist()
    [2.5, 2.0, 1.5]
    >>> dict(forecast.loss.sizes)
    {'chain': 2, 'draw': 100, 'plan': 1, 'domain': 1, 'step': 3}
    """

    dataset: xr.Dataset
    plans: list[Plan]
    warnings: list[str] = field(default_factory=list)
    failed_checks: list[str] = field(default_factory=list)
    study_name: str = ""
    so_far: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COLUMNS), repr=False)
    leaves_range: dict[str, int] = field(default_factory=dict)

    @property
    def mu(self) -> xr.DataArray:
        """Expected loss, dims chain, draw, plan, domain, step."""
        return self.dataset["mu"]

    @property
    def loss(self) -> xr.DataArray:
        """Loss that a new run would log, dims chain, draw, plan, domain, step."""
        return self.dataset["loss"]

    @property
    def now(self) -> dict[str, int]:
        """Step of the last loss of each plan that is a run in flight, by name of the plan."""
        last = self.so_far.groupby("run", sort=False)["step"].max()
        return {str(name): int(step) for name, step in last.items()}

    @property
    def in_flight(self) -> list[str]:
        """Sentences on the plans whose forecasts carry on from losses of a run in flight."""
        ends = {plan.name: plan.schedule.n_steps for plan in self.plans}
        return [
            f"plan {name!r} is in flight: its losses to step {step} of {ends[name]} are fitted, "
            "and its forecast carries on from there"
            for name, step in self.now.items()
        ]

    def interval(self, prob: float = 0.9, kind: str = "loss") -> xr.Dataset:
        """Equal-tailed bands, nested across probabilities.

        Parameters
        ----------
        prob : float
            Pointwise probability of the band, between 0 and 1.
        kind : str
            ``loss`` or ``mu``.

        Returns
        -------
        xr.Dataset
            lower, median, upper; dims plan, domain, step; nats per token.

        Raises
        ------
        PlanError
            If `prob` is not between 0 and 1, or `kind` is neither ``loss`` nor ``mu``.

        Examples
        --------
        >>> loss = xr.DataArray(
        ...     np.arange(101.0).reshape(1, 101, 1, 1, 1),
        ...     {"plan": ["half"], "domain": ["general"], "step": [1]},
        ...     ("chain", "draw", "plan", "domain", "step"),
        ... )
        >>> forecast = Forecast(xr.Dataset({"mu": loss, "loss": loss}), [])
        >>> band = forecast.interval(0.9).sel(plan="half", domain="general", step=1)
        >>> [round(float(band[name]), 6) for name in ("lower", "median", "upper")]
        [5.0, 50.0, 95.0]
        """
        low, high = equal_tails(prob)
        if kind not in ("loss", "mu"):
            raise PlanError(f"kind = {kind!r}: give 'loss' or 'mu'")
        curves = self.dataset[kind]
        values = curves.transpose("chain", "draw", "plan", "domain", "step").to_numpy()
        flat = values.reshape(-1, *values.shape[2:])
        quantiles = np.empty((3, *flat.shape[1:]))
        for here in blocks(flat.shape[-1]):
            # One copy of the draws is sorted at a time.
            part = flat[..., here]
            quantiles[..., here] = np.quantile(part, [low, 0.5, high], axis=0)
        dims = ("plan", "domain", "step")
        return xr.Dataset(
            {name: (dims, quantiles[k]) for k, name in enumerate(("lower", "median", "upper"))},
            coords={dim: self.dataset[dim] for dim in dims},
            attrs={"prob": prob, "kind": kind},
        )

    def plot(self, **options: Any) -> Figure:
        """Draw fan charts of the plans.

        Parameters
        ----------
        **options
            Of `bayescpt.plot.fan`, such as ``observed``, ``goal`` and ``plans``.

        Returns
        -------
        matplotlib.figure.Figure

        Examples
        --------
        >>> forecast = fit.forecast(plans)  # doctest: +SKIP
        >>> forecast.plot(goal={"general": 3.3}).savefig("bands.png")  # doctest: +SKIP
        """
        return figure("fan", self, **options)

    def __repr__(self) -> str:
        """One-line summary."""
        sizes = self.dataset.sizes
        return (
            f"Forecast({sizes['plan']} plans, {sizes['domain']} domains, {sizes['step']} steps, "
            f"{sizes['chain']} x {sizes['draw']} draws)"
        )

    def _repr_html_(self) -> str:
        bands = self.interval(0.9).to_dataframe(dim_order=["plan", "domain", "step"]).dropna()
        last = bands.reset_index().groupby(["plan", "domain"], sort=False).tail(1)
        failed = [f"the fit failed its checks: {', '.join(self.failed_checks)}"]
        return html_block(
            repr(self),
            {"study": self.study_name or None, "unit": self.dataset.attrs.get("units")},
            {"last loss of each plan, 90% band": last.set_index(["plan", "domain"])},
            [*(failed if self.failed_checks else []), *self.warnings],
        )


def forecast(
    draws: Draws,
    plans: Sequence[Plan] | Plan,
    steps: ArrayLike | str | None = None,
    seed: int = 0,
    extrapolate: bool = False,
) -> Forecast:
    """Forecast plans from posterior draws.

    All plans share the parameter draws, so they can be compared draw by draw.

    Parameters
    ----------
    draws : Draws
        Posterior with its card and study.
    plans : Plan or sequence of Plan
        Recipes with distinct names.
    steps : array_like of int, or "all", optional
        Steps at which to forecast; by default about 200, evenly spaced, with the first and the
        last of every plan.
    seed : int
        Seed of the noise.
    extrapolate : bool
        Also forecast plans absurdly far from the pilots; see `bayescpt.forecast.reach`.

    Returns
    -------
    Forecast
        With all draws.

    Raises
    ------
    PlanError
        If there is no plan, two plans share a name, a step is out of range, a plan does not match
        the study, one is absurdly far from the pilots and `extrapolate` is not set, or the draws
        would take more than `MEMORY_LIMIT`.
    """
    whole = _Request(draws, plans, steps, seed, extrapolate)
    whole.check_size()
    return whole.block(whole.steps)


def forecast_blocks(
    draws: Draws,
    plans: Sequence[Plan] | Plan,
    steps: ArrayLike | str | None = "all",
    seed: int = 0,
    extrapolate: bool = False,
    size: int = BLOCK,
) -> Iterator[Forecast]:
    """Forecast plans, some steps at a time, in bounded memory.

    Parameters
    ----------
    draws : Draws
        Posterior with its card and study.
    plans : Plan or sequence of Plan
        Recipes with distinct names.
    steps : array_like of int, or "all"
        Steps at which to forecast; None for about 200.
    seed : int
        Seed of the noise.
    extrapolate : bool
        Also forecast plans absurdly far from the pilots.
    size : int
        Most steps of a block.

    Yields
    ------
    Forecast
        Of consecutive steps. Noise carries on from one to the next: together they are one forecast.

    Raises
    ------
    PlanError
        As `forecast`; `size` must be at least 1.
    """
    if size < 1:
        raise PlanError(f"size = {size!r}: give a number of steps of at least 1")
    whole = _Request(draws, plans, steps, seed, extrapolate)
    for here in blocks(whole.steps.size, size):
        part = whole.steps[here]
        whole.check_size(part.size)
        yield whole.block(part)


def check_memory(n_plans: int, n_domains: int, n_steps: int, n_draws: int) -> None:
    """Refuse a forecast that would not fit in memory: all draws are kept.

    Parameters
    ----------
    n_plans, n_domains, n_steps, n_draws : int
        Sizes of the forecast; draws over all chains.

    Raises
    ------
    PlanError
        If its draws would take more than `MEMORY_LIMIT`.
    """
    need = 16.0 * n_plans * n_domains * n_steps * n_draws
    if need > MEMORY_LIMIT:
        raise PlanError(
            f"a forecast of {n_plans:,} plans on {n_domains} domains at {n_steps:,} steps with "
            f"{n_draws:,} draws takes {need / 1e9:.1f} GB, more than the "
            f"{MEMORY_LIMIT / 1e9:.1f} GB allowed: name fewer steps (steps=...) or give fewer "
            "plans at once; Fit.forecast_blocks goes through the steps in blocks, and screen "
            "judges any number of plans at their ends"
        )


def distinct_plans(plans: Sequence[Plan] | Plan) -> list[Plan]:
    """Plans to forecast, as a list.

    Parameters
    ----------
    plans : Plan or sequence of Plan
        Recipes.

    Returns
    -------
    list of Plan

    Raises
    ------
    PlanError
        If there is none, or two share a name.
    """
    recipes = [plans] if isinstance(plans, Plan) else list(plans)
    if not recipes:
        raise PlanError("no plan to forecast")
    counts = Counter(plan.name for plan in recipes)
    repeated = sorted(name for name, count in counts.items() if count > 1)
    if repeated:
        raise PlanError(f"two plans are named {repeated[0]!r}; names must be unique")
    return recipes


class _Request:
    """What is to be forecast, checked; computed for consecutive steps."""

    def __init__(
        self,
        draws: Draws,
        plans: Sequence[Plan] | Plan,
        steps: ArrayLike | str | None,
        seed: int,
        extrapolate: bool,
    ) -> None:
        recipes = distinct_plans(plans)
        starts = Starts(draws.study, draws.rows.refs.warmup, draws.card)
        assumed = [text for plan in recipes for text in starts.assumptions(plan)]
        recipes = [starts.complete(plan) for plan in recipes]
        paths = [starts.trajectory(plan) for plan in recipes]
        for plan, path in zip(recipes, paths, strict=True):
            if not any(draws.shows(path, domain) for domain in draws.domains):
                draws.check_pair(path, str(path.target))
            if not extrapolate:
                check_reach(draws, plan, path)
        self.steps = chosen_steps(steps, paths)
        ends = (self.steps[within(self.steps, path)] for path in paths)
        self.last = [int(end[-1]) if end.size else None for end in ends]
        found = [finding.text for finding in draws.study.findings()]
        self.warnings = [*found, *assumed, *range_warnings(draws, recipes, paths)]
        self.draws, self.plans, self.paths, self.seed = draws, recipes, paths, seed
        self.curves: dict[str, PlanCurves] = {}

    def check_size(self, n_steps: int | None = None) -> None:
        """Refuse what would not fit in memory: all draws are kept."""
        n = self.steps.size if n_steps is None else n_steps
        check_memory(len(self.plans), len(self.draws.domains), n, self.draws.size)

    def block(self, at: NDArray[np.int64]) -> Forecast:
        """Forecast at steps that follow those of the call before."""
        draws = self.draws
        shape = (len(self.paths), len(draws.domains), draws.size, at.size)
        mu, loss = np.full(shape, np.nan), np.full(shape, np.nan)
        for p, path in enumerate(self.paths):
            inside = np.flatnonzero(within(at, path))
            if not inside.size:
                continue
            if path.name not in self.curves:
                own = self.steps[within(self.steps, path)]
                self.curves[path.name] = PlanCurves(draws, path, own, self.seed)
            curves = self.curves[path.name]
            first = curves.done
            for here in blocks(inside.size):
                values = curves.block(slice(first + here.start, first + here.stop))
                to = slice(inside[here.start], inside[here.stop - 1] + 1)
                mu[p][..., to], loss[p][..., to] = values
        start = np.stack([start_losses(draws, path, self.seed) for path in self.paths])
        names = [plan.name for plan in self.plans]
        observed = observed_range(draws)
        last = [step if step in at else None for step in self.last]
        return Forecast(
            dataset=forecast_dataset(
                draws.posterior,
                {"mu": mu, "loss": loss, "start_loss": start},
                {"plan": names, "domain": list(draws.domains), "step": at},
                draws.study.units.attrs(),
                observed,
            ),
            plans=self.plans,
            warnings=[*self.warnings, *wide_bands(loss, names, draws.domains, last, at, observed)],
            study_name=draws.study.name,
            so_far=losses_so_far(draws, self.paths),
            leaves_range=steps_outside(draws, self.plans, self.paths),
        )


def forecast_dataset(
    posterior: xr.Dataset, arrays: Mapping[str, NDArray[np.float64]], labels: Mapping[str, Any],
    units: Mapping[str, Any], observed: Mapping[str, list[float]],
) -> xr.Dataset:  # fmt: skip
    """Dataset of a forecast.

    Parameters
    ----------
    posterior : Dataset
        Draws, for their numbers.
    arrays : Mapping of str to ndarray
        ``mu`` and ``loss``, shape (plans, domains, draws, steps), and ``start_loss``, shape (plans,
        domains, draws), nats per token.
    labels : Mapping
        ``plan``, ``domain`` and ``step``.
    units : Mapping
        Attributes that say how losses are shown, see `bayescpt.data.units.LossUnits.attrs`.
    observed : Mapping of str to list of float
        Lowest and highest loss of the fitted runs by domain.

    Returns
    -------
    Dataset
        Dims chain, draw, plan, domain and step.
    """
    sizes, dims = posterior.sizes, ("chain", "draw", "plan", "domain", "step")

    def _placed(values: NDArray[np.float64]) -> tuple[Any, ...]:
        moved = np.moveaxis(values, 2, 0)
        shaped = moved.reshape(sizes["chain"], sizes["draw"], *moved.shape[1:])
        return dims[: shaped.ndim], shaped, {"units": units["units"]}

    place = {dim: posterior[dim].to_numpy() for dim in ("chain", "draw")}
    return xr.Dataset(
        {name: _placed(values) for name, values in arrays.items()},
        coords={**place, **labels},
        attrs={**units, "observed": json.dumps(observed)},
    )
