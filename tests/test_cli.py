"""The command line: what it prints, how it ends, and what it does not load."""

import contextlib
import html
import io
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescpt import evaluate, inference
from bayescpt.cli import demo, main
from bayescpt.cli.forecast import show_bands
from bayescpt.cli.workers import process_pool
from bayescpt.data import Study, load_example, write_study
from bayescpt.inference import Fit
from bayescpt.inference.symbols import add_symbols
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows
from bayescpt.present.report import page

COMMANDS = (
    "demo",
    "import",
    "check",
    "fit",
    "forecast",
    "goal",
    "compare",
    "backtest",
    "calibrate",
    "cards",
    "optimise",
    "report",
    "notebook",
    "explore",
)
SLOW = ("arviz", "matplotlib", "nutpie", "numpy", "pandas", "pymc", "pytensor", "scipy", "xarray")
# What a command on a saved fit has no use for. Together they take many times its own time to load.
UNUSED = {"arviz", "arviz_stats", "matplotlib", "nutpie", "numba", "pymc", "pytensor"}
# Where dask is installed, an extra, xarray loads it, and it SciPy.
UNUSED |= set() if find_spec("dask") else {"scipy"}


def made_up_fit(study, *, converged=True, draws=600):
    """Return a fit without a sampler: draws near the priors' medians.

    Chains that did not converge lie far apart; others are long enough to pass at any seed.
    """
    card = load_card("cpt_replay")
    rows = make_rows(study, card)
    labels = rows.labels
    coords = {
        "chain": np.arange(4),
        "draw": np.arange(draws),
        **{dim: list(names) for dim, names in labels.coords().items()},
    }
    rng = np.random.default_rng(0)

    def normal(*dims):
        return rng.standard_normal([len(coords[dim]) for dim in ("chain", "draw", *dims)])

    found = {}
    for parameter in card.parameters():
        at = 0.5 + 0.01 * np.clip(normal(*parameter.dims), -4, 4)
        if not converged:
            at += 0.1 * np.arange(4).reshape(4, 1, *[1] * len(parameter.dims))
        values = card.priors[parameter.name].frozen().ppf(at)
        if parameter.name == "shift_ref":
            values = values + np.where(coords["pair"] == np.array("general|german"), 1.0, -3.9)
        found[parameter.name] = (("chain", "draw", *parameter.dims), values)
    found["start_offset"] = (("chain", "draw", "level"), 0.1 * normal("level"))
    sampled = xr.Dataset(found)
    sampled = sampled.assign_coords({d: coords[d] for d in sampled.dims})
    stats = xr.Dataset(
        {
            "diverging": (("chain", "draw"), normal() > 99),
            "energy": (("chain", "draw"), normal()),
            "reached_max_treedepth": (("chain", "draw"), normal() > 99),
        }
    )
    return Fit(card, study, rows, add_symbols(sampled, rows, card), stats, seed=1)


@pytest.fixture(scope="module")
def study():
    return load_example("cpt_micro")


