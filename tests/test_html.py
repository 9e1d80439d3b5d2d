"""Objects in notebooks and their figures: names are escaped, matplotlib waits until it is asked."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescpt as bc
from bayescpt.data import Study
from bayescpt.data.html import MAX_ROWS, html_block
from bayescpt.decide import compare, goal_probability
from bayescpt.forecast import Forecast

EVIL = "<script>alert(1)</script>"


def forecast_of(names, warnings=()):
    rng = np.random.default_rng(1)
    values = rng.normal(3.0, 0.1, (2, 50, len(names), 1, 2))
    dims = ("chain", "draw", "plan", "domain", "step")
    at = {"plan": names, "domain": [EVIL], "step": [5, 10]}
    data = {"mu": (dims, values), "loss": (dims, values)}
    plans = [bc.Plan(name, bc.schedules.constant(1e-3, 10)) for name in names]
    return Forecast(
        xr.Dataset(data, at, attrs={"units": "nat/token"}), plans, list(warnings), ["R-hat"]
    )


def check(html, *parts):
    assert EVIL not in html
    assert "<script" not in html
    assert html.count("<div") == html.count("</div")
    for part in parts:
        assert part in html


def test_text_and_tables_are_escaped():
    table = pd.DataFrame({EVIL: [EVIL]}, index=pd.Index([EVIL], name=EVIL))
    check(html_block(EVIL, {EVIL: EVIL}, {EVIL: table}, [EVIL]), "&lt;script&gt;")


def test_long_tables_say_that_they_are_cut():
    table = pd.DataFrame({"loss": np.arange(MAX_ROWS + 5.0)})
    html = html_block("a", {}, {"rows": table})
    assert f"first {MAX_ROWS} of {MAX_ROWS + 5}" in html
    assert html.count("<tr") == MAX_ROWS + 1


def test_forecasts_and_decisions():
    names = [EVIL, "plain"]
    forecast = forecast_of(names, [f"plan {EVIL}: too far"])
    check(forecast._repr_html_(), "plain", "too far", "R-hat", "nat/token")
    assert repr(forecast) == "Forecast(2 plans, 1 domains, 2 steps, 2 x 50 draws)"
    decision = compare(forecast)
    check(decision._repr_html_(), "chosen", "plain")
    check(goal_probability(forecast, {EVIL: 3.0})._repr_html_(), "plain")


def test_studies():
    runs = pd.DataFrame({"run": [EVIL], "phase": ["pt"]})
    curves = pd.DataFrame({"run": EVIL, "step": [1, 2], "domain": "general", "loss": [3.0, 2.9]})
    study = Study.from_frames(
        curves, runs, {EVIL: bc.schedules.constant(1e-3, 10)}, name=EVIL, notes=EVIL
    )
    check(study._repr_html_(), "general")
    figure = bc.load_example("cpt_micro").plot()
    assert {"general", "german"} <= {ax.get_title(loc="left") for ax in figure.axes} | {
        ax.get_title() for ax in figure.axes
    }


def test_forecasts_draw_themselves():
    figure = forecast_of(["a", "b"]).plot(plans=["b"])
    assert figure.axes[0].get_title(loc="left") == "b"


def test_version():
    from importlib.metadata import version

    assert bc.__version__ == version("bayescpt")
    assert "__version__" in dir(bc)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = bc.nothing
