"""Which pilots are fitted, and which runs are forecast from them.

The studies are seven of 20 runs that taught `cpt_fade` no prior and share a plan: variants that are
not kept for one look at the end. All pilots of a draw start from the checkpoint that most runs of
the study start from, and those of a smaller number are among those of a larger one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

import bayescpt as bc
from bayescpt.data import Study
from bayescpt.evaluate import Backtest

STUDIES = tuple(
    f"variant_{name}"
    for name in ("batch", "fresh", "from_code", "mixture", "muon", "no_decay", "overtrained")
)
# The most for which `cpt_fade` is the default card.
NUMBERS = (4, 6, 8)
# The defaults; chains one after another.
SAMPLER = {"cores": 1}


@dataclass(frozen=True)
class Task:
    """One fit: the pilots, of which all other runs of a study are forecast.

    Attributes
    ----------
    study : str
        Name of an example study.
    draw : int
        Number of the draw of pilots, from 1.
    pilots : int
        Number of pilots.
    """

    study: str
    draw: int
    pilots: int

    @property
    def name(self) -> str:
        """Name of the fit, which is that of its files."""
        return f"{self.study}-draw{self.draw}-{self.pilots}"

    def run(self, **options: Any) -> Backtest:
        """Fit the pilots and forecast the others, with options of `bayescpt.backtest`."""
        return bc.backtest(
            bc.load_example(self.study),
            by="pilots",
            pilots=self.pilots,
            repeats=1,
            pilots_from={"parent": main_start(self.study)},
            random_seed=self.draw,
            **options,
        )


@cache
def main_start(study: str) -> str:
    """Checkpoint that most continual pre-training runs of an example study start from."""
    opened: Study = bc.load_example(study)
    runs = opened.runs.set_index("run").loc[list(opened.cpt_runs)]
    return str(runs["parent"].mode()[0])


def all_tasks(draws: int) -> list[Task]:
    """Every fit: all studies for each number of pilots of each draw."""
    return [
        Task(study, draw, pilots)
        for draw in range(1, draws + 1)
        for pilots in NUMBERS
        for study in STUDIES
    ]


def by_forecast(made: Backtest, task: Task, after: float = 0.1) -> pd.DataFrame:
    """Scores of every forecast curve: shares inside, width and errors in nats, of later losses.

    Parameters
    ----------
    made : Backtest
        What a task gave.
    task : Task
        The task.
    after : float
        First fraction of each run that is left out.

    Returns
    -------
    DataFrame
        One row per run and domain (``general`` or ``target``).
    """
    rows = made.scores(by=["run", "domain"], after=after)
    outside = made.table.drop_duplicates("run").set_index("run")["outside"]
    general = bc.load_example(task.study).general
    rows = rows.rename(columns={"finals_inside": "last_inside"})
    kept = ["run", "domain", "coverage_50", "coverage_90", "width_90", "crps", "mae", "last_inside"]
    return rows[kept].assign(
        **vars(task),
        outside=rows["run"].map(outside),
        domain=rows["domain"].map(lambda name: "general" if name == general else "target"),
    )