@pytest.fixture(scope="module")
def fits(study, tmp_path_factory):
    """Folder with good.nc and bad.nc: two runs, without the demonstration's held-out one."""
    folder = tmp_path_factory.mktemp("fits")
    known = study.select(["de_r25_wsd_s1", "de_r0_wsd"])
    made_up_fit(known).save(folder / "good.nc")
    made_up_fit(known, converged=False).save(folder / "bad.nc")
    (folder / "plans.toml").write_text(demo.PLANS)
    return folder


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    """Function that runs a command in an empty folder; gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    # Text wraps where the width of the screen is known.
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


def one_line(text):
    """Whether there is a message of one line, and no traceback."""
    return text.startswith("bayescpt: error: ") and text.count("\n") == 1


# --- start -----------------------------------------------------------------------------------


def loaded_by(code):
    """Output of code in a process of its own, and the packages in memory after it."""
    report = "sys.stderr.write(' '.join({name.split('.')[0] for name in sys.modules}))"
    lines = ["import sys", "from bayescpt.cli import main", code, report]
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, set(done.stderr.split())


def test_help_loads_nothing_slow():
    out, loaded = loaded_by(
        f"for words in [[], *([name] for name in {COMMANDS!r})]:\n"
        "    try: main([*words, '--help'])\n"
        "    except SystemExit as end: assert not end.code, words"
    )
    assert not loaded & set(SLOW)
    for name in COMMANDS:
        assert f" {name} " in out


def test_commands_on_a_saved_fit_load_no_sampler_and_no_statistics(fits):
    common = [str(fits / "good.nc"), "-p", str(fits / "plans.toml")]
    goal = ["-g", "general=3.5"]
    commands = [["forecast", *common], *([name, *common, *goal] for name in ("goal", "compare"))]
    _, loaded = loaded_by(
        f"for words in {commands!r}:\n"
        "    try: main(words)\n"
        "    except SystemExit as end: assert not end.code, words"
    )
    assert not loaded & UNUSED


def test_version_and_unknown_commands(cli):
    assert cli("--version")[1].startswith("bayescpt ")
    assert cli("nothing")[0] == 2
    assert cli("check")[0] == 2


# --- check -----------------------------------------------------------------------------------


def test_check_shows_a_shipped_study(cli, study):
    code, out, _ = cli("check", "cpt_micro")
    assert code == 0
    assert all(name in out for name in study.cpt_runs)
    assert "no problems found" in out
    code, out, _ = cli("check", "cpt_micro", "--json")
    told = json.loads(out)
    assert told["digest"] == study.digest
    assert told["losses"] == len(study.curves)
    by_name = {run["run"]: run for run in told["runs"]}
    assert by_name["de_r25_cos"]["replay_ratio"] == 0.25
    assert by_name["pt_r0"]["replay_ratio"] is None


def test_check_shows_the_loss_unit_and_the_sizes(cli, study, tmp_path):
    out = cli("check", "cpt_micro")[1]
    assert "runs; loss (nats per token)" in out
    assert "parameters: 332,448\n" in out
    assert "tokens per step: 2,048\n" in out
    folder = write_study(study, tmp_path / "mine")
    toml = folder / "study.toml"
    toml.write_text(toml.read_text().replace("nat/token", "bit/byte"))
    out = cli("check", "mine")[1]
    assert "loss (bits per byte)" in out
    assert "loss unit: bits per byte" in out
    assert "nat" not in out.replace("none", "")


def test_check_says_which_sizes_may_differ(cli, study, tmp_path):
    folder = write_study(study, tmp_path / "mine")
    runs = folder / "runs.csv"
    runs.write_text(runs.read_text().replace("332448.0", "664896.0", 1))
    code, _, err = cli("check", "mine")
    assert code == 2
    assert one_line(err)
    assert "n_params is 332,448 in run 'pt_r0' but 664,896 in run 'pt_r1'" in err
    with (folder / "study.toml").open("a") as file:
        file.write('allow_mixed = ["n_params"]\n')
    code, out, _ = cli("check", "mine")
    assert code == 0
    assert "parameters: 332,448 to 664,896 (mixed values are allowed)" in out
    assert json.loads(cli("check", "mine", "--json")[1])["allow_mixed"] == ["n_params"]


def test_forecasts_of_a_study_with_a_warning_carry_it(cli, study, fits, tmp_path):
    known = study.select(["de_r25_wsd_s1", "de_r0_wsd"])
    rows = (known.curves["run"] == "de_r0_wsd").to_numpy()
    curves = known.curves.assign(loss=known.curves["loss"] + 0.3 * rows)
    odd = made_up_fit(replace(known, curves=curves))
    (finding,) = odd.study.findings()
    assert "de_r0_wsd" in finding.text
    assert finding.text in odd.notes
    path, plans = odd.save(tmp_path / "odd.nc"), ("--plans", fits / "plans.toml")
    goal = ("--goal", "general=4")
    for words in (
        ("forecast", path, *plans),
        *((c, path, *plans, *goal) for c in ("goal", "compare")),
    ):
        assert f"note: {finding.text}" in cli(*words, "--allow-failed")[1], words
        told = json.loads(cli(*words, "--allow-failed", "--json")[1])
        assert finding.text in told["warnings"], words


def test_check_names_a_defect_in_one_line(cli, study, tmp_path):
    folder = write_study(study, tmp_path / "mine")
    curves = folder / "curves.csv"
    curves.write_text(curves.read_text().replace("de_r0_wsd,30,", "de_r0_wsd,3e9,", 1))
    code, out, err = cli("check", "mine")
    assert code == 2
    assert out == ""
    assert one_line(err)
    assert "de_r0_wsd" in err
    code, _, err = cli("check", "nowhere")
    assert code == 2
    assert one_line(err)
    assert "cpt_micro" in err


# --- fit -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("converged", "code"), [(True, 0), (False, 1)])
def test_fit_writes_the_file_and_tells_whether_it_converged(
    cli, study, monkeypatch, converged, code
):
    write_study(study.select(["de_r25_wsd_s1", "de_r0_wsd", "de_r25_cos"]), "mine")
    asked = {}

    def sample(study, **options):
        asked.update(options, study=study)
        return made_up_fit(study, converged=converged)

    monkeypatch.setattr(inference, "fit", sample)
    words = ("fit", "mine", "--hold-out", "de_r25_cos", "--seed", "3", "--draws", "7", "-q")
    ended, out, err = cli(*words, "--out", "mine.nc")
    assert ended == code
    assert err == ""
    assert ("FAILED CHECKS" in out) == (not converged)
    assert "C2[german]" not in out
    assert "R-hat" in out
    shown = out.splitlines()
    # Besides, what failed and what is assumed.
    assert sum(not line.startswith(("fail:", "FAILED", "note:")) for line in shown) <= 10
    assert shown[0].startswith("cpt_micro under card cpt_replay: ")
    assert ("checks: passed" in out) == converged
    assert any(line.split()[0] == "general" for line in shown)
    assert "fit file: mine.nc" in shown
    then = "next: bayescpt report mine.nc --plans FILE --goal general=LOSS --goal german=LOSS"
    assert (then in " ".join(shown)) == converged
    full = cli(*words, "--out", "mine.nc", "--full")[1]
    assert "C2[german]" in full
    assert "E-BFMI" in full
    assert asked["seed"] == 3
    assert asked["draws"] == 7
    assert "de_r25_cos" not in asked["study"]
    loaded = inference.load_fit("mine.nc")
    assert loaded.failed == (not converged)
    ended, out, _ = cli(*words, "--json")
    assert ended == code
    told = json.loads(out)
    assert told["failed"] == (not converged)
    assert told["study_digest"] == loaded.study.digest
    assert told["file"] == "fit.nc"
    assert {found["name"] for found in told["checks"]} >= {"R-hat", "divergences"}
    assert {"parameter", "unit", "median"} <= set(told["parameters"][0])


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("nowhere",), "nowhere"),
        (("cpt_micro", "--card", "none"), "cpt_replay"),
        (("cpt_micro", "--hold-out", "none"), "none"),
        (("cpt_micro", "--draws", "0"), "draws"),
    ],
)
def test_fit_refuses_what_it_cannot_use(cli, words, part):
    code, out, err = cli("fit", *words, "--quiet")
    assert code == 2
    assert out == ""
    assert one_line(err)
    assert part in err


@pytest.mark.slow
def test_fit_samples_for_real(cli, study, tmp_path):
    write_study(study.select(["de_r25_wsd_s1", "de_r0_wsd"]), tmp_path / "mine")
    words = ("--draws", "10", "--tune", "20", "--chains", "2")
    code, out, err = cli("fit", "mine", *words, "--out", "folder/mine.nc")
    assert code == 1  # ten draws are too few
    assert "bulk ESS" in out
    assert "sampling 2 chains" in err
    assert "FAILED CHECKS" in out
    code, out, _ = cli("forecast", "folder/mine.nc", "--run", "de_r0_wsd", "--allow-failed")
    assert code == 1
    assert "FAILED CHECKS" in out


# --- the width of the screen ---------------------------------------------------------------


NAME = "cpt_8b_medical_replay30_wsd_lr2e-3_seed17_branched_from_step_143000"


@pytest.mark.parametrize("columns", [None, "80", "100"])
@pytest.mark.parametrize(
    "words",
    [
        ("check", "cpt_micro"),
        ("cards",),
        ("cards", "cpt_replay"),
        ("forecast", "good.nc"),
        ("goal", "good.nc", "-g", "general=3.45", "-g", "german=3.01", "--by", "best"),
        ("compare", "good.nc", "-g", "general=3.45", "-g", "german=3.01"),
    ],
    ids=lambda words: words[0],
)
def test_tables_fit_the_screen(cli, fits, monkeypatch, words, columns):
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    if "good.nc" in words:
        plans = demo.PLANS.replace("wsd_r30", NAME)
        with open("plans.toml", "w") as file:
            file.write(plans)
        words = (*(fits / w if w == "good.nc" else w for w in words), "--plans", "plans.toml")
    out = cli(*words)[1]
    lines = out.splitlines()
    # Without a known width, sentences are for scripts, on one line.
    shown = lines if columns else [line for line in lines if line.startswith(" ")]
    assert max(map(len, shown)) <= int(columns or 80)
    assert any("─" in line for line in shown)
    if "plans.toml" in words:
        assert f"  {NAME}" in out


# --- forecast, goal, compare -----------------------------------------------------------------


def test_forecast_prints_bands_and_writes_files(cli, fits):
    words = ("forecast", fits / "good.nc", "--plans", fits / "plans.toml")
    code, out, _ = cli(*words, "--steps", "500,1000", "--csv", "t.csv", "--figure", "f.png")
    assert code == 0
    assert "wsd_r30" in out
    code, out, _ = cli(*words, "--points", "4", "--prob", "0.5", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["prob"] == 0.5
    assert {row["step"] for row in told["rows"]} == {250, 500, 750, 1000}
    assert {row["plan"] for row in told["rows"]} == {"wsd_r30", "cos_r40"}
    assert all(row["lower"] < row["median"] < row["upper"] for row in told["rows"])
    with open("t.csv") as file:
        assert len(file.readlines()) == 1 + 2 * 2 * 2
    with open("f.png", "rb") as file:
        assert file.read(4) == b"\x89PNG"


def test_a_run_that_the_fit_has_not_seen_is_scored(cli, fits, study):
    words = ("forecast", fits / "good.nc", "--run", "de_r25_cos")
    code, _, err = cli(*words)
    assert code == 2
    assert one_line(err)
    assert "--study" in err
    code, out, _ = cli(*words, "--study", "cpt_micro", "--json")
    assert code == 0
    scored = {row["domain"]: row for row in json.loads(out)["held_out"]}
    truth = study.curve("de_r25_cos", "german")
    assert scored["german"]["losses"] == (truth["step"] > 100).sum()
    assert scored["german"]["last"] == truth["loss"].iloc[-1]
    code, out, _ = cli(*words[:3], "de_r0_wsd", "--study", "cpt_micro", "--json")
    assert json.loads(out)["held_out"] is None


def test_a_run_in_flight_is_forecast_from_its_last_loss(cli, study, tmp_path):
    known = study.select(["de_r25_wsd_s1", "de_r0_wsd"])
    cut = (known.curves["run"] != "de_r0_wsd") | (known.curves["step"] <= 400)
    flying = replace(known, curves=known.curves[cut].reset_index(drop=True))
    write_study(flying, tmp_path / "flying")
    last = int(flying.curve("de_r0_wsd", "german")["step"].max())
    assert f"{last} of 1000" in cli("check", "flying")[1]
    made_up_fit(flying).save("fit.nc")
    said = f"'de_r0_wsd' is in flight: its losses to step {last} of 1000 are fitted"
    code, out, _ = cli("forecast", "fit.nc", "--run", "de_r0_wsd", "--figure", "f.png")
    assert code == 0
    assert said in out
    assert (tmp_path / "f.png").stat().st_size > 10_000
    assert json.loads(cli("forecast", "fit.nc", "-r", "de_r0_wsd", "--json")[1])["now"] == {
        "de_r0_wsd": last
    }
    code, out, _ = cli("goal", "fit.nc", "--run", "de_r0_wsd", "--goal", "general=3.5")
    assert code == 0
    assert said in out
    assert "general <= 3.5" in out


def test_tables_have_the_unit_of_the_forecast(cli, fits):
    words = (fits / "good.nc", "-r", "de_r25_cos", "--study", "cpt_micro")
    out = cli("forecast", *words)[1]
    assert "median [90% band], nats per token" in out
    assert "10% of its steps; nats per token)" in out
    assert json.loads(cli("forecast", *words, "--json")[1])["units"] == "nat/token"
    out = cli("goal", *words, "-g", "general=3.6")[1]
    assert "Monte Carlo standard error; losses in nats per token)\n" in out
    table = pd.DataFrame(
        {"plan": "a", "domain": "german", "step": [1], "lower": 1.0, "median": 2.0, "upper": 3.0}
    )
    table.attrs["units"] = "bit/byte"
    assert "bits per byte" in printed(show_bands, table, 0.9)
    table.attrs["units"] = None
    assert "nats" not in printed(show_bands, table, 0.9)


def printed(show, *arguments):
    """What a function writes on standard output."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        show(*arguments)
    return out.getvalue()


