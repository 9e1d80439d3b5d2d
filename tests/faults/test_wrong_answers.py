"""Wrong answers that look right: sound studies made wrong in one way are seen, and named."""

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescpt.cli import main
from bayescpt.data import Study, example_studies, load_example, write_study
from bayescpt.errors import StudyError
from bayescpt.evaluate.several_sizes import several_sizes
from tests.examples import shipped
from tests.inference.open_studies import open_study

# Of cpt_micro and of some studies of the fleet, a run to spoil.
STUDIES = {
    "cpt_micro": "de_r25_wsd_s1",
    "fleet_code_330k": "r25_wsd",
    "fleet_math_1200k": "r25_wsd",
    "fleet_russian_4m": "r25_wsd",
    # Its replay ratio varies.
    "variant_curricula": "down20_a",
    # Models of two sizes.
    "cpt_micro of 2 sizes": "de_r25_wsd_s1@4",
}


@dataclass
class Tables:
    """The tables of a study, to spoil one thing in."""

    runs: pd.DataFrame
    curves: pd.DataFrame
    lrs: dict
    replays: dict
    general: str | None
    name: str

    @classmethod
    def of(cls, study):
        return cls(
            study.runs.copy(), study.curves.copy(), dict(study.lrs), dict(study.replays),
            study.general, study.name,
        )  # fmt: skip

    def study(self, **kwargs):
        parts = []
        for run, lr in self.lrs.items():
            part = pd.DataFrame({"run": run, "step": np.arange(1, lr.size + 1), "lr": lr})
            part["replay"] = self.replays.get(run, np.nan)
            parts.append(part)
        return Study.from_frames(
            self.curves, self.runs, pd.concat(parts), general=self.general, name=self.name, **kwargs
        )

    def of_run(self, run):
        return (self.curves["run"] == run).to_numpy()

    def scale(self, rows, function):
        self.curves.loc[rows, "loss"] = function(self.curves.loc[rows, "loss"])

    def repeat(self, run, name):
        """The run once more under another name."""
        row = self.runs[self.runs["run"] == run].assign(run=name)
        self.runs = pd.concat([self.runs, row], ignore_index=True)
        rows = self.curves[self.of_run(run)].assign(run=name)
        self.curves = pd.concat([self.curves, rows], ignore_index=True)
        self.lrs[name] = self.lrs[run]
        if run in self.replays:
            self.replays[name] = self.replays[run]

    def stretch(self, run, times):
        """Steps of a run in micro-steps."""
        rows = self.of_run(run)
        self.curves.loc[rows, "step"] *= times
        self.runs.loc[self.runs["run"] == run, "steps"] *= times
        self.lrs[run] = np.repeat(self.lrs[run], times)
        if run in self.replays:
            self.replays[run] = np.repeat(self.replays[run], times)


def perplexities(t, run):
    t.scale(t.curves["loss"] > 0, np.exp)


def bits(t, run):
    t.scale(t.curves["loss"] > 0, lambda loss: loss / np.log(2.0))


def bits_in_one(t, run):
    t.scale(t.of_run(run), lambda loss: loss / np.log(2.0))


def perplexity_in_one(t, run):
    t.scale(t.of_run(run), np.exp)


def exchanged(t, run):
    target = t.runs.loc[t.runs["run"] == run, "domain"].iloc[0]
    names = {target: t.general, t.general: target}
    t.curves["domain"] = t.curves["domain"].map(lambda domain: names.get(domain, domain))


def exchanged_in_cpt(t, run):
    cpt = t.curves["run"].isin(t.runs.loc[t.runs["phase"] == "cpt", "run"])
    target = t.runs.loc[t.runs["run"] == run, "domain"].iloc[0]
    names = {target: t.general, t.general: target}
    t.curves.loc[cpt, "domain"] = t.curves.loc[cpt, "domain"].map(lambda d: names.get(d, d))


def exchanged_in_one(t, run):
    rows = t.of_run(run)
    target = t.runs.loc[t.runs["run"] == run, "domain"].iloc[0]
    names = {target: t.general, t.general: target}
    t.curves.loc[rows, "domain"] = t.curves.loc[rows, "domain"].map(lambda d: names.get(d, d))


