"""Random pilots: what a team has, and what is known of the other runs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import Study, load_example
from bayescpt.errors import PlanError, StudyError
from bayescpt.evaluate import simulate_study, split_by_pilots


def by_draw(splits):
    """Splits of each draw."""
    out = {}
    for split in splits:
        out.setdefault(split.refit, []).append(split)
    return list(out.values())


def drawn(splits):
    """Pilots of each draw."""
    return [draw[0].fitted for draw in by_draw(splits)]


def with_runs(study, runs):
    return Study.from_frames(
        study.curves, runs, study.lrs, general=study.general, allow_mixed=study.allow_mixed
    )


@pytest.fixture(scope="module")
def micro():
    return load_example("cpt_micro")


@pytest.fixture(scope="module")
def labelled(study):
    """The study with columns of runs: split, and a number."""
    order = np.arange(len(study.runs))
    split = np.array(["fit", "fit", "choose", "fit", "test"])[order % 5]
    return with_runs(study, study.runs.assign(split=split, group=order % 3))


@pytest.fixture(scope="module")
def two_targets(study):
    """Half of the runs go to another target, whose losses are half a nat higher."""
    other = [name for name in study.cpt_runs if name.endswith(("wsd", "cosine"))]
    other = other[: len(other) // 2 + 1]
    rows = study.curves
    moved = rows["run"].isin(other) & (rows["domain"] == "target")
    curves = rows.assign(
        domain=rows["domain"].where(~moved, "other"), loss=rows["loss"] + 0.5 * moved
    )
    base = rows[(rows["run"] == "pt") & (rows["domain"] == "target")]
    curves = pd.concat([curves, base.assign(domain="other", loss=base["loss"] + 0.5)])
    runs = study.runs
    domain = runs["domain"].where(~runs["run"].isin(other), "other")
    return Study.from_frames(curves, runs.assign(domain=domain), study.lrs, general="general")


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("pilots", [2, 4, 6])
def test_pilots_are_of_one_base_and_of_two_replay_ratios(micro, pilots, seed):
    made = drawn(split_by_pilots(micro, pilots, 6, seed))
    assert len(made) == len(set(made)) == 6
    for names in made:
        assert len(set(names)) == pilots
        assert len({micro.run(name).parent for name in names}) == 1
        assert len({micro.run(name).replay_ratio for name in names}) > 1


def test_every_run_with_peers_is_a_pilot_sometimes(micro):
    made = drawn(split_by_pilots(micro, 3, 40))
    peers = [name for name in micro.cpt_runs if micro.run(name).parent == "pt_r0"]
    assert {name for names in made for name in names} == set(peers)


def test_draws_are_reproducible_whatever_their_number(micro):
    few, many = (drawn(split_by_pilots(micro, 4, repeats, 5)) for repeats in (2, 5))
    assert few == many[:2]
    assert many != drawn(split_by_pilots(micro, 4, 5, 6))


def test_of_a_held_out_run_only_its_start_is_known(micro):
    for draw in by_draw(split_by_pilots(micro, 4, 3)):
        train, pilots = draw[0].train, draw[0].fitted
        assert sorted([*pilots, *(split.run for split in draw)]) == sorted(micro.cpt_runs)
        late = train.curves[train.curves["run"].isin(micro.cpt_runs) & (train.curves["step"] > 0)]
        assert set(late["run"]) == set(pilots)
        assert all(split.train is train for split in draw)
        hidden = {split.run for split in draw}
        losses = micro.curves["loss"] + (
            micro.curves["run"].isin(hidden) & (micro.curves["step"] > 0)
        )
        again = split_by_pilots(replace(micro, curves=micro.curves.assign(loss=losses)), 4, 3)
        twin = next(split for split in again if split.refit == draw[0].refit)
        assert twin.train.digest == train.digest


def test_names_and_labels(micro):
    splits = split_by_pilots(micro, 4, 2)
    assert len({split.name for split in splits}) == len(splits)
    first = splits[0]
    assert first.refit == "draw 1"
    assert first.name == f"{first.run}, draw 1"
    assert first.labels["repeat"] == 1
    assert first.labels["target"] == "german"


def test_a_run_that_shares_steps_with_a_pilot_is_not_scored():
    made = simulate_study(shared_trunks=True, eval_every=500, pt_eval_every=2000).study
    splits = split_by_pilots(made, 3, 10)
    pairs = {name: made.run(name).branch_of for name in made.cpt_runs if made.run(name).branch_of}
    assert pairs
    met = 0
    for draw in by_draw(splits):
        scored = {split.run for split in draw}
        for branch, trunk in pairs.items():
            pair = {branch, trunk}
            if pair & set(draw[0].fitted):
                met += 1
                assert not pair & scored
        assert all(split.known_step == 0 and not split.held_out["shared"].any() for split in draw)
    assert met > 5


def test_targets_take_turns_and_know_nothing_of_each_other(two_targets):
    draws = by_draw(split_by_pilots(two_targets, 2, 4))
    targets = [draw[0].labels["target"] for draw in draws]
    assert set(targets[:2]) == {"target", "other"}
    assert targets[2:] == targets[:2]
    for draw, target in zip(draws, targets, strict=True):
        names = [*draw[0].fitted, *(split.run for split in draw)]
        assert {two_targets.run(name).domain for name in names} == {target}
        assert set(draw[0].train.cpt_runs) == set(names)
        assert set(draw[0].held_out["domain"]) == {"general", target}


@pytest.mark.parametrize("judge", [{"split": "test"}, {"split": ["choose", "test"]}])
def test_pilots_and_scored_runs_by_a_column(labelled, judge):
    split_of = labelled.runs.set_index("run")["split"]
    splits = split_by_pilots(labelled, 3, 4, pilots_from={"split": "fit"}, judge=judge)
    values = judge["split"]
    allowed = {values} if isinstance(values, str) else set(values)
    for split in splits:
        assert {split_of[name] for name in split.fitted} == {"fit"}
        assert split_of[split.run] in allowed
        # Runs of the third kind are no part of the study that is fitted.
        named = [*split.train.cpt_runs]
        assert {split_of[name] for name in named} <= {"fit", *allowed}


def test_numbers_may_be_text_and_runs_may_be_named(labelled):
    text = split_by_pilots(labelled, 2, 2, pilots_from={"group": "1"})
    assert drawn(text) == drawn(split_by_pilots(labelled, 2, 2, pilots_from={"group": 1}))
    named = split_by_pilots(labelled, 2, 3, runs=["r0_wsd", "r50_cosine", "r25_wsd"])
    assert {split.run for split in named} <= {"r0_wsd", "r50_cosine", "r25_wsd"}


def test_what_starts_from_a_cpt_run_is_neither_pilot_nor_scored(study):
    child = study.runs[study.runs["run"] == "r25_wsd"].assign(run="child", parent="r0_wsd")
    end = study.curves[(study.curves["run"] == "r0_wsd") & (study.curves["step"] == 5000)]
    rows = study.curves[study.curves["run"] == "r25_wsd"].assign(run="child")
    rows["loss"] += 1e-4  # no copy of another run
    rows = pd.concat([end.assign(run="child", step=0), rows[rows["step"] > 0]])
    chained = Study.from_frames(
        pd.concat([study.curves, rows]),
        pd.concat([study.runs, child]),
        {**study.lrs, "child": study.lrs["r25_wsd"]},
        general="general",
    )
    for split in split_by_pilots(chained, 3, 5):
        assert "child" not in [*split.fitted, split.run, *split.train.cpt_runs]


@pytest.mark.parametrize(
    ("options", "error", "part"),
    [
        ({"pilots": 0}, PlanError, "pilots is 0"),
        ({"repeats": 0}, PlanError, "repeats is 0"),
        ({"pilots": 40}, StudyError, "no start checkpoint has 40 runs .* the most are 12"),
        ({"pilots": 12}, StudyError, "leave no run"),
        ({"judge": {"split": "moon"}}, StudyError, "has split moon; there are fit, choose, test"),
        ({"judge": {"moon": 1}}, StudyError, "no column 'moon' of runs; it has run, phase"),
        ({"runs": ["moon"]}, StudyError, "no run 'moon'"),
        ({"pilots": 11, "repeats": 60}, StudyError, "no more than 12 different sets of 11 pilots"),
    ],
)
def test_what_cannot_be_drawn(labelled, options, error, part):
    with pytest.raises(error, match=part):
        split_by_pilots(labelled, **options)


def test_pre_training_alone_has_no_pilots(trunks):
    with pytest.raises(StudyError, match="no continual pre-training run"):
        split_by_pilots(trunks)