def test_a_run_in_another_unit_is_not_scored(cli, fits, study, tmp_path):
    folder = write_study(study, tmp_path / "bytes")
    toml = folder / "study.toml"
    toml.write_text(toml.read_text().replace("nat/token", "bit/byte"))
    words = ("forecast", fits / "good.nc", "-r", "de_r25_cos", "--study", "bytes")
    code, out, err = cli(*words)
    assert code == 2
    assert out == ""
    assert one_line(err)
    assert "loss_unit is 'bit/byte', but the fitted study has 'nat/token'" in err


def test_goal_gives_probabilities_with_their_error(cli, fits):
    words = ("goal", fits / "good.nc", "-p", fits / "plans.toml", "-r", "de_r25_wsd_s1")
    goals = ("--goal", "general=3.6", "--goal", "german=3.5")
    code, out, _ = cli(*words, *goals, "--figure", "g.png")
    assert code == 0
    assert "general <= 3.6" in out
    code, out, _ = cli(*words, *goals, "--by", "best", "--json")
    told = json.loads(out)
    assert told["goal"] == {"general": 3.6, "german": 3.5}
    assert [row["plan"] for row in told["rows"]] == ["wsd_r30", "cos_r40", "de_r25_wsd_s1"]
    for row in told["rows"]:
        assert 0 <= row["joint"] <= min(row["general"], row["german"])
        assert row["joint_mcse"] > 0
        assert row["best_step"] > 0


