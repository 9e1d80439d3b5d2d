"""The paper's recipe: a fit of its law (`paper_law`), with bands that the paper does not give.

The bands are those of the residuals, or of a bootstrap over runs besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data.areas import warmup_end
from bayescpt.errors import PlanError
from bayescpt.evaluate.baselines.paper_law import FLOOR, Areas, curve, fit_law, run_areas
from bayescpt.evaluate.predict import ONE_FIT, Prediction

if TYPE_CHECKING:
    from bayescpt.data import Study

Array = NDArray[np.float64]


def paper_recipe(
    train: Study, run: str, rows: pd.DataFrame, *, seed: int, n_draws: int = 2000
) -> Prediction:
    """Forecast with the paper's recipe and bands from independent normal log residuals.

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
        Draws for the rows. Only the residuals vary: the fit is treated as exact.

    Raises
    ------
    PlanError
        If the training study has no row of the run's phase on a domain.
    """
    return paper_recipe_runs(train, {run: rows}, seed=seed, n_draws=n_draws)[run]


def paper_recipe_runs(
    train: Study, asked: Mapping[str, pd.DataFrame], *, seed: int, n_draws: int = 2000
) -> dict[str, Prediction]:
    """Forecast several runs as `paper_recipe` does, with one fit per domain.

    Parameters
    ----------
    train : Study
        Training study.
    asked : Mapping of str to DataFrame
        Rows by run, columns step and domain.
    seed : int
        Seed of the residuals.
    n_draws : int
        Number of draws.

    Returns
    -------
    dict of str to Prediction
        Draws by run.
    """
    return _forecasts(train, asked, seed, n_draws, n_resamples=0)


def paper_bootstrap(
    train: Study,
    run: str,
    rows: pd.DataFrame,
    *,
    seed: int,
    n_draws: int = 2000,
    n_resamples: int = 50,
) -> Prediction:
    """Forecast with the paper's recipe and bands from a bootstrap over runs and the residuals.

    Runs of the forecast run's phase are resampled with replacement, the same for all domains, and
    the law is refitted, starting from the optimum of the first fit.

    Parameters
    ----------
    train : Study
        Training study.
    run : str
        Name of the run to forecast.
    rows : DataFrame
        Columns step and domain.
    seed : int
        Seed of resamples and residuals.
    n_draws : int
        Number of draws.
    n_resamples : int
        Number of resamples of the runs.

    Returns
    -------
    Prediction
        Draws for the rows.

    Raises
    ------
    PlanError
        If the training study has no row of the run's phase on a domain.
    """
    options = {"n_draws": n_draws, "n_resamples": n_resamples}
    return paper_bootstrap_runs(train, {run: rows}, seed=seed, **options)[run]


def paper_bootstrap_runs(
    train: Study,
    asked: Mapping[str, pd.DataFrame],
    *,
    seed: int,
    n_draws: int = 2000,
    n_resamples: int = 50,
) -> dict[str, Prediction]:
    """Forecast several runs as `paper_bootstrap` does, with one set of fits per domain.

    Parameters
    ----------
    train : Study
        Training study.
    asked : Mapping of str to DataFrame
        Rows by run, columns step and domain.
    seed : int
        Seed of resamples and residuals.
    n_draws : int
        Number of draws.
    n_resamples : int
        Number of resamples of the runs.

    Returns
    -------
    dict of str to Prediction
        Draws by run.
    """
    return _forecasts(train, asked, seed, n_draws, n_resamples)


@dataclass(frozen=True)
class _Data:
    """Training rows of one domain."""

    areas: Areas
    loss: Array
    run: NDArray[np.int64]  # index into the resampled runs, -1 for others


@dataclass(frozen=True)
class _Fitted:
    """Fits of one domain: values for each draw to choose from, and the size of the residuals."""

    values: list[Array]
    spread: float


def _forecasts(
    train: Study, asked: Mapping[str, pd.DataFrame], seed: int, n_draws: int, n_resamples: int
) -> dict[str, Prediction]:
    """Forecasts by run; those of one run are the same whatever else is asked."""
    known: dict[tuple[str, str], _Fitted] = {}
    out = {}
    for run, rows in asked.items():
        rng = np.random.default_rng(seed)
        phase = train.run(run).phase
        alike = [n for n in train.runs.loc[train.runs["phase"] == phase, "run"]
                 if train.has_curve(n)]  # fmt: skip
        counts = rng.multinomial(len(alike), np.full(len(alike), 1 / len(alike)), n_resamples)
        draws = np.empty((n_draws, len(rows)))
        for domain, place in rows.groupby("domain", sort=False).indices.items():
            key = (phase, str(domain))
            if key not in known:
                known[key] = _fit_domain(train, str(domain), alike, counts, phase)
            fitted = known[key]
            ahead = run_areas(train, run, rows["step"].to_numpy(np.int64)[place])
            middles = np.stack([np.maximum(curve(v, ahead)[0], FLOOR) for v in fitted.values])
            # Draw i uses the same resample on every domain.
            chosen = middles[np.arange(n_draws) % len(middles)]
            draws[:, place] = chosen * np.exp(fitted.spread * rng.standard_normal(chosen.shape))
        out[run] = Prediction(draws)
    return out


def _fit_domain(
    train: Study, domain: str, alike: list[str], counts: NDArray[np.int64], phase: str
) -> _Fitted:
    """Fits to one domain: the resamples, or, without any, the best fit."""
    data = _training_rows(train, domain, alike)
    if not (data.run >= 0).any():
        raise PlanError(f"no {phase} run has a loss on domain {domain!r}: there is nothing to fit")
    first = fit_law(data.areas, data.loss)
    weights = [np.where(data.run >= 0, count[data.run], 1.0) for count in counts]
    resampled = [fit_law(data.areas, data.loss, weight, [first]) for weight in weights]
    residual = np.log(data.loss) - np.log(np.maximum(curve(first, data.areas)[0], FLOOR))
    spread = float(np.sqrt(np.mean(residual[data.run >= 0] ** 2)))
    return _Fitted(resampled or [first], spread)


def _training_rows(train: Study, domain: str, alike: list[str]) -> _Data:
    """Rows of one domain that the law can describe, with trunk rows only once."""
    parts, losses, owners = [], [], []
    for name in train.runs["run"]:
        run = train.run(name)
        curve_rows = train.curve(name, domain)
        steps = curve_rows["step"].to_numpy(np.int64)
        loss = curve_rows["loss"].to_numpy(np.float64)
        if run.phase == "pt" and train.cpt_runs and not _falls(loss):
            continue  # Eq. 4 has no term that raises the loss in pre-training
        first = train.trunk_step(name) if run.branch_of and train.has_curve(run.branch_of) else 0
        keep = steps > first
        if not keep.any():
            continue
        if run.phase == "pt":
            keep &= steps > warmup_end(train.lrs[name])
        parts.append(run_areas(train, name, steps[keep]))
        losses.append(loss[keep])
        owners.append(np.full(keep.sum(), alike.index(name) if name in alike else -1))
    if not parts:
        raise PlanError(f"no run has a loss on domain {domain!r} that the law can describe")
    fields = ("s1", "s1_cpt", "s2_pt", "s2_cpt", "replay")
    joined = Areas(*(np.concatenate([getattr(part, f) for part in parts]) for f in fields))
    return _Data(joined, np.concatenate(losses), np.concatenate(owners))


def _falls(loss: Array) -> bool:
    """Whether the loss falls over the second half of its rows."""
    late = loss[len(loss) // 2 :]
    return len(late) > 2 and bool(late[-1] < late[0])


ONE_FIT[paper_recipe] = paper_recipe_runs
ONE_FIT[paper_bootstrap] = paper_bootstrap_runs
