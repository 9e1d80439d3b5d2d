"""Tables of any logger: long, wide, one metric a row; CSV, JSON lines and Parquet."""

import pandas as pd
import pytest

from bayescpt.errors import StudyError

LONG = pd.DataFrame(
    {
        "run_tag": ["a"] * 4 + ["b"] * 4,
        "iter": [0, 0, 50, 50] * 2,
        "set": ["general", "validation-greek"] * 4,
        "lm_loss": [2.0, 3.0, 2.1, 2.9, 2.0, 3.0, 2.2, 2.8],
    }
)


def losses(run, domain):
    rows = run.evals[run.evals["domain"] == domain]
    return dict(zip(rows["step"], rows["loss"], strict=True))


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "json", "parquet"])
def test_a_long_table_in_every_file_format(kind, tmp_path, read):
    path = tmp_path / f"losses.{kind}"
    if kind == "parquet":
        LONG.to_parquet(path)
    elif kind.startswith("json"):
        LONG.to_json(path, orient="records", lines=kind == "jsonl")
    else:
        LONG.to_csv(path, sep="\t" if kind == "tsv" else ",")
    runs = read(path)
    assert sorted(runs) == ["a", "b"]
    assert losses(runs["b"], "greek") == {0: 3.0, 50: 2.8}
    assert losses(runs["a"], "general") == {0: 2.0, 50: 2.1}
    assert runs["a"].train.empty


@pytest.mark.parametrize(
    ("run", "step", "domain", "loss"),
    [
        ("run", "step", "domain", "loss"),
        ("run_name", "iteration", "dataset", "val_loss"),
        ("run_tag", "global_step", "name", "eval_loss"),
        ("Run", "Step", "Set", "Loss"),
        ("name", "step", "domain", "loss"),
    ],
)
def test_common_names_of_columns_need_no_map(run, step, domain, loss, tmp_path, read):
    path = tmp_path / "losses.csv"
    LONG.set_axis([run, step, domain, loss], axis="columns").to_csv(path, index=False)
    assert losses(read(path)["b"], "greek") == {0: 3.0, 50: 2.8}


def test_other_names_are_explained_by_a_map(tmp_path, read):
    path = tmp_path / "losses.csv"
    odd = LONG.set_axis(["who", "when", "which", "what"], axis="columns")
    odd.to_csv(path, index=False)
    with pytest.raises(StudyError, match=r"no loss or learning rate by step found.*column map"):
        read(path)
    runs = read(path, who="run", when="step", which="domain", what="loss")
    assert losses(runs["b"], "greek") == {0: 3.0, 50: 2.8}


def test_a_wide_table_has_training_and_evaluations_on_rows_of_their_own(write, read):
    path = write(
        "pilot.csv",
        "step,lr,loss,val/medical/loss,val_loss,grad_norm\n"
        "10,1e-4,2.5,,,1.0\n10,,,3.0,2.0,\n20,2e-4,2.4,,,1.0\n20,,,2.9,2.1,\n",
    )
    run = read(path)["pilot"]
    assert losses(run, "medical") == {10: 3.0, 20: 2.9}
    assert losses(run, "val") == {10: 2.0, 20: 2.1}
    assert run.train["loss"].tolist() == [2.5, 2.4]
    assert run.lr["lr"].tolist() == [1e-4, 2e-4]


def test_name_is_the_run_where_columns_name_the_sets(write, read):
    path = write("w.csv", "name,step,eval/de_loss\nx,10,2.0\ny,10,2.5\n")
    assert losses(read(path)["y"], "de") == {10: 2.5}


def test_one_metric_a_row(write, read):
    rows = [
        {"run": "a", "step": s, "metric": metric, "value": value}
        for s in (10, 20)
        for metric, value in (("train/loss", 2.5), ("eval/de/loss", 3.0), ("lr", 1e-4))
    ]
    run = read(write("m.jsonl", rows))["a"]
    assert losses(run, "de") == {10: 3.0, 20: 3.0}
    assert (len(run.train), len(run.lr)) == (2, 2)


def test_a_split_called_train_is_the_training_loss(write, read):
    path = write("p.csv", "step,split,loss\n0,train,9\n10,train,2.5\n10,val,2.6\n20,train,2.4\n")
    run = read(path)["p"]
    assert losses(run, "val") == {10: 2.6}
    assert run.train["loss"].tolist() == [9, 2.5, 2.4]


def test_numbers_as_names_of_runs(write, read):
    assert set(read(write("n.csv", "run,step,val_loss\n7,10,2\n8,10,3\n"))) == {"7", "8"}


def test_a_perplexity_counts_only_where_there_is_no_loss(write, read):
    both = write("p.csv", "step,val_loss,val_perplexity\n10,2.0,99\n20,1.9,98\n")
    assert losses(read(both)["p"], "val") == {10: 2.0, 20: 1.9}
    alone = read(write("q.csv", "step,val_perplexity\n10,20.0855\n20,1\n"))["q"]
    assert losses(alone, "val")[10] == pytest.approx(3.0, abs=1e-5)
    assert any("val_perplexity is converted" in note for note in alone.notes)