def three_times(t, run):
    t.repeat(run, "again")
    t.repeat(run, "once_more")


def common_start(t, run):
    """One run continued in two ways, logged from the start in both, and no trunk named."""
    t.repeat(run, "again")
    rows = t.of_run("again") & (t.curves["step"] > t.curves.loc[t.of_run(run), "step"].max() * 0.6)
    t.scale(rows, lambda loss: loss + 0.02)


def offset(t, run):
    t.scale(t.of_run(run), lambda loss: loss + 0.3)


def micro_steps(t, run):
    t.stretch(run, 4)


def diverged(t, run):
    rows = t.of_run(run)
    end = t.curves.loc[rows, "step"].max()
    late = rows & (t.curves["step"] > 0.6 * end)
    t.scale(late, lambda loss: loss + 2.5)


def unseen_restart(t, run):
    lr = t.lrs[run].copy()
    low, high = int(0.4 * lr.size), int(0.6 * lr.size)
    lr[low:high] = 0.02 * lr.max()
    lr[high : int(0.9 * lr.size)] = lr.max()
    t.lrs[run] = lr


def no_rows(t, run):
    t.curves = t.curves[~t.of_run(run)].reset_index(drop=True)


def no_general(t, run):
    t.general = ""


def mixed_batch(t, run):
    t.runs.loc[t.runs["run"] == run, "tokens_per_step"] *= 4


def mixed_size(t, run):
    t.runs.loc[t.runs["run"] == run, "n_params"] *= 1000


def tiny_loss(t, run):
    t.curves.loc[np.flatnonzero(t.of_run(run))[5], "loss"] = 1e-300


def huge_loss(t, run):
    t.curves.loc[np.flatnonzero(t.of_run(run))[5], "loss"] = 1e308


def boolean_lrs(t, run):
    t.lrs = {name: lr > 0 for name, lr in t.lrs.items()}


def without_start(t):
    """The same tables without losses at step 0."""
    cpt = t.curves["run"].isin(t.runs.loc[t.runs["phase"] == "cpt", "run"])
    t.curves = t.curves[~cpt | (t.curves["step"] > 0)].reset_index(drop=True)


# What is likely wrong is a finding of this kind, whose text has these words.
LIKELY = {
    bits: ("level", "is this in bits", "bit/token"),
    bits_in_one: ("start", "{run}", "is this run in bits (1.443 times)?"),
    exchanged: ("exchanged", "rises from start to end", "are the two labels exchanged?"),
    exchanged_in_cpt: ("exchanged", "are the two labels exchanged?"),
    exchanged_in_one: ("start", "{run}", "labels", "exchanged?"),
    common_start: ("copies", "run 'again'", "{run}", "branch_of and branch_step"),
    offset: ("start", "{run}", "another tokeniser, evaluation set or checkpoint?"),
    micro_steps: ("micro_steps", "{run}", "4 times", "divide them by 4"),
    diverged: ("diverged", "{run}", "seems to have diverged", "before step"),
    unseen_restart: ("restart", "{run}", "no loss rises there"),
    no_rows: ("rows", "{run}", "has no loss after step 0"),
    no_general: ("general", "no general domain", 'general = "general"'),
}
# The same of pilots from an open base, which is not described and has no losses.
OPEN = {
    perplexities: ("level", "are these perplexities"),
    perplexity_in_one: ("first", "{run}", "so on every domain"),
    bits_in_one: ("first", "{run}"),
    exchanged: ("exchanged", "are the two labels exchanged?"),
    exchanged_in_one: ("exchanged", "{run}", "are the two labels exchanged?"),
    common_start: ("copies", "{run}", "branch_of and branch_step"),
    offset: ("first", "{run}", "another tokeniser, evaluation set or checkpoint?"),
    micro_steps: ("micro_steps", "{run}", "4 times"),
    diverged: ("diverged", "{run}"),
    unseen_restart: ("restart", "{run}"),
    no_rows: ("rows", "{run}"),
}
# In which the run that was spoilt must be the only one that is named.
ALONE = (bits_in_one, offset, micro_steps, diverged, unseen_restart, no_rows)
# What is certain is an error of these words.
CERTAIN = {
    perplexities: ("curves: run", "step 0", "expected 0.0001 to 100 nats", "perplexity"),
    perplexity_in_one: ("curves: run {run}", "expected 0.0001 to 100 nats", "perplexity"),
    three_times: ("curves: run 'again'", "{run}", "one run given twice"),
    mixed_batch: ("tokens_per_step", "{run}", "one batch size"),
    mixed_size: ("n_params", "{run}", "one model size"),
    tiny_loss: ("curves: run {run}", "loss is 1e-300", "0.0001"),
    huge_loss: ("curves: run {run}", "loss is 1e+308", "100 nats"),
    boolean_lrs: ("lrs: run", "lr is ", "; expected a number"),
}
# Without losses at step 0, runs are compared by their first rows.
WITHOUT_START = {
    bits_in_one: ("first", "{run}", "bits?"),
    offset: ("first", "{run}", "another tokeniser"),
    exchanged_in_one: ("exchanged", "{run}", "exchanged?"),
    micro_steps: ("micro_steps", "{run}"),
    unseen_restart: ("restart", "{run}"),
    diverged: ("diverged", "{run}"),
}


