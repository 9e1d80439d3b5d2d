"""Study: tables, look-ups, sub-studies, digest and JSON."""

import json
import pickle
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import Schedule, Study
from bayescpt.errors import StudyError


def same(one, two):
    pd.testing.assert_frame_equal(one.runs, two.runs)
    pd.testing.assert_frame_equal(one.curves, two.curves)
    for ours, theirs in ((one.lrs, two.lrs), (one.replays, two.replays)):
        assert list(ours) == list(theirs)
        for run in ours:
            np.testing.assert_array_equal(ours[run], theirs[run])
    for name in ("name", "general", "loss_unit", "notes", "allow_mixed", "digest"):
        assert getattr(one, name) == getattr(two, name)


def test_tables_have_a_fixed_form(study):
    assert list(study.runs)[:5] == ["run", "phase", "parent", "domain", "replay_ratio"]
    assert list(study.runs["note"].dropna()) == ["a", "b", "d"]
    assert list(study.curves) == ["run", "step", "domain", "loss"]
    assert study.curves["run"].unique().tolist() == ["base", "annealed", "mix", "pure"]
    assert study.curves.query("run == 'base'")["domain"].tolist() == ["general", "german"] * 3
    assert (study.general, study.targets, study.domains) == (
        "general",
        ("german",),
        ("general", "german"),
    )
    assert study.pt_runs == ("base", "annealed")
    assert study.cpt_runs == ("mix", "pure")
    assert "mix" in study
    assert "other" not in study
    assert repr(study) == "Study('tiny': 2 pt + 2 cpt runs, 2 domains, 17 losses)"


def test_the_original_tables_are_not_changed(tables):
    before = tables.runs.copy(), tables.curves.copy(), tables.lrs.copy()
    study = tables.study()
    study.runs.loc[0, "run"] = "renamed"
    study.curves.loc[0, "loss"] = 0.0
    for frame, copy in zip((tables.runs, tables.curves, tables.lrs), before, strict=True):
        pd.testing.assert_frame_equal(frame, copy)


def test_run_holds_its_row_and_schedule(study):
    run = study.run("mix")
    assert run.schedule == Schedule([1e-3, 2e-3, 1e-3, 0.0])
    assert (run.name, run.phase, run.parent, run.domain) == ("mix", "cpt", "annealed", "german")
    assert (run.replay_ratio, run.steps, run.seed, run.n_params) == (0.25, 4, 2, 1e6)
    assert (run.branch_of, run.branch_step, run.tokens_per_step) == (None, 0, None)
    branch = study.run("annealed")
    assert (branch.parent, branch.branch_of, branch.branch_step) == (None, "base", 6)
    assert np.isnan(branch.replay_ratio)


def test_unknown_run_lists_those_there_are(study):
    with pytest.raises(StudyError, match=r"has no run 'max'; it has base, annealed, mix, pure"):
        study.run("max")
    with pytest.raises(StudyError, match=r"no run 'max'"):
        study.curve("max", "german")


def test_curve_is_by_step_and_may_be_empty(study):
    curve = study.curve("mix", "german")
    assert curve["step"].tolist() == [0, 2, 4]
    assert curve["loss"].tolist() == [6.1, 5.0, 4.0]
    assert study.curve("pure", "general").empty


def test_a_curve_is_a_copy(study):
    mine = study.curve("mix", "german")
    mine.loc[:, "loss"] = 0.0
    assert (study.curve("mix", "german")["loss"] > 0).all()


def test_cached_look_ups_are_not_copied(study):
    study.curve("mix", "german")
    assert set(study.__getstate__()) == {field.name for field in fields(Study)}
    copy = pickle.loads(pickle.dumps(study))  # noqa: S301
    assert copy.digest == study.digest
    assert copy.run("mix").schedule == study.run("mix").schedule
    fewer = replace(study, curves=study.curves[study.curves["run"] != "mix"])
    assert fewer.curve("mix", "german").empty


def test_lineage_follows_parents_not_trunks(study, tables):
    assert study.lineage("mix") == ("annealed", "mix")
    tables.set_run("pure", parent="mix")
    assert tables.study().lineage("pure") == ("annealed", "mix", "pure")