def test_a_perplexity_of_the_set_in_the_row(write, read):
    run = read(write("p.csv", "step,set,ppl\n10,de,20.0855\n10,en,7.389\n"))["p"]
    assert losses(run, "de")[10] == pytest.approx(3.0, abs=1e-4)


def test_a_nan_that_was_logged_is_no_blank(write, read):
    run = read(write("p.csv", "step,loss,val_loss\n10,2,\n20,NaN,2\n30,inf,2\n40,1,2\n"))["p"]
    assert run.train["step"].tolist() == [10, 40]
    assert run.evals["step"].tolist() == [20, 30, 40]
    assert any("2 of 4 values of training" in n and "at step 20" in n for n in run.notes)


def test_a_header_that_a_restart_wrote_again(write, read):
    run = read(write("p.csv", "step,val_loss\n10,2.0\n20,1.9\nstep,val_loss\n30,1.8\n"))["p"]
    assert losses(run, "val") == {10: 2.0, 20: 1.9, 30: 1.8}
    assert "1 repeated header lines left out" in run.notes


def test_cells_that_are_no_numbers_are_said(write, read):
    run = read(write("p.csv", "step,val_loss\n10,2.0\n20,crashed\n30,1.8\n"))["p"]
    assert losses(run, "val") == {10: 2.0, 30: 1.8}
    assert any("1 cells of val_loss are no numbers" in n and "'crashed'" in n for n in run.notes)


def test_a_line_that_is_cut_off(write, read):
    run = read(write("p.csv", "step,lr,val_loss\n10,1e-4,2.0\n20,1e-4,1.9\n30,1e"))["p"]
    assert losses(run, "val") == {10: 2.0, 20: 1.9}
    assert any("1 lines do not have 3 cells" in note for note in run.notes)
    rows = '{"step": 10, "val_loss": 2.0}\n{"step": 20, "val_loss": 1.9}\n{"step": 3'
    run = read(write("q.jsonl", rows))["q"]
    assert losses(run, "val") == {10: 2.0, 20: 1.9}
    assert "the last line, 3, is cut off and left out" in run.notes


def test_a_broken_line_in_the_middle_is_an_error(write, read):
    path = write("q.jsonl", '{"step": 10, "val_loss": 2.0}\n{"step": 2\n{"step": 30}\n')
    with pytest.raises(StudyError, match=r"q.jsonl: line 2 is no JSON object"):
        read(path)


def test_rows_without_a_step_are_left_out_and_said(write, read):
    rows = [{"step": 10, "val_loss": 2.0}, {"val_loss": 1.0}, {"step": 20, "val_loss": 1.9}]
    run = read(write("p.jsonl", rows))["p"]
    assert losses(run, "val") == {10: 2.0, 20: 1.9}
    assert "1 rows without a step left out" in run.notes


def test_nested_json_is_flattened(write, read):
    rows = [{"step": s, "eval": {"de": {"loss": 3.0}}, "train": {"lr": 1e-4}} for s in (10, 20)]
    run = read(write("p.jsonl", rows))["p"]
    assert losses(run, "de") == {10: 3.0, 20: 3.0}
    assert len(run.lr) == 2


def test_tables_that_are_no_logs_are_passed_over_in_a_folder(write, read):
    write("a/vocabulary.csv", "token,count\nthe,100\n")
    write("a/config.json", {"hidden_size": 100})
    write("a/all_results.json", {"train_loss": 2.0, "epoch": 3.0})
    write("a/notes.txt", "step up, please\n")
    path = write("a/pilot.csv", "step,val_loss\n10,2.0\n20,1.9\n")
    assert list(read(path.parent)) == ["pilot"]


def test_a_named_file_that_no_reader_knows_is_an_error(write, read):
    with pytest.raises(StudyError, match=r"notes.txt: no reader knows this file.*; known kinds: "):
        read(write("notes.txt", "nothing\n"))
    with pytest.raises(StudyError, match=r"nowhere: no such file or folder"):
        read("nowhere")


def test_a_link_to_a_log_is_read_once(write, read, tmp_path):
    path = write("a/pilot.csv", "step,val_loss\n10,2.0\n20,1.9\n")
    (tmp_path / "a" / "latest.csv").symlink_to(path)
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    runs = read(tmp_path / "a")
    assert len(runs) == 1


def test_one_set_after_the_other_is_no_resume(write, read):
    rows = [f"{s},{d},2.0,{1e-4 * s}" for d in ("de", "en") for s in range(10, 101, 10)]
    rows = [row for k, row in enumerate(rows) if k < 10 or k % 2]
    run = read(write("p.csv", "\n".join(["step,set,loss,lr", *rows, ""])))["p"]
    assert run.lr["step"].tolist() == list(range(10, 101, 10))
    assert not run.notes


def test_files_of_the_model_and_earlier_studies_are_passed_over(write, read, tmp_path):
    write("a/tokenizer.json", {"model": {"vocab": {"step": 1, "loss": 2}}})
    write("a/mine/study.toml", "[study]\n")
    write("a/mine/curves.csv", "run,step,domain,loss\nx,10,de,2.0\n")
    write("a/pilot.csv", "step,val_loss\n10,2.0\n20,1.9\n")
    (tmp_path / "a" / "gone.csv").symlink_to(tmp_path / "nowhere.csv")
    assert list(read(tmp_path / "a")) == ["pilot"]
