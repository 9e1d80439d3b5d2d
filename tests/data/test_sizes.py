import numpy as np
import pytest

from bayescpt.data import Study, load_example
from bayescpt.data.sizes import lr_units, model_sizes, run_size
from bayescpt.errors import StudyError
from bayescpt.evaluate.several_sizes import several_sizes
from bayescpt.laws.trajectory import run_trajectory
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows

RUN = "de_r25_cos"


@pytest.fixture(scope="module")
def both():
    """A base of four times the size, with LRs of .49 times."""
    return several_sizes(load_example("cpt_micro"), {4.0: 0.49})


def test_a_study_of_one_size_counts_lrs_as_they_are():
    study = load_example("cpt_micro")
    assert lr_units(study) == {}
    path = run_trajectory(study, RUN)
    assert path.lr_unit == 1.0
    np.testing.assert_array_equal(path.lr, study.lrs[RUN])


def test_lrs_count_as_factors_of_the_peak_of_their_base(both):
    assert model_sizes(both) == (332448.0, 4 * 332448.0)
    small, large = (run_trajectory(both, name) for name in (RUN, f"{RUN}@4"))
    np.testing.assert_allclose([small.lr_unit, large.lr_unit], [1 / 0.7, 0.7])
    np.testing.assert_allclose(small.lr, large.lr, rtol=1e-12)
    for name in ("start_area", "start_lr"):
        np.testing.assert_allclose(getattr(small, name), getattr(large, name))
    np.testing.assert_allclose(large.lr * large.lr_unit, both.lrs[f"{RUN}@4"], rtol=1e-12)
    # The base as well, so that areas before and in the run have one unit.
    base = run_trajectory(both, large.start)
    np.testing.assert_allclose(base.lr, large.before[0], rtol=1e-12)


def test_an_area_of_the_same_recipe_is_the_same_at_every_size(both):
    rows = make_rows(both, load_card("cpt_sizes"))
    curves = [rows.labels.curve.index((name, "general")) for name in (RUN, f"{RUN}@4")]
    segment = np.asarray(rows.segment["curve"])[rows.row["segment"]]
    one, other = (rows.row["shift_area"][segment == c] for c in curves)
    np.testing.assert_allclose(one, other, rtol=1e-12)


def test_unknown_peaks_leave_lrs_as_they_are(both):
    lrs = {name: lr for name, lr in both.lrs.items() if name != "pt_r0"}
    curves = both.curves[both.curves["run"] != "pt_r0"]
    runs = both.runs.drop(columns="peak_lr", errors="ignore").astype({"steps": object})
    runs.loc[runs["run"] == "pt_r0", ["steps", "branch_of", "branch_step"]] = [None, None, 0]
    open_base = Study.from_frames(curves, runs, lrs, general="general")
    assert lr_units(open_base) == {}
    told = runs.assign(peak_lr=np.where(runs["run"] == "pt_r0", 2e-3, np.nan))
    known = Study.from_frames(curves, told, lrs, general="general")
    np.testing.assert_allclose(known.lr_units["pt_r0"], 1 / 0.7)


def test_a_run_has_the_size_of_its_start_checkpoint_unless_it_says_otherwise(both):
    runs = both.runs.copy()
    runs.loc[runs["run"] == f"{RUN}@4", "n_params"] = np.nan
    tables = both.curves, runs, both.lrs
    assert run_size(Study.from_frames(*tables, general="general"), f"{RUN}@4") == 4 * 332448.0
    runs.loc[runs["run"] == f"{RUN}@4", "n_params"] = 332448.0
    with pytest.raises(StudyError, match=r"n_params is 332,448 in run 'de_r25_cos@4' but 1,329,79"):
        Study.from_frames(*tables, general="general")


def test_planned_runs_and_bases_do_not_move_the_unit(both):
    """As for reference points: only runs with losses set them."""
    small = both.select([*load_example("cpt_micro").cpt_runs, "pt_r0@4"])
    assert model_sizes(small) == model_sizes(both)
    assert small.lr_units["pt_r0"] == pytest.approx(1.0)
    assert small.lr_units["pt_r0@4"] == pytest.approx(0.49)
