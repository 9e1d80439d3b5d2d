"""A small study, and the tables it is made from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import Study


@dataclass
class Tables:
    """Tables of a study, to spoil one thing at a time."""

    runs: pd.DataFrame
    curves: pd.DataFrame
    lrs: pd.DataFrame

    def study(self, **kwargs):
        return Study.from_frames(self.curves, self.runs, self.lrs, **kwargs)

    def set_run(self, name, /, **values):
        for column, value in values.items():
            if isinstance(value, str):
                self.runs[column] = self.runs[column].astype(object)
            self.runs.loc[self.runs["run"] == name, column] = value

    def set_loss(self, run, step, domain, loss):
        c = self.curves
        c.loc[(c["run"] == run) & (c["step"] == step) & (c["domain"] == domain), "loss"] = loss

    def set_lr(self, run, step, lr):
        self.lrs.loc[(self.lrs["run"] == run) & (self.lrs["step"] == step), "lr"] = lr


@pytest.fixture
def tables():
    """Base run and its annealed branch; two cpt runs, one from each."""
    runs = pd.DataFrame(
        {
            "run": ["base", "annealed", "mix", "pure"],
            "phase": ["pt", "pt", "cpt", "cpt"],
            "parent": [None, None, "annealed", "base"],
            "domain": [None, None, "german", "german"],
            "replay_ratio": [np.nan, np.nan, 0.25, 0.0],
            "steps": [8, 8, 4, 4],
            "branch_of": [None, "base", None, None],
            "branch_step": [np.nan, 6, np.nan, np.nan],
            "seed": [1, 1, 2, 3],
            "n_params": [1e6] * 4,
            "note": ["a", "b", None, "d"],
        }
    )
    flat = np.full(8, 2e-3)
    rates = {
        "base": flat,
        "annealed": np.concatenate([flat[:6], [1e-3, 0.0]]),
        "mix": np.array([1e-3, 2e-3, 1e-3, 0.0]),
        "pure": np.array([1e-3, 2e-3, 2e-3, 2e-3]),
    }
    lrs = pd.concat(
        pd.DataFrame({"run": run, "step": np.arange(1, lr.size + 1), "lr": lr})
        for run, lr in rates.items()
    ).reset_index(drop=True)
    rows = [
        (run, step, domain, 7.0 - 0.1 * step - (run == "annealed") * (step == 8) * 0.5)
        for run in ("base", "annealed")
        for step in (0, 4, 8)
        for domain in ("general", "german")
    ]
    rows += [("mix", 0, "german", 6.1), ("mix", 2, "german", 5.0), ("mix", 4, "german", 4.0)]
    rows += [("mix", 1, "general", 5.9), ("pure", 4, "german", 3.5)]
    curves = pd.DataFrame(rows, columns=["run", "step", "domain", "loss"])
    return Tables(runs, curves, lrs)


@pytest.fixture
def study(tables):
    return tables.study(name="tiny")