def test_min_probability_decides_the_exit_code(cli, fits):
    words = (fits / "good.nc", "-p", fits / "plans.toml", "--json")
    never, always = ("-g", "general=-20%"), ("-g", "general=4.9")
    limit = ("--min-probability", "0.5")
    for command in ("goal", "compare"):
        assert cli(command, *words, *never)[0] == 0
        assert cli(command, *words, *never, *limit)[0] == 1
        assert cli(command, *words, *always, *limit)[0] == 0
    told = json.loads(cli("compare", *words, *never, *limit)[1])
    assert told["best"] is None
    assert told["warnings"]


def test_compare_chooses_and_shows_contrasts(cli, fits):
    words = ("compare", fits / "good.nc", "-p", fits / "plans.toml")
    code, out, _ = cli(*words, "--risk", "cvar", "-w", "general=3", "-w", "german=1", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["weights"] == {"general": 0.75, "german": 0.25}
    losses = {row["plan"]: row["cvar"] for row in told["rows"]}
    assert told["best"] == min(losses, key=losses.get)
    (other,) = set(losses) - {told["best"]}
    code, out, _ = cli(*words)
    assert "<- chosen" in out
    assert f"{other} minus {told['best']}" in out or f"{told['best']} minus {other}" in out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("goal", "-r", "de_r0_wsd"), "--goal"),
        (("goal", "-g", "general=3"), "--plans"),
        (("goal", "-g", "general", "-r", "de_r0_wsd"), "DOMAIN=NUMBER"),
        (("goal", "-g", "general=low", "-r", "de_r0_wsd"), "general=low"),
        (("goal", "-g", "general=3", "-g", "general=4", "-r", "de_r0_wsd"), "given twice"),
        (("goal", "-g", "french=3", "-r", "de_r0_wsd"), "german"),
        (("goal", "-g", "general=3", "-r", "de_r0_wsd", "--by", "week"), "best"),
        (("goal", "-g", "general=3", "-r", "de_r0_wsd", "--min-probability", "50"), "50"),
        (("goal", "-g", "general=3", "-p", "none.toml"), "none.toml"),
        (("compare", "-r", "de_r0_wsd", "--risk", "luck"), "cvar"),
        (("compare", "-r", "de_r0_wsd", "-w", "french=1"), "german"),
        (("forecast", "-r", "de_r0_wsd", "--steps", "1,x"), "1,x"),
        (("forecast", "-r", "de_r0_wsd", "--steps", "5000"), "5000"),
        (("forecast", "-r", "de_r0_wsd", "--prob", "90"), "90"),
        (("forecast", "-r", "de_r0_wsd", "--kind", "best"), "mu"),
        (("forecast", "-r", "de_r0_wsd", "--study", "nowhere"), "nowhere"),
    ],
)
def test_bad_input_is_one_line_and_code_2(cli, fits, words, part):
    command, *rest = words
    code, out, err = cli(command, fits / "good.nc", *rest)
    assert code == 2
    assert out == ""
    assert one_line(err)
    assert part in err


def test_what_is_no_fit_is_refused(cli, fits):
    for path in ("none.nc", fits / "plans.toml"):
        code, _, err = cli("goal", path, "-g", "general=3", "-r", "de_r0_wsd")
        assert code == 2
        assert one_line(err)
        assert str(path) in err


@pytest.mark.parametrize(
    "command", [("forecast",), ("goal", "-g", "general=3.5"), ("compare", "-g", "general=3.5")]
)
def test_a_failed_fit_needs_an_override_and_says_so_everywhere(cli, fits, command):
    words = (command[0], fits / "bad.nc", "-r", "de_r0_wsd", *command[1:])
    code, out, err = cli(*words)
    assert code == 1
    assert out == ""
    assert one_line(err)
    assert "--allow-failed" in err
    code, out, _ = cli(*words, "--allow-failed")
    assert code == 1
    assert "FAILED CHECKS" in out
    code, out, _ = cli(*words, "--allow-failed", "--json")
    assert code == 1
    assert "R-hat" in json.loads(out)["failed_checks"]


def test_plans_of_the_readme_are_read(cli, fits, tmp_path):
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    (tmp_path / "plans.toml").write_text(readme.partition("```toml\n")[2].partition("```")[0])
    code, out, _ = cli("goal", fits / "good.nc", "-p", "plans.toml", "-g", "german=9", "--json")
    assert code == 0
    assert [row["plan"] for row in json.loads(out)["rows"]] == ["wsd_r30", "as_logged"]


# --- goals and plans as people state them ------------------------------------------------------