def test_trunk_step(study):
    assert study.trunk_step("annealed") == 6
    assert study.trunk_step("base") == 0
    assert study.trunk_step("mix") == 0


def test_trunk_step_without_learning_rates_is_the_branch_step(tables):
    tables.lrs = tables.lrs.query("run != 'base'")
    assert tables.study().trunk_step("annealed") == 6


def test_start_loss_is_that_of_step_0_of_a_sibling_or_of_the_parents_end(study, tables):
    assert study.start_loss("mix", "german") == 6.1
    assert study.start_loss("mix", "general") == pytest.approx(7.0 - 0.8 - 0.5)
    assert study.start_loss("pure", "german") == pytest.approx(6.2)
    assert study.start_loss("base", "german") is None
    assert study.start_loss("mix", "code") is None
    tables.set_run("pure", parent="annealed")
    first = pd.DataFrame([("pure", 0, "german", 6.3)], columns=tables.curves.columns)
    tables.curves = pd.concat([tables.curves.query("run != 'pure'"), first])
    assert tables.study().start_loss("mix", "german") == pytest.approx(6.2)


def test_start_loss_is_unknown_when_the_parent_stops_short(tables):
    tables.curves = tables.curves.query("run != 'base' or step < 8")
    assert tables.study().start_loss("pure", "german") is None


def test_select_brings_parents_and_trunks_with_their_curves(study):
    part = study.select(["mix"])
    assert part.runs["run"].tolist() == ["base", "annealed", "mix"]
    assert part.runs.index.tolist() == [0, 1, 2]
    assert set(part.curves["run"]) == {"base", "annealed", "mix"}
    assert list(part.lrs) == ["base", "annealed", "mix"]
    assert study.select("pure").runs["run"].tolist() == ["base", "pure"]
    assert part.name == study.name
    same(study.select(study.runs["run"]), study)


def test_select_refuses_unknown_runs_and_none(study):
    with pytest.raises(StudyError, match="no run 'mxi'"):
        study.select(["mxi"])
    with pytest.raises(StudyError, match="no run selected; it has base"):
        study.select([])


def test_drop_keeps_the_other_runs(study):
    assert study.drop(["mix"]).runs["run"].tolist() == ["base", "annealed", "pure"]
    assert study.drop(["mix", "annealed"]).runs["run"].tolist() == ["base", "pure"]
    with pytest.raises(StudyError, match=r"cannot drop 'annealed': run 'mix' starts from it or"):
        study.drop(["annealed"])
    with pytest.raises(StudyError, match="no run 'mxi'"):
        study.drop("mxi")


def test_digest_ignores_order_name_notes_and_extra_columns(study, tables):
    tables.runs = tables.runs.iloc[::-1].drop(columns="note")
    tables.curves = tables.curves.sort_values(["domain", "step"], kind="stable")
    tables.lrs = tables.lrs.sort_values(["step", "run"])
    other = tables.study(name="renamed", notes="differs in nothing that is fitted")
    assert other.digest == study.digest


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.set_loss("mix", 2, "german", 5.0 + 1e-12),
        lambda t: t.set_lr("mix", 2, 2.1e-3),
        lambda t: t.set_run("mix", replay_ratio=0.3),
        lambda t: t.set_run("mix", parent="base"),
        lambda t: t.set_run("annealed", branch_step=5),
        lambda t: t.set_run("mix", seed=9),
        lambda t: t.lrs.insert(3, "replay", np.where(t.lrs["run"] == "mix", 0.25, np.nan)),
    ],
)
def test_digest_depends_on_everything_that_is_fitted(study, tables, change):
    change(tables)
    assert tables.study().digest != study.digest


def test_digest_depends_on_general_and_unit(study, tables):
    assert tables.study(general="german").digest != study.digest
    assert tables.study(loss_unit="bit/byte").digest != study.digest


