import pytest

from bayescpt.errors import PlanError, StudyError
from bayescpt.evaluate import backtest, split_by_target
from bayescpt.evaluate.refits import refits
from tests.targets import several_targets

NOTHING = dict.fromkeys(
    ("runs", "fit_runs", "domains", "pilots", "repeats", "pilots_from", "judge", "cutoffs")
)


def test_no_loss_of_the_target_is_known_but_that_of_the_base():
    study = several_targets(("near", "mid", "far"))
    splits = split_by_target(study)
    assert len(splits) == len(study.cpt_runs)
    for split in splits:
        target = split.labels["target"]
        assert study.run(split.run).domain == target
        hidden = [name for name in study.cpt_runs if study.run(name).domain == target]
        left = split.train.curves[split.train.curves["run"].isin(hidden)]
        assert (left["step"] == 0).all()
        assert split.train.checkpoint_loss("base", target) == study.checkpoint_loss("base", target)
        assert set(split.held_out["domain"]) == {"general", target}
        assert split.held_out["step"].min() > 0
        assert set(split.fitted) == set(study.cpt_runs) - set(hidden)


def test_there_is_one_fit_a_target_also_where_only_some_runs_are_scored():
    study = several_targets(("near", "mid", "far"))
    by_fit = refits(study, "target", 1, **NOTHING)
    assert list(by_fit) == ["without near", "without mid", "without far"]
    some = split_by_target(study, ["mid_r0"])
    assert [split.run for split in some] == ["mid_r0"]
    assert not any(name.startswith("mid") for name in some[0].fitted)


def test_one_target_cannot_be_left_out():
    with pytest.raises(StudyError, match="runs on near only: to leave out a target"):
        split_by_target(several_targets(("near",)))
    with pytest.raises(PlanError, match="'pilots' or 'target'"):
        backtest(several_targets(("near", "mid")), by="domain")


def test_only_known_runs_are_scored_and_none_is_not_all():
    study = several_targets(("near", "mid"))
    with pytest.raises(StudyError, match="absent"):
        split_by_target(study, ["absent"])
    assert split_by_target(study, []) == []
