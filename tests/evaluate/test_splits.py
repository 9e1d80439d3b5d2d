from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import Study, load_example
from bayescpt.errors import StudyError
from bayescpt.evaluate.splits import shared_steps, split_by_cutoff, split_by_fit, split_by_run


def keys(table):
    return set(zip(table["run"], table["step"], table["domain"], strict=True))


def held_keys(split):
    return keys(split.held_out.assign(run=split.run))


def scrambled(study, split):
    """The study with every loss that the split holds out replaced."""
    hidden = held_keys(split)
    losses = [
        loss + 1 if (run, step, domain) in hidden else loss
        for run, step, domain, loss in study.curves.itertuples(index=False)
    ]
    return replace(study, curves=study.curves.assign(loss=losses))


def test_by_run_hides_all_of_a_cpt_run_but_its_step_0(study):
    splits = split_by_run(study)
    assert [split.run for split in splits] == list(study.cpt_runs)
    for split in splits:
        left = split.train.curves[split.train.curves["run"] == split.run]
        assert list(left["step"].unique()) == [0]
        assert len(split.held_out) == 2 * 10
        assert split.known_step == 0
        # Everything else is as it was, the recipe too.
        assert keys(study.curves) == keys(split.train.curves) | held_keys(split)
        assert split.train.run(split.run).schedule == study.run(split.run).schedule


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("cpt_micro", ["de_r25_wsd_lp1"]),
        ("mpl_25m", ["constant_24000", "wsdcon_9"]),
    ],
)
@pytest.mark.parametrize("make", [split_by_run, split_by_cutoff])
def test_no_held_out_row_leaks(name, runs, make):
    study = load_example(name)
    splits = make(study, runs)
    assert {split.run for split in splits} == set(runs)
    for number, split in enumerate(splits):
        assert not held_keys(split) & keys(split.train.curves)
        again = make(scrambled(study, split), [split.run])
        twin = next(other for other in again if other.name == split.name)
        assert twin.train.digest == split.train.digest, f"split {number}: {split.name}"
        assert not np.allclose(twin.held_out["observed"], split.held_out["observed"])


def test_rows_of_a_branch_are_scored_after_its_trunk(trunks):
    by_run = {split.run: split for split in split_by_run(trunks)}
    trunk = trunks.trunk_step("wsd")
    assert trunk == 16_001
    assert by_run["wsd"].held_out["step"].min() > trunk
    assert by_run["wsd"].known_step <= trunk
    # And the trunk where its branch is fitted: the branch holds the same rows.
    assert by_run["constant"].held_out["step"].min() > trunk
    assert by_run["cosine"].known_step == 0
    assert by_run["cosine"].train.curve("cosine", "general").empty


def test_rows_shared_with_a_sibling_are_not_scored():
    study = load_example("mpl_100m")
    assert shared_steps(study, "wsdcon_3", "wsd_20000_24000") == study.trunk_step("wsdcon_3")
    assert shared_steps(study, "cosine_24000", "wsdcon_3") == 0
    split = split_by_run(study, ["wsdcon_3"])[0]
    curve = study.curve("wsdcon_3", "train")
    assert len(split.held_out) == (curve["step"] > study.trunk_step("wsdcon_3")).sum()


def test_by_cutoff_hides_the_end_of_one_run(study):
    splits = split_by_cutoff(study, ["r0_wsd"], (0.25, 0.5))
    assert [split.name for split in splits] == ["r0_wsd@25%", "r0_wsd@50%"]
    early, late = splits
    assert early.train.curve("r0_wsd", "general")["step"].max() == 1000
    assert early.known_step == 1250
    assert early.held_out["step"].min() == 1500
    assert late.held_out["step"].min() == 3000
    assert keys(study.curves) == keys(early.train.curves) | held_keys(early)


def test_a_cutoff_that_other_runs_go_past_is_no_split(trunks):
    names = [split.name for split in split_by_cutoff(trunks)]
    assert "cosine@25%" in names
    assert "wsd@25%" not in names
    assert "wsd@90%" in names


def chained(study):
    """The study with a run that starts from the end of r0_wsd."""
    child = study.runs[study.runs["run"] == "r25_wsd"].assign(run="child", parent="r0_wsd")
    end = study.curves[(study.curves["run"] == "r0_wsd") & (study.curves["step"] == 5000)]
    rows = study.curves[study.curves["run"] == "r25_wsd"].assign(run="child")
    rows["loss"] += 1e-4  # no copy of another run
    rows = pd.concat([end.assign(run="child", step=0), rows[rows["step"] > 0]])
    return Study.from_frames(
        pd.concat([study.curves, rows]),
        pd.concat([study.runs, child]),
        {**study.lrs, "child": study.lrs["r25_wsd"]},
        general="general",
    )


