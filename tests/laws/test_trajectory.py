from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import Study
from bayescpt.laws.trajectory import counted_lr, run_trajectory, start_fields

FLAT = np.full(20, 2e-3)


@pytest.fixture
def longer(make_study):
    """A run of two steps from the end of a cpt run of four."""
    study = make_study(FLAT, [[1e-3] * 4])
    second = study.runs.iloc[[1]].assign(run="second", parent="run0", steps=2)
    runs = pd.concat([study.runs, second])
    return Study.from_frames(study.curves, runs, {**study.lrs, "second": np.array([1e-3, 0.0])})


def test_area_before_adds_up_the_ancestors(longer):
    assert start_fields(longer, None)["start_area"] == 0.0
    assert start_fields(longer, "base")["start_area"] == pytest.approx(0.04)
    assert start_fields(longer, "run0")["start_area"] == pytest.approx(0.044)
    path = run_trajectory(longer, "second")
    assert path.start_area == pytest.approx(0.044)
    assert path.start_lr == 1e-3


def test_a_trajectory_holds_what_was_done(longer):
    path = run_trajectory(longer, "second")
    assert (path.name, path.run, path.phase, path.is_cpt) == ("second", "second", "cpt", True)
    assert (path.start, path.target, path.n_steps) == ("run0", "german", 2)
    np.testing.assert_array_equal(path.lr, [1e-3, 0.0])
    np.testing.assert_array_equal(path.replay, [0.25, 0.25])
    assert [lr.size for lr in path.before] == [20, 4]
    scratch = run_trajectory(longer, "base")
    assert (scratch.start, scratch.before, scratch.start_area) == (None, (), 0.0)
    assert (scratch.start_lr, scratch.target, scratch.is_cpt) == (None, None, False)
    assert np.all(scratch.replay == 1.0)


def test_the_warmup_convention_is_that_of_the_ancestors_area(make_study):
    rising = np.r_[np.linspace(2e-4, 2e-3, 10), FLAT]
    study = make_study(rising, [[1e-3, 2e-3]])
    assert start_fields(study, "base")["start_area"] == pytest.approx(rising.sum())
    assert start_fields(study, "base", "peak")["start_area"] == pytest.approx(30 * 2e-3)
    # What was done stays as it was.
    np.testing.assert_array_equal(start_fields(study, "base", "peak")["before"][0], rising)
    np.testing.assert_array_equal(counted_lr(rising, "true"), rising)
    np.testing.assert_array_equal(counted_lr(rising, "peak"), np.full(30, 2e-3))


def test_a_digest_is_the_recipes_not_the_names(longer):
    path = run_trajectory(longer, "run0")
    assert replace(path, name="plan", run=None, branch_of="base").digest == path.digest
    # A ratio is the same as a number or an array.
    assert replace(path, replay=np.full(4, 0.25)).digest == path.digest
    others = [
        replace(path, lr=path.lr * 2),
        replace(path, replay=np.full(4, 0.5)),
        replace(path, target="french"),
        replace(path, phase="pt"),
        replace(path, start="elsewhere"),
        replace(path, before=(FLAT / 2,)),
        replace(path, lr=path.lr[:3], replay=path.replay[:3]),
    ]
    assert len({path.digest, *(other.digest for other in others)}) == len(others) + 1


def test_a_branch_has_the_digest_of_its_trunk_up_to_where_it_leaves(longer):
    trunk = run_trajectory(longer, "run0")
    branch = replace(trunk, lr=np.r_[trunk.lr[:2], 0.0, 0.0, 0.0], replay=np.full(5, 0.25))
    assert branch.digest_to(2) == trunk.digest_to(2)
    assert branch.digest_to(3) != trunk.digest_to(3)
    other_data = replace(trunk, replay=np.r_[0.25, 0.25, 0.5, 0.5])
    assert other_data.digest_to(2) == trunk.digest_to(2)
    assert other_data.digest_to(3) != trunk.digest_to(3)