def test_json_round_trip_is_exact(tables):
    tables.runs["flag"] = [True, False, True, True]
    tables.runs["mixed"] = [1, "two", None, 4.5]
    tables.runs["day"] = pd.to_datetime(["2026-11-01"] * 4)
    tables.runs["best"] = [np.inf, 1.0, -np.inf, np.nan]
    tables.lrs["replay"] = np.where(tables.lrs["run"] == "mix", 0.1 * tables.lrs["step"], np.nan)
    study = tables.study(name="Größe", notes='two\nlines, "quoted"', allow_mixed=["n_params"])
    back = Study.from_json(study.to_json())
    same(study, back)
    np.testing.assert_array_equal(back.run("mix").replay_ratio, 0.1 * np.arange(1, 5))


def test_json_round_trip_of_a_sub_study(study):
    same(Study.from_json(study.select("pure").to_json()), study.select("pure"))


def test_json_of_an_older_version_allows_nothing_mixed(study):
    older = json.loads(study.to_json())
    del older["allow_mixed"]
    same(Study.from_json(json.dumps(older)), study)


def test_allow_mixed_does_not_change_the_digest(study, tables):
    allowing = tables.study(name="tiny", allow_mixed=("tokens_per_step", "n_params"))
    assert allowing.allow_mixed == ("n_params", "tokens_per_step")
    assert allowing.select("pure").allow_mixed == allowing.allow_mixed
    assert allowing.digest == study.digest


def test_damaged_json_is_refused(study):
    text = study.to_json()
    with pytest.raises(StudyError, match="stored study 'tiny' is damaged"):
        Study.from_json(text.replace('"nat/token"', '"bit/token"'))
    with pytest.raises(StudyError, match="stored study cannot be read"):
        Study.from_json(text[:-10])
    with pytest.raises(StudyError, match="stored study cannot be read: KeyError"):
        Study.from_json("{}")


def test_varying_replay_takes_precedence_over_the_table_of_runs(tables):
    tables.lrs["replay"] = np.where(tables.lrs["run"] == "mix", 0.1 * tables.lrs["step"], np.nan)
    tables.set_run("mix", replay_ratio=np.nan)
    study = tables.study()
    np.testing.assert_allclose(study.run("mix").replay_ratio, [0.1, 0.2, 0.3, 0.4])
    assert study.run("pure").replay_ratio == 0.0
    assert list(study.select("pure").replays) == []


def test_optional_columns_may_be_missing(tables):
    runs = tables.runs[["run", "phase", "parent", "domain", "replay_ratio"]]
    study = Study.from_frames(tables.curves, runs, tables.lrs)
    assert study.runs["steps"].tolist() == [8, 8, 4, 4]
    run = study.run("mix")
    assert (run.seed, run.n_params, run.tokens_per_step) == (None, None, None)


def test_learning_rates_may_come_as_a_mapping(study, tables):
    rates = {run: Schedule(lr) if run == "mix" else lr for run, lr in study.lrs.items()}
    same(Study.from_frames(tables.curves, tables.runs, rates, name="tiny"), study)


def test_open_base_model_needs_no_schedule(tables):
    tables.runs = tables.runs.drop(columns="steps")
    tables.lrs = tables.lrs.query("run in ['annealed', 'mix', 'pure']")
    study = tables.study()
    assert study.run("base").schedule is None
    assert study.run("base").steps == 8  # the last that was measured
    tables.curves = tables.curves.query("run != 'base'")
    tables.set_run("annealed", branch_of="", branch_step=0)
    assert tables.study().run("base").steps == 0


def test_runs_may_have_no_curve_or_only_their_final_loss(tables):
    tables.curves = tables.curves.query("run == 'pure'")
    study = tables.study()
    assert study.general is None
    assert study.domains == ("german",)
    assert study.curve("mix", "german").empty


def test_general_may_be_named_without_a_curve_or_refused(tables):
    assert tables.study(general="web").domains == ("german", "general")
    assert tables.study(general="").general is None


def test_names_that_are_numbers_are_text_everywhere(tables):
    numbers = {"base": 1, "annealed": 2, "mix": 3, "pure": 4}
    for frame in (tables.runs, tables.curves, tables.lrs):
        frame["run"] = frame["run"].map(numbers)
    for column in ("parent", "branch_of"):
        tables.runs[column] = tables.runs[column].map(numbers)  # with blanks: floats
    study = tables.study()
    assert study.lineage("3") == ("2", "3")
    assert study.run("2").branch_of == "1"
