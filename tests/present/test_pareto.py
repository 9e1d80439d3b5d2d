"""Pareto front: what is drawn is the table."""

import numpy as np
import pytest

from bayescpt.decide.front import pareto_front
from bayescpt.errors import PlanError
from bayescpt.present import page, plot
from bayescpt.present.style import MARKERS, PALETTE


def test_markers_bars_and_steps(forecast):
    table = pareto_front(forecast)
    fig = page(plot.pareto, table, best="de_r10_cos")
    [ax] = fig.axes
    assert ax.get_xlabel() == "general loss (nats per token)"
    marks = [line for line in ax.lines if line.get_marker() not in ("None", "")]
    assert len(marks) == len(table)
    for k, (mark, (_, row)) in enumerate(zip(marks, table.iterrows(), strict=True)):
        assert mark.get_xdata()[0] == row["general_median"]
        assert mark.get_ydata()[0] == row["german_median"]
        # Hollow markers are dominated, in grey too.
        assert (mark.get_markerfacecolor() == "white") == (not row["on_front"])
        across, along = ax.lines[3 * k : 3 * k + 2]
        assert list(across.get_xdata()) == [row["general_lower"], row["general_upper"]]
        assert list(along.get_ydata()) == [row["german_lower"], row["german_upper"]]
    front = table[table["on_front"]].sort_values("general_median")
    step = ax.lines[-1]
    np.testing.assert_array_equal(step.get_xdata()[1:-1], front["general_median"])
    np.testing.assert_array_equal(step.get_ydata()[1:-1], front["german_median"])
    assert step.get_xdata()[-1] == ax.get_xlim()[1]
    assert step.get_ydata()[0] == ax.get_ylim()[1]
    texts = [text.get_text() for text in fig.legends[0].get_texts()]
    assert sum("(chosen)" in text for text in texts) == 1
    assert texts[-1] == "front of the medians"


def test_a_front_goes_on_axes_of_ones_own(forecast):
    from matplotlib.figure import Figure

    left, right = Figure().subplots(1, 2)
    assert plot.pareto(forecast, ax=left) is left
    assert len(left.get_legend().get_texts()) == 4
    assert left.lines
    assert not right.lines


def test_eight_plans_differ_in_colour_or_marker():
    looks = {(PALETTE[k % len(PALETTE)], MARKERS[k % len(MARKERS)]) for k in range(40)}
    assert len(looks) == 40


def test_other_tables_are_refused(forecast):
    table = pareto_front(forecast)
    with pytest.raises(PlanError, match="unknown plan 'x'"):
        page(plot.pareto, table, best="x")
    with pytest.raises(PlanError, match="on two domains; this has \\['german'\\]"):
        page(plot.pareto, pareto_front(forecast, ["german"]))
