"""Last value: the loss stays at its last observation, with random-walk uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayescpt.errors import PlanError
from bayescpt.evaluate.predict import Prediction

if TYPE_CHECKING:
    from bayescpt.data import Study

# Minimum number of changes on a run's own curve to estimate its random walk.
_ENOUGH = 5


def last_value(
    train: Study, run: str, rows: pd.DataFrame, *, seed: int, n_draws: int = 2000
) -> Prediction:
    """Forecast the last observed loss, with the band of a Gaussian random walk.

    The naive forecast of Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 5.5:
    the standard deviation grows with the square root of the steps ahead. Its size is estimated
    from the changes on the run so far, or, if those are fewer than 5, on all runs of its phase.

    Parameters
    ----------
    train : Study
        Training study.
    run : str
        Name of the run to forecast.
    rows : DataFrame
        Columns step and domain.
    seed : int
        Seed of the random walks.
    n_draws : int
        Number of draws.

    Returns
    -------
    Prediction
        Draws for the rows.

    Raises
    ------
    PlanError
        If neither the run nor the checkpoint it starts from has a loss on a domain.
    """
    rng = np.random.default_rng(seed)
    out = np.empty((n_draws, len(rows)))
    for domain, place in rows.groupby("domain", sort=False).indices.items():
        step, loss = _last(train, run, str(domain))
        size = _walk_size(train, run, str(domain))
        ahead = rows["step"].to_numpy(np.float64)[place] - step
        order = np.argsort(ahead)
        gaps = np.diff(ahead[order], prepend=0.0)
        moves = rng.standard_normal((n_draws, len(place))) * size * np.sqrt(gaps)
        out[:, place[order]] = loss + np.cumsum(moves, axis=1)
    return Prediction(out)


def _last(train: Study, run: str, domain: str) -> tuple[int, float]:
    curve = train.curve(run, domain)
    if len(curve):
        return int(curve["step"].iloc[-1]), float(curve["loss"].iloc[-1])
    start = train.start_loss(run, domain)
    if start is None:
        raise PlanError(f"run {run!r} has no loss on domain {domain!r} to use as the last value")
    return 0, start


def _walk_size(train: Study, run: str, domain: str) -> float:
    """Standard deviation of the change of the loss in one step, nats/token."""
    moves = _moves(train.curve(run, domain))
    if len(moves) < _ENOUGH:
        alike = train.cpt_runs if train.run(run).phase == "cpt" else train.pt_runs
        moves = np.concatenate([_moves(train.curve(name, domain)) for name in alike])
    return float(np.sqrt(np.mean(moves**2))) if len(moves) else 0.0


def _moves(curve: pd.DataFrame) -> np.ndarray:
    gaps = np.diff(curve["step"].to_numpy(np.float64))
    return np.diff(curve["loss"].to_numpy(np.float64)) / np.sqrt(gaps)
