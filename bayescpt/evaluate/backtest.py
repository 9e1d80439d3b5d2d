"""Backtest: refit without some rows, forecast them, compare."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from bayescpt.errors import PlanError, StudyError
from bayescpt.evaluate.execute import run_tasks
from bayescpt.evaluate.phases import schedule_phase
from bayescpt.evaluate.predict import Method, bayes_forecast
from bayescpt.evaluate.score import predictive_columns, score_table
from bayescpt.evaluate.splits import CUTOFFS, Split, split_by_cutoff, split_by_run

if TYPE_CHECKING:
    from bayescpt.data import Study


@dataclass(frozen=True, eq=False)
class Backtest:
    """Forecasts of held-out rows beside what was observed.

    Attributes
    ----------
    table : DataFrame
        A row a held-out loss: split, run, domain, cutoff, step, horizon (steps since the last
        known one), fraction (step over the run's length), phase (warm-up, stable or decay),
        final (the last measured step of its curve), observed, mean, median, quantiles ``q0.005``
        to ``q0.995``, crps and energy. Losses in nats/token.
    fits : DataFrame
        A row a split: split, run, cutoff, rows, rows_without_forecast, failed_checks, seconds.
    """

    table: pd.DataFrame
    fits: pd.DataFrame = field(repr=False)

    def scores(self, by: str | Sequence[str] | None = None, after: float = 0.0) -> pd.DataFrame:
        """Scores, all together or by group; see `score_table`.

        Parameters
        ----------
        by : str or sequence of str, optional
            Such as ``domain``, ``horizon``, ``phase``, ``cutoff`` or ``run``.
        after : float
            Rows in this first share of a run are left out.

        Returns
        -------
        DataFrame
            A row a group.
        """
        return score_table(self.table, by, after)


def backtest(
    study: Study,
    card: Any = None,
    by: Literal["run", "cutoff"] = "run",
    executor: Executor | None = None,
    *,
    runs: Iterable[str] | None = None,
    cutoffs: Sequence[float] = CUTOFFS,
    domains: Sequence[str] | None = None,
    seed: int = 1,
    method: Method = bayes_forecast,
    on_split: Callable[[str], None] | None = None,
    **fit_options: Any,
) -> Backtest:
    """Hold rows of a study out, refit, and forecast them.

    One refit a split. The result depends on the seed, not on the executor, nor on which other
    splits are made.

    Parameters
    ----------
    study : Study
        The study.
    card : str, Path, Card or None
        What to fit; None chooses by the study. Only for the default method.
    by : {"run", "cutoff"}
        ``run`` hides one run at a time (`split_by_run`); ``cutoff`` hides the end of one run at a
        time (`split_by_cutoff`).
    executor : concurrent.futures.Executor, optional
        Runs the refits; by default they run here, one after the other. Dask's
        ``Client.get_executor()`` is one.
    runs : iterable of str, optional
        Runs to hold out; by default all that can be.
    cutoffs : sequence of float
        Shares of a run that stay visible, for ``by="cutoff"``.
    domains : sequence of str, optional
        Domains to score; by default the general one and the targets.
    seed : int
        Seed of all refits.
    method : callable
        Forecasting method: `bayes_forecast`, or one of `bayescpt.evaluate.baselines`.
    on_split : callable, optional
        Called with the name of each split as its refit is done, in their order.
    **fit_options
        Options of the method, such as ``draws`` and ``chains``.

    Returns
    -------
    Backtest
        Tidy table of forecasts, and its scores.

    Raises
    ------
    PlanError
        If `by` is neither.
    StudyError
        If no row can be held out.
    """
    if by not in ("run", "cutoff"):
        raise PlanError(f"by is {by!r}; it must be 'run' or 'cutoff'")
    if by == "run":
        splits = split_by_run(study, runs, domains)
    else:
        splits = split_by_cutoff(study, runs, cutoffs, domains)
    if not splits:
        raise StudyError(f"study {study.name!r} has no row that could be held out")
    if card is not None:
        # A file's path may mean nothing where the refit runs.
        fit_options["card"] = _read_card(card)
    tasks = [
        (
            split.train.to_json(),
            split.run,
            _scored_rows(study, split),
            split_seed(seed, split.name),
            method,
            fit_options,
        )
        for split in splits
    ]
    results = run_tasks(refit, tasks, executor)
    tables, fits = [], []
    for split, (table, report) in zip(splits, results, strict=True):
        tables.append(table)
        fits.append({"split": split.name, "run": split.run, "cutoff": split.cutoff, **report})
        if on_split is not None:
            on_split(split.name)
    return Backtest(pd.concat(tables, ignore_index=True), pd.DataFrame(fits))


def refit(
    train: str,
    run: str,
    rows: pd.DataFrame,
    seed: int,
    method: Method,
    options: dict[str, Any],
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """One split: fit, forecast, compare. All arguments pickle.

    Parameters
    ----------
    train : str
        Training study, as JSON.
    run : str
        Run to forecast.
    rows : DataFrame
        Held-out rows: step, domain, observed and labels.
    seed : int
        Seed.
    method : callable
        Forecasting method.
    options : dict
        Of the method.

    Returns
    -------
    table : DataFrame
        Rows of `Backtest.table`.
    report : dict
        Columns of `Backtest.fits`.
    """
    from bayescpt.data import Study

    begun = time.perf_counter()
    asked = rows[["step", "domain"]]  # the method never sees what was observed
    prediction = method(Study.from_json(train), run, asked, seed=seed, **options)
    there = ~np.isnan(prediction.draws).any(axis=0)
    table = predictive_columns(rows[there].reset_index(drop=True), prediction.draws[:, there])
    report = {
        "rows": len(table),
        "rows_without_forecast": int((~there).sum()),
        "failed_checks": ", ".join(prediction.failed_checks),
        "seconds": time.perf_counter() - begun,
    }
    return table, report


def split_seed(seed: int, name: str) -> int:
    """Seed of a split, the same whatever other splits there are.

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
    from bayescpt.model.card import load_card

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
            "observed": rows["observed"],
        }
    )
