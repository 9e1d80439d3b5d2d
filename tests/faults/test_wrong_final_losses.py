"""Wrong answers that look right, of studies of final losses: seen in them, and named."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescpt.cli import main
from bayescpt.data import Study, load_example, write_study
from bayescpt.model.final_card import FinalCard, load_final_card
from bayescpt.model.final_rows import make_final_rows

RUN = "r10"


@pytest.fixture
def tables():
    """Curves and runs of a published table."""
    study = load_example("ibrahim_405m_german")
    return study.curves.copy(), study.runs.copy()


def findings(curves, runs, **kwargs):
    study = Study.from_frames(curves, runs, general="pile", name="published", **kwargs)
    return [finding for finding in study.findings() if finding.kind in ("final", "amounts")]


def exchanged(curves, runs):
    return curves.replace({"domain": {"pile": "german", "german": "pile"}}), runs


def exchanged_in_one(curves, runs):
    one = curves["run"] == RUN
    curves.loc[one, "domain"] = curves.loc[one, "domain"].map({"pile": "german", "german": "pile"})
    return curves, runs


def bits_in_one(curves, runs):
    curves.loc[curves["run"] == RUN, "loss"] /= np.log(2.0)
    return curves, runs


def offset(curves, runs):
    curves.loc[curves["run"] == RUN, "loss"] += 0.3
    return curves, runs


def twice(curves, runs):
    again = runs[runs["run"] == RUN].assign(run="again")
    rows = curves[curves["run"] == RUN].assign(run="again")
    return pd.concat([curves, rows], ignore_index=True), pd.concat([runs, again], ignore_index=True)


def size(curves, runs):
    runs.loc[runs["run"] == RUN, "n_params"] *= 1000
    return curves, runs


def tokens_in_billions(curves, runs):
    runs.loc[runs["run"] == RUN, "tokens"] /= 1e9
    return curves, runs


CASES = {
    exchanged: ("'pile' rises (+0.11 nats)", "'german' falls", "are the two labels exchanged?"),
    exchanged_in_one: ("run 'r10' is out of order", "labels 'pile' and 'german' exchanged?"),
    bits_in_one: ("run 'r10' is out of order on 'pile' (3.549", "is it in bits?"),
    offset: ("run 'r10' is out of order on 'pile' (2.76", "another tokeniser, evaluation set"),
    twice: ("run 'again' has the recipe of run 'r10'", "given twice"),
    size: ("405,000,000,000 in run 'r10'", "1,000 times as many", "in one unit?"),
    tokens_in_billions: ("run 'r10': tokens is 200", "billions?"),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_is_likely_wrong_is_found_and_named(tables, case):
    (found,) = findings(*case(*tables))
    missing = [words for words in CASES[case] if words not in found.text]
    assert not missing, found.text
    if case is not exchanged:
        assert RUN in found.runs


def test_the_table_in_the_documents_has_these_messages():
    table = (Path(__file__).parents[2] / "docs" / "wrong_inputs.md").read_text(encoding="utf-8")
    for case in CASES:
        study = load_example("ibrahim_405m_german")
        (found,) = findings(*case(study.curves.copy(), study.runs.copy()))
        assert f"| {found.text} |" in table, (case.__name__, found.text)


def test_runs_of_other_seeds_may_round_alike(tables):
    curves, runs = twice(*tables)
    runs["seed"] = np.arange(len(runs))
    assert findings(curves, runs) == []


def test_where_two_may_be_the_odd_one_both_are_named(tables):
    curves, runs = tables
    one = (curves["run"] == RUN) & (curves["domain"] == "pile")
    curves.loc[one, "loss"] += 0.3
    (found,) = findings(curves, runs)
    assert set(found.runs) == {"r5", RUN}
    assert "run 'r5' or 'r10' is out of order" in found.text


def test_check_and_notes_of_fits_carry_it(tables, tmp_path, capsys):
    curves, runs = offset(*tables)
    study = Study.from_frames(curves, runs, general="pile", name="published")
    write_study(study, tmp_path / "odd")
    with pytest.raises(SystemExit) as ended:
        main(["check", str(tmp_path / "odd"), "--json"])
    assert not ended.value.code
    assert "out of order" in json.loads(capsys.readouterr().out)["notes"][0]


# the control


CARD = load_final_card("dcpt")
PLAIN = FinalCard("dcpt", "no base effects", "dcpt", True, False, CARD.priors)


@pytest.mark.parametrize("seed", range(20))
def test_sound_studies_are_free_of_findings(seed):
    """Losses of a law drawn from the priors, with its noise: sizes, tokens, replay ratios."""
    rng = np.random.default_rng(seed)
    grid = [
        (size, tokens, ratio)
        for size in (2e8, 3e9)
        for tokens in (2e9, 5e10)
        for ratio in (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.9)
    ]
    runs = pd.DataFrame(grid, columns=["n_params", "tokens", "replay_ratio"])
    runs.insert(0, "run", [f"r{k}" for k in range(len(runs))])
    bare = [pd.DataFrame({"run": runs["run"], "domain": d, "loss": 2.0}) for d in ("general", "de")]
    options = {"allow_mixed": ["n_params"]}
    rows = make_final_rows(Study.from_frames(pd.concat(bare), runs, **options), PLAIN)
    true = {p.name: PLAIN.priors[p.name].draw(rng, (2,)) for p in PLAIN.parameters()}
    true["level"] = rng.uniform(1.5, 3.0, 2)
    mu = PLAIN.law.loss({k: v[rows.set_index] for k, v in true.items()}, rows.points())
    # No published table jitters by more than some hundredths.
    noise = np.minimum(true["sigma"], 0.02)[rows.set_index] * rng.standard_normal(mu.size)
    table = rows.table[["run", "domain"]].assign(loss=np.clip(mu + noise, 0.5, 12.0))
    assert Study.from_frames(table, runs, **options).findings() == ()