def test_goals_are_shown_as_given_with_the_nats_they_mean(cli, fits, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")  # headings on one line
    words = (fits / "good.nc", "-p", fits / "plans.toml")
    code, out, _ = cli(
        "goal", *words, "-g", "general=+10%", "-g", "german=ppl:25", "--figure", "g.png"
    )
    assert code == 0
    assert "general <= +10% (3.578 nats per token)" in out
    assert "german <= ppl:25 (3.219 nats per token)" in out
    (tmp_path / "goal.toml").write_text('[goal]\ngeneral = "+10%"\ngerman = "ppl:25"\n')
    told = [
        json.loads(cli(command, *words, *goals, "--json")[1])
        for command in ("goal", "compare")
        for goals in (("-g", "general=+10%", "-g", "german=ppl:25"), ("--goal-file", "goal.toml"))
    ]
    for one in told:
        assert one["goal"] == {"general": "+10%", "german": "ppl:25"}
        assert one["goal_levels"]["general"]["wsd_r30"] == pytest.approx(1.1 * 3.252689)
    assert told[0]["rows"] == told[1]["rows"]
    assert told[2]["best"] == told[3]["best"]
    code, _, err = cli("goal", *words, "--goal-file", "goal.toml", "-g", "general=3")
    assert code == 2
    assert one_line(err)


@pytest.mark.parametrize(
    ("limit", "part"),
    [
        ("34.5", "did you mean 'ppl:34.5' (3.541 nats per token)"),
        ("3450", "did you mean 3.45"),
        ("2", "did you mean '+2%'"),
        ("2%", "--goal general=2%"),
        ("bpb:0.61", "study.bytes_per_token"),
    ],
)
def test_a_goal_in_another_unit_is_one_line(cli, fits, tmp_path, limit, part):
    (tmp_path / "space.toml").write_text(
        '[space]\nschedule = "cosine"\nlr = 2e-3\nnum_training_steps = 1000\nreplay_ratio = 0.2\n'
    )
    plans = ("-p", fits / "plans.toml")
    space = ("--space", "space.toml", "--plans", "8")
    for command, given in (("goal", plans), ("compare", plans), ("optimise", space)):
        code, out, err = cli(command, fits / "good.nc", *given, "-g", f"general={limit}")
        assert code == 2
        assert out == ""
        assert one_line(err)
        assert part in err


def test_compare_says_which_rule_chose_and_what_misses_the_goal(cli, fits):
    words = ("compare", fits / "good.nc", "-p", fits / "plans.toml")
    _, out, _ = cli(*words, "-g", "general=+20%")
    assert "chosen by: probability of the goal, as no risk is given" in out
    assert "misses the goal" not in out
    _, out, _ = cli(*words, "-g", "general=-20%")
    assert "<- chosen, misses the goal" in out
    assert "meets the goal with probability 0.000" in out
    told = json.loads(cli(*words, "-g", "general=-20%", "--risk", "mean", "--json")[1])
    assert (told["rule"], told["misses_goal"], told["risk"]) == ("mean, as asked", True, "mean")
    _, out, _ = cli(*words)
    assert "chosen by: mean, as neither a goal nor a risk is given" in out


def test_absurd_plans_are_refused_everywhere_unless_asked_for(cli, fits, tmp_path):
    plan = (fits / "plans.toml").read_text().replace("lr = 2e-3", "lr = 3", 1)
    (tmp_path / "absurd.toml").write_text(plan)
    for command in (("forecast",), ("goal", "-g", "general=3.5"), ("compare",)):
        words = (command[0], fits / "good.nc", "-p", "absurd.toml", *command[1:])
        code, out, err = cli(*words)
        assert (code, out) == (2, "")
        assert one_line(err)
        assert "plan 'wsd_r30': its peak LR 3 is 1,500 times" in err
        assert "--extrapolate" in err
        assert cli(*words, "--extrapolate")[0] == 0
    rows = json.loads(cli(*words[:1], *words[1:4], "--json", "--extrapolate")[1])["rows"]
    assert rows
    told = json.loads(
        cli("forecast", fits / "good.nc", "-p", "absurd.toml", "--json", "--extrapolate")[1]
    )
    assert all(0 <= row["lower"] <= row["upper"] <= 100 for row in told["rows"])


def test_a_study_in_perplexity_is_shown_in_perplexity(cli, study, tmp_path):
    curves = study.curves.assign(loss=np.exp(study.curves["loss"]))
    made = Study.from_frames(curves, study.runs, study.lrs, loss_unit="ppl")
    known = made.select(["de_r25_wsd_s1", "de_r0_wsd"])
    made_up_fit(known).save(tmp_path / "ppl.nc")
    made_up_fit(study.select(["de_r25_wsd_s1", "de_r0_wsd"])).save(tmp_path / "nats.nc")
    (tmp_path / "plans.toml").write_text(demo.PLANS)
    write_study(made, "mine")
    assert "perplexity" in cli("check", "mine")[1]
    words = ("-p", "plans.toml", "--json")
    shown, held = (json.loads(cli("forecast", name, *words)[1]) for name in ("ppl.nc", "nats.nc"))
    assert (shown["units"], held["units"]) == ("perplexity", "nat/token")
    for mine, theirs in zip(shown["rows"], held["rows"], strict=True):
        assert mine["median"] == pytest.approx(np.exp(theirs["median"]), rel=1e-9)
    _, out, _ = cli("forecast", "ppl.nc", "-p", "plans.toml", "--figure", "f.png")
    assert "perplexity" in out
    _, out, _ = cli("goal", "ppl.nc", "-p", "plans.toml", "-g", "general=35")
    assert "general <= 35 (3.555 nats per token)" in out
    _, out, _ = cli("goal", "ppl.nc", "-p", "plans.toml", "-g", "general=+5%", "--figure", "g.png")
    assert f"general <= +5% ({3.252689 + np.log(1.05):.4g} nats per token)" in out
    scored = cli("forecast", "ppl.nc", "-r", "de_r25_cos", "--study", "mine", "--json")[1]
    (general, _) = [r for r in json.loads(scored)["held_out"] if r["domain"] != "code"]
    last = made.units.show(made.curve("de_r25_cos", "general")["loss"].iloc[-1], "general")
    assert general["last"] == pytest.approx(float(last))


def test_losses_of_a_decision_are_in_the_unit_of_the_study(cli, study, tmp_path):
    curves = study.curves.assign(loss=study.curves["loss"] / np.log(2))
    made = Study.from_frames(curves, study.runs, study.lrs, loss_unit="bits")
    for name, one in (("bits", made), ("nats", study)):
        made_up_fit(one.select(["de_r25_wsd_s1", "de_r0_wsd"])).save(tmp_path / f"{name}.nc")
    (tmp_path / "plans.toml").write_text(demo.PLANS)
    bits, nats = (
        json.loads(cli("compare", f"{name}.nc", "-p", "plans.toml", "--json")[1])
        for name in ("bits", "nats")
    )
    assert (bits["units"], nats["units"]) == ("bit/token", "nat/token")
    for part, name in (("rows", "mean"), ("rows", "mcse"), ("contrasts", "upper")):
        for mine, theirs in zip(bits[part], nats[part], strict=True):
            assert mine[name] == pytest.approx(theirs[name] / np.log(2))
    assert "bits per token" in cli("compare", "bits.nc", "-p", "plans.toml")[1]


# --- cards -----------------------------------------------------------------------------------


def test_cards_are_listed(cli):
    code, out, _ = cli("cards")
    assert code == 0
    assert "cpt_replay" in out
    names = {card["name"] for card in json.loads(cli("cards", "--json")[1])["cards"]}
    assert {"annealing", "cpt", "cpt_replay"} <= names


@pytest.mark.parametrize("name", ["annealing", "cpt", "cpt_replay"])
def test_a_card_shows_every_parameter_with_its_reason(cli, name):
    told = json.loads(cli("cards", name, "--json")[1])
    card = load_card(name)
    assert [p["name"] for p in told["parameters"]] == [p.name for p in card.parameters()]
    assert all(p["reason"] and p["source"] and p["unit"] for p in told["parameters"])
    out = cli("cards", name)[1]
    assert all(p.symbol in out for p in card.parameters())


def test_implied_priors_go_both_ways(cli, tmp_path):
    told = json.loads(cli("cards", "cpt_replay", "--json")[1])
    implied = {row["name"]: row for row in told["implied"]}
    area, peak = told["references"]["area"], told["references"]["peak_lr"]
    assert peak == pytest.approx(2e-3)
    # A = base_ref area^alpha of two log-normals is log-normal itself.
    wanted = np.exp(-1.2 + np.log(area) * np.exp(-0.6))
    assert implied["A"]["median"] == pytest.approx(wanted, rel=0.1)
    assert all(row["lower"] < row["median"] < row["upper"] for row in told["implied"])
    (tmp_path / "raw.toml").write_text(
        'name = "raw"\ndescription = "Raw symbols."\nparameterisation = "paper"\n'
        '[law]\nshift = "power"\n'
    )
    told = json.loads(cli("cards", "raw.toml", "--json")[1])
    assert {"L0", "A", "B", "E"} <= {p["name"] for p in told["parameters"]}
    assert {"base_ref", "shift_ref", "onset"} <= {row["name"] for row in told["implied"]}
    other = json.loads(cli("cards", "raw.toml", "--study", "mpl_25m", "--json")[1])
    assert other["references"]["peak_lr"] == pytest.approx(3e-4)
    assert cli("cards", "nothing")[0] == 2


# --- backtest --------------------------------------------------------------------------------


@pytest.fixture
def sampled(monkeypatch):
    """Fits without a sampler; gives what each was asked for."""
    asked = []

    def sample(study, **options):
        asked.append({"study": study, **options})
        return made_up_fit(study, draws=400)

    monkeypatch.setattr(inference, "fit", sample)
    return asked


def test_backtest_scores_held_out_runs_and_writes_what_is_asked(cli, sampled):
    files = ("rows.csv", "coverage.png", "pit.png", "runs.png")
    code, out, err = cli(
        *("backtest", "cpt_micro", "-r", "de_r25_cos", "-r", "de_r50_wsd", "--goals"),
        *("--out", files[0], "--figure", files[1], "--pit-figure", files[2]),
        *("--runs-figure", files[3], "--draws", 7, "--card", "cpt"),
    )
    assert code == 0
    assert [fit["draws"] for fit in sampled] == [7, 7]
    assert {fit["card"].name for fit in sampled} == {"cpt"}
    for split in ("de_r25_cos", "de_r50_wsd"):
        assert f"bayescpt: {split} done\n" in err
    for part in ("in 90%", "MSCE", "general", "german", "Brier", "ECE", "all jointly"):
        assert part in out
    rows = pd.read_csv(files[0])
    assert set(rows["run"]) == {"de_r25_cos", "de_r50_wsd"}
    assert {"method", "observed", "pit", "q0.05"} <= set(rows)
    for name in files[1:]:
        assert Path(name).read_bytes()[:4] == b"\x89PNG"
        assert f"wrote {name}" in out


def test_cards_are_compared_and_their_ensemble_is_used_as_a_fit(cli, sampled, fits):
    words = ("cards", "--compare", "cpt_micro", "--card", "cpt_replay", "--card", "cpt_fade")
    runs = ("-r", "de_r25_cos", "-r", "de_r50_wsd", "-r", "de_r0_wsd")
    code, out, err = cli(*words, *runs, "--out", "both.nc", "--draws", 7)
    assert code == 0
    assert [fit["card"].name for fit in sampled] == [*["cpt_replay"] * 3, *["cpt_fade"] * 3,
                                                    "cpt_replay", "cpt_fade"]  # fmt: skip
    assert "bayescpt: cpt_fade: de_r50_wsd done\n" in err
    assert "bayescpt: cpt_fade: all runs done\n" in err
    table = [line for line in out.splitlines() if line.startswith(" ")]
    assert max(map(len, table)) <= 80
    for part in ("log score", "behind", "weight", "3 held-out runs cannot rank cards"):
        assert part in out
    assert "fit file of the ensemble: both.nc" in out
    assert not Path("both.nc.work").exists()
    loaded = inference.load_fit("both.nc")
    # The fits are made up and the same under both cards.
    assert loaded.weights == {"cpt_replay": 0.5, "cpt_fade": 0.5}
    plans = ("--plans", fits / "plans.toml")
    told = json.loads(cli("goal", "both.nc", *plans, "--goal", "general=3.45", "--json")[1])
    assert len(told["rows"]) == 2
    assert any("ensemble of cards" in note for note in loaded.notes)
    for command in ("forecast", "compare"):
        assert cli(command, "both.nc", *plans)[0] == 0
    code, _, err = cli("explore", "both.nc")
    assert code == 2
    assert one_line(err)
    assert "explore the fit of one card" in err


def test_comparing_cards_prints_json_and_fits_no_ensemble_unasked(cli, sampled):
    words = ("cards", "--compare", "cpt_micro", "--card", "cpt_replay", "--card", "cpt_fade")
    code, out, err = cli(*words, "-r", "de_r25_cos", "-r", "de_r50_wsd", "--json", "-q")
    assert code == 0
    assert err == ""
    assert len(sampled) == 4
    told = json.loads(out)
    assert {row["card"] for row in told["cards"]} == {"cpt_replay", "cpt_fade"}
    assert {"crps", "crps_se", "log_score", "coverage_90", "weight"} <= set(told["cards"][0])
    assert len(told["by_run"]) == 2
    assert told["file"] is None


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("cards", "--card", "cpt"), "--card: only with --compare"),
        (("cards", "cpt", "--compare", "cpt_micro"), "write --card cpt"),
        (("cards", "--compare", "cpt_micro", "--card", "cpt", "-q"), "at least two cards"),
        (("cards", "--compare", "nowhere"), "nowhere"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_refused(cli, words, part):
    code, _, err = cli(*words)
    assert code == 2
    assert one_line(err)
    assert part in err


def test_backtest_puts_baselines_beside(cli, sampled):
    words = ("backtest", "cpt_micro", "--by", "cutoff", "--cutoff", "0.5", "-r", "de_r25_cos")
    methods = ("run_power_law", "last_value", "iid")
    given = [word for name in methods for word in ("--baseline", name)]
    code, out, err = cli(*words, *given, "--group", "all", "--json", "--after", "0.2")
    assert code == 0
    told = json.loads(out)
    assert [row["method"] for row in told["scores"]] == ["bayescpt", *methods]
    assert len({row["rows"] for row in told["scores"]}) == 1
    assert {"coverage_90_se", "energy", "finals_inside"} <= set(told["scores"][0])
    assert [fit["card"] and fit["card"].name for fit in sampled] == ["cpt_replay-iid", None]
    assert "iid: de_r25_cos@50% done" in err
    assert told["by"] == "cutoff"


def test_backtest_fits_a_few_runs_once_and_scores_the_others(cli, sampled):
    words = ("--fit", "de_r25_cos", "--fit", "de_r0_wsd", "--group", "run", "--goals", "--json")
    code, out, _ = cli("backtest", "cpt_micro", *words)
    told = json.loads(out)
    assert code == 0
    assert len(sampled) == 1
    assert len(told["scores"]) == 11
    assert {row["domain"] for row in told["goals"]} == {"general", "german", "joint"}
    assert len(told["reliability"]) > 3


def test_backtest_says_what_all_rows_are(cli, monkeypatch):
    words = ("--fit", "constant_24000", "-r", "wsd_20000_24000")
    monkeypatch.setattr(evaluate, "bayes_forecast", three_nats)
    code, out, _ = cli("backtest", "mpl_25m", *words, "--group", "run", "-q")
    assert code == 0
    assert "MAE, all rows" in out
    assert "published errors" in out


def three_nats(train, run, rows, *, seed, **options):
    return evaluate.Prediction(np.random.default_rng(seed).normal(3, 1, (50, len(rows))))


def test_backtest_of_fits_that_failed_ends_with_1(cli, monkeypatch):
    monkeypatch.setattr(
        inference, "fit", lambda study, **options: made_up_fit(study, converged=False, draws=60)
    )
    code, out, _ = cli("backtest", "cpt_micro", "-r", "de_r25_cos", "-q")
    assert code == 1
    assert "FAILED CHECKS: bayescpt without de_r25_cos" in out


def test_backtest_by_pilots_tells_what_is_extrapolated(cli, sampled):
    files = ("--out", "rows.csv", "--runs-figure", "runs.png")
    words = ("backtest", "cpt_micro", "--pilots", "4", "--repeats", "2", "--draws", "7", *files)
    code, out, err = cli(*words)
    assert code == 0
    assert [fit["draws"] for fit in sampled] == [7, 7]
    assert "bayescpt: draw 2 done\n" in err
    for part in (
        "outside the range",
        "peak LR",
        "forecast between",
        "all jointly",
        "draws of pilots",
    ):
        assert part in out
    rows = pd.read_csv("rows.csv")
    assert set(rows["repeat"]) == {1, 2}
    pilots = {name for fit in sampled for name in fit["study"].cpt_runs
              if fit["study"].is_observed(name)}  # fmt: skip
    assert all(name in out for name in pilots)
    assert Path("runs.png").read_bytes()[:4] == b"\x89PNG"


def test_backtest_by_pilots_as_json(cli, sampled):
    words = ("--pilots", "3", "--repeats", "2", "--baseline", "iid", "--group", "repeat", "--json")
    code, out, _ = cli("backtest", "cpt_micro", *words, "--judge", "pt_final_lr_ratio=0", "-q")
    told = json.loads(out)
    assert code == 0
    assert (told["by"], told["pilots"], told["repeats"]) == ("pilots", 3, 2)
    assert told["judge"] == {"pt_final_lr_ratio": ["0"]}
    assert {row["method"] for row in told["extrapolated"]} == {"bayescpt", "iid"}
    assert "start" not in {row["extrapolated"] for row in told["extrapolated"]}
    assert {row["repeat"] for row in told["scores"]} == {1, 2}
    assert sum(row["forecasts"] for row in told["reliability"] if row["method"] == "iid") > 100
    assert all(row["pilots"].count(",") == 2 for row in told["fits"])


def test_backtest_by_pilots_counts_fits_that_failed(cli, monkeypatch):
    monkeypatch.setattr(
        inference, "fit", lambda study, **options: made_up_fit(study, converged=False, draws=60)
    )
    code, out, _ = cli("backtest", "cpt_micro", "--by", "pilots", "--repeats", "2", "-q")
    assert code == 1
    assert "bayescpt: 2 of 2 draws have a fit that failed its checks" in out
    assert "FAILED CHECKS: bayescpt with draw 1: " in out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("nowhere",), "nowhere"),
        (("cpt_micro", "--repeats", "3"), "--pilots N"),
        (("cpt_micro", "--judge", "seed=1"), "--pilots N"),
        (("cpt_micro", "--group", "target"), "only with --pilots"),
        (("cpt_micro", "--pilots", "4", "--judge", "seed"), "COLUMN=VALUE"),
        (("cpt_micro", "--pilots", "4", "--judge", "moon=1"), "no column 'moon'"),
        (("cpt_micro", "--pilots", "4", "--fit", "de_r25_cos"), "--fit"),
        (("cpt_micro", "--pilots", "4", "--by", "cutoff"), "--by cutoff"),
        (("cpt_micro", "--pilots", "0"), "pilots is 0"),
        (("mpl_25m", "--pilots", "2"), "no continual pre-training run"),
        (("cpt_micro", "--by", "moon"), "moon"),
        (("cpt_micro", "--run", "moon"), "moon"),
        (("cpt_micro", "--group", "moon"), "horizon"),
        (("cpt_micro", "--baseline", "moon"), "paper_recipe"),
        (("cpt_micro", "--baseline", "run_power_law"), "per-run power law needs"),
        (("cpt_micro", "--by", "cutoff", "--cutoff", "2"), "cutoff"),
        (("cpt_micro", "--fit", "moon"), "moon"),
        (("cpt_micro", "--out", "rows.txt"), ".parquet or .csv"),
        (("cpt_micro", "--workers", "0"), "at least 1"),
        (("cpt_micro", "--goals", "--run", "de_r25_cos"), "two held-out runs"),
    ],
)
def test_backtest_refuses_what_it_cannot_use(cli, sampled, words, part):
    code, out, err = cli("backtest", *words, "--quiet")
    assert code == 2
    assert out == ""
    assert one_line(err)
    assert part in err
    assert not sampled


