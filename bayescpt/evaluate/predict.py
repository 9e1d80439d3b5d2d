"""A forecasting method, as a backtest calls it: training study in, predictive draws out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bayescpt.data import Study


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predictive draws of some rows of one run.

    Attributes
    ----------
    draws : ndarray, shape (n_draws, n_rows)
        Losses as the log of the run would show them, nats/token, joint over rows; NaN at rows
        that the method cannot forecast.
    failed_checks : tuple of str
        Names of the checks that the fit failed.
    """

    draws: NDArray[np.float64]
    failed_checks: tuple[str, ...] = ()


class Method(Protocol):
    """What a backtest can judge: a function at the top level of a module, so that it pickles."""

    def __call__(
        self, train: Study, run: str, rows: pd.DataFrame, *, seed: int, **options: Any
    ) -> Prediction:
        """Forecast rows of a run.

        Parameters
        ----------
        train : Study
            What may be known.
        run : str
            Name of the run to forecast; its recipe is in `train`.
        rows : DataFrame
            Columns step and domain: what to forecast.
        seed : int
            Seed of all randomness.
        **options
            Of the method.

        Returns
        -------
        Prediction
            Draws of the rows, in their order.
        """
        ...  # pragma: no cover


def bayes_forecast(
    train: Study,
    run: str,
    rows: pd.DataFrame,
    *,
    seed: int,
    card: Any = None,
    fit: Callable[..., Any] | None = None,
    **fit_options: Any,
) -> Prediction:
    """Fit a card to the training study and forecast the run: bayescpt's own method.

    A fit that fails its checks is still forecast from; its checks are reported.

    Parameters
    ----------
    train : Study
        What may be known.
    run : str
        Name of the run to forecast.
    rows : DataFrame
        Columns step and domain.
    seed : int
        Seed of the sampler.
    card : str, Path, Card or None
        As for ``fit``.
    fit : callable, optional
        In place of ``bayescpt.fit``; called the same way.
    **fit_options
        Passed to the fit, such as ``draws`` and ``chains``.

    Returns
    -------
    Prediction
        Draws of ``loss``.
    """
    from bayescpt.forecast import Plan

    if fit is None:
        from bayescpt.inference import fit as sampled

        fit = sampled
    fitted = fit(train, card=card, seed=seed, **{"progress": False, **fit_options})
    plan = Plan.from_run(train.run(run))
    steps = np.unique(rows["step"].to_numpy(np.int64))
    forecast = fitted.forecast([plan], steps=steps, seed=seed, allow_failed=True)
    loss = forecast.dataset["loss"].isel(plan=0).transpose("chain", "draw", "domain", "step")
    known = [str(name) for name in loss["domain"].values]
    values = loss.values.reshape(-1, len(known), loss.sizes["step"])
    out = np.full((len(values), len(rows)), np.nan)
    at = np.searchsorted(loss["step"].values, rows["step"].to_numpy())
    for place, domain in enumerate(known):
        here = (rows["domain"] == domain).to_numpy()
        out[:, here] = values[:, place, at[here]]
    failed = tuple(check.name for check in fitted.checks() if check.status == "fail")
    return Prediction(out, failed)
