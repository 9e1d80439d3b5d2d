"""From logs and a table of runs to a study."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import read_logs, read_study, schedules
from bayescpt.data.readers.assemble import assemble
from bayescpt.data.readers.folder import write_folder
from bayescpt.data.readers.sets import choose_general, guess_target
from bayescpt.errors import StudyError

PILOTS = Path(__file__).parent / "samples" / "hf_trainer"
RATIOS = pd.DataFrame(
    {"run": ["r00", "r10", "r25", "r25_low"], "replay_ratio": [0, 0.1, 0.25, 0.25]}
)


def table(steps=range(10, 101, 10), lr=1e-4, **sets):
    lines = [",".join(["step", "lr", *sets])]
    lines += [
        ",".join(map(str, [s, lr, *(loss + s / 1e4 for loss in sets.values())])) for s in steps
    ]
    return "\n".join(lines) + "\n"


def test_four_pilots_of_an_open_base_need_their_replay_ratios_alone():
    made = assemble(PILOTS)
    assert [item.column for item in made.missing if item.required] == ["replay_ratio"]
    assert made.general == "general"
    runs = made.runs.set_index("run")
    assert runs.loc["base", "phase"] == "pt"
    assert runs.loc["base"].drop("phase").isna().all()
    assert (runs.loc[RATIOS["run"], "parent"] == "base").all()
    assert (runs.loc[RATIOS["run"], "domain"] == "medical").all()
    assert runs.loc[RATIOS["run"], "replay_ratio"].isna().all()
    assert runs.loc["r00", "schedule"] == "cosine"


def test_read_logs_gives_the_study_that_the_logs_tell_of():
    study = read_logs([PILOTS], runs=RATIOS)
    assert study.pt_runs == ("base",)
    assert study.cpt_runs == tuple(RATIOS["run"])
    truth = schedules.cosine(5e-5, 200, num_warmup_steps=20)
    np.testing.assert_allclose(study.run("r25_low").schedule.lr, truth.lr, rtol=1e-12)
    assert study.run("r10").replay_ratio == 0.1
    assert study.run("r10").tokens_per_step == 65_536
    assert study.curve("r10", "medical")["step"].tolist() == [0, 50, 100, 150, 200]
    assert "r00: 3 logs are copies of one run: the longest counts" in study.notes
    assert "all runs: the logged learning rate is the next update's" in study.notes


def test_a_run_without_a_replay_ratio_is_an_error():
    with pytest.raises(StudyError, match=r"replay_ratio of run r25, r25_low is in no log: give"):
        read_logs(PILOTS, runs=RATIOS.head(2))


@pytest.mark.parametrize("column", ["replay", "replay_ration"])
def test_a_misspelt_column_of_the_table_is_an_error(column, tmp_path):
    path = tmp_path / "mine.csv"
    RATIOS.rename(columns={"replay_ratio": column}).to_csv(path, index=False)
    message = rf"mine.csv: unknown column '{column}'; did you mean 'replay_ratio'\?"
    with pytest.raises(StudyError, match=message):
        assemble(PILOTS, runs=path)


def test_a_run_of_the_table_that_is_in_no_log():
    with pytest.raises(StudyError, match=r"run 'r1O' is in no log; did you mean 'r10'\?"):
        assemble(PILOTS, runs=RATIOS.replace("r10", "r1O"))
    twice = pd.concat([RATIOS, RATIOS])
    with pytest.raises(StudyError, match=r"run 'r00' appears twice"):
        assemble(PILOTS, runs=twice)


def test_a_base_may_be_described_without_a_log():
    llama = pd.DataFrame({"run": ["llama"], "phase": ["pt"], "n_params": [8e9]})
    runs = pd.concat([llama, RATIOS])
    study = read_logs(PILOTS, runs=runs)
    assert study.pt_runs == ("llama",)
    assert study.run("r00").parent == "llama"
    assert study.run("llama").n_params == 8e9


def test_a_parent_that_no_row_describes_is_an_open_base():
    study = read_logs(PILOTS, runs=RATIOS.assign(parent="qwen"))
    assert study.pt_runs == ("qwen",)


def test_targets_are_asked_for_where_there_are_several_sets(write):
    path = write("pilot.csv", table(eval_general_loss=2, eval_code_loss=3, eval_math_loss=3))
    made = assemble(path)
    asked = {item.column: item.why for item in made.missing if item.required}
    assert set(asked) == {"replay_ratio", "domain"}
    assert "one of code, math" in asked["domain"]
    runs = pd.DataFrame({"run": ["pilot"], "replay_ratio": [0.1], "domain": ["math"]})
    assert read_logs(path, runs=runs).targets == ("math",)


def test_a_general_set_that_cannot_be_told_must_be_named(write):
    path = write("pilot.csv", table(eval_wiki_loss=2, eval_code_loss=3, eval_math_loss=3))
    runs = pd.DataFrame({"run": ["pilot"], "replay_ratio": [0.1], "domain": ["math"]})
    with pytest.raises(StudyError, match=r'general="" .* or general=NAME .*: .* code, wiki'):
        read_logs(path, runs=runs)
    assert read_logs(path, runs=runs, general="wiki").general == "wiki"
    assert read_logs(path, runs=runs, general="").general is None
    # Of pre-training nothing is forgotten, and one set is the target.
    assert all(item.column != "general" for item in assemble(path, phase="pt").missing)
    alone = write("alone.csv", table(eval_math_loss=3))
    assert all(item.column != "general" for item in assemble(alone).missing)


def test_the_general_set():
    assert choose_general(None, [("pretrain", "code")], []) == "pretrain"
    assert choose_general(None, [("english", "code")], ["code"]) == "english"
    assert choose_general(None, [("english", "code", "math")], ["code"]) is None
    assert choose_general("english", [("english", "general")], []) == "english"
    assert choose_general("", [("general", "code")], []) is None
    with pytest.raises(
        StudyError, match=r"'genral' has no loss in the logs; did you mean 'general'"
    ):
        choose_general("genral", [("general", "code")], [])
    assert guess_target(("english", "code"), None) is None
    assert guess_target(("val",), None) == "val"


def test_a_log_without_an_evaluation_has_its_training_loss_as_a_set(write):
    made = assemble(write("pilot.csv", table(loss=2.0)))
    assert set(made.curves["domain"]) == {"train"}
    assert any("its training loss is taken as set 'train'" in n for n in made.summaries[0].notes)


def test_no_learning_rate_at_all_asks_for_the_schedule_in_two_lines(write):
    rows = "step,val_loss\n" + "".join(f"{s},2.0\n" for s in range(10, 101, 10))
    path = write("pilot.csv", rows)
    item = next(item for item in assemble(path).missing if item.column == "schedule")
    header, line = item.why.split("\n")[1:]
    assert header == "run,schedule,schedule_params"
    # The two lines are a table that works.
    runs = write("runs.csv", f"{header},replay_ratio\n{line},0.1\n")
    study = read_logs(path, runs=runs)
    assert study.run("pilot").schedule == schedules.cosine(2e-4, 100, 100)
    wrong = write("runs.csv", "run,schedule,schedule_params,replay_ratio\npilot,cosin,lr=1,0.1\n")
    with pytest.raises(StudyError, match="run 'pilot': unknown schedule 'cosin'"):
        read_logs(path, runs=wrong)


def test_a_run_in_flight_keeps_its_planned_length(write):
    truth = schedules.cosine(2e-4, 1000, num_warmup_steps=50)
    history = [
        {"step": s, "epoch": s / 1000, "loss": 2.0, "learning_rate": truth.lr[s - 1]}
        for s in range(10, 301, 10)
    ]
    history += [{"step": s, "epoch": s / 1000, "eval_loss": 2.0} for s in (100, 200, 300)]
    path = write(
        "p/trainer_state.json", {"global_step": 300, "max_steps": 1000, "log_history": history}
    )
    made = assemble(path)
    assert made.runs["steps"].iloc[-1] == 1000
    assert (made.summaries[0].last, made.summaries[0].steps) == (300, 1000)
    assert "losses to step 300 of 1000 planned: taken as a run in flight" in made.summaries[0].notes
    study = read_logs(path, runs=pd.DataFrame({"run": ["p"], "replay_ratio": [0.1]}))
    assert study.run("p").schedule.n_steps == 1000
    assert study.curve("p", "val")["step"].max() == 300


def test_a_logged_rate_that_differs_from_the_plan_is_said(write):
    write("p/config.yaml", "learning_rate: 2.0e-4\nlr_scheduler_type: constant\n")
    rows = [
        {"current_steps": s, "total_steps": 100, "loss": 2.0, "eval_loss": 2.0, "lr": 2e-5}
        for s in range(10, 101, 10)
    ]
    made = assemble(write("p/trainer_log.jsonl", rows))
    assert (
        "run 'p': its learning rate peaks at 2e-05, but 0.0002 was planned (planned_peak_lr)"
        in made.notes
    )
    assert made.runs["planned_peak_lr"].iloc[-1] == 2e-4


def test_rates_that_are_high_or_far_apart_are_said(write, tmp_path):
    write("x/a.csv", table(lr=2.0, val_loss=2.0))
    write("x/b.csv", table(lr=1e-3, val_loss=2.0))
    notes = assemble(tmp_path / "x").notes
    assert any(
        "run 'a': its learning rate peaks at 2, above 0.1: is it a percentage" in n for n in notes
    )
    assert any("run 'a' (peak 2) and 'b' (0.001) are more than 100 times apart" in n for n in notes)


def test_no_evaluation_at_step_0_is_said(write):
    notes = assemble(write("pilot.csv", table(val_loss=2.0))).notes
    assert any("no evaluation at step 0 in 1 of 1 runs" in note for note in notes)


def test_pre_training_runs():
    made = assemble(PILOTS, phase="pt")
    assert made.complete
    assert made.study().cpt_runs == ()
    with pytest.raises(StudyError, match=r"phase 'sft': expected cpt or pt"):
        assemble(PILOTS, phase="sft")


def test_the_folder_is_what_read_study_reads(tmp_path):
    made = assemble(PILOTS, runs=RATIOS)
    files = write_folder(made, tmp_path / "s")
    assert sorted(path.name for path in files) == ["curves.csv", "runs.csv", "study.toml"]
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == sorted(p.name for p in files)
    assert read_study(tmp_path / "s").digest == made.study().digest


def test_curves_are_written_before_recipes_are_filled_in(tmp_path):
    write_folder(assemble(PILOTS), tmp_path / "s")
    assert len(pd.read_csv(tmp_path / "s" / "curves.csv")) == 40
    message = (
        r"runs.csv: column replay_ratio is blank in row 2 \(run 'r00'\), row 3 \(run 'r10'\), "
        r"row 4 \(run 'r25'\), row 5 \(run 'r25_low'\): give the share of general tokens"
    )
    with pytest.raises(StudyError, match=message):
        read_study(tmp_path / "s")


def test_a_study_is_overwritten_only_when_asked_and_keeps_what_was_filled_in(tmp_path):
    folder = tmp_path / "s"
    write_folder(assemble(PILOTS), folder)
    with pytest.raises(StudyError, match=r"exists and is not empty; .*--overwrite"):
        write_folder(assemble(PILOTS), folder)
    filled = pd.read_csv(folder / "runs.csv")
    filled["replay_ratio"] = filled["run"].map(dict(RATIOS.to_numpy()))
    filled["owner"] = "me"
    filled.to_csv(folder / "runs.csv", index=False)
    toml = (folder / "study.toml").read_text()
    (folder / "study.toml").write_text(toml + 'notes = "kept"\n')
    (folder / "fit.nc").write_text("not ours")
    made = assemble(PILOTS, before=folder / "runs.csv")
    write_folder(made, folder, overwrite=True)
    again = pd.read_csv(folder / "runs.csv")
    pd.testing.assert_frame_equal(again, filled, check_dtype=False)
    assert read_study(folder).notes == "kept"
    assert (folder / "fit.nc").exists()


def test_a_schedule_that_was_filled_in_is_kept_but_one_that_was_found_is_found_again(
    write, tmp_path
):
    rows = "step,val_loss\n" + "".join(f"{s},2.0\n" for s in range(10, 101, 10))
    path, folder = write("pilot.csv", rows), tmp_path / "s"
    write_folder(assemble(path), folder)
    filled = pd.read_csv(folder / "runs.csv").astype(
        {"schedule": "object", "schedule_params": "object"}
    )
    filled.loc[1, ["schedule", "schedule_params"]] = ["constant", "lr=1e-4;num_training_steps=100"]
    filled.to_csv(folder / "runs.csv", index=False)
    again = assemble(path, before=folder / "runs.csv")
    assert again.runs["schedule"].iloc[1] == "constant"
    logged = write("pilot.csv", table(lr=5e-4, val_loss=2.0))
    found = assemble(logged, before=folder / "runs.csv")
    assert "lr=0.0005" in found.runs["schedule_params"].iloc[1]


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    made = assemble(PILOTS)

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(OSError, match="disk full"):
        write_folder(made, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_kept_column_is_written_as_learning_rates(write, tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        {"step": s, "lr": 1e-4 * rng.uniform(0.5, 1), "val_loss": 2.0} for s in range(10, 101, 10)
    ]
    made = assemble(
        write("pilot.jsonl", rows), runs=pd.DataFrame({"run": ["pilot"], "replay_ratio": [0]})
    )
    write_folder(made, tmp_path / "s")
    study = read_study(tmp_path / "s")
    assert study.run("pilot").schedule.n_steps == 100
    assert study.run("pilot").schedule.lr[9] == rows[0]["lr"]


TOKENS = "tokens,val_loss,lr\n0,3,1e-4\n1000,2,1e-4\n2000,1.9,1e-4\n"


def test_tokens_per_step_of_the_table_converts_tokens(write):
    path = write("pilot.csv", TOKENS)
    made = assemble(path, runs=pd.DataFrame({"run": ["pilot"], "tokens_per_step": [100]}))
    assert made.curves["step"].tolist() == [0, 10, 20]
    assert made.summaries[0].schedule == "constant"


def test_tokens_of_unknown_batches_are_written_and_converted_when_they_are_filled_in(
    write, tmp_path
):
    path, folder = write("pilot.csv", TOKENS), tmp_path / "s"
    made = assemble(path)
    required = [item.column for item in made.missing if item.required]
    assert required == ["replay_ratio", "schedule", "tokens_per_step"]
    write_folder(made, folder)
    assert pd.read_csv(folder / "curves.csv")["tokens"].tolist() == [0, 1000, 2000]
    runs = pd.read_csv(folder / "runs.csv").set_index("run").astype("object")
    params = "lr=1e-4;num_training_steps=20"
    runs.loc["pilot", ["replay_ratio", "schedule", "schedule_params"]] = [0, "constant", params]
    runs.to_csv(folder / "runs.csv")
    message = r"runs.csv: column tokens_per_step is blank in row 2 \(run 'pilot'\): give the tokens"
    with pytest.raises(StudyError, match=message):
        read_study(folder)
    runs.loc["pilot", "tokens_per_step"] = 100
    runs.to_csv(folder / "runs.csv")
    assert read_study(folder).curve("pilot", "val")["step"].tolist() == [0, 10, 20]
    # Now the learning rates can be read too.
    again = assemble(path, before=folder / "runs.csv")
    assert again.complete
    assert again.summaries[0].schedule == "constant"


def test_the_map_names_keys(write):
    rows = [{"it": s, "rate": 1e-4, "heldout_x": 2.0} for s in (10, 20, 30)]
    columns = {"it": "step", "rate": "lr", "heldout_x": "eval:code"}
    made = assemble(write("pilot.jsonl", rows), columns=columns)
    assert set(made.curves["domain"]) == {"code"}
    assert made.summaries[0].schedule == "constant"