def test_workers_are_processes_of_their_own():
    with process_pool(2) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
    with process_pool(1) as none:
        assert none is None


# --- calibrate -------------------------------------------------------------------------------


@pytest.mark.parametrize(("bias", "verdict"), [(0, "all uniform"), (40, "NOT UNIFORM")])
def test_calibrate_shows_every_quantity_and_its_verdict(cli, monkeypatch, bias, verdict):
    asked = {}

    def simulated(card, *, n_simulations, on_simulation, **options):
        asked.update(options, card=card, n=n_simulations)
        for number in range(n_simulations):
            on_simulation(number)
        spread = np.arange(n_simulations) % 100
        ranks = {"rank": np.minimum(spread + bias, 99), "control": np.where(spread < 50, 0, 99)}
        table = pd.DataFrame({"simulation": range(n_simulations), "quantity": "beta", **ranks})
        return evaluate.Calibration(table, pd.DataFrame({"effective_draws": [99.0, 98.0]}), 99)

    monkeypatch.setattr(evaluate, "calibrate", simulated)
    code, out, err = cli("calibrate", "cpt", "--simulations", 200, "--draws", 7, "--seed", 4)
    assert code == (bias > 0)
    assert asked == {
        "card": "cpt", "n": 200, "draws": 7, "tune": 600, "chains": 2, "seed": 4, "executor": None,
            "run_effects": False, "work": None,
    }  # fmt: skip
    assert verdict in out
    assert "posteriors of half the width are rejected" in out
    assert "1 of 200 fits have a parameter with fewer effective draws than the 99" in out
    assert "200 of 200 simulations" in err
    told = json.loads(cli("calibrate", "cpt", "--simulations", 200, "--json")[1])
    assert (told["uniform"], told["control_rejected"]) == (not bias, True)
    assert told["short_of_draws"] == 1
    assert told["quantities"][0]["quantity"] == "beta"


