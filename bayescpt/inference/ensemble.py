"""Ensembles of fits of one study: a mixture of their forecasts, with the interface of a Fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from bayescpt.data.html import html_block
from bayescpt.errors import FitError
from bayescpt.forecast import Forecast, Plan
from bayescpt.forecast.disagreement import disagreements
from bayescpt.forecast.forecast import check_memory
from bayescpt.forecast.mixture import (
    Allocation,
    MixedScreener,
    common_domains,
    common_texts,
    mix_forecasts,
)
from bayescpt.inference.advice import PilotAdvice
from bayescpt.inference.checks import Check
from bayescpt.inference.ensemble_file import write_ensemble
from bayescpt.inference.fit import Fit
from bayescpt.inference.residuals import Residuals
from bayescpt.random_seed import takes_seed


@dataclass(frozen=True, repr=False)
class Ensemble(Fit):
    """Several fits of one study, mixed by weights.

    `bayescpt.compare_cards` makes one with stacking weights, `Ensemble.of` one with any. It
    forecasts, decides, reports, saves and loads like a `Fit`: each draw of a forecast is a draw of
    one of the fits, the same one for all plans and steps, and a fit gives a share of the draws
    equal to its weight. Intervals are those of the mixture. What only one card has (`card`, `rows`,
    `posterior`, `residuals`) is that of the fit with the largest weight, `leading`.

    Attributes
    ----------
    fits : mapping of str to Fit
        The fits by label.
    weights : mapping of str to float
        Their weights, which sum to 1.
    told : tuple of str
        How the weights came about and what the data cannot tell apart.

    Examples
    --------
    >>> import bayescpt as bc
    >>> study = bc.load_example("cpt_micro")
    >>> fits = {card: bc.fit(study, card) for card in ("cpt_replay", "cpt_fade")}  # doctest: +SKIP
    >>> both = bc.Ensemble.of(fits, {"cpt_replay": 0.6, "cpt_fade": 0.4})  # doctest: +SKIP
    >>> both.forecast(plans).interval(0.9)  # doctest: +SKIP
    """

    fits: Mapping[str, Fit]
    weights: Mapping[str, float]
    told: tuple[str, ...] = ()

    @classmethod
    @takes_seed
    def of(
        cls,
        fits: Mapping[str, Fit],
        weights: Mapping[str, float],
        random_seed: int = 1,
        told: Sequence[str] = (),
    ) -> Ensemble:
        """Ensemble of fits with given weights.

        Parameters
        ----------
        fits : mapping of str to Fit
            Fits of one study by label, such as the names of their cards.
        weights : mapping of str to float
            Weights by the same labels, scaled to sum to 1.
        random_seed : int
            Decides which draw is of which fit; also accepted as ``seed``.
        told : sequence of str
            Sentences that stand in the notes.

        Returns
        -------
        Ensemble

        Raises
        ------
        FitError
            If there is no fit, the fits are not of one study, or the labels or weights do not
            match them.
        """
        if not fits or set(fits) != set(weights):
            raise FitError(
                f"fits of {', '.join(fits) or 'no card'} with weights of "
                f"{', '.join(weights) or 'none'}: give one weight a fit"
            )
        digests = {fit.study.digest for fit in fits.values()}
        if len(digests) > 1:
            raise FitError(f"the fits of {', '.join(fits)} are of different studies; fit one study")
        values = np.array([float(weights[label]) for label in fits])
        if not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
            raise FitError(
                f"weights {dict(weights)}: give numbers of at least 0, not all of them 0"
            )
        share = dict(zip(fits, (values / values.sum()).tolist(), strict=True))
        lead = fits[max(share, key=share.__getitem__)]
        shown = ", ".join(f"{label} {weight:.2f}" for label, weight in share.items())
        card = replace(
            lead.card,
            name=" + ".join(fits),
            description=f"ensemble ({shown}); what one card alone has is shown of {lead.card.name}",
        )
        base = (lead.study, lead.rows, lead.posterior, lead.sample_stats, random_seed)
        return cls(card, *base, dict(fits), share, tuple(told))

    @property
    def leading(self) -> Fit:
        """The fit with the largest weight."""
        return self.fits[max(self.weights, key=self.weights.__getitem__)]

    def __repr__(self) -> str:
        """One-line summary."""
        state = "FAILED its checks" if self.failed else "checks passed"
        shown = ", ".join(f"{label} {weight:.2f}" for label, weight in self.weights.items())
        size = f"{self._allocation.chains} x {self._allocation.draws} draws"
        return f"Ensemble({shown}; study {self.study.name!r}, {size}, {state})"

    def _repr_html_(self) -> str:
        return html_block(
            repr(self),
            {"study digest": self.study.digest[:12], "random seed": self.seed},
            {
                "weights": pd.Series(self.weights, name="weight").rename_axis("card").to_frame(),
                "checks": pd.DataFrame([c.to_dict() for c in self.checks()]).set_index("name"),
                "parameters (median and 90% interval)": self.summary(),
            },
            self.notes,
        )

    @cached_property
    def convergence(self) -> list[Check]:
        """Checks of the chains of every fit, named after it."""
        return [
            replace(check, name=f"{label}: {check.name}")
            for label, fit in self.fits.items()
            for check in fit.convergence
        ]

    @cached_property
    def misfits(self) -> list[Check]:
        """Checks of the laws.

        A card whose law does not describe the runs fails only if such cards have more than half of
        the weight: else its weight, which was found on held-out runs, has taken that into account.

        Returns
        -------
        list of Check
        """
        failing = [label for label, fit in self.fits.items() if fit.misfit.status == "fail"]
        most = sum(self.weights[label] for label in failing) > 0.5
        out = []
        for label, fit in self.fits.items():
            named = replace(fit.misfit, name=f"{label}: misfit")
            if label in failing and not most:
                named = replace(
                    named,
                    status="warn",
                    advice=f"{named.advice}; the card has {self.weights[label]:.0%} of the weight",
                )
            out.append(named)
        return out

    @cached_property
    def misfit(self) -> Check:
        """Check of the law of the leading fit."""
        return self.leading.misfit

    @cached_property
    def advice(self) -> list[PilotAdvice]:
        """Runs to add, by the leading fit."""
        return self.leading.advice

    @cached_property
    def residuals(self) -> Residuals:
        """Residuals of the leading fit."""
        return self.leading.residuals

    def checks(self) -> list[Check]:
        """Checks of all fits, each named after its fit.

        Returns
        -------
        list of Check

        Examples
        --------
        >>> [check.name for check in ensemble.checks()][:2]  # doctest: +SKIP
        ['cpt_replay: R-hat', 'cpt_replay: bulk ESS']
        """
        return [*self.convergence, *self.misfits]

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Summary table of the parameters of every fit.

        Parameters
        ----------
        prob : float
            Probability of the equal-tailed interval.

        Returns
        -------
        DataFrame
            Index: card, parameter. Columns: as of `Fit.summary`.
        """
        tables = {label: fit.summary(prob) for label, fit in self.fits.items()}
        out = pd.concat(tables, names=["card", "parameter"])
        out.attrs = {"prob": prob, "failed_checks": self.failed_checks}
        return out

    @property
    def notes(self) -> list[str]:
        """Weights, what the data cannot tell apart, and the notes of the fits."""
        shown = ", ".join(f"{label} {weight:.2f}" for label, weight in self.weights.items())
        own = common_texts({label: fit.notes for label, fit in self.fits.items()})
        return [f"ensemble of cards by weight: {shown}", *self.told, *own]

    @cached_property
    def idata(self) -> xr.DataTree:
        """Not available: every fit has one.

        Raises
        ------
        FitError
            Always.
        """
        self._refuse("idata")

    @cached_property
    def model(self) -> Any:
        """Not available: every fit has one.

        Raises
        ------
        FitError
            Always.
        """
        self._refuse("model")

    def draws(self, allow_failed: bool = False) -> Any:
        """Not available: every fit has its own.

        Parameters
        ----------
        allow_failed : bool
            Not used.

        Returns
        -------
        Draws
            Never.

        Raises
        ------
        FitError
            Always.
        """
        self._refuse("draws()")

    def _refuse(self, what: str) -> NoReturn:
        first = next(iter(self.fits))
        raise FitError(
            f"an ensemble has no {what} of its own: each of its fits has, such as "
            f"ensemble.fits[{first!r}].{what}"
        )

    @cached_property
    def _allocation(self) -> Allocation:
        """Which draw is of which fit."""
        sizes = [fit.posterior.sizes for fit in self.fits.values()]
        chains, draws = (min(size[dim] for size in sizes) for dim in ("chain", "draw"))
        return Allocation.of(list(self.weights.values()), chains, draws, self.seed)

    @cached_property
    def _parts(self) -> dict[str, Fit | None]:
        """Every fit with the draws that it gives, as one chain; None where that is none."""
        out: dict[str, Fit | None] = {}
        for k, (label, fit) in enumerate(self.fits.items()):
            out[label] = None
            if self._allocation.places[k].size:
                part = replace(fit, posterior=self._allocation.take(fit.posterior, k))
                # The checks are those of the whole chains.
                vars(part)["convergence"], vars(part)["misfit"] = fit.convergence, fit.misfit
                out[label] = part
        return out

    @cached_property
    def _domains(self) -> list[str]:
        """Domains that all fits have."""
        return common_domains(
            {label: fit.screener(allow_failed=True).domains for label, fit in self.fits.items()}
        )

    def _check(self, allow_failed: bool) -> None:
        remedy = "Leave the card out, or, to proceed anyway,"
        self._require_passed(allow_failed, "ensemble", remedy)

    @takes_seed
    def forecast(
        self,
        plans: Sequence[Plan] | Plan,
        steps: ArrayLike | str | None = None,
        random_seed: int = 0,
        allow_failed: bool = False,
        extrapolate: bool = False,
    ) -> Forecast:
        """Forecast the loss curves of plans under the mixture.

        Parameters
        ----------
        plans : Plan or sequence of Plan
            Recipes.
        steps : array_like of int, or "all", optional
            Steps; by default about 200, evenly spaced, with the first and last of every plan.
        random_seed : int
            Seed of the noise; also accepted as ``seed``.
        allow_failed : bool
            Forecast even if a check failed.
        extrapolate : bool
            Also forecast plans absurdly far from the pilots.

        Returns
        -------
        Forecast
            As many chains and draws as each fit has. Its warnings say where the fits disagree.

        Raises
        ------
        ConvergenceError
            If a check failed and `allow_failed` is not set.
        PlanError
            As `Fit.forecast`.
        """
        self._check(allow_failed)
        parts: dict[str, Forecast | None] = {}
        for k, (label, part) in enumerate(self._parts.items()):
            parts[label] = None
            if part is not None:
                seed = member_seed(random_seed, k)
                found = part.forecast(plans, steps, seed, True, extrapolate)
                sizes = found.dataset.sizes
                every = self._allocation.chains * self._allocation.draws
                check_memory(sizes["plan"], sizes["domain"], sizes["step"], every)
                parts[label] = found
        out = self._mixed(parts)
        out.warnings.extend(disagreements(parts, self.weights))
        return out

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
            As in `Fit.forecast_blocks`.

        Yields
        ------
        Forecast
            Of consecutive steps, with all draws; together they are one forecast.
        """
        self._check(options.pop("allow_failed", False))
        own = {
            label: part.forecast_blocks(
                plans, random_seed=member_seed(random_seed, k), allow_failed=True, **options
            )
            for k, (label, part) in enumerate(self._parts.items())
            if part is not None
        }
        for together in zip(*own.values(), strict=True):
            found = dict(zip(own, together, strict=True))
            yield self._mixed({label: found.get(label) for label in self._parts})

    def _mixed(self, parts: Mapping[str, Forecast | None]) -> Forecast:
        out = mix_forecasts(parts, self._allocation, self._domains)
        out.failed_checks.extend(self.failed_checks)
        return out

    def screener(self, allow_failed: bool = False, extrapolate: bool = False) -> Any:
        """Return an evaluator of many plans at their last steps, as used by `bayescpt.screen`.

        Parameters
        ----------
        allow_failed : bool
            Proceed even if a check failed.
        extrapolate : bool
            Also take plans absurdly far from the pilots.

        Returns
        -------
        MixedScreener

        Raises
        ------
        ConvergenceError
            If a check failed and `allow_failed` is not set.
        """
        self._check(allow_failed)
        members = [
            None if part is None else part.screener(True, extrapolate)
            for part in self._parts.values()
        ]
        return MixedScreener(members, self._allocation, self._domains, member_seed)

    def save(self, path: str | Path) -> Path:
        """Write the ensemble with all its fits to one netCDF file, atomically.

        Parameters
        ----------
        path : str or Path
            File to write; replaced if it exists.

        Returns
        -------
        Path
            The file; `bayescpt.load_fit` reads it.

        Raises
        ------
        WriteError
            If the file cannot be written.
        """
        return write_ensemble(Path(path), self.fits, self.weights, self.seed, self.told)


def member_seed(seed: int, member: int) -> int:
    """Seed of the noise of one fit of an ensemble.

    Parameters
    ----------
    seed : int
        Seed of the forecast.
    member : int
        Number of the fit.

    Returns
    -------
    int
        Independent of those of the other fits.
    """
    return int(np.random.SeedSequence([seed, member]).generate_state(1)[0] >> 1)


def load_ensemble(text: Mapping[str, Any], fits: Mapping[str, Fit]) -> Ensemble:
    """Ensemble from the content of its file.

    Parameters
    ----------
    text : mapping
        Text of the file.
    fits : mapping of str to Fit
        Its fits by label.

    Returns
    -------
    Ensemble

    Raises
    ------
    FitError
        If weights and fits do not match.
    """
    stored = text["card"]["ensemble"]
    weights = {str(one["label"]): float(one["weight"]) for one in stored}
    return Ensemble.of(fits, weights, int(text["seed"]), tuple(text["card"]["told"]))
