"""Backtests: refit without some rows, forecast them and compare."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.data.phases import schedule_phase
from bayescpt.errors import FitError
from bayescpt.evaluate.execute import run_tasks
from bayescpt.evaluate.kept import about_backtest
from bayescpt.evaluate.predict import Method, bayes_forecast, forecast_runs
from bayescpt.evaluate.refits import pilot_draws, refits
from bayescpt.evaluate.score import predictive_columns, score_table, thin
from bayescpt.evaluate.splits import CUTOFFS, Split
from bayescpt.random_seed import takes_seed
from bayescpt.work import Work

if TYPE_CHECKING:
    from bayescpt.data import Study

# Number of draws kept per final loss: a probability from them has a standard error of at most .02.
N_FINALS = 500
# Columns that only a backtest by pilots or by target has.
PILOT_LABELS = ("repeat", "target", "outside")


@dataclass(frozen=True, eq=False)
class Backtest:
    """Forecasts of held-out rows, with the observed losses.

    Attributes
    ----------
    table : DataFrame
        One row per held-out loss: split, run, domain, cutoff, step, horizon (steps since the last
        known one), fraction (step over the run's length), phase (warm-up, stable or decay), final
        (whether it is the last measured step of its curve), shared (whether the fit knows it from
        another run with the same trunk; such rows are not scored), observed, mean, median,
        quantiles ``q0.005`` to ``q0.995``, pit, crps and energy. Losses in nats/token. For
        ``by="target"`` also target, for ``by="pilots"`` repeat (number of the draw), target and
        outside (what lies outside the pilots' range, see `scores_by_extrapolation`).
    fits : DataFrame
        One row per fit: split, run, cutoff, rows, rows_without_forecast, failed_checks, seconds;
        also pilots and target for ``by="pilots"`` and ``by="target"``. A fit of pilots that could
        not be sampled is there too: it has no rows, and its error stands under failed_checks.
    finals : DataFrame
        Draws of the final losses, at most 500 per split and domain: split, run, domain, cutoff,
        step, observed, draw (its number, the same on all domains) and loss; for ``by="pilots"``
        also repeat, target and outside.
    """

    table: pd.DataFrame
    fits: pd.DataFrame = field(repr=False)
    finals: pd.DataFrame = field(repr=False)

    def scores(self, by: str | Sequence[str] | None = None, after: float = 0.0) -> pd.DataFrame:
        """Scores, overall or by group; see `score_table`.

        Parameters
        ----------
        by : str or sequence of str, optional
            Grouping columns, such as ``domain``, ``horizon``, ``phase``, ``cutoff`` or ``run``.
        after : float
            Rows in this initial fraction of a run are excluded.

        Returns
        -------
        DataFrame
            One row per group.
        """
        return score_table(self.table, by, after)


@takes_seed
def backtest(
    study: Study,
    card: Any = None,
    by: Literal["run", "cutoff", "split", "pilots", "target"] = "run",
    executor: Executor | None = None,
    *,
    runs: Iterable[str] | None = None,
    fit_runs: Iterable[str] | None = None,
    cutoffs: Sequence[float] = CUTOFFS,
    pilots: int | None = None,
    repeats: int | None = None,
    pilots_from: Mapping[str, Any] | None = None,
    judge: Mapping[str, Any] | None = None,
    domains: Sequence[str] | None = None,
    random_seed: int = 1,
    method: Method = bayes_forecast,
    on_split: Callable[[str], None] | None = None,
    work: str | Path | None = None,
    **fit_options: Any,
) -> Backtest:
    """Hold out rows of a study, refit, and forecast them.

    There is one refit per split, a single one for ``by="split"``, or one per draw of pilots or
    target. The result depends on the seed, but not on the executor or on the other splits.

    Parameters
    ----------
    study : Study
        The study.
    card : str, Path, Card or None
        Card to fit; by default chosen for the study. Only for the default method.
    by : {"run", "cutoff", "split", "pilots", "target"}
        ``run`` holds out one run at a time (`split_by_run`); ``cutoff`` holds out the end of one
        run at a time (`split_by_cutoff`); ``split`` fits `fit_runs` and holds out all others
        (`split_by_fit`); ``pilots`` fits a few random pilots and holds out all others, many times
        (`split_by_pilots`); ``target`` holds out all runs on one target at a time
        (`split_by_target`).
    executor : concurrent.futures.Executor, optional
        Executor of the refits, such as Dask's ``Client.get_executor()``; by default they run
        sequentially in this process.
    runs : iterable of str, optional
        Runs to hold out; by default all eligible ones.
    fit_runs : iterable of str, optional
        Runs to fit, for ``by="split"``.
    cutoffs : sequence of float
        Fractions of a run that stay visible, for ``by="cutoff"``.
    pilots : int, optional
        Number of pilots, for ``by="pilots"``; 4 by default.
    repeats : int, optional
        Number of draws of pilots, each a refit, for ``by="pilots"``; 8 by default. In its absence
        ``draws`` is that number, as in ``by="pilots", pilots=4, draws=20``; beside it, and with any
        other `by`, ``draws`` is the sampler's draws per chain.
    pilots_from, judge : Mapping of str to object, optional
        Values of columns of `study.runs` that pilots and scored runs must have, for
        ``by="pilots"``: ``pilots_from={"split": "fit"}, judge={"split": ["choose", "test"]}``.
    domains : sequence of str, optional
        Domains to score; by default the general one and the targets.
    random_seed : int
        Seed of all refits; also accepted as ``seed``.
    method : callable
        Forecasting method: `bayes_forecast`, or one of `bayescpt.evaluate.baselines`.
    on_split : callable, optional
        Called with the name of each refit when it is done, in order.
    work : str or Path, optional
        Folder in which finished refits are kept, and from which they are taken if the same backtest
        was interrupted; the result is the same to the bit. Delete it once the result is saved.
    **fit_options
        Options of the method, such as ``draws`` and ``chains``.

    Returns
    -------
    Backtest
        Tidy table of forecasts, with their scores.

    Raises
    ------
    PlanError
        If `by` is invalid, `fit_runs` is given without ``by="split"`` or missing with it, or
        options of pilots are given without ``by="pilots"``.
    StudyError
        If no row can be held out.
    FitError
        If a refit cannot be sampled; with ``by="pilots"`` only if none can.
    WorkError
        If the work folder holds refits of another backtest, or another process works there.

    Examples
    --------
    >>> import bayescpt as bc
    >>> study = bc.load_example("cpt_micro")
    >>> result = bc.backtest(study, by="run", random_seed=1)  # doctest: +SKIP
    >>> result.scores(by="domain")[["domain", "coverage_90", "mae"]]  # doctest: +SKIP
    >>> few = bc.backtest(study, by="pilots", pilots=4, draws=20)  # doctest: +SKIP
    >>> bc.scores_by_extrapolation(few, after=0.1)  # doctest: +SKIP
    """
    if by == "pilots":
        repeats, fit_options = pilot_draws(repeats, fit_options)
    given: dict[str, Any] = {
        "runs": None if runs is None else list(runs),
        "fit_runs": None if fit_runs is None else list(fit_runs),
        "cutoffs": cutoffs,
        "domains": domains,
    }
    given |= {"pilots": pilots, "repeats": repeats, "pilots_from": pilots_from, "judge": judge}
    by_fit = refits(study, by, random_seed, **given)
    if card is not None:
        # A file path may be invalid on the machine that refits.
        fit_options["card"] = _read_card(card)
    tasks = [
        (
            splits[0].train.to_json(),
            pd.concat([_scored_rows(study, split) for split in splits], ignore_index=True),
            split_seed(random_seed, name),
            method,
            fit_options,
        )
        for name, splits in by_fit.items()
    ]
    task = refit_or_report if by == "pilots" else refit
    about = about_backtest(study, by, random_seed, method, given, fit_options)
    tables, finals, fits = [], [], []
    with nullcontext() if work is None else Work(work, about) as kept:
        results = run_tasks(task, tasks, executor, kept)
        for (name, splits), (table, final, report) in zip(by_fit.items(), results, strict=True):
            tables.append(table)
            finals.append(final)
            fits.append({**_fit_labels(name, splits), **report})
            if on_split is not None:
                on_split(name)
    if all(table.empty for table in tables):
        raise FitError(f"no refit could be sampled; {fits[0]['split']}: {fits[0]['failed_checks']}")
    ends = [part for part, rows in zip(finals, tables, strict=True) if not rows.empty]
    table = pd.concat([part for part in tables if not part.empty], ignore_index=True)
    table.attrs["units"] = study.curves_unit
    return Backtest(table, pd.DataFrame(fits), pd.concat(ends, ignore_index=True))


def _fit_labels(name: str, splits: Sequence[Split]) -> dict[str, Any]:
    """Columns of `Backtest.fits` that say what was fitted and held out."""
    first = splits[0]
    out = {"split": name, "run": ", ".join(split.run for split in splits), "cutoff": first.cutoff}
    if "target" in first.labels:
        out |= {"pilots": ", ".join(first.fitted), "target": first.labels["target"]}
    return out


def refit_or_report(
    train: str,
    rows: pd.DataFrame,
    seed: int,
    method: Method,
    options: dict[str, Any],
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Refit as `refit` does, or report why that cannot be done.

    One bad draw of pilots does not end a long backtest, and is not hidden either.

    Parameters
    ----------
    train : str
        Training study, as JSON.
    rows : DataFrame
        Held-out rows.
    seed : int
        Seed.
    method : callable
        Forecasting method.
    options : dict
        Options of the method.

    Returns
    -------
    table : DataFrame
        Rows of `Backtest.table`; none if the fit failed.
    finals : DataFrame
        Rows of `Backtest.finals`; none if the fit failed.
    report : dict
        Columns of `Backtest.fits`.
    """
    start = time.perf_counter()
    try:
        return refit(train, rows, seed, method, options)
    except FitError as error:
        report = {
            "rows": 0,
            "rows_without_forecast": int((~rows["shared"]).sum()),
            "failed_checks": f"not fitted ({error})",
            "seconds": time.perf_counter() - start,
        }
        return pd.DataFrame(), pd.DataFrame(), report


def refit(
    train: str,
    rows: pd.DataFrame,
    seed: int,
    method: Method,
    options: dict[str, Any],
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Fit once, forecast and compare; all arguments can be pickled.

    Parameters
    ----------
    train : str
        Training study, as JSON.
    rows : DataFrame
        Held-out rows: run, step, domain, observed and labels.
    seed : int
        Seed.
    method : callable
        Forecasting method.
    options : dict
        Options of the method.

    Returns
    -------
    table : DataFrame
        Rows of `Backtest.table`.
    finals : DataFrame
        Rows of `Backtest.finals`.
    report : dict
        Columns of `Backtest.fits`.
    """
    from bayescpt.data import Study

    start = time.perf_counter()
    by_run = {
        str(run): part.reset_index(drop=True) for run, part in rows.groupby("run", sort=False)
    }
    # The method never sees the observed losses.
    requested = {run: part[["step", "domain"]] for run, part in by_run.items()}
    predictions = forecast_runs(method, Study.from_json(train), requested, seed, options)
    tables, finals, lost = [], [], 0
    failed: dict[str, None] = {}
    for run, part in by_run.items():
        draws = predictions[run].draws
        known = ~np.isnan(draws).any(axis=0)
        kept = part[known].reset_index(drop=True)
        tables.append(predictive_columns(kept, draws[:, known]))
        finals.append(_final_draws(kept, draws[:, known]))
        lost += int((~known).sum())
        failed |= dict.fromkeys(predictions[run].failed_checks)
    table = pd.concat(tables, ignore_index=True)
    report = {
        "rows": int((~table["shared"]).sum()),
        "rows_without_forecast": lost,
        "failed_checks": ", ".join(failed),
        "seconds": time.perf_counter() - start,
    }
    return table, pd.concat(finals, ignore_index=True), report


def _final_draws(rows: pd.DataFrame, draws: NDArray[np.float64]) -> pd.DataFrame:
    """Thinned draws of the final rows, in long format."""
    last = (rows["final"] & ~rows["shared"]).to_numpy()
    kept = thin(draws[:, last], N_FINALS)
    named = ["split", "run", "domain", "cutoff", "step", "observed"]
    labels = rows.loc[last, [*named, *(name for name in PILOT_LABELS if name in rows)]]
    out = labels.loc[labels.index.repeat(len(kept))].reset_index(drop=True)
    return out.assign(draw=np.tile(np.arange(len(kept)), kept.shape[1]), loss=kept.T.reshape(-1))


def split_seed(seed: int, name: str) -> int:
    """Seed of a split, independent of the other splits.

    Parameters
    ----------
    seed : int
        Seed of the backtest.
    name : str
        Name of the split.

    Returns
    -------
    int
        Below 2^31.
    """
    words = np.random.SeedSequence([seed, zlib.crc32(name.encode())]).generate_state(1)
    return int(words[0] >> 1)


def _read_card(card: Any) -> Any:
    if not isinstance(card, str | Path):
        return card
    from bayescpt.model.card_file import load_card

    return load_card(card)


def _scored_rows(study: Study, split: Split) -> pd.DataFrame:
    """Held-out rows with their labels."""
    run = study.run(split.run)
    rows = split.held_out
    steps = rows["step"].to_numpy(np.int64)
    lr = study.lrs.get(split.run)
    ends = study.curves[study.curves["run"] == split.run].groupby("domain")["step"].max()
    return pd.DataFrame(
        {
            "split": split.name,
            "run": split.run,
            "domain": rows["domain"],
            "cutoff": split.cutoff,
            "step": steps,
            "horizon": steps - split.known_step,
            "fraction": steps / run.steps,
            "phase": "unknown" if lr is None else schedule_phase(lr, steps),
            "final": steps == rows["domain"].map(ends).to_numpy(),
            "shared": rows["shared"],
            "observed": rows["observed"],
            **split.labels,
        }
    )
