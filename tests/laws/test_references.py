from dataclasses import replace

import numpy as np
import pytest

from bayescpt.data import Study
from bayescpt.errors import StudyError
from bayescpt.laws.points import References
from bayescpt.laws.references import references

FLAT = np.full(20, 2e-3)


def test_points_are_taken_by_name():
    refs = References({"area": 6.0}, warmup="peak")
    assert refs["area"] == 6.0
    with pytest.raises(KeyError, match="shift_area"):
        refs["shift_area"]


def test_without_cpt_runs_the_reference_is_the_longest_run(make_study, make_law):
    refs = references(make_study(FLAT, []), make_law())
    known = {name: refs[name] for name in ("area", "shift_area", "peak_lr")}
    assert known == {"area": pytest.approx(0.04), "shift_area": 1.0, "peak_lr": 2e-3}
    assert refs.warmup == "true"


def test_pre_training_in_two_stages_is_measured_at_the_end_of_both(make_study, make_law):
    rising = np.r_[np.linspace(2e-4, 2e-3, 10), FLAT]
    study = make_study(rising, [[1e-3, 2e-3, 2e-3]])
    stage = study.runs.assign(
        phase="pt", domain=None, replay_ratio=np.nan, parent=study.runs["parent"]
    )
    two = Study.from_frames(study.curves, stage, study.lrs)
    assert references(two, make_law())["area"] == pytest.approx(rising.sum() + 5e-3)
    law = make_law(warmup="peak")
    assert references(two, law)["area"] == pytest.approx(30 * 2e-3 + 6e-3)


def test_a_law_of_pre_training_does_not_look_at_cpt_runs(make_study, make_law):
    study = make_study(FLAT, [[5e-3] * 4])
    refs = references(study, make_law(shift="none"))
    assert refs == references(make_study(FLAT, []), make_law(shift="none"))
    assert references(study, make_law())["peak_lr"] == 5e-3


def test_runs_that_are_only_planned_do_not_move_the_reference_points(make_study, make_law):
    law = make_law(rewarm="own")
    pilots = make_study(np.r_[FLAT, 5e-4], [[1e-3, 2e-3, 2e-3], [1e-3, 2e-3, 0.0]])
    study = make_study(np.r_[FLAT, 5e-4], [[1e-3, 2e-3, 2e-3], [1e-3, 2e-3, 0.0], [5e-3] * 9])
    curves = study.curves
    # Its start checkpoint's loss is all that is known of run2.
    later = (curves["run"] == "run2") & (curves["step"] > 1)
    known = curves[~later].assign(step=lambda rows: rows["step"].where(rows["run"] != "run2", 0))
    planned = replace(study, curves=known)
    assert planned.has_curve("run2")
    assert not planned.is_observed("run2")
    assert references(planned, law) == references(pilots, law) != references(study, law)


def test_a_study_without_a_curve_is_named(make_study, make_law):
    study = make_study(FLAT, [])
    empty = replace(study, curves=study.curves.iloc[:0])
    with pytest.raises(StudyError, match="'tiny' has no curve to fit"):
        references(empty, make_law())


def test_a_drop_is_measured_after_a_tenth_of_a_run_but_not_a_short_one(make_study, make_law):
    assert references(make_study(FLAT, []), make_law())["anneal_steps"] == 100.0
    runs = [np.full(n, 1e-3) for n in (500, 2000, 9000)]
    assert references(make_study(FLAT, runs), make_law())["anneal_steps"] == 200.0


def test_terms_bring_points_of_their_own(make_study, make_law):
    study = make_study(FLAT, [[1e-3] * 4])
    assert "rise" not in references(study, make_law()).points
    assert references(study, make_law(rewarm="own"))["rise"] == pytest.approx(-1.0)
    assert references(study, make_law())["first_start_area"] == pytest.approx(0.04)
    assert references(make_study(FLAT, []), make_law())["first_start_area"] == pytest.approx(0.04)