@cache
def example(name):
    """An example study, read once: `Tables` copies what is spoilt."""
    if name == "cpt_micro of 2 sizes":
        return several_sizes(load_example("cpt_micro"), {4.0: 0.5})
    return load_example(name)


@cache
def outcome(name, case):
    """What is said about a study spoilt in one way: its findings, or the error."""
    tables = Tables.of(example(name))
    case(tables, STUDIES[name])
    try:
        return tables.study().findings()
    except StudyError as error:
        return error


def say_all(text, words, run):
    missing = [word for word in words if word.format(run=repr(run)) not in text]
    assert not missing, (missing, text)


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("case", LIKELY, ids=lambda case: case.__name__)
def test_what_is_likely_wrong_is_found_and_named(name, case):
    (kind, *words), run = LIKELY[case], STUDIES[name]
    said = [str(finding) for finding in outcome(name, case) if finding.kind == kind]
    assert said
    say_all(" ".join(said), words, run)
    if case in ALONE:
        assert {one for finding in outcome(name, case) for one in finding.runs} == {run}


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("case", CERTAIN, ids=lambda case: case.__name__)
def test_what_is_certain_is_an_error(name, case):
    error = outcome(name, case)
    assert isinstance(error, StudyError)
    say_all(str(error), CERTAIN[case], STUDIES[name])


@pytest.mark.parametrize("case", WITHOUT_START, ids=lambda case: case.__name__)
def test_runs_are_compared_without_losses_at_step_0(case):
    # In Russian a step of training is worth whole nats, by which runs differ in the first rows.
    for name in ("cpt_micro", "fleet_code_330k", "fleet_math_1200k"):
        tables = Tables.of(example(name))
        without_start(tables)
        kind, *words = WITHOUT_START[case]
        run = STUDIES[name]
        case(tables, run)
        found = [finding for finding in tables.study().findings() if finding.kind == kind]
        assert found, name
        say_all(" ".join(str(finding) for finding in found), words, run)


@pytest.mark.parametrize("seed", [0, 2])
@pytest.mark.parametrize("case", OPEN, ids=lambda case: case.__name__)
def test_pilots_from_an_open_base_are_compared_with_each_other(seed, case):
    tables = Tables.of(open_study(seed).study)
    without_start(tables)
    (kind, *words), run = OPEN[case], "run1"
    case(tables, run)
    found = [finding for finding in tables.study().findings() if finding.kind == kind]
    assert found
    say_all(" ".join(str(finding) for finding in found), words, run)


def millions(column, runs):
    def spoil(t):
        t.runs.loc[t.runs["run"].str.contains(runs), column] /= 1e6

    return spoil


