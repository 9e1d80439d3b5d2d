"""Plans for laws of final losses: what they leave to the study, and where they leave its range."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayescpt.data import Study
from bayescpt.errors import PlanError
from bayescpt.forecast.plan import UNKNOWN, Plan
from bayescpt.laws.final import Points
from bayescpt.model.final_card import FinalCard
from bayescpt.model.final_rows import (
    SAME,
    FinalRows,
    base_label,
    log_ratio,
    run_shares,
    set_label,
)

Array = NDArray[np.float64]
# Sizes and tokens this many times beyond those of the fitted runs are taken for slips.
FURTHEST = 100.0
# Factors of the LR likewise: beyond them training diverges or stands still.
FURTHEST_LR = 10.0
_WORDS = {"n_params": "parameters", "tokens": "tokens", "lr": "LR"}


@dataclass(frozen=True)
class FinalDraws:
    """Posterior of a law of final losses.

    Attributes
    ----------
    posterior : xr.Dataset
        Draws, dims chain and draw first.
    card : FinalCard
        The card.
    study : Study
        The fitted study.
    rows : FinalRows
        Arrays of the study.
    """

    posterior: xr.Dataset
    card: FinalCard
    study: Study
    rows: FinalRows

    @property
    def size(self) -> int:
        """Number of draws over all chains."""
        return int(self.posterior.sizes["chain"] * self.posterior.sizes["draw"])

    @cached_property
    def values(self) -> dict[str, Array]:
        """Draws by variable, shape (draws, ...), one chain after the other."""
        return {
            str(name): v.to_numpy().reshape(self.size, *v.shape[2:])
            for name, v in self.posterior.data_vars.items()
        }

    def parameters(self, name: str) -> dict[str, Array]:
        """Draws of the parameters of a set, to be broadcast over points.

        Parameters
        ----------
        name : str
            Label of the set.

        Returns
        -------
        dict of str to ndarray, shape (draws, 1) or (draws, 1, sources)
        """
        k = self.rows.labels.set.index(name)
        return {p.name: self.values[p.name][:, k, None] for p in self.card.law.parameters}

    def base_effect(self, label: str, name: str, seed: int = 0) -> Array:
        """Effect of a base on a set: as fitted, or drawn for one that was not.

        Parameters
        ----------
        label : str
            Label of the base.
        name : str
            Label of the set.
        seed : int
            Seed of the draw; plans of one base and seed share it.

        Returns
        -------
        ndarray, shape (draws,)
            nats per token; 0 where the card has no such effects, or one base was fitted.
        """
        from bayescpt.forecast.noise import plan_rng

        if "base_sd" not in self.values:
            return np.zeros(self.size)
        k = self.rows.labels.set.index(name)
        sd = self.values["base_sd"][:, k]
        if label in self.rows.labels.base:
            return sd * self.values["base_unit"][:, self.rows.labels.base.index(label), k]
        # One draw for all sets would say that they miss alike; they are independent in the fit.
        return sd * plan_rng(seed, f"{label} {name}").standard_normal(self.size)


@dataclass(frozen=True)
class FinalRecipe:
    """A plan with all that a law of final losses responds to.

    Attributes
    ----------
    plan : Plan
        The plan.
    n_params, tokens, lr : float
        NaN where neither the plan nor the runs have it.
    replay : float
        Replay ratio; NaN where shares of sources are given, or none.
    target : str or None
        Target domain.
    start : str or None
        Start checkpoint.
    base : str
        Label of its base.
    outside : tuple of str
        Where it leaves the range of the fitted runs.
    """

    plan: Plan
    n_params: float
    tokens: float
    lr: float
    replay: float
    target: str | None
    start: str | None
    base: str
    outside: tuple[str, ...]

    def set_of(self, rows: FinalRows, domain: str, study: Study) -> str | None:
        """Label of a validation set in runs like this plan.

        Parameters
        ----------
        rows : FinalRows
            Arrays of the study.
        domain : str
            The validation set.
        study : Study
            The study.

        Returns
        -------
        str or None
            None if no fitted run like it was evaluated on the set.
        """
        if domain in study.targets and domain != self.target:
            return None
        label = set_label(domain, self.target, study.targets)
        return label if label in rows.labels.set else None

    def points(self, rows: FinalRows, domain: str, label: str, study: Study) -> Points:
        """The plan as a point of the law on a set.

        Parameters
        ----------
        rows : FinalRows
            Arrays of the study.
        domain, label : str
            The validation set and its label.
        study : Study
            The study.

        Returns
        -------
        Points
            Arrays of shape (1,).
        """
        sources = rows.labels.source
        shares = np.array([mixture(self, sources, study)]) if sources else np.empty((1, 0))
        return make_points(
            rows, label, self.n_params, self.tokens, self.lr, own_share(self, rows, domain), shares
        )


def make_points(
    rows: FinalRows, label: str, n_params: Any, tokens: Any, lr: Any, share: Any, shares: Any
) -> Points:
    """Points of the law on a set, from quantities in their own units.

    Parameters
    ----------
    rows : FinalRows
        Arrays of the study.
    label : str
        Label of the set.
    n_params, tokens, lr, share : array_like, shape (n,)
        Number of parameters, tokens, LR and the set's own share.
    shares : array_like, shape (n, sources)
        Shares of the sources.

    Returns
    -------
    Points
        Arrays of shape (n,).
    """
    refs = rows.references
    return Points(
        size=np.atleast_1d(log_ratio(n_params, refs["n_params"])),
        tokens=np.atleast_1d(log_ratio(tokens, refs["tokens"])),
        lr=np.atleast_1d(log_ratio(lr, refs["lr"])),
        share=np.atleast_1d(np.asarray(share, dtype=float)),
        shares=shares,
        reference_share=refs["share"][label],
        least_tokens=refs["least_tokens"],
        one_budget=refs["one_budget"],
    )


def own_share(recipe: FinalRecipe, rows: FinalRows, domain: str) -> float:
    """Share that a set responds to, in a plan.

    Parameters
    ----------
    recipe : FinalRecipe
        The plan.
    rows : FinalRows
        Arrays of the study.
    domain : str
        The validation set.

    Returns
    -------
    float
    """
    kind, shares = rows.own_share[domain], recipe.plan.shares or {}
    if kind.startswith("share_"):
        return float(shares.get(kind.removeprefix("share_"), 1.0))
    if shares and kind == "target":
        return float(shares.get(str(recipe.target), 0.0))
    ratio = 0.0 if np.isnan(recipe.replay) else recipe.replay
    return ratio if kind == "replay" else 1.0 - ratio


def mixture(recipe: FinalRecipe, sources: tuple[str, ...], study: Study) -> list[float]:
    """Shares of the sources in a plan.

    Parameters
    ----------
    recipe : FinalRecipe
        The plan.
    sources : tuple of str
        Names of the sources.
    study : Study
        The study.

    Returns
    -------
    list of float

    Raises
    ------
    PlanError
        If the plan has neither shares nor a replay ratio, names another source, or its shares do
        not sum to 1.
    """
    shares, name = recipe.plan.shares, recipe.plan.name
    if shares is None:
        if np.isnan(recipe.replay):
            raise PlanError(f"plan {name!r}: give shares={{...}} of {', '.join(sources)}")
        general = study.general or "general"
        given = {general: recipe.replay, recipe.target: 1.0 - recipe.replay}
        return [given.get(source, 0.0) for source in sources]
    unknown = [source for source in shares if source not in sources]
    if unknown:
        raise PlanError(
            f"plan {name!r}: no fitted run has source {unknown[0]!r}; sources are "
            f"{', '.join(sources)}"
        )
    total = sum(shares.values())
    if min(shares.values()) < 0 or abs(total - 1.0) > 0.02:
        raise PlanError(f"plan {name!r}: its shares sum to {total:g}; expected 0 to 1 each, 1 all")
    return run_shares(recipe.plan, sources, study)  # type: ignore[arg-type]


def complete_plan(plan: Plan, draws: FinalDraws, extrapolate: bool = False) -> FinalRecipe:
    """Fill in what a plan leaves to the study.

    Parameters
    ----------
    plan : Plan
        The plan.
    draws : FinalDraws
        Posterior with the fitted study.
    extrapolate : bool
        Also take plans absurdly far from the fitted runs.

    Returns
    -------
    FinalRecipe

    Raises
    ------
    PlanError
        If the plan lacks a quantity that the fitted runs differ by, or does not match the study.
    """
    rows, study = draws.rows, draws.study
    target = _target(plan, study)
    # A run that was held out may start from a base of its own, which was held out too.
    fitted_start = plan.start is not None and plan.start in study
    if plan.start is not None and not fitted_start and plan.run is None:
        known = ", ".join([*study.pt_runs, *study.cpt_runs])
        raise PlanError(f"plan {plan.name!r}: unknown start {plan.start!r}; runs are {known}")
    size = plan.n_params
    if size is None and fitted_start:
        size = study.run(str(plan.start)).n_params
    found = {
        "n_params": _quantity(plan, rows, "n_params", size),
        "tokens": _quantity(plan, rows, "tokens", plan.tokens),
        "lr": _quantity(plan, rows, "lr", _lr(plan, rows)) if draws.card.lr else np.nan,
    }
    replay = _replay(plan, draws)
    start = plan.start or _start(study, rows, found["n_params"])
    outside = [text for key, value in found.items() for text in _outside(rows, key, value)]
    outside += [
        f"{key} is not known of the fitted runs, and is not used"
        for key in ("n_params", "tokens", "lr_factor", "peak_lr")
        if getattr(plan, key) is not None and not _is_known(rows, key)
    ]
    if plan.shares is None and not np.isnan(replay):
        outside += _outside_replay(rows, replay)
    if not extrapolate and plan.run is None:
        _check_reach(plan, rows, found)
    base = base_label(start, found["n_params"])
    return FinalRecipe(plan, **found, replay=replay, target=target, start=start, base=base,
                       outside=tuple(outside))  # fmt: skip


def _is_known(rows: FinalRows, key: str) -> bool:
    """Whether the fitted runs have a quantity of plans."""
    if key in ("lr_factor", "peak_lr"):
        return rows.lr_column is not None
    return bool(rows.table[key].notna().any())


def _target(plan: Plan, study: Study) -> str | None:
    targets = study.targets
    if plan.domain is not None and plan.domain not in targets:
        raise PlanError(
            f"plan {plan.name!r}: no fitted run trains on domain {plan.domain!r}; targets are "
            f"{', '.join(targets) or 'none'}"
        )
    if plan.domain is None and len(targets) > 1:
        raise PlanError(f"plan {plan.name!r}: give its target domain, one of {', '.join(targets)}")
    return plan.domain or next(iter(targets), None)


def _quantity(plan: Plan, rows: FinalRows, key: str, given: float | None) -> float:
    """A quantity of a plan, or that of all fitted runs where they have one."""
    if given is not None:
        return float(given)
    if rows.varying[key]:
        values = rows.table[key]
        shown = rows.lr_column if key == "lr" else key
        raise PlanError(
            f"plan {plan.name!r}: {shown} is missing: the fitted runs have {values.min():.4g} to "
            f"{values.max():.4g}"
        )
    return float(rows.references[key])


def _lr(plan: Plan, rows: FinalRows) -> float | None:
    if rows.lr_column == "peak_lr":
        unknown = plan.schedule is UNKNOWN
        return plan.peak_lr or (None if unknown else plan.schedule.peak_lr)
    return plan.lr_factor if rows.lr_column == "lr_factor" else None


def _replay(plan: Plan, draws: FinalDraws) -> float:
    if plan.replay_ratio is not None:
        return float(np.mean(np.asarray(plan.replay_ratio, dtype=float)))
    if draws.card.law.uses_share and plan.shares is None and draws.study.cpt_runs:
        raise PlanError(
            f"plan {plan.name!r}: replay_ratio is missing: give the share of general data in its "
            "tokens, 0 to 1 (0 where there is none)"
        )
    return float("nan")


def _start(study: Study, rows: FinalRows, n_params: float) -> str | None:
    """The one base of fitted runs of a size, if there is one."""
    like = rows.table
    if np.isfinite(n_params):
        like = like[np.isclose(like["n_params"], n_params, rtol=SAME)]
    parents = {study.run(name).parent for name in like["run"]}
    return next(iter(parents)) if len(parents) == 1 else None


def _outside(rows: FinalRows, key: str, value: float) -> list[str]:
    known = rows.table[key].dropna()
    if not len(known) or np.isnan(value):
        return []
    low, high, word = known.min(), known.max(), _WORDS[key]
    shown = rows.lr_column if key == "lr" else word
    if low * (1.0 - SAME) <= value <= high * (1.0 + SAME):
        return []
    if not rows.varying[key]:
        return [
            f"{shown} {value:.4g} differs from the {high:.4g} of all fitted runs: the response is "
            "that of the priors"
        ]
    side, bound = ("above", high) if value > high else ("below", low)
    return [f"{shown} {value:.4g} is {side} the fitted {bound:.4g}"]


def _outside_replay(rows: FinalRows, replay: float) -> list[str]:
    known = rows.table["replay"].dropna()
    if not len(known) or known.min() - 1e-9 <= replay <= known.max() + 1e-9:
        return []
    side, bound = ("above", known.max()) if replay > known.max() else ("below", known.min())
    return [f"replay ratio {replay:g} is {side} the fitted {bound:g}"]


def _check_reach(plan: Plan, rows: FinalRows, found: dict[str, float]) -> None:
    for key, value in found.items():
        known = rows.table[key].dropna()
        most = FURTHEST_LR if key == "lr" else FURTHEST
        if not len(known) or known.min() / most <= value <= known.max() * most:
            continue
        shown = rows.lr_column if key == "lr" else key
        raise PlanError(
            f"plan {plan.name!r}: {shown} = {value:g} is more than {most:g} times beyond the "
            f"fitted runs ({known.min():.4g} to {known.max():.4g}); extrapolate=True "
            "(--extrapolate) forecasts it all the same"
        )
