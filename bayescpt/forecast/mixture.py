"""Mixtures of forecasts: each draw is of one of several fits, the same one for all plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescpt.data.conversion import LossUnits
from bayescpt.errors import PlanError
from bayescpt.forecast.forecast import Forecast
from bayescpt.forecast.plan import Plan
from bayescpt.forecast.ranges import FittedRange

Array = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Allocation:
    """Which draw of a mixture is of which fit.

    Attributes
    ----------
    chains, draws : int
        Chains of the mixture, and draws of each.
    places : tuple of ndarray
        Draws of the mixture that each fit gives, by their place in the chains one after another.
    sources : tuple of ndarray, shape (n, 2)
        Chain and draw of the fit that stands there.
    """

    chains: int
    draws: int
    places: tuple[Places, ...]
    sources: tuple[Places, ...]

    @classmethod
    def of(cls, weights: Sequence[float], chains: int, draws: int, seed: int) -> Allocation:
        """Give each fit draws in proportion to its weight.

        A fit gives evenly spaced draws of each of its chains, in their order and in the chain of
        the same number. Which draws of the mixture they are is random, so that estimates of Monte
        Carlo errors, which look at neighbouring draws, see the mixture and not its parts.

        Parameters
        ----------
        weights : sequence of float
            Weights of the fits; sum to 1.
        chains, draws : int
            Chains of the mixture and draws of each, which every fit must have.
        seed : int
            Seed of the places.

        Returns
        -------
        Allocation
            Numbers of draws differ from the weights by less than one draw.

        Examples
        --------
        >>> one = Allocation.of([0.75, 0.25], chains=2, draws=4, seed=1)
        >>> [len(places) for places in one.places]
        [6, 2]
        """
        rng = np.random.default_rng([seed, 0x311])
        total = chains * draws
        ends = np.round(np.cumsum(weights) / np.sum(weights) * total).astype(np.int64)
        counts = np.diff(ends, prepend=0)
        # Laid out in turn over the chains, every chain has its share of each fit to one draw.
        order = np.repeat(np.arange(len(counts)), counts)
        owner = np.stack([rng.permutation(order[chain::chains]) for chain in range(chains)])
        places, sources = [], []
        for member in range(len(counts)):
            where, taken = [], []
            for chain in range(chains):
                own = np.flatnonzero(owner[chain] == member)
                spaced = ((np.arange(len(own)) + 0.5) * draws / max(len(own), 1)).astype(np.int64)
                where.append(chain * draws + own)
                taken.append(np.column_stack([np.full(len(own), chain), spaced]))
            places.append(np.concatenate(where))
            sources.append(np.concatenate(taken).astype(np.int64))
        return cls(chains, draws, tuple(places), tuple(sources))

    def take(self, posterior: xr.Dataset, member: int) -> xr.Dataset:
        """Draws of a fit that enter the mixture.

        Parameters
        ----------
        posterior : xr.Dataset
            All of its draws, dims chain, draw and others.
        member : int
            Number of the fit.

        Returns
        -------
        xr.Dataset
            As one chain.
        """
        chain, draw = (xr.DataArray(column, dims="draw") for column in self.sources[member].T)
        taken = posterior.drop_vars(["chain", "draw"], errors="ignore").isel(chain=chain, draw=draw)
        placed = taken.expand_dims("chain", axis=0)
        out: xr.Dataset = placed.assign_coords(chain=[0], draw=np.arange(draw.size))
        # Draws first, as a posterior has them.
        return out.transpose("chain", "draw", ...)

    def gather(self, parts: Sequence[Array | None], axis: int) -> Array:
        """Draws of all fits in their places.

        Parameters
        ----------
        parts : sequence of ndarray
            Draws of each fit along `axis`; None for a fit that gives none.
        axis : int
            The axis of the draws.

        Returns
        -------
        ndarray
            The draws of one chain after those of another.
        """
        known = next(part for part in parts if part is not None)
        shape = list(np.moveaxis(known, axis, 0).shape)
        out = np.empty([self.chains * self.draws, *shape[1:]])
        for part, places in zip(parts, self.places, strict=True):
            if part is not None:
                out[places] = np.moveaxis(part, axis, 0)
        return np.moveaxis(out, 0, axis)


def mix_forecasts(
    parts: Mapping[str, Forecast | None], allocation: Allocation, chosen: Sequence[str]
) -> Forecast:
    """Join the forecasts of several fits of one study.

    Parameters
    ----------
    parts : mapping of str to Forecast or None
        Forecasts of the same plans at the same steps by label, each from the draws that `Allocation
        .take` gives; None for a fit that gives none.
    allocation : Allocation
        Places of their draws.
    chosen : sequence of str
        Domains that all of them have.

    Returns
    -------
    Forecast
        Its draws are those of the mixture. Warnings that are not common to all parts begin with the
        label of theirs.
    """
    known = {label: part for label, part in parts.items() if part is not None}
    first = next(iter(known.values()))
    cut = {label: part.dataset.sel(domain=list(chosen)) for label, part in known.items()}
    layout = next(iter(cut.values()))
    variables = {}
    for name, values in layout.data_vars.items():
        flat = [
            cut[label][name].transpose(*values.dims).to_numpy()[0] if label in cut else None
            for label in parts
        ]
        joined = allocation.gather(flat, 0)
        shaped = joined.reshape(allocation.chains, allocation.draws, *joined.shape[1:])
        variables[name] = (values.dims, shaped, values.attrs)
    coords = {dim: layout[dim] for dim in ("plan", "domain", "step")}
    places = {"chain": np.arange(allocation.chains), "draw": np.arange(allocation.draws)}
    leaves: dict[str, int] = {}
    for part in known.values():
        for plan, step in part.leaves_range.items():
            leaves[plan] = min(step, leaves.get(plan, step))
    return Forecast(
        dataset=xr.Dataset(variables, {**places, **coords}, attrs=first.dataset.attrs),
        plans=first.plans,
        warnings=common_texts({label: part.warnings for label, part in known.items()}),
        study_name=first.study_name,
        so_far=first.so_far,
        leaves_range=leaves,
    )


def common_texts(by_label: Mapping[str, Sequence[str]]) -> list[str]:
    """Texts of several fits, each once; those that not all have begin with the label of theirs.

    Parameters
    ----------
    by_label : mapping of str to sequence of str
        Texts by label.

    Returns
    -------
    list of str

    Examples
    --------
    >>> common_texts({"a": ["short", "long"], "b": ["short"]})
    ['short', 'a: long']
    """
    every = dict.fromkeys(text for texts in by_label.values() for text in texts)
    out = []
    for text in every:
        labels = [label for label, texts in by_label.items() if text in texts]
        out.append(text if len(labels) == len(by_label) else f"{', '.join(labels)}: {text}")
    return out


@dataclass(frozen=True)
class MixedPlan:
    """A plan as each fit of a mixture has placed it.

    Attributes
    ----------
    members : tuple
        From the screeners of the fits.
    outside : tuple of str
        Where the plan leaves the range of the fitted runs.
    """

    members: tuple[Any, ...]
    outside: tuple[str, ...]


class MixedScreener:
    """Evaluates many plans under a mixture; see `bayescpt.decide.forecaster.Screener`.

    Parameters
    ----------
    members : sequence
        Screeners of the fits; None for one that gives no draw.
    allocation : Allocation
        Places of their draws.
    domains : sequence of str
        Domains that all of them have.
    seeds : callable
        Seed of each fit from that of the mixture and the number of the fit.
    """

    def __init__(
        self, members: Sequence[Any], allocation: Allocation, domains: Sequence[str], seeds: Any
    ) -> None:
        self._members, self._allocation, self._seeds = list(members), allocation, seeds
        self.domains = tuple(domains)
        self._first = next(one for one in members if one is not None)
        self._kept = [
            None if one is None else [one.domains.index(name) for name in domains]
            for one in members
        ]

    @property
    def n_chains(self) -> int:
        """Number of chains."""
        return self._allocation.chains

    @property
    def n_draws(self) -> int:
        """Number of draws over all chains."""
        return self._allocation.chains * self._allocation.draws

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Fitted start checkpoints."""
        return tuple(self._first.checkpoints)

    @property
    def ranges(self) -> Mapping[str, FittedRange]:
        """Range of the fitted runs of each phase."""
        found: Mapping[str, FittedRange] = self._first.ranges
        return found

    @property
    def units(self) -> LossUnits:
        """Unit of the losses, and that of the user."""
        found: LossUnits = self._first.units
        return found

    @property
    def observed(self) -> dict[str, list[float]]:
        """Lowest and highest loss of the fitted runs by domain, nats."""
        return {name: ends for name, ends in self._first.observed.items() if name in self.domains}

    def place(self, plan: Plan) -> MixedPlan:
        """Place a plan at its start checkpoint, under each fit; not thread-safe.

        Parameters
        ----------
        plan : Plan
            Recipe.

        Returns
        -------
        MixedPlan

        Raises
        ------
        PlanError
            If the plan does not belong to the study.
        """
        placed = tuple(None if one is None else one.place(plan) for one in self._members)
        outside = (text for one in placed if one is not None for text in one.outside)
        return MixedPlan(placed, tuple(dict.fromkeys(outside)))

    def start_losses(self, plans: Sequence[MixedPlan], seed: int = 0) -> Array:
        """Losses of the start checkpoints of plans.

        Parameters
        ----------
        plans : sequence of MixedPlan
            From `place`.
        seed : int
            Seed of the noise.

        Returns
        -------
        ndarray, shape (plans, domains, draws)
            Nats; NaN from scratch.
        """
        return self._gathered(
            lambda k, member: member.start_losses(_of(plans, k), self._seeds(seed, k))
        )

    def evaluator(self, seed: int = 0) -> Any:
        """Return an evaluator for use in one thread.

        Parameters
        ----------
        seed : int
            Seed of the noise.

        Returns
        -------
        callable
            See `bayescpt.decide.forecaster.FinalEvaluator`.
        """
        own = {
            k: one.evaluator(self._seeds(seed, k))
            for k, one in enumerate(self._members)
            if one is not None
        }

        def _evaluate(plans: Sequence[MixedPlan], kind: str = "loss") -> Array:
            return self._gathered(lambda k, _: own[k](_of(plans, k), kind))

        return _evaluate

    def _gathered(self, evaluate: Any) -> Array:
        """Losses of all fits, shape (plans, domains, draws)."""
        parts = [
            None if one is None else np.asarray(evaluate(k, one))[:, self._kept[k]]
            for k, one in enumerate(self._members)
        ]
        return self._allocation.gather(parts, 2)


def _of(plans: Sequence[MixedPlan], member: int) -> list[Any]:
    return [plan.members[member] for plan in plans]


def common_domains(by_label: Mapping[str, Sequence[str]]) -> list[str]:
    """Domains that all fits have, in the order of the first.

    Parameters
    ----------
    by_label : mapping of str to sequence of str
        Domains by label of the fit.

    Returns
    -------
    list of str

    Raises
    ------
    PlanError
        If there is none.
    """
    lists = list(by_label.values())
    common = [name for name in lists[0] if all(name in other for other in lists[1:])]
    if not common:
        told = "; ".join(f"{label}: {', '.join(names)}" for label, names in by_label.items())
        raise PlanError(f"the fits of an ensemble have no domain in common ({told})")
    return common
