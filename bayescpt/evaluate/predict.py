"""Interface of forecasting methods in a backtest: training study in, predictive draws out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bayescpt.data import Study


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predictive draws for some rows of one run.

    Attributes
    ----------
    draws : ndarray, shape (n_draws, n_rows)
        Losses that the run would log, nats/token, joint over rows; NaN at rows that the method
        cannot forecast.
    failed_checks : tuple of str
        Names of the failed checks of the fit.
    """

    draws: NDArray[np.float64]
    failed_checks: tuple[str, ...] = ()


class Method(Protocol):
    """A method that can be backtested: a module-level function, so that it can be pickled."""

    def __call__(
        self, train: Study, run: str, rows: pd.DataFrame, *, seed: int, **options: Any
    ) -> Prediction:
        """Forecast rows of a run.

        Parameters
        ----------
        train : Study
            Training study.
        run : str
            Name of the run to forecast, whose recipe is in `train`.
        rows : DataFrame
            Rows to forecast, with columns step and domain.
        seed : int
            Seed of all randomness.
        **options
            Options of the method.

        Returns
        -------
        Prediction
            Draws for the rows, in their order.
        """
        ...  # pragma: no cover


class JointMethod(Protocol):
    """A method that forecasts several runs from one fit."""

    def __call__(
        self, train: Study, asked: Mapping[str, pd.DataFrame], *, seed: int, **options: Any
    ) -> dict[str, Prediction]:
        """Forecast rows of several runs.

        Parameters
        ----------
        train : Study
            Training study.
        asked : Mapping of str to DataFrame
            Rows to forecast by run, as for a `Method`.
        seed : int
            Seed of all randomness.
        **options
            Options of the method.

        Returns
        -------
        dict of str to Prediction
            Draws by run.
        """
        ...  # pragma: no cover


def bayes_forecasts(
    train: Study,
    asked: Mapping[str, pd.DataFrame],
    *,
    seed: int,
    card: Any = None,
    fit: Callable[..., Any] | None = None,
    **fit_options: Any,
) -> dict[str, Prediction]:
    """Fit a card to the training study once and forecast runs: the default method.

    A fit that fails its checks is still used; the failed checks are reported.

    Parameters
    ----------
    train : Study
        Training study.
    asked : Mapping of str to DataFrame
        Rows by run, columns step and domain.
    seed : int
        Seed of the sampler.
    card : str, Path, Card or None
        As for ``fit``.
    fit : callable, optional
        Replacement for ``bayescpt.fit`` with the same signature.
    **fit_options
        Passed to the fit, such as ``draws`` and ``chains``.

    Returns
    -------
    dict of str to Prediction
        Draws of ``loss`` by run.
    """
    from bayescpt.inference import fit as sampled

    sample: Callable[..., Any] = sampled if fit is None else fit
    fitted = sample(train, card=card, seed=seed, **{"progress": False, **fit_options})
    failed = tuple(fitted.failed_checks)
    return {
        run: Prediction(_run_draws(fitted, train, run, rows, seed), failed)
        for run, rows in asked.items()
    }


def bayes_forecast(
    train: Study, run: str, rows: pd.DataFrame, *, seed: int, **options: Any
) -> Prediction:
    """Fit a card to the training study and forecast one run.

    Parameters
    ----------
    train : Study
        Training study.
    run : str
        Name of the run to forecast.
    rows : DataFrame
        Columns step and domain.
    seed : int
        Seed of the sampler.
    **options
        As for `bayes_forecasts`.

    Returns
    -------
    Prediction
        Draws of ``loss``.
    """
    return bayes_forecasts(train, {run: rows}, seed=seed, **options)[run]


def forecast_runs(
    method: Method,
    train: Study,
    asked: Mapping[str, pd.DataFrame],
    seed: int,
    options: Mapping[str, Any],
) -> dict[str, Prediction]:
    """Forecast several runs from one training study, with a single fit if the method can.

    Parameters
    ----------
    method : callable
        Forecasting method.
    train : Study
        Training study.
    asked : Mapping of str to DataFrame
        Rows to forecast by run.
    seed : int
        Seed.
    options : Mapping
        Options of the method.

    Returns
    -------
    dict of str to Prediction
        Draws by run.
    """
    joint = ONE_FIT.get(method)
    if joint is not None:
        return joint(train, asked, seed=seed, **options)
    return {run: method(train, run, rows, seed=seed, **options) for run, rows in asked.items()}


# Methods that forecast all runs of a split from one fit; their options differ.
ONE_FIT: dict[Callable[..., Prediction], Callable[..., dict[str, Prediction]]] = {
    bayes_forecast: bayes_forecasts
}


def _run_draws(
    fitted: Any, train: Study, run: str, rows: pd.DataFrame, seed: int
) -> NDArray[np.float64]:
    """Draws, shape (n_draws, n_rows); NaN on domains that were not fitted."""
    from bayescpt.forecast import Plan

    plan = Plan.from_run(train.run(run))
    steps = np.unique(rows["step"].to_numpy(np.int64))
    forecast = fitted.forecast([plan], steps, seed, allow_failed=True)
    loss = forecast.dataset["loss"].isel(plan=0).transpose("chain", "draw", "domain", "step")
    known = [str(name) for name in loss["domain"].values]
    values = loss.values.reshape(-1, len(known), loss.sizes["step"])
    out = np.full((len(values), len(rows)), np.nan)
    at = np.searchsorted(loss["step"].values, rows["step"].to_numpy())
    for place, domain in enumerate(known):
        here = (rows["domain"] == domain).to_numpy()
        out[:, here] = values[:, place, at[here]]
    return out
