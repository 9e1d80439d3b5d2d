"""Per-run power law: extrapolates a run's own curve, ignoring schedule, replay and other runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayescpt.errors import PlanError
from bayescpt.evaluate.predict import Prediction

if TYPE_CHECKING:
    from bayescpt.data import Study

# From nearly logarithmic to nearly exponential over the length of a run.
_EXPONENTS = np.geomspace(0.02, 3.0, 120)
_ENOUGH = 4


def run_power_law(
    train: Study, run: str, rows: pd.DataFrame, *, seed: int, n_draws: int = 2000
) -> Prediction:
    """Forecast ``L(t) = L_inf + a t^-b``, fitted to the observed part of the run.

    Least squares, with a and L_inf in closed form for each b on a grid. The sign of a is free, as
    the general loss may rise. The bands are those of independent normal residuals.

    Parameters
    ----------
    train : Study
        Training study.
    run : str
        Name of the run to forecast.
    rows : DataFrame
        Columns step and domain.
    seed : int
        Seed of the residuals.
    n_draws : int
        Number of draws.

    Returns
    -------
    Prediction
        Draws for the rows.

    Raises
    ------
    PlanError
        If fewer than 4 rows of the run after step 0 are known on a domain: the method forecasts the
        rest of a run, not new runs.
    """
    rng = np.random.default_rng(seed)
    out = np.empty((n_draws, len(rows)))
    for domain, place in rows.groupby("domain", sort=False).indices.items():
        curve = train.curve(run, str(domain))
        curve = curve[curve["step"] > 0]
        if len(curve) < _ENOUGH:
            raise PlanError(
                f"run {run!r} has {len(curve)} known losses on domain {domain!r} after step 0; "
                f"a per-run power law needs {_ENOUGH}"
            )
        steps = rows["step"].to_numpy(np.float64)[place]
        middle, spread = _extrapolate(
            curve["step"].to_numpy(np.float64), curve["loss"].to_numpy(np.float64), steps
        )
        out[:, place] = middle + spread * rng.standard_normal((n_draws, len(place)))
    return Prediction(out)


def _extrapolate(
    steps: np.ndarray, loss: np.ndarray, ahead: np.ndarray
) -> tuple[np.ndarray, float]:
    """Fitted curve at the steps ahead, and standard deviation of the residuals."""
    scale = steps[-1]
    basis = (steps / scale)[None, :] ** -_EXPONENTS[:, None]
    centred = basis - basis.mean(axis=1, keepdims=True)
    slope = centred @ (loss - loss.mean()) / np.sum(centred**2, axis=1)
    level = loss.mean() - slope * basis.mean(axis=1)
    squares = np.sum((loss - level[:, None] - slope[:, None] * basis) ** 2, axis=1)
    best = int(np.argmin(squares))
    middle = level[best] + slope[best] * (ahead / scale) ** -_EXPONENTS[best]
    return middle, float(np.sqrt(squares[best] / (len(loss) - 3)))
