"""Tables of all fits, small enough to be kept beside the notebook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import bayescpt as bc
from bayescpt.evaluate import Backtest, GoalCalibration
from bayescpt.evaluate.score import cluster_mean
from bayescpt.files import write_file
from case_studies.how_many_pilots.tasks import Task, by_forecast

FOLDER = Path(__file__).parent / "tables"
DOMAINS = ("general", "target")


@dataclass(frozen=True, eq=False)
class Tables:
    """What all fits gave.

    Attributes
    ----------
    forecasts : DataFrame
        One row per forecast curve; see `by_forecast`.
    goals : DataFrame
        One row per forecast and goal: the task, run, domain (``general``, ``target`` or
        ``joint``), probability, and whether it was met.
    fits : DataFrame
        One row per fit: the task, the names of its pilots (runs), failed checks, seconds of a
        processor.
    """

    forecasts: pd.DataFrame
    goals: pd.DataFrame
    fits: pd.DataFrame

    def save(self, folder: Path) -> list[Path]:
        """Write them to a folder."""
        out = []
        for name, table in vars(self).items():
            path = folder / f"{name}.parquet"
            out.append(write_file(path, lambda draft, table=table: _write(table, draft)))
        return out

    @classmethod
    def read(cls, folder: Path) -> Tables:
        """Read them from a folder."""
        return cls(*(pd.read_parquet(folder / f"{name}.parquet") for name in cls.__annotations__))


def _write(table: pd.DataFrame, path: Path) -> None:
    table.to_parquet(path, index=False, compression="zstd")


def tables_of(made: Mapping[Task, Backtest]) -> Tables:
    """Tables of what tasks gave."""
    forecasts = pd.concat([by_forecast(one, task) for task, one in made.items()])
    fits = pd.concat(
        [
            one.fits[["pilots", "failed_checks"]].rename(columns={"pilots": "runs"}).assign(
                **vars(task), seconds=one.fits.get("processor_seconds", np.nan)
            )
            for task, one in made.items()
        ]
    )  # fmt: skip
    studies = list(dict.fromkeys(task.study for task in made))
    goals = pd.concat(
        [
            _goals({task: one for task, one in made.items() if task.study == name})
            for name in studies
        ]
    )
    return Tables(_small(forecasts), _small(goals), fits.reset_index(drop=True))


def _small(table: pd.DataFrame) -> pd.DataFrame:
    """The same, with names kept once and numbers to seven digits."""
    kinds = {name: "float32" for name in table.select_dtypes("float64")}
    return table.astype(kinds).reset_index(drop=True)


def _goals(made: Mapping[Task, Backtest]) -> pd.DataFrame:
    """Goals of one study, the same for all its fits: quantiles of the last losses of its runs."""
    tasks = {task.name: task for task in made}
    finals = pd.concat(
        [one.finals.assign(split=task.name, target="") for task, one in made.items()]
    )
    # The shares of other methods are not asked for here.
    rows = bc.goal_calibration(Backtest(finals, finals, finals)).forecasts
    general = bc.load_example(next(iter(tasks.values())).study).general
    named = {general: "general", "joint": "joint"}
    labels = pd.DataFrame([vars(tasks[name]) for name in rows["split"]], index=rows.index)
    kept = rows[["run", "goal", "probability", "met"]].assign(
        domain=[named.get(name, "target") for name in rows["domain"]]
    )
    return pd.concat([labels, kept.astype({"met": bool, "goal": "int16"})], axis=1)


def calibration(goals: pd.DataFrame) -> GoalCalibration:
    """Goals of several studies as one calibration; a run of each study counts as itself."""
    rows = goals.assign(
        run=goals["study"] + "/" + goals["run"],
        split=goals["study"] + goals["draw"].astype(str) + "/" + goals["pilots"].astype(str),
        cutoff=0.0,
        climatology=np.nan,
        met=goals["met"].astype(int),
    )
    return GoalCalibration(rows)


def on_common_runs(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Those forecasts whose run was forecast from every number of pilots of its draw.

    A run that is a pilot of a larger draw is forecast from the smaller ones only, so that numbers
    of pilots would be compared on different runs.
    """
    seen = forecasts.groupby(["study", "draw", "run"])["pilots"].transform("nunique")
    return forecasts[seen == forecasts["pilots"].nunique()]


def means(forecasts: pd.DataFrame, by: list[str], columns: list[str]) -> pd.DataFrame:
    """Means over forecasts, each of the same weight, with standard errors clustered by run."""
    rows = {}
    for key, part in forecasts.groupby(by if len(by) > 1 else by[0], sort=True):
        runs = (part["study"] + "/" + part["run"]).to_numpy()
        row: dict[str, float] = {"forecasts": len(part), "runs": len(set(runs))}
        for column in columns:
            values = part[column].to_numpy(np.float64)
            row[column], row[f"{column}_se"] = cluster_mean(values, runs)
        rows[key] = row
    return pd.DataFrame(rows).T.rename_axis(by if len(by) > 1 else by[0])
