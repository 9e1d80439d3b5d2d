"""The figure of a study's curves and schedules."""

import numpy as np
import pytest

from bayescpt.data import Study, load_example, schedules
from bayescpt.errors import StudyError
from bayescpt.forecast import Plan
from bayescpt.present import page, plot
from bayescpt.present.rates import line_kind
from bayescpt.present.style import colour


def test_each_domain_has_a_panel_and_learning_rates_have_one():
    study = load_example("cpt_micro")
    figure = page(plot.study, study)
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        *("general", "german", "code", "learning rate")
    ]
    lines = {line.get_label() for line in figure.axes[1].lines}
    assert lines == set(study.cpt_runs)  # pre-training would squeeze them
    assert figure.axes[0].get_ylabel() == "loss (nats per token)"


def test_lines_are_the_losses_and_learning_rates_of_the_study():
    study = load_example("cpt_micro")
    *panels, rates = page(plot.study, study).axes
    for ax in panels:
        domain = ax.get_title(loc="left")
        for line in ax.lines:
            curve = study.curve(line.get_label(), domain)
            np.testing.assert_array_equal(line.get_xydata(), curve[["step", "loss"]])
    assert {line.get_label() for line in rates.lines} == set(study.cpt_runs)
    for line in rates.lines:
        steps, lr = line.get_xdata(), study.lrs[line.get_label()]
        assert (steps[0], steps[-1]) == (1, len(lr))
        np.testing.assert_array_equal(line.get_ydata(), lr[steps - 1])


def test_schedules_are_the_learning_rates_of_runs_plans_or_schedules():
    study = load_example("cpt_micro").select(["de_r25_cos", "de_r0_wsd"])
    made = {"cosine": schedules.cosine(2e-3, 500), "linear": schedules.linear(1e-3, 70)}
    plans = [Plan(name, schedule, 0.2, start="pt_r0") for name, schedule in made.items()]
    rates = {name: schedule.lr for name, schedule in made.items()}
    for source, expected in (
        (study, {name: study.lrs[name] for name in study.cpt_runs}),
        (made, rates),
        (plans, rates),
        (plans[0], {"cosine": rates["cosine"]}),
    ):
        lines = page(plot.schedules, source).axes[0].lines
        assert [line.get_label() for line in lines] == list(expected)
        for line, lr in zip(lines, expected.values(), strict=True):
            steps = line.get_xdata()
            assert (steps[0], steps[-1]) == (1, len(lr))
            np.testing.assert_array_equal(line.get_ydata(), lr[steps - 1])


def test_a_study_of_pre_training_shows_it():
    figure = page(plot.study, load_example("mpl_25m"))
    assert len(figure.axes) == 2


def test_a_run_in_flight_ends_in_a_mark():
    study = load_example("cpt_micro").select(["de_r25_cos"])
    curves = study.curves.query("run != 'de_r25_cos' or step <= 400")
    part = Study.from_frames(curves, study.runs, study.lrs, general=study.general)
    marks = [
        line
        for line in page(plot.study, part).axes[1].lines
        if line.get_marker() not in ("None", "")
    ]
    assert [line.get_xdata()[0] for line in marks] == [
        curves.query("run == 'de_r25_cos'")["step"].max()
    ]


def test_a_long_curve_is_thinned():
    study = load_example("mpl_25m")
    for line in page(plot.study, study).axes[0].lines:
        assert len(line.get_xdata()) <= 400


def test_runs_differ_by_kind_of_line_too():
    lines = page(plot.study, load_example("cpt_micro")).axes[1].lines
    assert len({line.get_linestyle() for line in lines}) > 1
    looks = {(colour(k), str(line_kind(k))) for k in range(35)}
    assert len(looks) == 35
    assert len({kind for _, kind in looks}) == 5


def test_nothing_to_draw_is_an_error():
    study = load_example("cpt_micro").select(["pt_r1"])
    object.__setattr__(study, "lrs", {})
    object.__setattr__(study, "curves", study.curves.iloc[:0])
    with pytest.raises(StudyError, match="nothing to draw"):
        page(plot.study, study)
