"""Fits of laws of final losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from bayescpt.data import Study
from bayescpt.errors import FitError
from bayescpt.forecast import Forecast, Plan
from bayescpt.forecast.final_losses import FinalScreener, forecast_final
from bayescpt.forecast.final_plans import FinalDraws
from bayescpt.forecast.ratios import Ratio, critical_ratio, optimal_ratio
from bayescpt.inference.checks import Check, read_checks
from bayescpt.inference.final_checks import final_checks, final_misfit
from bayescpt.inference.fit import Fit
from bayescpt.inference.summary import parameter_table
from bayescpt.model.final_card import FinalCard
from bayescpt.model.final_rows import FinalRows, make_final_rows
from bayescpt.random_seed import takes_seed

if TYPE_CHECKING:
    import pymc as pm


@dataclass(frozen=True, repr=False)
class FinalFit(Fit):
    """Posterior of a law of final losses given a study without schedules.

    `bayescpt.fit` returns it for such a study. It forecasts, decides, saves and loads like any
    `Fit`; what needs curves (residuals along a run, components, in-flight runs) it has not.

    Attributes
    ----------
    card : FinalCard
        The card.
    rows : FinalRows
        Arrays of the study, with labels and reference point.

    Examples
    --------
    >>> import bayescpt as bc
    >>> fit = bc.fit(bc.load_example("ibrahim_405m_german"))  # doctest: +SKIP
    >>> plan = bc.Plan("quarter", replay_ratio=0.25)  # doctest: +SKIP
    >>> fit.forecast(plan).interval(0.9)  # doctest: +SKIP
    >>> fit.critical_ratio(plan, tolerance=0.2).interval(0.9)  # doctest: +SKIP
    """

    card: FinalCard  # type: ignore[assignment]
    rows: FinalRows  # type: ignore[assignment]

    @cached_property
    def mixing(self) -> list[Check]:
        """Checks of the chains: R-hat, bulk and tail ESS, divergences, tree depth, E-BFMI."""
        return self.convergence[:-1]

    @cached_property
    def convergence(self) -> list[Check]:
        """Checks of the chains, and of what the data tell."""
        sampled = [n for n, v in self.posterior.data_vars.items() if v.attrs.get("sampled", 1)]
        return final_checks(self.posterior[sampled], self.sample_stats, self.card, self.rows)

    @cached_property
    def misfit(self) -> Check:
        """Check that the law describes the final losses."""
        return final_misfit(self._final_draws)

    @cached_property
    def advice(self) -> list[Any]:
        """Runs to add; none are proposed for final losses."""
        return []

    @cached_property
    def residuals(self) -> Any:
        """Not available: there are no curves.

        Raises
        ------
        FitError
            Always.
        """
        raise FitError("a fit of final losses has no residuals along runs")

    @cached_property
    def _final_draws(self) -> FinalDraws:
        return FinalDraws(self.posterior, self.card, self.study, self.rows)

    @property
    def notes(self) -> list[str]:
        """Findings about the study, and what its runs do not tell."""
        words = {"n_params": "size", "tokens": "number of tokens", "lr": "LR", "share": "mixture"}
        needed = {c for p in self.card.law.parameters for c in self.card.law.covariates(p.name)}
        out = [found.text for found in self.study.findings()]
        for covariate, word in words.items():
            known = covariate == "share" or self.rows.table[covariate].notna().any()
            if covariate in needed and known and not self.rows.varying[covariate]:
                out.append(
                    f"the fitted runs have one {word}: the response to it is that of the priors, "
                    "and enters only plans with another"
                )
        roles = (self.study.general, *self.study.targets)
        out += [
            f"set {domain!r} is neither the general set nor a target: it is taken to respond to "
            f"the {'replay ratio' if share == 'replay' else 'share of target data'}, with which "
            "its losses fall"
            for domain, share in self.rows.own_share.items()
            if self.card.law.uses_share and domain not in roles and share in ("replay", "target")
        ]
        return out

    def with_discrepancy(self) -> Fit:
        """Return the fit itself: effects of bases are part of the model.

        Returns
        -------
        Fit
        """
        return self

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Summary table of the parameters, the paper's symbols first.

        Parameters
        ----------
        prob : float
            Probability of the equal-tailed interval.

        Returns
        -------
        DataFrame
            As `Fit.summary`.
        """
        shown = self.posterior.drop_vars("base_unit", errors="ignore")
        table = parameter_table(_flat(shown), self.card, prob)  # type: ignore[arg-type]
        table.attrs = {"prob": prob, "failed_checks": self.failed_checks}
        return table

    @cached_property
    def model(self) -> pm.Model:
        """The sampled PyMC model."""
        from bayescpt.model.final_build import final_model

        return final_model(self.rows, self.card)

    @cached_property
    def idata(self) -> xr.DataTree:
        """The draws, sampler statistics and fitted losses as an ArviZ DataTree."""
        table = self.rows.table
        observed = xr.Dataset(
            {"loss": ("obs", self.rows.loss)},
            coords={key: ("obs", list(table[key])) for key in ("run", "domain")},
        )
        groups = {"posterior": self.posterior, "sample_stats": self.sample_stats}
        return xr.DataTree.from_dict({**groups, "observed_data": observed})

    def draws(self, allow_failed: bool = False) -> FinalDraws:  # type: ignore[override]
        """Draws for use in forecasts.

        Parameters
        ----------
        allow_failed : bool
            Proceed even if a check failed.

        Returns
        -------
        FinalDraws

        Raises
        ------
        ConvergenceError
            If a check failed and `allow_failed` is not set.
        """
        self._require_passed(allow_failed)
        return self._final_draws

    @takes_seed
    def forecast(
        self,
        plans: Sequence[Plan] | Plan,
        steps: ArrayLike | str | None = None,
        random_seed: int = 0,
        allow_failed: bool = False,
        extrapolate: bool = False,
    ) -> Forecast:
        """Forecast the final losses of plans, with all draws.

        Parameters
        ----------
        plans : Plan or sequence of Plan
            Recipes: ``n_params``, ``tokens``, ``replay_ratio`` or ``shares``, ``lr_factor`` or
            ``peak_lr``; what all fitted runs share may be left out.
        steps : array_like of int, or "all", optional
            Not used: there is a forecast at the end of each plan only, step 1 without a schedule.
        random_seed : int
            Seed of the noise; also accepted as ``seed``.
        allow_failed : bool
            Forecast even if a check failed.
        extrapolate : bool
            Also forecast plans absurdly far from the fitted runs.

        Returns
        -------
        Forecast

        Raises
        ------
        ConvergenceError
            If a check failed and `allow_failed` is not set.
        PlanError
            If a plan lacks a quantity that the fitted runs differ by, does not match the study, or
            is absurdly far from its runs and `extrapolate` is not set.
        """
        out = forecast_final(self.draws(allow_failed), plans, random_seed, extrapolate)
        out.failed_checks.extend(self.failed_checks)
        return out

    @takes_seed
    def forecast_blocks(
        self, plans: Sequence[Plan] | Plan, random_seed: int = 0, **options: Any
    ) -> Iterator[Forecast]:
        """Forecast the final losses of plans; there is one block.

        Parameters
        ----------
        plans : Plan or sequence of Plan
            Recipes.
        random_seed : int
            Seed of the noise; also accepted as ``seed``.
        **options
            As in `Fit.forecast_blocks`.

        Yields
        ------
        Forecast
        """
        kept = {k: v for k, v in options.items() if k in ("allow_failed", "extrapolate")}
        yield self.forecast(plans, random_seed=random_seed, **kept)

    def screener(self, allow_failed: bool = False, extrapolate: bool = False) -> Any:
        """Return an evaluator of many plans, as used by `bayescpt.screen`.

        Parameters
        ----------
        allow_failed : bool
            Proceed even if a check failed.
        extrapolate : bool
            Also take plans absurdly far from the fitted runs.

        Returns
        -------
        FinalScreener
        """
        return FinalScreener(self.draws(allow_failed), extrapolate)

    def critical_ratio(
        self,
        plan: Plan | None = None,
        tolerance: float | str = 0.05,
        start_loss: float | None = None,
        allow_failed: bool = False,
    ) -> Ratio:
        """Critical mixture ratio: the largest target share at which the general loss holds.

        After arXiv 2407.17467, for any tolerance and budget, with its uncertainty; as the target
        loss falls with its share, it is also the best mixture under that limit (usage 1 of arXiv
        2406.01375).

        Parameters
        ----------
        plan : Plan, optional
            Size, tokens, LR and start; what all fitted runs share may be left out.
        tolerance : float or str
            Rise of the general loss over the start checkpoint: nats, or a share such as ``"3%"``.
        start_loss : float, optional
            General loss of the start checkpoint, nats per token; by default as it was measured.
        allow_failed : bool
            Proceed even if a check failed.

        Returns
        -------
        Ratio
            Of the expected loss; see `Ratio.interval` and `Ratio.possible`.

        Raises
        ------
        PlanError
            If the start loss is unknown, or the tolerance in neither form.

        Examples
        --------
        >>> plan = bc.Plan("", n_params=1.8e9, tokens=1e10)  # doctest: +SKIP
        >>> fit.critical_ratio(plan, tolerance="3%").interval(0.9)  # doctest: +SKIP
        """
        recipe = plan or Plan("all runs")
        return critical_ratio(self.draws(allow_failed), recipe, tolerance, start_loss)

    def optimal_ratio(
        self,
        plan: Plan | None = None,
        weights: Mapping[str, float] | None = None,
        target_tokens: float | None = None,
        allow_failed: bool = False,
    ) -> Ratio:
        """Target share with the lowest weighted expected loss.

        Parameters
        ----------
        plan : Plan, optional
            Size, tokens, LR and start; what all fitted runs share may be left out.
        weights : mapping of str to float, optional
            Weight of each set's loss; equal by default.
        target_tokens : float, optional
            Tokens of target data that there are, each seen once: the smaller its share, the longer
            the run (usage 2 of arXiv 2406.01375). Only the target's loss counts then, by default.
        allow_failed : bool
            Proceed even if a check failed.

        Returns
        -------
        Ratio

        Examples
        --------
        >>> fit.optimal_ratio(weights={"general": 2, "german": 1}).median  # doctest: +SKIP
        """
        recipe = plan or Plan("all runs")
        return optimal_ratio(self.draws(allow_failed), recipe, weights, target_tokens)

    def _reference_points(self) -> dict[str, float]:
        return {}


