"""One law evaluated three ways, laws and terms in a line, and a study with areas known by hand."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr

from bayescpt.data import Study
from bayescpt.laws.law import DEFAULTS, Law
from bayescpt.laws.points import References
from bayescpt.laws.references import references
from bayescpt.laws.term import TERMS, Setting, Term
from bayescpt.laws.trajectory import run_trajectory
from bayescpt.laws.view import View


@pytest.fixture(scope="session")
def everywhere():
    """Function that evaluates a law by NumPy, by xarray and in a PyTensor graph."""
    return _everywhere


def _everywhere(law: Callable, by_draw: dict, by_row: dict, **fixed) -> dict[str, np.ndarray]:
    """Values, shape (draw, row), of a law whose arguments are one a draw or one a row."""
    by_draw = {key: np.asarray(value, dtype=float) for key, value in by_draw.items()}
    by_row = {key: np.asarray(value, dtype=float) for key, value in by_row.items()}
    columns = {key: value[:, None] for key, value in by_draw.items()}
    column = pt.TensorType("float64", shape=(None, 1))
    symbols = {key: column(key) for key in columns} | {key: pt.dvector(key) for key in by_row}
    graph = pytensor.function(
        list(symbols.values()), law(**symbols, **fixed, xp=pt), mode="FAST_COMPILE"
    )
    labelled = {key: xr.DataArray(value, dims="draw") for key, value in by_draw.items()}
    labelled |= {key: xr.DataArray(value, dims="row") for key, value in by_row.items()}
    return {
        "numpy": law(**columns, **by_row, **fixed),
        "xarray": law(**labelled, **fixed).transpose("draw", "row").to_numpy(),
        "pytensor": graph(*columns.values(), *by_row.values()),
    }


@pytest.fixture(scope="session")
def make_law():
    """Function that makes a law from its choices; by default of continual pre-training."""
    return _make_law


def _make_law(paper=False, pretraining=True, warmup="true", **choices) -> Law:
    return Law({**DEFAULTS, "shift": "power", **choices}, paper, pretraining, warmup)


@pytest.fixture(scope="session")
def make_term():
    """Function that makes one term from its slot and name."""
    return _make_term


def _make_term(slot, name, paper=False, pretraining=True, continual=True, **choices) -> Term:
    setting = Setting({slot: name, **choices}, paper, pretraining, continual)
    return TERMS[slot][name](setting)


@pytest.fixture(scope="session")
def look():
    """Function that views a run of a study as a law does."""
    return _look


def _look(study: Study, name: str, steps, law: Law, refs: References | None = None) -> View:
    refs = refs or references(study, law)
    return View(run_trajectory(study, name, law.warmup), np.asarray(steps), refs)


@pytest.fixture(scope="session")
def make_study():
    """Function that makes a study of a pre-training and two cpt runs from their LR."""
    return _make_study


def _make_study(base, cpt, replay=0.25, **kwargs) -> Study:
    """Study of run ``base``, and of a run from its end checkpoint for each array of `cpt`."""
    lrs = {"base": np.asarray(base, dtype=float)}
    lrs |= {f"run{k}": np.asarray(lr, dtype=float) for k, lr in enumerate(cpt)}
    is_cpt = [name != "base" for name in lrs]
    runs = pd.DataFrame(
        {
            "run": list(lrs),
            "phase": np.where(is_cpt, "cpt", "pt"),
            "parent": ["base" if flag else None for flag in is_cpt],
            "domain": ["german" if flag else None for flag in is_cpt],
            "replay_ratio": [replay if flag else np.nan for flag in is_cpt],
            "steps": [lr.size for lr in lrs.values()],
        }
    )
    curves = pd.DataFrame(
        [
            (name, step, domain, 3.0 - 0.01 * step / lr.size)
            for name, lr in lrs.items()
            for step in sorted({1, lr.size})
            for domain in ("general", "german")
        ],
        columns=["run", "step", "domain", "loss"],
    )
    frame = pd.concat(
        pd.DataFrame({"run": name, "step": np.arange(1, lr.size + 1), "lr": lr})
        for name, lr in lrs.items()
    )
    if "replay_by_step" in kwargs:
        frame["replay"] = np.nan
        for name, values in kwargs.pop("replay_by_step").items():
            frame.loc[frame["run"] == name, "replay"] = values
    return Study.from_frames(curves, runs, frame, name="tiny", **kwargs)