def of_one_size(t):
    t.runs.loc[t.runs["run"].str.endswith("@4"), "n_params"] *= 1000


AMOUNTS = {
    "Model sizes in millions": (millions("n_params", ""), "cpt_micro"),
    "Tokens a step in millions": (millions("tokens_per_step", ""), "cpt_micro"),
    "Several sizes, one of them in millions": (millions("n_params", "@4"), "cpt_micro of 2 sizes"),
    "Several sizes, one of them 1,000 times as large": (of_one_size, "cpt_micro of 2 sizes"),
}


@pytest.mark.parametrize("case", AMOUNTS)
def test_sizes_in_another_unit_are_found_and_tabled(case):
    spoil, name = AMOUNTS[case]
    tables = Tables.of(example(name))
    spoil(tables)
    (finding,) = tables.study().findings()
    assert finding.kind == "amounts"
    if "one" in case:
        assert finding.runs
        assert all(run.endswith("@4") for run in finding.runs)
    table = (Path(__file__).parents[2] / "docs" / "wrong_inputs.md").read_text(encoding="utf-8")
    assert f"| {case} | {finding.text} |" in table, finding.text


@pytest.mark.parametrize("column", ["n_params", "tokens_per_step", "tokens", "vocab_size"])
@pytest.mark.parametrize(("value", "words"), [(0, "above 0"), (-5, "above 0"), (1e30, "at most")])
def test_amounts_that_cannot_be_are_errors(column, value, words):
    tables = Tables.of(example("cpt_micro"))
    tables.runs[column] = value
    with pytest.raises(StudyError, match=rf"runs: run 'pt_r1': {column} is .*; expected {words}"):
        tables.study()


def test_low_perplexities_are_seen_by_their_highest():
    """Perplexities of code are below 100, as no error allows for."""
    tables = Tables.of(example("fleet_code_4m").select(["r25_wsd", "r0_wsd"]))
    tables.curves = tables.curves[tables.curves["domain"].isin(["general", "code"])]
    tables.curves = tables.curves[tables.curves["loss"] < 4.0]
    perplexities(tables, "r25_wsd")
    assert tables.curves["loss"].max() < 100
    found = tables.study().findings()
    assert {finding.kind for finding in found} == {"level"}
    say_all(found[0].text, ["a uniform guess over", "perplexities"], "")
    stated = tables.study(loss_unit="perplexity")
    assert stated.findings() == ()


def test_a_known_vocabulary_tells_bits_where_its_size_is_unusual():
    tables = Tables.of(example("cpt_micro"))
    start = (tables.curves["step"] == 0) & (tables.curves["run"].str.startswith("pt_"))
    # 11.3 bits are 11.3 nats of 80,000 tokens; 14.3 bits are nats of none.
    tables.curves.loc[start, "loss"] = np.log2(20_000.0)
    assert [finding.kind for finding in tables.study().findings()] == ["level"]
    tables.curves.loc[start, "loss"] = np.log2(2500.0)
    assert tables.study().findings() == ()
    tables.runs["vocab_size"] = 2500
    (finding,) = tables.study().findings()
    say_all(finding.text, ["with its vocabulary of 2,500", "7.824 nats", "bits"], "")


def test_mixed_sizes_that_are_allowed_are_a_warning():
    tables = Tables.of(example("cpt_micro"))
    mixed_size(tables, "de_r0_wsd")
    (finding,) = tables.study(allow_mixed=["n_params"]).findings()
    say_all(finding.text, ["332,448,000 in run 'de_r0_wsd'", "no term for the model size"], "")


@pytest.mark.parametrize("column", ["loss", "step"])
def test_booleans_are_no_numbers_in_any_table(column):
    tables = Tables.of(example("cpt_micro"))
    tables.curves[column] = tables.curves[column] > 5
    with pytest.raises(StudyError, match=rf"curves: run 'pt_r1': {column} is (True|False); exp"):
        tables.study()


