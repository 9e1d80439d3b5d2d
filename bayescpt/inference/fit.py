"""Fits: a card, a study and a posterior, stored as one netCDF file; usable without PyMC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from bayescpt.data import Study
from bayescpt.data.html import html_block
from bayescpt.errors import ConvergenceError
from bayescpt.forecast import Draws, Forecast, Plan, forecast, forecast_blocks
from bayescpt.forecast.discrepancy.judge import add_discrepancy
from bayescpt.forecast.final import Screener
from bayescpt.forecast.out_of_domain import set_notes, weights_table
from bayescpt.inference.advice import PilotAdvice, pilot_advice, study_pilots
from bayescpt.inference.card_check import card_gaps
from bayescpt.inference.checks import Check, contractions, convergence_checks, loose_parameters
from bayescpt.inference.curve_ratios import CurveRatios
from bayescpt.inference.fit_file import write_fit_file
from bayescpt.inference.from_idata import read_idata
from bayescpt.inference.misfit import misfit_check
from bayescpt.inference.residuals import Residuals, residuals
from bayescpt.model.card import Card
from bayescpt.model.rows import make_rows
from bayescpt.model.starts import base_notes, start_notes
from bayescpt.model.thinning import thinning_note
from bayescpt.random_seed import takes_seed


@dataclass(frozen=True, repr=False)
class Fit(CurveRatios):
    """Posterior of a card given a study.

    Attributes
    ----------
    card : Card
        The model card.
    study : Study
        The fitted study.
    rows : Rows
        Arrays of the study, with labels along the dimensions and reference points.
    posterior : xr.Dataset
        Draws of the sampled parameters and the paper's symbols; dims chain, draw and those of the
        model.
    sample_stats : xr.Dataset
        Sampler statistics.
    seed : int
        Random seed of the sampler.

    Examples
    --------
    >>> import bayescpt as bc
    >>> fit = bc.fit(bc.load_example("cpt_micro"))  # doctest: +SKIP
    >>> fit.failed_checks, fit.notes  # doctest: +SKIP
    ([], [])
    >>> fit.posterior["lambda"].mean()  # doctest: +SKIP
    """

    def __repr__(self) -> str:
        """One-line summary."""
        state = "FAILED its checks" if self.failed else "checks passed"
        return (
            f"Fit(card {self.card.name!r}, study {self.study.name!r}, "
            f"{self.posterior.sizes['chain']} x {self.posterior.sizes['draw']} draws, {state})"
        )

    @classmethod
    @takes_seed
    def from_idata(
        cls, study: Study, card: str | Path | Card, idata: object, random_seed: int = 1
    ) -> Fit:
        """Fit from the draws of one's own ``pm.sample`` or ``nutpie.sample``.

        Parameters
        ----------
        study : Study
            Runs and curves.
        card : str, Path or Card
            The card whose model was sampled.
        idata : xr.DataTree
            Result of sampling ``fit.model`` or ``bayescpt.build_model(study, card)``: groups
            ``posterior`` and ``sample_stats``. Other variables of the posterior are ignored.
        random_seed : int
            Seed of the effects of runs, which are not part of the sampled model; also accepted as
            ``seed``.

        Returns
        -------
        Fit

        Raises
        ------
        CardError
            If the card is invalid.
        FitError
            If a variable, a dimension or a label is not that of the model, or the draws were
            sampled given other losses.

        Examples
        --------
        >>> model = bc.build_model(study, "cpt_replay")  # doctest: +SKIP
        >>> idata = pm.sample(model=model, nuts_sampler="nutpie")  # doctest: +SKIP
        >>> bc.Fit.from_idata(study, "cpt_replay", idata).forecast(plans)  # doctest: +SKIP
        """
        from bayescpt.model.fitted_card import fitted_card

        used = fitted_card(study, card)
        rows = make_rows(study, used)
        posterior, stats = read_idata(idata, rows, used)
        return cls(used, study, rows, posterior, stats, random_seed).with_discrepancy()

    def with_discrepancy(self) -> Fit:
        """Fit with the effects of runs added to its posterior, if its card has any.

        Returns
        -------
        Fit

        Examples
        --------
        >>> fit = fit.with_discrepancy()  # doctest: +SKIP
        """
        if not self.card.run_effects:
            return self
        return self.with_effects(add_discrepancy(self._draws, self.seed))

    def _repr_html_(self) -> str:
        return html_block(
            repr(self),
            {"study digest": self.study.digest[:12], "random seed": self.seed},
            {
                "checks": pd.DataFrame([c.to_dict() for c in self.checks()]).set_index("name"),
                "parameters (median and 90% interval)": self.summary(),
            },
            self.notes,
        )

    @property
    def leading(self) -> Fit:
        """The fit itself; of an `Ensemble`, the fit with the largest weight."""
        return self

    @cached_property
    def convergence(self) -> list[Check]:
        """Checks of the chains: R-hat, bulk and tail ESS, divergences and so on, contraction."""
        sampled = [n for n, v in self.posterior.data_vars.items() if v.attrs.get("sampled", 1)]
        pilots = study_pilots(self.study, self.card, self.rows)
        return convergence_checks(self.posterior[sampled], self.sample_stats, self.card, pilots)

    @cached_property
    def advice(self) -> list[PilotAdvice]:
        """Runs to add where the priors decide, each with an entry of a plans file."""
        loose = loose_parameters(contractions(self.posterior, self.card))
        return pilot_advice(loose, self.card, study_pilots(self.study, self.card, self.rows))

    @cached_property
    def residuals(self) -> Residuals:
        """Residuals by run, domain and part of the schedule, beside replicated ones."""
        return residuals(self._draws)

    @cached_property
    def misfit(self) -> Check:
        """Posterior predictive check of the law, by run and domain."""
        unit = "bits" if self.study.loss_unit.startswith("bit") else "nats"
        return misfit_check(self.residuals, unit, self._gaps)

    @cached_property
    def _gaps(self) -> list[str]:
        """What of the study the card has no term for."""
        return card_gaps(self.card, self.study, self.rows)

    def with_effects(self, posterior: xr.Dataset) -> Fit:
        """Fit with unsampled variables added to its posterior; its chains stay the same.

        Parameters
        ----------
        posterior : xr.Dataset
            The same draws, with the effects of runs.

        Returns
        -------
        Fit

        Examples
        --------
        >>> effects = add_discrepancy(fit.draws(), seed=1)  # doctest: +SKIP
        >>> fit = fit.with_effects(effects)  # doctest: +SKIP
        """
        out = replace(self, posterior=posterior)
        vars(out)["convergence"] = self.convergence
        return out

    def checks(self) -> list[Check]:
        """Checks of the chains and of the law.

        Returns
        -------
        list of Check
            R-hat, bulk and tail ESS, divergences, tree depth, E-BFMI, contraction, misfit.

        Examples
        --------
        >>> for check in fit.checks():  # doctest: +SKIP
        ...     print(check.name, check.status, check.advice)
        """
        return [*self.convergence, self.misfit]

    @property
    def failed(self) -> bool:
        """Whether a check failed; forecasts then require ``allow_failed=True``."""
        return bool(self.failed_checks)

    @property
    def failed_checks(self) -> list[str]:
        """Names of the checks that failed."""
        return [check.name for check in self.checks() if check.status == "fail"]

    @property
    def notes(self) -> list[str]:
        """Findings about the study, assumptions, and what the card has no term for."""
        return [
            *(found.text for found in self.study.findings()),
            *self._gaps,
            *filter(None, [thinning_note(self.study)]),
            *base_notes(self.study, self.rows.labels, self.rows.refs),
            *start_notes(self.rows.labels, self.rows.start),
            *set_notes(self.study),
        ]

    @property
    def domains(self) -> tuple[str, ...]:
        """Domains of forecasts: those of the law, then the out-of-domain sets."""
        return self._draws.domains

    @property
    def out_of_domain(self) -> pd.DataFrame:
        """Weights of the out-of-domain sets of the study, with 90% intervals.

        Returns
        -------
        DataFrame
            One row per set, target and parameter: the ``intercept`` (nats), the weights of the
            ``general`` and the ``target`` loss, and the ``deviation`` from the combination (nats).

        Examples
        --------
        >>> fit.out_of_domain.loc["code"]  # doctest: +SKIP
        """
        return weights_table(self.study, self._draws.size)

    @property
    def _draws(self) -> Draws:
        """Draws, whether or not the checks passed."""
        return Draws(self.posterior, self.card, self.study, self.rows)

    def draws(self, allow_failed: bool = False) -> Draws:
        """Draws for use in forecasts.

        Parameters
        ----------
        allow_failed : bool
            Proceed even if a convergence check failed.

        Returns
        -------
        Draws

        Raises
        ------
        ConvergenceError
            If a check failed and `allow_failed` is not set.

        Examples
        --------
        >>> draws = fit.draws()  # doctest: +SKIP
        >>> draws.size  # doctest: +SKIP
        4000
        """
        self._require_passed(allow_failed)
        return self._draws

    def _require_passed(
        self, allow_failed: bool, what: str = "fit", remedy: str = "To proceed anyway,"
    ) -> None:
        """Raise if a check failed, unless that is allowed."""
        if self.failed and not allow_failed:
            advice = "; ".join(check.advice for check in self.checks() if check.status == "fail")
            raise ConvergenceError(
                f"this {what} failed {', '.join(self.failed_checks)}, so its intervals are not "
                f"reliable: {advice}. {remedy} pass allow_failed=True (--allow-failed)"
            )

    @takes_seed
    def forecast(
        self,
        plans: Sequence[Plan] | Plan,
        steps: ArrayLike | str | None = None,
        random_seed: int = 0,
        allow_failed: bool = False,
        extrapolate: bool = False,
    ) -> Forecast:
        """Forecast the loss curves of plans, with all draws.

        Parameters
        ----------
        plans : Plan or sequence of Plan
            Recipes.
        steps : array_like of int, or "all", optional
            Steps; by default about 200, evenly spaced, with the first and last of every plan.
        random_seed : int
            Seed of the noise; also accepted as ``seed``.
        allow_failed : bool
            Forecast even if a convergence check failed.
        extrapolate : bool
            Also forecast plans absurdly far from the pilots (a peak LR above ten times theirs, a
            hundred times their length), which are an error otherwise.

        Returns
        -------
        Forecast

        Raises
        ------
        ConvergenceError
            If a check failed and `allow_failed` is not set.
        PlanError
            If a plan does not match the study, lacks a replay ratio that the card needs, or is
            absurdly far from the pilots and `extrapolate` is not set, or the draws would take more
            than 4 GB: then `forecast_blocks` gives them in parts.

        Examples
        --------
        >>> schedule = bc.schedules.cosine(2e-3, 1000)  # doctest: +SKIP
        >>> plan = bc.Plan("half", schedule, replay_ratio=0.5, start="pt")  # doctest: +SKIP
        >>> fit.forecast(plan, steps=[500, 1000]).interval(0.9)  # doctest: +SKIP
        """
        curves = forecast(self.draws(allow_failed), plans, steps, random_seed, extrapolate)
        curves.failed_checks.extend(self.failed_checks)
        return curves

    @takes_seed
    def forecast_blocks(
        self, plans: Sequence[Plan] | Plan, random_seed: int = 0, **options: Any
    ) -> Iterator[Forecast]:
        """Forecast the loss curves of plans at every step, some steps at a time.

        Parameters
        ----------
        plans : Plan or sequence of Plan
            Recipes.
        random_seed : int
            Seed of the noise; also accepted as ``seed``.
        **options
            ``steps`` (by default "all"), ``allow_failed`` and ``extrapolate``, as in `forecast`,
            and ``size``, the most steps of a block, by default 250.

        Yields
        ------
        Forecast
            Of consecutive steps, with all draws; together they are one forecast.

        Examples
        --------
        >>> blocks = fit.forecast_blocks(plan)  # doctest: +SKIP
        >>> xr.concat([part.interval(0.9) for part in blocks], "step")  # doctest: +SKIP
        """
        draws = self.draws(options.pop("allow_failed", False))
        for part in forecast_blocks(draws, plans, seed=random_seed, **options):
            part.failed_checks.extend(self.failed_checks)
            yield part

    def screener(self, allow_failed: bool = False, extrapolate: bool = False) -> Screener:
        """Return an evaluator of many plans at their last steps, as used by `bayescpt.screen`.

        Parameters
        ----------
        allow_failed : bool
            Proceed even if a convergence check failed.
        extrapolate : bool
            Also take plans absurdly far from the pilots.

        Returns
        -------
        Screener

        Raises
        ------
        ConvergenceError
            If a check failed and `allow_failed` is not set.

        Examples
        --------
        >>> screener = fit.screener()  # doctest: +SKIP
        >>> placed = [screener.place(plan) for plan in plans]  # doctest: +SKIP
        >>> screener.evaluator(seed=1)(placed).shape  # doctest: +SKIP
        (100, 2, 4000)
        """
        return Screener(self.draws(allow_failed), extrapolate)

    def save(self, path: str | Path) -> Path:
        """Write the fit to one netCDF file, atomically.

        Parameters
        ----------
        path : str or Path
            File to write; replaced if it exists.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        WriteError
            If the file cannot be written.

        Examples
        --------
        >>> fit.save("fit.nc")  # doctest: +SKIP
        """
        text = {
            **self.stored_text(),
            "study": self.study.to_json(),
            "study_digest": self.study.digest,
        }
        groups = {"posterior": self.posterior, "sample_stats": self.sample_stats}
        return write_fit_file(Path(path), text, groups)

    def stored_text(self) -> dict[str, Any]:
        """What a file holds of the fit, without its study and draws.

        Returns
        -------
        dict
            Plain values: card, references, seed and checks.
        """
        return {
            "card": self.card.to_dict(),
            "references": self._reference_points(),
            "seed": self.seed,
            "checks": [check.to_dict() for check in self.checks()],
        }

    def _reference_points(self) -> dict[str, float]:
        return dict(self.rows.refs.points)
