"""Figures of `bayescpt.plot` draw on axes that they are given, and on nothing else."""

import inspect

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

import bayescpt as bc
from bayescpt.decide.goal_map import GoalMap
from bayescpt.errors import PlanError
from bayescpt.evaluate import Backtest, Calibration
from bayescpt.evaluate.score import QUANTILES, quantile_column
from bayescpt.present import page
from tests.present.conftest import build_forecast

MATHS = "$a_1$ <b>_x</b>"
DOMAINS = ("general", MATHS)


def named(forecast):
    """The forecast, with names that matplotlib would typeset or leave out."""
    plans = [MATHS, *map(str, forecast.dataset["plan"].values[1:])]
    made = {"plan": plans, "domain": list(DOMAINS)}
    return forecast.dataset.assign_coords(made).isel(step=[10, 50, 100])


def made_backtest():
    steps = np.array([100, 300, 500, 700, 1000])
    rows = pd.DataFrame(
        [(run, d, s) for run in (MATHS, "b") for d in DOMAINS for s in steps],
        columns=["run", "domain", "step"],
    )
    rows = rows.assign(split=rows["run"], cutoff=0.0, fraction=rows["step"] / 1000, shared=False)
    rows = rows.assign(median=3.0, observed=3.01, pit=0.6)
    for level in QUANTILES:
        rows[quantile_column(level)] = 3.0 + 0.1 * (level - 0.5)
    return Backtest(rows, pd.DataFrame(), pd.DataFrame())


def made_calibration():
    ranks = [{"simulation": n, "quantity": MATHS, "rank": 0, "control": n % 10} for n in range(40)]
    return Calibration(pd.DataFrame(ranks), pd.DataFrame(), 9)


def made_map():
    x, y = np.array([0.1, 0.3, 0.5]), np.array([1e-3, 2e-3, 4e-3])
    chance = np.array([[0.0, 0.2, 0.1], [0.1, 0.6, 0.3], [0.3, 0.9, 0.4]])
    pilots = pd.DataFrame({"x": [0.2, 0.9], "y": [2e-3, 2e-3]}, index=["a", "b"])
    outside = chance > 0.8
    goal = bc.Goal(general=3.0)
    return GoalMap(
        "replay_ratio", "lr", x, y, chance, 0 * x, outside, {"start": MATHS}, goal, pilots
    )


def made_table():
    names = ["prior_lower", "prior_median", "prior_upper", "lower", "median", "upper"]
    table = pd.DataFrame([[0.1, 1.0, 5.0, 0.8, 1.0, 1.2]], ["B"], names)
    return table.assign(quantity="B", label=MATHS, unit="nat")


def made_chances(forecast):
    goal = {"general": 3.3, MATHS: 2.95}
    return bc.goal_probability(named(forecast), goal)


def study_of(name):
    study = bc.load_example("cpt_micro").select(["de_r0_wsd"])
    runs = study.runs.replace({"run": {"de_r0_wsd": name}})
    curves = study.curves.replace({"run": {"de_r0_wsd": name}})
    lrs = pd.concat(
        pd.DataFrame(
            {"run": name if run == "de_r0_wsd" else run, "step": 1 + np.arange(n), "lr": lr}
        )
        for run, lr in study.lrs.items()
        for n in [len(lr)]
    )
    return bc.Study.from_frames(curves, runs, lrs, general="general")


# By name: arguments that it is called with, and how many panels that makes; 0 for a single `ax`.
CASES = {
    "coverage": (lambda fc: made_backtest(), 2),
    "ends": (named, 0),
    "fan": (named, 6),
    "goal_map": (lambda fc: made_map(), 1),
    "goal_probability": (made_chances, 0),
    "held_out": (lambda fc: made_backtest(), 4),
    "misses": (lambda fc: made_backtest(), 2),
    "overlay": (named, 2),
    "pareto": (named, 0),
    "pit": (lambda fc: made_backtest(), 2),
    "prior_posterior": (lambda fc: made_table(), 1),
    "ranks": (lambda fc: made_calibration(), 2),
    "risks": (lambda fc: bc.compare(named(fc), goal={"general": 3.3, MATHS: 2.95}), 4),
    "schedules": (lambda fc: {MATHS: bc.schedules.cosine(1e-3, 100)}, 0),
    "study": (lambda fc: study_of(MATHS), 4),
}


