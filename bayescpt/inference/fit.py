"""A fit: card + study + posterior; one netCDF file; no PyMC needed to use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from bayescpt.data import Study
from bayescpt.errors import ConvergenceError, FitError
from bayescpt.forecast import Draws, Forecast, Plan, forecast
from bayescpt.forecast.final import Screener
from bayescpt.inference.checks import Check, convergence_checks, read_checks
from bayescpt.inference.fit_file import read_fit_file, write_fit_file
from bayescpt.laws.points import References
from bayescpt.model.card import Card
from bayescpt.model.rows import Rows, make_rows
from bayescpt.model.starts import start_notes

if TYPE_CHECKING:
    from collections.abc import Hashable


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
        Its arrays: labels along the dimensions, reference points.
    posterior : xr.Dataset
        Draws, dims chain, draw and the model's; sampled parameters and the paper's symbols.
    sample_stats : xr.Dataset
        The sampler's record.
    seed : int
        Seed it was sampled with.
    """

    card: Card
    study: Study
    rows: Rows
    posterior: xr.Dataset
    sample_stats: xr.Dataset
    seed: int

    def __repr__(self) -> str:
        """What it is, in one line."""
        sizes = self.posterior.sizes
        state = "FAILED its checks" if self.failed else "checks passed"
        return (
            f"Fit(card {self.card.name!r}, study {self.study.name!r}, "
            f"{sizes['chain']} x {sizes['draw']} draws, {state})"
        )

    @cached_property
    def _checks(self) -> list[Check]:
        sampled = [
            name for name, v in self.posterior.data_vars.items() if v.attrs.get("sampled", 1)
        ]
        return convergence_checks(self.posterior[sampled], self.sample_stats, self.card)

    def with_effects(self, posterior: xr.Dataset) -> Fit:
        """Fit whose posterior also has what is not sampled, so that its checks stay.

        Parameters
        ----------
        posterior : xr.Dataset
            The same draws, and the effects of runs.

        Returns
        -------
        Fit
        """
        out = replace(self, posterior=posterior)
        vars(out)["_checks"] = self._checks
        return out

    def checks(self) -> list[Check]:
        """Convergence checks.

        Returns
        -------
        list of Check
            R-hat, bulk and tail ESS, divergences, tree depth, E-BFMI, contraction.
        """
        return list(self._checks)

    @property
    def failed(self) -> bool:
        """Whether a check failed: forecasts then need ``allow_failed=True``."""
        return bool(self.failed_checks)

    @property
    def failed_checks(self) -> list[str]:
        """Names of the checks that failed."""
        return [check.name for check in self.checks() if check.status == "fail"]

    @property
    def notes(self) -> list[str]:
        """What was assumed because it was not measured, such as the level of a start checkpoint."""
        return start_notes(self.rows.labels, self.rows.start)

    def draws(self, allow_failed: bool = False) -> Draws:
        """Draws as forecasts take them.

        Parameters
        ----------
        allow_failed : bool
            Go on although a convergence check failed.

        Returns
        -------
        Draws

        Raises
        ------
        ConvergenceError
            If a check failed and `allow_failed` is not set.
        """
        if self.failed and not allow_failed:
            advice = "; ".join(check.advice for check in self.checks() if check.status == "fail")
            raise ConvergenceError(
                f"this fit failed {', '.join(self.failed_checks)}, so its intervals cannot be "
                f"trusted: {advice}. To look all the same, pass allow_failed=True (--allow-failed)"
            )
        return Draws(self.posterior, self.card, self.study, self.rows)

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Table of the parameters, the paper's symbols first.

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
            Never; failed checks stand in ``DataFrame.attrs["failed_checks"]``.
        """
        from arviz_stats import ess, rhat

        tail = (1.0 - prob) / 2.0
        shown = self.posterior.drop_vars(
            [n for n in self.posterior if str(n).startswith("effect_")]
        )
        first = ("L0", "A", "alpha_s1", "C1", "C2", "lambda", "B", "E", "beta")
        names: list[Hashable] = [name for name in first if name in shown]
        names += [name for name in shown.data_vars if name not in names]
        mixing, bulk, last = rhat(shown), ess(shown, method="bulk"), ess(shown, method="tail")
        table = {}
        for name in names:
            draws = shown[name]
            rest = [dim for dim in draws.dims if dim not in ("chain", "draw")]
            for k, label in enumerate(draws[rest[0]].to_numpy() if rest else [None]):
                at = {rest[0]: k} if rest else {}
                values = draws.isel(at).to_numpy().ravel()
                if np.isnan(values).all() or not self.card.uses(str(name), str(label)):
                    continue
                low, middle, high = np.quantile(values, [tail, 0.5, 1.0 - tail])
                table[str(name) if label is None else f"{name}[{label}]"] = {
                    "unit": draws.attrs.get("units", "1"),
                    "mean": values.mean(),
                    "sd": values.std(ddof=1),
                    "lower": low,
                    "median": middle,
                    "upper": high,
                    "r_hat": float(mixing[name].isel(at)),
                    "ess_bulk": float(bulk[name].isel(at)),
                    "ess_tail": float(last[name].isel(at)),
                }
        out = pd.DataFrame.from_dict(table, orient="index").rename_axis("parameter")
        out.attrs = {"prob": prob, "failed_checks": self.failed_checks}
        return out

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
            Steps; by default all.
        seed : int
            Seed of the noise.
        allow_failed : bool
            Forecast although a convergence check failed.

        Returns
        -------
        Forecast

        Raises
        ------
        ConvergenceError
            If a check failed and `allow_failed` is not set.
        PlanError
            If a plan does not belong to the study.
        """
        made = forecast(self.draws(allow_failed), plans, steps, seed)
        made.failed_checks.extend(self.failed_checks)
        return made

    def screener(self, allow_failed: bool = False) -> Screener:
        """Return what evaluates many plans at their last steps, as `bayescpt.screen` does.

        Parameters
        ----------
        allow_failed : bool
            Go on even if a convergence check failed.

        Returns
        -------
        Screener

        Raises
        ------
        ConvergenceError
            If a check failed and `allow_failed` is not set.
        """
        return Screener(self.draws(allow_failed))

    def save(self, path: str | Path) -> Path:
        """Write the fit to one netCDF file, whole or not at all.

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
        """
        text = {
            "card": self.card.to_dict(),
            "references": dict(self.rows.refs.points),
            "study": self.study.to_json(),
            "study_digest": self.study.digest,
            "seed": self.seed,
            "checks": [check.to_dict() for check in self._checks],
        }
        groups = {"posterior": self.posterior, "sample_stats": self.sample_stats}
        return write_fit_file(Path(path), text, groups)


def load_fit(path: str | Path) -> Fit:
    """Read a fit from its file. Needs no PyMC.

    Parameters
    ----------
    path : str or Path
        File written by `Fit.save`.

    Returns
    -------
    Fit
        With the card and the reference points that it was sampled with, whatever the defaults of
        this version are.

    Raises
    ------
    FitError
        If there is no such file, it is no fit, or its study or its checks were changed.
    """
    source = Path(path)
    text, posterior, stats = read_fit_file(source)
    try:
        checks = read_checks(text["checks"])
    except FitError as error:
        raise FitError(f"{source}: {error}; fit it again") from error
    study = Study.from_json(text["study"])
    if study.digest != text["study_digest"]:
        raise FitError(f"{source}: the study inside was changed after the fit; fit it again")
    card = Card.from_dict(text["card"], f"the card in {source}")
    refs = References(text["references"], card.warmup)
    fit = Fit(card, study, make_rows(study, card, refs), posterior, stats, int(text["seed"]))
    vars(fit)["_checks"] = checks
    return fit