# --- report ----------------------------------------------------------------------------------


def report_rows(text, section):
    """Cells of the first table of a section of a report, by plan."""
    part = text.partition(f'<section id="{section}"')[2].partition("</section>")[0]
    found = re.findall(r"<tr[^>]*>\s*<th scope=\"row\">(.*?)</th>(.*?)</tr>", part, re.DOTALL)
    plain = [(re.sub(r"<wbr>|\s*<span.*", "", name, flags=re.DOTALL), row) for name, row in found]
    return {name: re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for name, row in plain}


def test_report_has_the_numbers_of_goal_and_compare(cli, fits, tmp_path):
    words = (
        fits / "good.nc",
        "-p",
        fits / "plans.toml",
        "-g",
        "general=+20%",
        "-g",
        "german=ppl:30",
    )
    code, out, _ = cli("report", *words, "-o", "r.html", "--throughput", 1500, "--price", 2)
    assert code == 0
    assert out.startswith("wrote r.html (0.")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    goal = json.loads(cli("goal", *words, "--json")[1])
    compared = json.loads(cli("compare", *words, "--json")[1])
    found = report_rows(text, "answer")
    assert f"Run {compared['best']}" in text
    for row, risks in zip(goal["rows"], compared["rows"], strict=True):
        cells = found[row["plan"]]
        wanted = [row["joint"], row["general"], row["german"]]
        assert [cell.partition(" ")[0] for cell in cells[:3]] == [f"{p:.3f}" for p in wanted]
        assert cells[3:5] == [f"{risks[name]:.3f}" for name in ("mean", "quantile")]
    # A step is 2,048 tokens: the study says so.
    hours = 2_048_000 / 1500 / 3600
    assert report_rows(text, "costs")["wsd_r30"][4:6] == [f"{hours:.3g}", f"{2 * hours:.2f}"]
    command = re.findall(r"<code>(bayescpt report .*?)</code>", text)[0]
    typed = shlex.split(html.unescape(command))[1:]
    first = text
    assert cli(*typed)[0] == 0
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == first


