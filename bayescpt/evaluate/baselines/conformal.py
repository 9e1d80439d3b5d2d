"""Conformal bands: as wide as the errors of the fitted runs, each forecast from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.errors import PlanError
from bayescpt.evaluate.baselines.iid import iid_runs
from bayescpt.evaluate.predict import ONE_FIT, JointMethod, Prediction, bayes_forecasts
from bayescpt.evaluate.splits import split_by_run

if TYPE_CHECKING:
    from bayescpt.data import Study

Array = NDArray[np.float64]

# What n runs cannot tell, an error larger than all of theirs, is put at this multiple of the
# largest. The finite-sample band is infinite there; a CRPS needs a number.
CAP = 3.0


def conformal_draws(
    median: Array, errors: Array, rng: np.random.Generator, n_draws: int = 2000
) -> Array:
    """Draws whose central bands are the conformal ones, with one error per run.

    The band of level p is ``median +- r``, where r is the ceil((n + 1) p)-th smallest of the
    absolute errors of n runs (Vovk, Gammerman and Shafer 2005; one score per run, as rows of a run
    are not exchangeable). It holds a new run's loss with a probability of at least p if its error
    is exchangeable with theirs. With (n + 1) p > n, such as 90% of 8 runs or fewer, that band is
    infinite; here it ends at `CAP` times the largest error.

    Parameters
    ----------
    median : ndarray, shape (n_rows,)
        Centre of the bands, nats/token.
    errors : ndarray, shape (n_runs, n_rows)
        Errors of the runs, nats/token: a draw takes those of one run at all rows.
    rng : numpy.random.Generator
        Order of the draws.
    n_draws : int
        Approximate number of draws: each error and its mirror image are drawn equally often.

    Returns
    -------
    ndarray, shape (n, n_rows)

    Examples
    --------
    >>> draws = conformal_draws(
    ...     np.zeros(1), np.arange(1.0, 10.0)[:, None], np.random.default_rng(1)
    ... )
    >>> np.quantile(draws, [0.05, 0.95]).tolist()
    [-9.0, 9.0]
    >>> draws.max().item()
    27.0
    """
    beyond = CAP * np.abs(errors).max(axis=0)
    copies = max(-(-n_draws // (2 * len(errors) + 2)), 2)
    # One copy less of what lies beyond: a sample quantile is interpolated, and where the band ends
    # at the largest error it must not reach over to the cap.
    seen = np.tile(np.vstack([errors, -errors]), (copies, 1))
    unseen = np.tile(np.vstack([beyond, -beyond]), (copies - 1, 1))
    offsets = rng.permutation(np.vstack([seen, unseen]))
    return np.asarray(median + offsets)


def conformal(
    train: Study, run: str, rows: pd.DataFrame, *, seed: int, **options: Any
) -> Prediction:
    """Forecast with our median and bands from leave-one-run-out errors.

    Each fitted run is forecast from a fit to the others. Its errors at a fraction of its length are
    those of the new run at the same fraction. This is the jackknife: it refits once per run, and
    its coverage is that of `conformal_draws` only as far as leaving out one run changes little.

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
        ``card`` and options of the fit, as for `bayescpt.evaluate.bayes_forecast`.

    Returns
    -------
    Prediction
        Draws of ``loss``.

    Raises
    ------
    PlanError
        If fewer than two runs are fitted, or none has losses on all domains asked for.
    """
    return conformal_runs(train, {run: rows}, seed=seed, **options)[run]


def conformal_iid(
    train: Study, run: str, rows: pd.DataFrame, *, seed: int, **options: Any
) -> Prediction:
    """Forecast with the median under plain independent noise, and bands as for `conformal`.

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
        ``card`` and options of the fit, as for `bayescpt.evaluate.bayes_forecast`.

    Returns
    -------
    Prediction
        Draws of ``loss``.

    Raises
    ------
    PlanError
        If fewer than two runs are fitted, or none has losses on all domains asked for.
    """
    return conformal_iid_runs(train, {run: rows}, seed=seed, **options)[run]


def conformal_runs(
    train: Study, asked: Mapping[str, pd.DataFrame], *, seed: int, **options: Any
) -> dict[str, Prediction]:
    """Forecast several runs as `conformal` does, with one set of refits.

    Parameters
    ----------
    train : Study
        Training study.
    asked : Mapping of str to DataFrame
        Rows by run, columns step and domain.
    seed : int
        Seed of the sampler.
    **options
        Options of the fits.

    Returns
    -------
    dict of str to Prediction
        Draws of ``loss`` by run.
    """
    return _around(bayes_forecasts, train, asked, seed, options)


def conformal_iid_runs(
    train: Study, asked: Mapping[str, pd.DataFrame], *, seed: int, **options: Any
) -> dict[str, Prediction]:
    """Forecast several runs as `conformal_iid` does, with one set of refits.

    Parameters
    ----------
    train : Study
        Training study.
    asked : Mapping of str to DataFrame
        Rows by run, columns step and domain.
    seed : int
        Seed of the sampler.
    **options
        Options of the fits.

    Returns
    -------
    dict of str to Prediction
        Draws of ``loss`` by run.
    """
    return _around(iid_runs, train, asked, seed, options)


def _around(
    method: JointMethod,
    train: Study,
    asked: Mapping[str, pd.DataFrame],
    seed: int,
    options: Mapping[str, Any],
) -> dict[str, Prediction]:
    """Forecast runs with the median of a method and the errors that it makes on fitted runs."""
    domains = list(dict.fromkeys(d for rows in asked.values() for d in rows["domain"].unique()))
    left_out, failed = [], dict[str, None]()
    splits = split_by_run(train, domains=domains)
    if len(splits) < 2:
        raise PlanError(
            f"{len(splits)} fitted run of study {train.name!r} can be left out; conformal bands "
            "need two"
        )
    for split in splits:
        rows = split.held_out[["step", "domain"]]
        made = method(split.train, {split.run: rows}, seed=seed, **options)[split.run]
        failed |= dict.fromkeys(made.failed_checks)
        left_out.append(
            pd.DataFrame(
                {
                    "domain": rows["domain"],
                    "fraction": rows["step"] / train.run(split.run).steps,
                    "error": split.held_out["observed"] - np.median(made.draws, axis=0),
                }
            ).dropna()
        )
    whole = method(train, asked, seed=seed, **options)
    out = {}
    for run, rows in asked.items():
        failed |= dict.fromkeys(whole[run].failed_checks)
        errors = _errors_at(left_out, rows["domain"], rows["step"] / train.run(run).steps)
        if not len(errors):
            raise PlanError(
                f"no fitted run of study {train.name!r} has losses on all of {', '.join(domains)}"
            )
        draws = conformal_draws(
            np.median(whole[run].draws, axis=0), errors, np.random.default_rng(seed)
        )
        out[run] = Prediction(draws)
    return {run: Prediction(made.draws, tuple(failed)) for run, made in out.items()}


def _errors_at(left_out: Sequence[pd.DataFrame], domains: pd.Series, fraction: pd.Series) -> Array:
    """Errors of the runs that have all domains, at fractions of a run, shape (n_runs, n_rows)."""
    wanted = set(domains)
    kept = [errors for errors in left_out if wanted <= set(errors["domain"])]
    out = np.empty((len(kept), len(domains)))
    for row, errors in zip(out, kept, strict=True):
        for domain in wanted:
            here, own = (domains == domain).to_numpy(), errors[errors["domain"] == domain]
            row[here] = np.interp(fraction[here], own["fraction"], own["error"])
    return out


ONE_FIT[conformal] = conformal_runs
ONE_FIT[conformal_iid] = conformal_iid_runs
