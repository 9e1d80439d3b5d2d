"""`bayescpt findings`: statements and derived quantities, as text and JSON."""

import json

import pytest

import bayescpt as bc
from bayescpt.cli import main
from tests.test_cli import made_up_fit

RUNS = ["de_r0_wsd", "de_r50_wsd", "de_r25_wsd_lp1", "de_r25_wsd_p25"]
SPACE = """
[space]
start = "pt_r0"
schedule = "cosine"
lr = [1e-3, 2e-3]
num_training_steps = [500, 1000]
replay_ratio = { low = 0.0, high = 0.5 }
"""


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("findings")
    known = bc.load_example("cpt_micro").select(RUNS)
    made_up_fit(known, draws=600).save(folder / "good.nc")
    made_up_fit(known, converged=False).save(folder / "bad.nc")
    (folder / "space.toml").write_text(SPACE)
    return folder


@pytest.fixture
def run(capsys, monkeypatch, fits):
    monkeypatch.chdir(fits)
    monkeypatch.delenv("COLUMNS", raising=False)

    def call(*words):
        with pytest.raises(SystemExit) as ended:
            main(["findings", *words])
        shown = capsys.readouterr()
        return ended.value.code or 0, shown.out, shown.err

    return call


def test_tables_fit_the_screen_and_say_all(run):
    code, out, err = run("good.nc")
    assert (code, err) == (0, "")
    tables = [line for line in out.splitlines() if not line.startswith(("note:", "recipe,"))]
    assert max(map(len, tables[2:])) <= 80
    for text in (
        "1  higher loss potential: lower german loss (pt_r1 1, pt_r0",
        "2  higher peak LR: higher general loss",
        "3  general weight 0.5: an optimal replay ratio lies between the ends",
        "4  it rises and is not back by 10,000 steps",
        "turning length, steps",
        "critical replay ratio",
        "critical target share, general +0.05",
        "note: statements are about the expected curve under the law",
    ):
        assert text in out


def test_json_has_the_numbers_of_the_python_call(run, fits):
    words = ("--space", "space.toml", "--general-weight", "0.5", "--tolerance", "3%", "--json")
    code, out, _ = run("good.nc", *words)
    assert code == 0
    found = json.loads(out)
    fit = bc.load_fit(fits / "good.nc")
    expected = bc.paper_findings(fit, bc.read_space(fits / "space.toml"), [0.5])
    assert found["recipe"] == expected.recipe
    chances = expected.table["probability"]
    assert [row["probability"] for row in found["findings"]] == [
        None if chance != chance else chance for chance in chances
    ]
    by_name = {row["quantity"]: row for row in found["derived"]}
    share = by_name["critical target share, general +3%"]
    assert share["median"] == fit.critical_ratio(expected.plan, "3%").median
    turned = by_name["turning length, steps"]
    assert turned["searched"] == [500.0, 1000.0]
    assert turned["prob_above"] == expected.turning.never


def test_a_failed_fit_needs_to_be_allowed(run):
    code, _, err = run("bad.nc")
    assert code == 1
    assert "failed" in err
    code, out, _ = run("bad.nc", "--allow-failed", "--space", "space.toml")
    assert code == 1
    assert "FAILED CHECKS" in out