def test_boolean_learning_rates_in_arrays_are_refused():
    study = example("cpt_micro")
    lrs = {name: lr > 0 for name, lr in study.lrs.items()}
    with pytest.raises(StudyError, match="run 'pt_r1': the learning rates are true and false"):
        Study.from_frames(study.curves, study.runs, lrs)


def test_the_table_in_the_documents_has_these_messages():
    table = (Path(__file__).parents[2] / "docs" / "wrong_inputs.md").read_text(encoding="utf-8")
    for case in [*CERTAIN, *LIKELY]:
        found = outcome("cpt_micro", case)
        if case in LIKELY:
            found = next(finding.text for finding in found if finding.kind == LIKELY[case][0])
        said = str(found)
        assert f"| {said} |" in table, (case.__name__, said)


def test_studies_of_earlier_fits_may_have_other_units():
    tables = Tables.of(example("cpt_micro"))
    for unit in ("", "bit/byte"):
        assert replace(tables.study(), curves_unit=unit, loss_unit="bit/token").findings() == ()
    diverged(tables, "de_r0_wsd")
    (finding,) = replace(tables.study(), curves_unit="", loss_unit="bit/token").findings()
    assert finding.kind == "diverged"


# check, and whoever uses the study


@pytest.fixture
def odd(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tables = Tables.of(example("cpt_micro"))
    offset(tables, "de_r0_wsd")
    return tables.study()


def test_check_never_says_no_problems_where_there_is_a_warning(odd, capsys):
    write_study(odd, "odd")
    with pytest.raises(SystemExit) as ended:
        main(["check", "odd"])
    out = capsys.readouterr().out
    assert not ended.value.code
    assert "warning: run 'de_r0_wsd' starts at" in out
    assert "1 warning: fits and forecasts of this study repeat it" in out
    assert "no problems found" not in out
    with pytest.raises(SystemExit):
        main(["check", "odd", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["notes"] == [finding.text for finding in odd.findings()]
    assert [found["kind"] for found in told["findings"]] == ["start"]
    assert told["findings"][0]["runs"] == ["de_r0_wsd"]


# the control: what is sound stays free of warnings


@pytest.mark.parametrize("name", example_studies())
def test_shipped_studies_are_free_of_findings(name):
    study = shipped(name)
    assert study.findings() == ()
    # Nor are they a matter of the rows at step 0.
    curves = study.curves
    later = curves[(curves["step"] > 0) | ~curves["run"].isin(study.cpt_runs)]
    assert replace(study, curves=later.reset_index(drop=True)).findings() == ()


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))]
)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"run_effects": {"level": 0.01, "shift": 0.01}},
        {"discrepancy_sd": 0.01},
        {"eval_every": 25, "sigma": 0.01},
        {"continual": False},
        {"shared_trunks": True, "cpt_schedules": ("wsd", "linear")},
        {"outlier_share": 0.05},
    ],
    ids=lambda options: next(iter(options), "plain"),
)
def test_simulated_studies_are_free_of_findings(seed, options):
    from bayescpt.evaluate import simulate_study

    assert simulate_study(random_seed=seed, **options).study.findings() == ()


def test_a_run_that_is_truly_longer_is_not_in_micro_steps():
    """One of the pilots four times as long, with as many evaluations."""
    from bayescpt.evaluate import simulate_study

    short = Tables.of(simulate_study(random_seed=1, cpt_steps=2000).study)
    long = Tables.of(simulate_study(random_seed=1, cpt_steps=8000).study)
    name = "r25_cosine"
    short.curves = pd.concat([short.curves[~short.of_run(name)], long.curves[long.of_run(name)]])
    short.runs.loc[short.runs["run"] == name, "steps"] = 8000
    short.lrs[name] = long.lrs[name]
    assert short.study().findings() == ()


def test_quick_enough_to_run_whenever_a_study_is_used():
    from time import process_time

    from bayescpt.data.findings import study_findings

    study = load_example("fleet_german_330k")
    start = process_time()
    study_findings(study)
    # .1 s on the slowest machine at hand; a sixth of a second more loads nothing.
    assert process_time() - start < 1.0
