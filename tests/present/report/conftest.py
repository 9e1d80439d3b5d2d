"""A report on runs and plans whose names hold HTML, scripts and terminal codes."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from bayescpt import schedules
from bayescpt.data import Study
from bayescpt.evaluate.generate import draw_parameters
from bayescpt.forecast import Plan
from bayescpt.inference import Check, Fit
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows
from bayescpt.present.report.case import Options, make_case

SCRIPT = "<script>alert('x')</script>"
CODES = '\x1b[31mred\x1b[0m & "co"'
FORMULA = "$x_1$ $\\frac$ <b>bold</b>"
PLANS = (SCRIPT, CODES, FORMULA, "_hidden\u202e")
CHECKS = (
    Check("R-hat", "ok", 1.002, 1.01, ""),
    Check("contraction", "warn", 1.2, 0.9, f"the data say little about {SCRIPT}"),
)
RATES = {"tokens_per_step": 1024, "throughput": 256, "price": 2.5, "currency": "<EUR>"}


class MadeUpFit(Fit):
    """A fit that was never sampled: its draws lie around one draw of the priors."""

    given: tuple[Check, ...] = CHECKS

    def checks(self) -> list[Check]:
        return list(self.given)


def renamed(study: Study) -> Study:
    """Study whose runs and target have names that a browser or a terminal would take for more."""
    names = {run: f"{SCRIPT}{k}" for k, run in enumerate(study.runs["run"])}
    domains = {"target": "<i>target</i>"}
    runs = study.runs.assign(
        run=study.runs["run"].map(names),
        parent=study.runs["parent"].map(names),
        branch_of=study.runs["branch_of"].map(names),
        domain=study.runs["domain"].replace(domains),
    )
    curves = study.curves.assign(
        run=study.curves["run"].map(names), domain=study.curves["domain"].replace(domains)
    )
    lrs = {names[run]: lr for run, lr in study.lrs.items()}
    return replace(study, name=f"{CODES}{SCRIPT}", runs=runs, curves=curves, lrs=lrs, notes=SCRIPT)


@pytest.fixture(scope="session")
def study(simulated_study):
    return renamed(simulated_study)


@pytest.fixture(scope="session")
def fit(study):
    card = load_card("cpt_replay")
    rows = make_rows(study, card)
    rng = np.random.default_rng(11)
    middle = draw_parameters(card, rows, rng)
    draws = middle.isel(chain=[0] * 2, draw=[0] * 60).assign_coords(chain=range(2), draw=range(60))
    near = draws.map(lambda v: v * np.exp(0.03 * rng.standard_normal(v.shape)))
    return MadeUpFit(card, study, rows, near, xr.Dataset(), 11)


@pytest.fixture(scope="session")
def plans(study):
    start = study.pt_runs[0]
    shape = schedules.wsd(2e-3, num_training_steps=200, num_warmup_steps=20, num_decay_steps=40)
    longer = schedules.cosine(4e-3, 300)
    made = [Plan(name, shape, 0.1 + 0.1 * k, start) for k, name in enumerate(PLANS[:3])]
    return [*made, Plan(PLANS[3], longer, 0.05, start)]


@pytest.fixture(scope="session")
def goal(fit, plans):
    """A goal that some plans meet and some do not."""
    last = fit.forecast(plans, steps=[200, 300]).dataset["loss"].isel(step=0)
    middle = last.median(("chain", "draw", "plan"))
    return {str(d): round(float(middle.sel(domain=d)), 3) for d in middle["domain"].values}


@pytest.fixture(scope="session")
def case(fit, plans, goal):
    return make_case(fit, plans, goal, RATES, Options(seed=4))
