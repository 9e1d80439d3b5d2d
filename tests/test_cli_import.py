"""``bayescpt import`` on the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from bayescpt.cli import main

PILOTS = Path(__file__).parent / "data" / "readers" / "samples" / "hf_trainer"


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


def fill(path, ratios=(0, 0.1, 0.25, 0.25)):
    runs = pd.read_csv(path)
    runs.loc[runs["phase"] == "cpt", "replay_ratio"] = ratios
    runs.to_csv(path, index=False)


def test_import_says_what_it_understood_and_what_is_missing(cli):
    code, out, err = cli("import", PILOTS, "--out", "s", "--figure", "s.png")
    assert (code, err) == (0, "")
    for text in ("4 runs in the logs", "r25_low", "5e-05", "cosine", "general, medical"):
        assert text in out
    assert "replay_ratio (all 4 runs): share of general tokens" in out
    assert "then run: bayescpt check s" in out
    assert Path("s.png").stat().st_size > 10_000
    assert max(map(len, out.splitlines())) <= 80


def test_check_refuses_what_is_missing_and_takes_what_was_filled_in(cli):
    cli("import", PILOTS, "--out", "s")
    code, _, err = cli("check", "s")
    assert code == 2
    assert "runs.csv: column replay_ratio is blank in row 2 (run 'r00')" in err
    fill("s/runs.csv")
    code, out, _ = cli("check", "s")
    assert code == 0
    assert "no problems found" in out


def test_a_table_of_runs_makes_the_study_complete(cli):
    pd.DataFrame(
        {"run": ["r00", "r10", "r25", "r25_low"], "replay_ratio": [0, 0.1, 0.25, 0.25]}
    ).to_csv("mine.csv", index=False)
    code, out, _ = cli("import", PILOTS, "--out", "s", "--runs", "mine.csv")
    assert code == 0
    assert "no problems found" in out
    assert "next: bayescpt fit s" in " ".join(out.split())


def test_import_as_json(cli):
    code, out, _ = cli("import", PILOTS, "--out", "s", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["general"] == "general"
    assert not told["complete"]
    assert [run["run"] for run in told["runs"]] == ["r00", "r10", "r25", "r25_low"]
    assert told["runs"][0]["schedule"] == "cosine"
    assert told["missing"][0]["column"] == "replay_ratio"


def test_import_does_not_overwrite_a_study_unless_told(cli):
    cli("import", PILOTS, "--out", "s")
    fill("s/runs.csv")
    code, _, err = cli("import", PILOTS, "--out", "s")
    assert code == 2
    assert "--overwrite" in err
    code, out, _ = cli("import", PILOTS, "--out", "s", "--overwrite")
    assert code == 0
    assert "no problems found" in out
    assert pd.read_csv("s/runs.csv")["replay_ratio"].dropna().tolist() == [0, 0.1, 0.25, 0.25]


def test_a_general_set_that_cannot_be_told_is_asked_for_and_kept(cli):
    rows = [f"{s},1e-4,{2 + 1e-4 * s},{3 - 2e-3 * s}" for s in range(0, 101, 10)]
    Path("p.csv").write_text("\n".join(["step,lr,eval_wiki_loss,eval_code_loss", *rows]))
    code, out, _ = cli("import", "p.csv", "--out", "s")
    assert code == 0
    told = " ".join(out.split())
    assert "Fill in s/study.toml and s/runs.csv, then run: bayescpt check s" in told
    assert "general (in study.toml): the set that forgetting and replay" in told
    assert "one of code, wiki" in told
    assert "Optional, in s/runs.csv" in told
    assert json.loads(cli("import", "p.csv", "--out", "j", "--json")[1])["missing"][0] == {
        "column": "general",
        "runs": [],
        "why": "the set that forgetting and replay are measured on, one of code, wiki",
        "required": True,
    }
    # Filling in the runs alone is not enough: check says so.
    fill("s/runs.csv", [0.1])
    runs = pd.read_csv("s/runs.csv").astype({"domain": object})
    runs.loc[runs["phase"] == "cpt", "domain"] = "code"
    runs.to_csv("s/runs.csv", index=False)
    out = " ".join(cli("check", "s")[1].split())
    assert "warning: the study has no general domain" in out
    assert 'say general = "wiki" in study.toml' in out
    about = Path("s/study.toml")
    about.write_text(about.read_text().replace('general = ""', 'general = "wiki"'))
    out = cli("check", "s")[1]
    assert "general domain: wiki; targets: code" in out
    assert "no problems found" in out
    assert cli("import", "p.csv", "--out", "s", "--overwrite")[0] == 0
    assert 'general = "wiki"' in about.read_text()


def test_the_general_set_of_a_study_tells_the_target_of_a_new_import(cli):
    Path("p.csv").write_text("step,lr,eval_wiki_loss,eval_code_loss\n10,1e-4,2,3\n20,1e-4,2,2.9\n")
    cli("import", "p.csv", "--out", "s")
    about = Path("s/study.toml")
    about.write_text(about.read_text().replace('general = ""', 'general = "wiki"'))
    cli("import", "p.csv", "--out", "s", "--overwrite")
    runs = pd.read_csv("s/runs.csv")
    assert runs.loc[runs["phase"] == "cpt", "domain"].tolist() == ["code"]


def test_a_column_map_in_toml(cli):
    Path("log.csv").write_text("it,rate,held.out\n10,1e-4,2\n20,1e-4,2\n")
    Path("map.toml").write_text('it = "step"\nrate = "lr"\n"held.out" = "eval:code"\n')
    code, out, _ = cli("import", "log.csv", "--out", "s", "--map", "map.toml")
    assert code == 0
    assert "code" in out
    Path("map.toml").write_text('held.out = "eval:code"\n')
    code, _, err = cli("import", "log.csv", "--out", "t", "--map", "map.toml")
    assert code == 2
    assert 'map.toml: held is no text: put quotes around the key, "held.out"' in err


def test_errors_are_one_line_and_write_nothing(cli):
    Path("empty").mkdir()
    for words in (["nowhere"], ["empty"]):
        code, _, err = cli("import", *words, "--out", "s")
        assert code == 2
        assert err.count("\n") == 1
    assert not Path("s").exists()


def test_check_reports_a_logged_rate_that_differs_from_the_plan(cli):
    rows = [
        {"current_steps": s, "total_steps": 100, "loss": 2.0, "eval_loss": 2.0, "lr": 2e-5}
        for s in range(10, 101, 10)
    ]
    Path("p").mkdir()
    Path("p/config.yaml").write_text("learning_rate: 2.0e-4\nlr_scheduler_type: constant\n")
    Path("p/trainer_log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    cli("import", "p", "--out", "s")
    fill("s/runs.csv", [0.1])
    code, out, _ = cli("check", "s")
    assert code == 0
    assert "peaks at 2e-05, but 0.0002 was planned" in out
    told = json.loads(cli("check", "s", "--json")[1])
    assert len(told["notes"]) == 1


def test_import_loads_no_sampler_and_no_plotting(tmp_path):
    words = ["import", str(PILOTS), "--out", str(tmp_path / "s")]
    code = f"import sys\nfrom bayescpt.cli import main\ntry: main({words!r})\n"
    code += "except SystemExit: pass\n"
    code += "sys.stderr.write(' '.join({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split())
    assert not loaded & {"pymc", "pytensor", "nutpie", "matplotlib", "arviz", "xarray"}