def load_final(text: Mapping[str, Any], posterior: xr.Dataset, stats: xr.Dataset) -> FinalFit:
    """Fit of final losses from the content of its file.

    Parameters
    ----------
    text : mapping
        From `bayescpt.inference.fit_file.read_fit_file`.
    posterior, stats : xr.Dataset
        Draws and sampler statistics.

    Returns
    -------
    FinalFit

    Raises
    ------
    FitError
        If the study was changed, or draws are missing.
    """
    checks = read_checks(text["checks"])
    study = Study.from_json(text["study"])
    if study.digest != text["study_digest"]:
        raise FitError("the stored study was changed after the fit")
    card = FinalCard.from_dict(text["card"], "its card")
    for parameter in card.law.parameters:
        found = posterior[parameter.name].dims if parameter.name in posterior else None
        if found != ("chain", "draw", *parameter.dims):
            raise FitError(f"the draws of {parameter.name} are missing or damaged")
    rows = make_final_rows(study, card)
    fit = FinalFit(card, study, rows, posterior, stats, int(text["seed"]))
    vars(fit)["convergence"] = [check for check in checks if check.name != "misfit"]
    vars(fit)["misfit"] = next(check for check in checks if check.name == "misfit")
    return fit


def add_final_symbols(posterior: xr.Dataset, rows: FinalRows, card: FinalCard) -> xr.Dataset:
    """Posterior with units, and the symbols of the law's paper.

    Parameters
    ----------
    posterior : xr.Dataset
        Draws of the sampled parameters.
    rows : FinalRows
        Arrays of the study.
    card : FinalCard
        The card.

    Returns
    -------
    xr.Dataset
    """
    out = posterior.copy()
    for parameter in card.parameters():
        if parameter.name in out:
            out[parameter.name].attrs["units"] = parameter.unit
    refs = {
        **rows.references,
        "share": np.array([rows.references["share"][s] for s in rows.labels.set]),
    }
    p = {str(name): values.to_numpy() for name, values in posterior.data_vars.items()}
    for name, values in card.law.symbols(p, refs).items():
        if np.isfinite(values).all():
            out[name] = (("chain", "draw", "set"), values)
            out[name].attrs = {"units": "nat", "sampled": 0}
    return out


def _flat(posterior: xr.Dataset) -> xr.Dataset:
    """Posterior with variables of two dimensions as one a source."""
    out = posterior
    for name, values in posterior.data_vars.items():
        if "source" in values.dims:
            parts = {
                f"{name}_{label}": values.sel(source=label, drop=True)
                for label in values["source"].to_numpy()
            }
            out = out.drop_vars([name]).assign(parts)
    return out.drop_vars("source", errors="ignore")