def test_report_of_a_failed_fit_and_of_too_high_a_probability_end_with_1(
    cli, fits, tmp_path, monkeypatch
):
    # Figures take most of a page's time, and tell nothing of these.
    monkeypatch.setattr(page, "pictures", lambda case: {})
    words = ("report", fits / "bad.nc", "-p", fits / "plans.toml", "-o", "r.html")
    code, out, err = cli(*words)
    assert (code, out) == (1, "")
    assert one_line(err)
    assert not (tmp_path / "r.html").exists()
    code, out, _ = cli(*words, "--allow-failed")
    assert code == 1
    assert "Do not trust these numbers." in (tmp_path / "r.html").read_text(encoding="utf-8")
    words = ("report", fits / "good.nc", "-p", fits / "plans.toml", "-g", "general=-20%")
    assert cli(*words, "--min-probability", 0.9)[0] == 1
    assert "None of them: no plan meets the goal" in Path("report.html").read_text(encoding="utf-8")


def test_report_refuses_a_price_without_a_throughput(cli, fits):
    code, out, err = cli("report", fits / "good.nc", "-p", fits / "plans.toml", "--price", 2)
    assert (code, out) == (2, "")
    assert one_line(err)
    assert "throughput" in err


# --- demo ------------------------------------------------------------------------------------


def test_demo_shows_writes_and_says_what_is_next(cli, monkeypatch):
    monkeypatch.setattr(inference, "fit", lambda study, **options: made_up_fit(study))
    code, out, err = cli("demo", "--out", "here")
    assert code == 0
    for part in ("held-out run", "forecast", "probability", "<- chosen", "wsd_r30", "cos_r40"):
        assert part in out
    assert "bayescpt: " in err
    for name in ("forecast.png", "goal.png"):
        with open(f"here/{name}", "rb") as file:
            assert file.read(4) == b"\x89PNG"
    # What it says to type works as it stands, but for what is the reader's own.
    after = out.partition("Next:\n")[2].splitlines()
    typed = [shlex.split(line, comments=True)[1:] for line in after]
    runnable = [words for words in typed if "FOLDER" not in words]
    assert len(runnable) == 5
    for words in runnable:
        assert cli(*words)[0] == 0, words


def test_demo_goes_on_after_a_failed_fit_but_says_so(cli, monkeypatch):
    monkeypatch.setattr(
        inference, "fit", lambda study, **options: made_up_fit(study, converged=False)
    )
    code, out, _ = cli("demo")
    assert code == 1
    assert out.count("FAILED CHECKS") == 2
