"""Which pilots are fitted, and which runs are forecast from them.

The studies are seven of 20 runs that taught `cpt_fade` no prior and share a plan: variants that are
not kept for one look at the end. All random pilots of a draw start from the checkpoint that most
runs of the study start from, and those of a smaller number are among those of a larger one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

import bayescpt as bc
from bayescpt.data import Study
from bayescpt.evaluate import Backtest
from bayescpt.evaluate.outside import joined, outside_pilots

STUDIES = tuple(
    f"variant_{name}"
    for name in ("batch", "fresh", "from_code", "mixture", "muon", "no_decay", "overtrained")
)
# The most for which `cpt_fade` is the default card.
NUMBERS = (3, 4, 6, 8)
# Recipes that all seven have (kind "core"). The first four are at the edges: no replay and much of
# it, a quarter of the peak, another schedule.
CHOSEN = ("r0_wsd", "r50_wsd", "r25_wsd_p25", "r10_cos", "r25_wsd", "r5_cos_p50")
CHOSEN_NUMBERS = (4, 6)
SAMPLER = {"draws": 1000, "tune": 500, "chains": 2, "extend": 1, "cores": 1}


@dataclass(frozen=True)
class Task:
    """One fit: the pilots, of which all other runs of a study are forecast.

    Attributes
    ----------
    study : str
        Name of an example study.
    draw : int
        Number of the draw of random pilots, from 1; 0 for the first of `CHOSEN`.
    pilots : int
        Number of pilots.
    """

    study: str
    draw: int
    pilots: int

    @property
    def name(self) -> str:
        """Name of the fit, which is that of its files."""
        return f"{self.study}-{f'draw{self.draw}' if self.draw else 'chosen'}-{self.pilots}"

    def run(self, sampler: dict[str, Any]) -> Backtest:
        """Fit the pilots and forecast the others."""
        study = bc.load_example(self.study)
        if self.draw:
            return bc.backtest(
                study, by="pilots", pilots=self.pilots, repeats=1, random_seed=self.draw,
                pilots_from={"parent": main_start(self.study)}, **sampler,
            )  # fmt: skip
        fitted = list(CHOSEN[: self.pilots])
        made = bc.backtest(study, by="split", fit_runs=fitted, **sampler)
        held_out = list(made.table["run"].unique())
        part = study.select([*fitted, *held_out])
        outside = {name: joined(outside_pilots(part, fitted, name)) for name in held_out}
        table = made.table.assign(outside=made.table["run"].map(outside))
        return Backtest(table, made.fits.assign(pilots=", ".join(fitted)), made.finals)


@cache
def main_start(study: str) -> str:
    """Checkpoint that most continual pre-training runs of an example study start from."""
    opened: Study = bc.load_example(study)
    runs = opened.runs.set_index("run").loc[list(opened.cpt_runs)]
    return str(runs["parent"].mode()[0])


def all_tasks(draws: int) -> list[Task]:
    """Every fit: draws of random pilots, and the chosen ones."""
    random = [
        Task(study, draw, pilots)
        for draw in range(1, draws + 1)
        for pilots in NUMBERS
        for study in STUDIES
    ]
    return random + [Task(study, 0, pilots) for pilots in CHOSEN_NUMBERS for study in STUDIES]


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
    ends = made.table[made.table["final"]].set_index(["run", "domain"])
    last_inside = ends["observed"].between(ends["q0.05"], ends["q0.95"])
    outside = made.table.drop_duplicates("run").set_index("run")["outside"]
    general = bc.load_example(task.study).general
    kept = ["run", "domain", "coverage_50", "coverage_90", "width_90", "crps", "mae"]
    return rows[kept].assign(
        **vars(task),
        outside=rows["run"].map(outside),
        last_inside=last_inside.loc[pd.MultiIndex.from_frame(rows[["run", "domain"]])].to_numpy(),
        domain=rows["domain"].map(lambda name: "general" if name == general else "target"),
    )