@pytest.fixture(scope="module")
def made():
    return build_forecast(n_draws=20)


def test_every_figure_is_listed_documented_and_under_test():
    # Components need a fit: tests/present/test_components.py.
    assert {*CASES, "components"} == set(bc.plot.__all__)
    for name in bc.plot.__all__:
        parameters = inspect.signature(getattr(bc.plot, name)).parameters
        assert ("ax" in parameters) != ("axes" in parameters), name


@pytest.mark.parametrize("name", CASES)
def test_axes_go_in_and_come_out(name, made):
    make, panels = CASES[name]
    figure = Figure(figsize=(12, 3), layout="constrained")
    grid = figure.subplots(1, (panels or 1) + 1, squeeze=False)[0]
    argument = {"axes": grid[:panels]} if panels else {"ax": grid[0]}
    before = pyplot.get_fignums()
    drawn = getattr(bc.plot, name)(make(made), **argument)
    assert pyplot.get_fignums() == before
    assert list(np.ravel(drawn)) == list(grid[: panels or 1])
    for ax in np.ravel(drawn):
        assert ax.has_data(), "a panel without content"
        assert ax.get_xlabel(), "no unit"
        has_names = any(label.get_text() for label in ax.get_yticklabels())
        assert ax.get_ylabel() or has_names
    # The other axes of the caller stay as they were, and the figure has no legend.
    assert not grid[panels or 1].has_data()
    assert not figure.legends
    figure.savefig("/dev/null", format="png", dpi=20)


@pytest.mark.parametrize("name", CASES)
def test_names_are_plain_text_on_own_and_on_new_axes(name, made):
    make, panels = CASES[name]
    figure = Figure(figsize=(12, 3))
    grid = figure.subplots(1, panels or 1, squeeze=False)[0]
    getattr(bc.plot, name)(make(made), **({"axes": grid} if panels else {"ax": grid[0]}))
    for one in (figure, page(getattr(bc.plot, name), make(made))):
        shown = [text for text in one.findobj(Text) if "$" in text.get_text()]
        if name not in ("coverage", "pit"):
            assert any("a_1" in text.get_text() for text in shown)
        assert not any(text.get_parse_math() for text in shown)


@pytest.mark.parametrize("name", [name for name, (_, panels) in CASES.items() if panels])
def test_too_few_axes_are_refused(name, made):
    make, panels = CASES[name]
    axes = Figure().subplots(1, panels + 1)
    with pytest.raises(PlanError, match=f"{panels + 1} axes were given for {panels} panels"):
        getattr(bc.plot, name)(make(made), axes=axes)


def test_a_new_figure_is_pyplots_and_that_of_a_page_is_not(made):
    table = made_table()
    before = len(pyplot.get_fignums())
    figure = page(bc.plot.prior_posterior, table)
    assert len(pyplot.get_fignums()) == before
    [ax] = bc.plot.prior_posterior(table)
    try:
        assert isinstance(ax, Axes)
        # What notebooks show after a cell.
        assert pyplot.figure(pyplot.get_fignums()[-1]) is ax.figure
        assert ax.figure is not figure
    finally:
        pyplot.close(ax.figure)


def test_eight_plans_take_at_most_a_page(made):
    data = made.dataset.isel(plan=[0, 1, 2] * 3, step=[10, 100]).isel(plan=slice(8))
    data = data.assign_coords(plan=[f"a_plan_with_a_long_name_{k}" for k in range(8)])
    goal = {"general": 3.3, "german": 2.95}
    figures = {
        "fan": page(bc.plot.fan, data, goal=goal),
        "overlay": page(bc.plot.overlay, data, goal=goal),
        "ends": page(bc.plot.ends, data, goal=goal),
        "pareto": page(bc.plot.pareto, data),
        "risks": page(bc.plot.risks, bc.compare(data, goal=goal)),
        "goal": page(bc.plot.goal_probability, bc.goal_probability(data, goal)),
    }
    for name, figure in figures.items():
        width, height = figure.get_size_inches()
        assert width <= 8.5, name
        assert height <= 11.5, name
