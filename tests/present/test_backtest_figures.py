"""Figures of backtests show the numbers they are given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import FillBetweenPolyCollection, PathCollection

from bayescpt.errors import PlanError
from bayescpt.evaluate import Backtest, side_by_side
from bayescpt.evaluate.score import MSCE_LEVELS, predictive_columns
from bayescpt.present import page, plot

RUNS, STEPS = 13, np.arange(50, 1001, 50)


def build(scale=1.0, seed=3, cutoffs=(0.0,)):
    """Backtest of runs whose losses are standard normal, by draws with a scale."""
    rng = np.random.default_rng(seed)
    parts = []
    for run in range(RUNS):
        for cutoff in cutoffs:
            name = f"r{run}@{cutoff:.0%}" if cutoff else f"r{run}"
            rows = pd.DataFrame(
                {
                    "split": name,
                    "run": f"r{run}",
                    "domain": np.repeat(["general", "german"], len(STEPS)),
                    "cutoff": cutoff,
                    "step": np.tile(STEPS, 2),
                    "shared": False,
                    "observed": 3 + rng.standard_normal(2 * len(STEPS)),
                }
            )
            rows["fraction"] = rows["step"] / 1000
            rows["final"] = rows["step"] == 1000
            draws = 3 + scale * rng.standard_normal((300, len(rows)))
            parts.append(predictive_columns(rows, draws))
    return Backtest(pd.concat(parts, ignore_index=True), pd.DataFrame({"a": [1]}), finals(parts))


def finals(parts):
    return pd.concat(parts)[["split", "run", "domain", "step"]]


@pytest.fixture(scope="module")
def made():
    return build()


def test_coverage_is_drawn_beside_the_identity(made):
    fig = page(plot.coverage, made, after=0.1)
    assert [ax.get_title(loc="right") for ax in fig.axes] == ["general", "german"]
    scores = made.scores(by="domain", after=0.1).set_index("domain")
    for ax, domain in zip(fig.axes, ("general", "german"), strict=True):
        identity, line = ax.lines[:2]
        np.testing.assert_array_equal(identity.get_xdata(), identity.get_ydata())
        np.testing.assert_allclose(line.get_xdata(), MSCE_LEVELS)
        at = list(MSCE_LEVELS).index(0.9)
        assert line.get_ydata()[at] == pytest.approx(scores.loc[domain, "coverage_90"])
        [whiskers] = ax.collections
        low, high = whiskers.get_segments()[at][:, 1]
        assert high - low == pytest.approx(2 * scores.loc[domain, "coverage_90_se"])


def test_narrow_bands_lie_below_the_identity():
    both = side_by_side({"right": build(), "narrow": build(scale=0.3)})
    fig = page(plot.coverage, both)
    assert [text.get_text() for text in fig.legends[0].get_texts()] == [
        *("perfect calibration", "right", "narrow")
    ]
    _, right, narrow = fig.axes[0].lines[:3]
    assert (np.asarray(narrow.get_ydata()) < np.array(MSCE_LEVELS) - 0.1).all()
    assert (np.abs(right.get_ydata() - np.array(MSCE_LEVELS)) < 0.1).all()


def test_pit_is_flat_or_piles_up_at_the_ends():
    both = side_by_side({"right": build(), "narrow": build(scale=0.3)})
    fig = page(plot.pit, both)
    assert len(fig.axes) == 4
    heights = [[bar.get_height() for bar in ax.patches] for ax in fig.axes]
    np.testing.assert_allclose([np.mean(row) for row in heights], 1.0)
    assert max(heights[0]) < 1.8
    assert min(heights[2][0], heights[2][-1]) > 2
    assert all(ax.get_ylim()[1] >= max(map(max, heights)) for ax in fig.axes)


def panels(fig):
    return [ax for ax in fig.axes if ax.collections]


def test_every_held_out_run_has_a_panel_a_domain(made):
    fig = page(plot.held_out, made)
    titles = [ax.get_title(loc="left") for ax in fig.axes if ax.get_title(loc="left")]
    assert titles == [f"r{n}" for n in range(RUNS)]
    assert len(panels(fig)) == 2 * RUNS
    ax = panels(fig)[1]  # german of r0
    rows = made.table.query("run == 'r0' and domain == 'german' and fraction > .1")
    [circles] = [c for c in ax.collections if type(c) is PathCollection]
    np.testing.assert_allclose(circles.get_offsets(), rows[["step", "observed"]])
    bands = [c for c in ax.collections if type(c) is FillBetweenPolyCollection]
    for band, (low, high) in zip(bands, (("q0.05", "q0.95"), ("q0.25", "q0.75")), strict=True):
        path = band.get_paths()[0].vertices
        end = path[path[:, 0] == 1000, 1]
        assert end.min() == pytest.approx(rows[low].iloc[-1])
        assert end.max() == pytest.approx(rows[high].iloc[-1])
    inside = ((rows["q0.05"] <= rows["observed"]) & (rows["observed"] <= rows["q0.95"])).mean()
    assert [text.get_text() for text in ax.texts] == [f"{inside:.0%}"]


def test_runs_domains_and_cutoffs_are_picked(made):
    fig = page(plot.held_out, made, runs=["r3", "r1"], domains=["german"])
    assert [ax.get_title(loc="left") for ax in panels(fig)] == ["r3", "r1"]
    fig = page(plot.held_out, build(cutoffs=(0.25, 0.5)), runs=["r1"])
    titles = [ax.get_title(loc="left") for ax in fig.axes if ax.get_title(loc="left")]
    assert titles == ["r1 @ 25%", "r1 @ 50%"]


def test_a_domain_that_was_not_measured_has_no_empty_panel(made):
    whole = len(page(plot.held_out, made).axes)
    gone = (made.table["run"] == "r0") & (made.table["domain"] == "german")
    fig = page(plot.held_out, Backtest(made.table[~gone], made.fits, made.finals))
    assert len(fig.axes) == whole - 1
    assert all(ax.collections for ax in fig.axes)


def test_loss_axes_have_the_unit_of_the_table(made):
    assert page(plot.held_out, made, runs=["r0"]).get_supylabel() == "loss"
    table = made.table.copy()
    table.attrs["units"] = "bit/byte"
    fig = page(plot.held_out, Backtest(table, made.fits, made.finals), runs=["r0"])
    assert fig.get_supylabel() == "loss (bits per byte)"


def test_rows_of_a_trunk_are_not_drawn(made):
    table = made.table.assign(shared=made.table["step"] <= 500)
    fig = page(plot.held_out, Backtest(table, made.fits, made.finals))
    [circles] = [c for c in panels(fig)[0].collections if type(c) is PathCollection]
    assert circles.get_offsets()[:, 0].min() == 550


def test_what_cannot_be_drawn(made):
    with pytest.raises(PlanError, match="unknown run 'moon'"):
        page(plot.held_out, made, runs=["moon"])
    with pytest.raises(PlanError, match="several methods"):
        page(plot.held_out, side_by_side({"a": made, "b": made}))
    for draw in (plot.held_out, plot.coverage, plot.pit):
        with pytest.raises(PlanError, match="no held-out row"):
            draw(made, after=1.0)
