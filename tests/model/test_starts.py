"""Levels of start checkpoints: measured, told by a first row, or not known at all."""

from dataclasses import replace

import numpy as np
import pytest

from bayescpt.model.rows import make_rows
from bayescpt.model.starts import (
    FIRST_ROW,
    FROM_PRETRAINING,
    MEASURED,
    NOT_AT_ALL,
    PLACEHOLDER,
    UNMEASURED_SD,
    start_notes,
)


@pytest.fixture(scope="module")
def unmeasured(study):
    """The study without a loss of German at the end of pre-training, nor at step 0."""
    curves = study.curves
    ends = (curves["domain"] == "german") & (
        (curves["step"] == 0) | curves["run"].isin(study.pt_runs)
    )
    return replace(study, curves=curves[~ends])


def source(rows):
    """How each level is known, by its name."""
    return dict(zip(rows.labels.level_names, rows.start["source"], strict=True))


def test_a_measured_checkpoint_has_nothing_to_note(study, card):
    rows = make_rows(study, card())
    assert set(source(rows).values()) == {MEASURED}
    assert start_notes(rows.labels, rows.start) == []


def test_an_unmeasured_checkpoint_is_known_by_the_first_row_after_it(unmeasured, card):
    rows = make_rows(unmeasured, card())
    at = rows.labels.level_names.index("annealed|german")
    first = unmeasured.curve("pure", "german")
    assert rows.start["loss"][at] == first.loc[first["step"] == 10, "loss"].item()
    np.testing.assert_array_equal(rows.start["sd"], np.tile([0.02, UNMEASURED_SD], 2))
    assert source(rows) == {
        "annealed|general": MEASURED,
        "annealed|german": FIRST_ROW,
        "base|general": MEASURED,
        "base|german": FIRST_ROW,
    }


def test_notes_name_the_levels_that_were_never_measured(unmeasured, card):
    rows = make_rows(unmeasured, card())
    found = start_notes(rows.labels, rows.start)
    assert len(found) == 2
    for note, checkpoint in zip(found, ("annealed", "base"), strict=True):
        at = rows.labels.level_names.index(f"{checkpoint}|german")
        assert f"start checkpoint {checkpoint!r} on 'german' was not measured" in note
        assert f"{rows.start['loss'][at]:.3g}, with a standard deviation of 1 nat" in note
        assert "a loss at step 0 would narrow the bands" in note


def test_a_level_that_no_row_depends_on_is_not_known_at_all_and_not_noted(unmeasured, card):
    """German is not evaluated on the runs that start from the annealed checkpoint."""
    curves = unmeasured.curves
    unseen = (curves["domain"] == "german") & curves["run"].isin(["pure", "replay"])
    rows = make_rows(replace(unmeasured, curves=curves[~unseen]), card())
    at = rows.labels.level_names.index("annealed|german")
    assert source(rows) == {
        "annealed|general": MEASURED,
        "annealed|german": NOT_AT_ALL,
        "base|general": MEASURED,
        "base|german": FIRST_ROW,
    }
    assert (rows.start["loss"][at], rows.start["sd"][at]) == (PLACEHOLDER, UNMEASURED_SD)
    (note,) = start_notes(rows.labels, rows.start)
    assert "'base'" in note


def test_pretraining_rows_do_not_tell_a_level(study, card):
    """The first level stands in their segments, too."""
    curves, from_annealed = study.curves, study.curves["run"].isin(["pure", "replay"])
    end = (curves["run"] == "annealed") & (curves["step"] == 100)
    without = curves[~((curves["domain"] == "general") & (from_annealed | end))]
    rows = make_rows(replace(study, curves=without), card())
    assert ("annealed", "general") in rows.labels.curve
    assert source(rows)["annealed|general"] == NOT_AT_ALL


def test_levels_of_a_paper_card_follow_from_pretraining_and_are_not_noted(unmeasured, card):
    """L0 + A S1^-alpha - C1 S2 whatever was measured."""
    rows = make_rows(unmeasured, card("paper"))
    assert set(source(rows).values()) == {FROM_PRETRAINING}
    assert start_notes(rows.labels, rows.start) == []