def test_runs_that_start_from_a_hidden_one_are_hidden_too(study):
    longer = chained(study)
    for split in (
        split_by_run(longer, ["r0_wsd"])[0],
        split_by_cutoff(longer, ["r0_wsd"], (0.5,))[0],
    ):
        assert "child" not in set(split.train.curves["run"])
        assert "child" in split.train
        assert set(split.held_out["step"]) <= set(range(1, 5001))
    assert split_by_run(longer, ["child"])[0].train.has_curve("r0_wsd")


def test_out_of_domain_sets_are_scored_on_request():
    study = load_example("cpt_micro")
    usual = split_by_run(study, ["de_r0_wsd"])[0].held_out
    assert set(usual["domain"]) == {"general", "german"}
    asked = split_by_run(study, ["de_r0_wsd"], domains=["code"])[0].held_out
    assert set(asked["domain"]) == {"code"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: split_by_run(s, ["nope"]), "has no run 'nope'"),
        (lambda s: split_by_run(s, domains=["klingon"]), "unknown domain 'klingon'"),
        (lambda s: split_by_cutoff(s, cutoffs=(25,)), "cutoff is 25; expected a fraction"),
        (lambda s: split_by_cutoff(s, cutoffs=(0.0,)), "cutoff is 0; expected a fraction"),
    ],
)
def test_what_cannot_be_split(study, call, message):
    with pytest.raises(StudyError, match=message):
        call(study)


def test_a_run_without_rows_of_its_own_cannot_be_asked_for(study):
    bare = replace(study, curves=study.curves[study.curves["run"] != "r0_wsd"])
    with pytest.raises(StudyError, match="'r0_wsd' has no row to score"):
        split_by_run(bare, ["r0_wsd"])
    assert "r0_wsd" not in [split.run for split in split_by_run(bare)]


def test_by_fit_hides_all_that_is_not_fitted():
    study = load_example("mpl_25m")
    fitted = ["cosine_24000", "constant_24000", "wsdcon_9"]
    splits = split_by_fit(study, fitted)
    assert [split.run for split in splits] == [n for n in study.pt_runs if n not in fitted]
    assert len({split.refit for split in splits}) == 1
    assert all(split.train is splits[0].train for split in splits)
    assert set(splits[0].train.curves["run"]) == set(fitted)
    branch = next(split for split in splits if split.run == "wsdcon_3").held_out
    # wsdcon_3 branches off constant_24000 after step 7999.
    assert (branch["shared"] == (branch["step"] <= 7999)).all()
    assert branch["shared"].any()
    own = next(split for split in splits if split.run == "constant_72000").held_out
    assert not own["shared"].any()


def test_by_fit_keeps_checkpoints_and_step_0(study):
    [split] = split_by_fit(study, ["r0_wsd"], ["r10_cosine"])
    assert split.held_out["step"].min() > 0
    left = split.train.curves
    assert set(left.loc[left["step"] > 0, "run"]) <= {"r0_wsd", *study.pt_runs}
    assert set(left.loc[left["step"] == 0, "run"]) >= {"r0_wsd", "r10_cosine", "r50_wsd"}


@pytest.mark.parametrize(
    ("fitted", "runs", "part"),
    [
        (["moon"], None, "no run 'moon'"),
        (["r0_wsd"], ["r0_wsd"], "is fitted"),
        (["r0_wsd"], ["pt"], "can be held out"),
        ([], None, "both need at least one run"),
    ],
)
def test_by_fit_refuses(study, fitted, runs, part):
    with pytest.raises(StudyError, match=part):
        split_by_fit(study, fitted, runs)


def test_by_fit_refuses_a_fitted_run_that_tells_how_a_hidden_one_ends(study):
    runs = study.runs.copy()
    runs.loc[runs["run"] == "r50_wsd", "parent"] = "r10_cosine"
    chained = Study.from_frames(study.curves, runs, study.lrs, general=study.general)
    with pytest.raises(StudyError, match="starts from the final checkpoint of 'r10_cosine'"):
        split_by_fit(chained, ["r50_wsd"])
