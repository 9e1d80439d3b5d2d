"""An open base: its forward area is a parameter, and the equation is that of a known one there."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import Study
from bayescpt.errors import StudyError
from bayescpt.laws.open_base import (
    AREA_RATIO,
    AREA_SD,
    LR_RATIO,
    SIZE_SD,
    TOKENS_PER_PARAMETER,
    TOKENS_SD,
)
from bayescpt.laws.references import references

PILOTS = [np.full(100, 1e-3), np.full(100, 5e-4)]
P = {"base_ref": 0.3, "alpha_s1": 0.6, "open_area": 0.7}


def opened(study, **about):
    """The study without the schedule and the curve of its base."""
    runs = study.runs.copy()
    runs["steps"] = runs["steps"].astype(float)
    base = runs["run"] == "base"
    runs.loc[base, "steps"] = np.nan
    for column, value in about.items():
        runs.loc[base if column == "tokens" else runs.index, column] = value
    lrs = {name: lr for name, lr in study.lrs.items() if name != "base"}
    return Study.from_frames(study.curves[study.curves["run"] != "base"], runs, lrs)


@pytest.fixture
def study(make_study):
    return make_study(np.full(20, 2e-3), PILOTS)


def test_a_base_without_a_schedule_is_open(study):
    assert study.open_bases == ()
    assert opened(study).open_bases == ("base",)
    assert opened(study).run("base").is_open


def test_a_known_base_is_as_in_the_term_without_open_bases(study, make_law, look):
    power, free = make_law(), make_law(base="open")
    steps = np.arange(0, 101, 10)
    for run, steps_of in (("run0", steps), ("run1", steps), ("base", np.array([1, 10, 20]))):
        expected = power.terms[0].value(P, power.features(look(study, run, steps_of, power), False))
        found = free.terms[0].value(P, free.features(look(study, run, steps_of, free), False))
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-16)


def test_the_area_of_an_open_base_is_what_its_parameter_says(study, make_law, look):
    law, made = make_law(base="open"), opened(study)
    view = look(made, "run1", np.array([0, 50, 100]), law)
    area = AREA_RATIO * 0.075 * np.exp(AREA_SD * 0.7)
    refs = references(made, law)
    assert refs["area"] == pytest.approx(AREA_RATIO * 0.075)
    at = (area + np.array([0.0, 0.025, 0.05])) / refs["area"]
    expected = 0.3 * (at**-0.6 - at[0] ** -0.6)
    found = law.terms[0].value(P, law.features(view, False))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-15)
    assert law.terms[0].symbols(P, refs)["S1pt"] == pytest.approx(area)


def test_fits_saved_before_the_prior_changed_keep_theirs(study, make_law, look):
    law, made = make_law(base="open"), opened(study)
    refs = references(made, law)
    old = {k: v for k, v in refs.points.items() if k not in ("open_ratio", "open_ratio_sd")}
    view = look(made, "run1", np.array([0, 50, 100]), law)
    saved = replace(view, refs=replace(refs, points=old))
    found = law.terms[0].features(saved, False)
    assert found["base_open"] == pytest.approx(np.log(20.0 * 0.075 / refs["area"]))
    assert found["base_open_sd"] == 1.3


def test_tokens_and_size_narrow_the_area(study, make_law):
    law, mean_lr = make_law(base="open"), 7.5e-4
    known = references(opened(study, tokens=4e6, tokens_per_step=1000.0), law)
    assert known["open_area"] == pytest.approx(LR_RATIO * mean_lr * 4000)
    assert known["open_sd"] == TOKENS_SD
    sized = references(opened(study, n_params=1e5, tokens_per_step=1000.0), law)
    updates = TOKENS_PER_PARAMETER * 1e5 / 1000
    assert sized["open_area"] == pytest.approx(LR_RATIO * mean_lr * updates)
    assert sized["open_sd"] == SIZE_SD


def test_the_change_over_the_reference_run_is_the_terms(study, make_law, look):
    """What the shift is sampled net of, for a known and for an open base."""
    for made, base in ((study, "power"), (opened(study), "open")):
        law = make_law(base=base)
        refs = references(made, law)
        view = look(made, "run0", np.array([75]), law)  # 75 steps at 1e-3: the median run's area
        found = law.terms[0].value(P, law.features(view, False))
        assert law.terms[0].at_reference(P, refs) == pytest.approx(found.item(), rel=1e-12)


def test_the_term_of_a_known_base_refuses_an_open_one(study, make_law, look):
    law = make_law()
    with pytest.raises(StudyError, match=r'law\.base = "open"'):
        law.features(look(opened(study), "run0", [10], law), False)


def test_cpt_runs_of_which_none_names_a_parent_start_from_one_open_base():
    runs = pd.DataFrame(
        {"run": ["a", "b"], "phase": "cpt", "domain": "code", "replay_ratio": [0.0, 0.5]}
    )
    curves = pd.DataFrame({"run": ["a", "b"], "step": 10, "domain": "code", "loss": [2.0, 2.1]})
    lrs = {"a": np.full(10, 1e-4), "b": np.full(10, 1e-4)}
    made = Study.from_frames(curves, runs, lrs)
    assert made.open_bases == ("base",)
    assert made.run("b").parent == "base"
    # One blank among parents is an omission.
    with pytest.raises(StudyError, match=r"column parent is blank in row 2 \(run 'b'\)"):
        Study.from_frames(curves, runs.assign(parent=["base", None]).pipe(_with_base), lrs)


def _with_base(runs):
    return pd.concat([runs, pd.DataFrame({"run": ["base"], "phase": ["pt"]})])
