"""Fits: a card, a study and a posterior, stored as one netCDF file; usable without PyMC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from bayescpt.data import Study
from bayescpt.errors import ConvergenceError, FitError
from bayescpt.forecast import Draws, Forecast, Plan, forecast
from bayescpt.forecast.final import Screener
from bayescpt.inference.advice import PilotAdvice, pilot_advice, study_pilots
from bayescpt.inference.card_check import card_gaps
from bayescpt.inference.checks import (
    Check,
    contractions,
    convergence_checks,
    loose_parameters,
    read_checks,
)
from bayescpt.inference.fit_file import read_fit_file, write_fit_file
from bayescpt.inference.misfit import misfit_check
from bayescpt.inference.residuals import Residuals, residuals
from bayescpt.inference.summary import parameter_table
from bayescpt.laws.points import References
from bayescpt.model.card import Card
from bayescpt.model.rows import Rows, make_rows
from bayescpt.model.starts import start_notes


@dataclass(frozen=True)
class Fit:
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

    card: Card
    study: Study
    rows: Rows
    posterior: xr.Dataset
    sample_stats: xr.Dataset
    seed: int

    def __repr__(self) -> str:
        """One-line summary."""
        sizes = self.posterior.sizes
        state = "FAILED its checks" if self.failed else "checks passed"
        return (
            f"Fit(card {self.card.name!r}, study {self.study.name!r}, "
            f"{sizes['chain']} x {sizes['draw']} draws, {state})"
        )

    @cached_property
    def convergence(self) -> list[Check]:
        """Checks of the chains: R-hat, bulk and tail ESS, divergences and so on, contraction."""
        sampled = [
            name for name, v in self.posterior.data_vars.items() if v.attrs.get("sampled", 1)
        ]
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
        return residuals(Draws(self.posterior, self.card, self.study, self.rows))

    @cached_property
    def misfit(self) -> Check:
        """Posterior predictive check of the law, by run and domain."""
        gaps = card_gaps(self.card, self.study, self.rows)
        unit = "bits" if self.study.loss_unit.startswith("bit") else "nats"
        return misfit_check(self.residuals, unit, gaps)

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
        """Assumptions about unmeasured quantities, and what the card has no term for."""
        return [
            *card_gaps(self.card, self.study, self.rows),
            *start_notes(self.rows.labels, self.rows.start),
        ]

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
        if self.failed and not allow_failed:
            advice = "; ".join(check.advice for check in self.checks() if check.status == "fail")
            raise ConvergenceError(
                f"this fit failed {', '.join(self.failed_checks)}, so its intervals are not "
                f"reliable: {advice}. To proceed anyway, pass allow_failed=True (--allow-failed)"
            )
        return Draws(self.posterior, self.card, self.study, self.rows)

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Summary table of the parameters, the paper's symbols first.

        Parameters
        ----------
        prob : float
            Probability of the equal-tailed interval.

        Returns
        -------
        DataFrame
            Index: parameter, such as ``B[general|german]``. Columns: unit, mean, sd, lower, median,
            upper, r_hat, ess_bulk, ess_tail.

        Raises
        ------
        ConvergenceError
            Never; failed checks are listed in ``DataFrame.attrs["failed_checks"]``.

        Examples
        --------
        >>> fit.summary().loc["lambda", ["mean", "lower", "upper"]]  # doctest: +SKIP
        """
        table = parameter_table(self.posterior, self.card, prob)
        table.attrs = {"prob": prob, "failed_checks": self.failed_checks}
        return table

    def forecast(
        self,
        plans: Sequence[Plan] | Plan,
        steps: ArrayLike | None = None,
        seed: int = 0,
        allow_failed: bool = False,
    ) -> Forecast:
        """Forecast the loss curves of plans.

        Parameters
        ----------
        plans : Plan or sequence of Plan
            Recipes.
        steps : array_like of int, optional
            Steps at which to forecast; by default every step.
        seed : int
            Seed of the noise.
        allow_failed : bool
            Forecast even if a convergence check failed.

        Returns
        -------
        Forecast

        Raises
        ------
        ConvergenceError
            If a check failed and `allow_failed` is not set.
        PlanError
            If a plan does not match the study.

        Examples
        --------
        >>> schedule = bc.schedules.cosine(2e-3, 1000)  # doctest: +SKIP
        >>> plan = bc.Plan("half", schedule, replay_ratio=0.5, start="pt")  # doctest: +SKIP
        >>> fit.forecast(plan, steps=[500, 1000]).interval(0.9)  # doctest: +SKIP
        """
        curves = forecast(self.draws(allow_failed), plans, steps, seed)
        curves.failed_checks.extend(self.failed_checks)
        return curves

    def screener(self, allow_failed: bool = False) -> Screener:
        """Return an evaluator of many plans at their last steps, as used by `bayescpt.screen`.

        Parameters
        ----------
        allow_failed : bool
            Proceed even if a convergence check failed.

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
        return Screener(self.draws(allow_failed))

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
        FitError
            If the file cannot be written.

        Examples
        --------
        >>> fit.save("fit.nc")  # doctest: +SKIP
        """
        text = {
            "card": self.card.to_dict(),
            "references": dict(self.rows.refs.points),
            "study": self.study.to_json(),
            "study_digest": self.study.digest,
            "seed": self.seed,
            "checks": [check.to_dict() for check in self.checks()],
        }
        groups = {"posterior": self.posterior, "sample_stats": self.sample_stats}
        return write_fit_file(Path(path), text, groups)


def load_fit(path: str | Path) -> Fit:
    """Load a fit from its file; PyMC is not required.

    Parameters
    ----------
    path : str or Path
        File written by `Fit.save`.

    Returns
    -------
    Fit
        The fit with the card and the reference points that it was sampled with, regardless of the
        defaults of this version.

    Raises
    ------
    FitError
        If there is no such file, it is not a fit, or its study or its checks were altered.

    Examples
    --------
    >>> import bayescpt as bc
    >>> fit = bc.load_fit("fit.nc")  # doctest: +SKIP
    >>> fit.summary()  # doctest: +SKIP
    """
    source = Path(path)
    text, posterior, stats = read_fit_file(source)
    try:
        checks = read_checks(text["checks"])
    except FitError as error:
        raise FitError(f"{source}: {error}; refit the study") from error
    study = Study.from_json(text["study"])
    if study.digest != text["study_digest"]:
        raise FitError(f"{source}: the stored study was changed after the fit; refit the study")
    card = Card.from_dict(text["card"], f"the card in {source}")
    refs = References(text["references"], card.warmup)
    fit = Fit(card, study, make_rows(study, card, refs), posterior, stats, int(text["seed"]))
    vars(fit)["convergence"] = [check for check in checks if check.name != "misfit"]
    stored = [check for check in checks if check.name == "misfit"]
    if stored:
        vars(fit)["misfit"] = stored[0]
    return fit
