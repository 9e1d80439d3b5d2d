"""Cards are compared on held-out runs, weighed and mixed."""

import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import bayescpt as bc
from bayescpt.errors import PlanError, StudyError
from bayescpt.evaluate import simulate_study
from bayescpt.evaluate.card_scores import POINTS, thinned
from bayescpt.evaluate.compare_cards import labelled_cards
from bayescpt.inference.card_check import suitable_cards

CARD = bc.load_card("cpt_replay")
# Standard deviation of the error that a whole run has under a card, nats.
ERRORS = {"good": 0.01, "bad": 0.05, "like good": 0.01}
CARDS = {name: replace(CARD, name=name) for name in ERRORS}


class Told:
    """A fit whose forecast of a run is off as a whole by what its card is said to be off by."""

    failed_checks = ()

    def __init__(self, study, card, world):
        self.study, self.card, self.world = study, card, world

    def forecast(self, plans, steps, seed, allow_failed=False):
        [plan] = plans
        sd = ERRORS[self.card.name]
        words = [self.world, zlib.crc32(f"{self.card.name} {plan.run}".encode())]
        rng = np.random.default_rng(words)
        losses = TRUTH[0].curves
        out = []
        for domain in self.study.domains:
            curve = losses[(losses["run"] == plan.run) & (losses["domain"] == domain)]
            known = np.interp(steps, curve["step"], curve["loss"])
            noise = rng.normal(0, 0.002, (200, len(steps)))
            out.append(known + rng.normal(0, sd) + rng.normal(0, sd, (200, 1)) + noise)
        loss = np.stack(out, axis=1).reshape(2, 100, 1, len(out), len(steps))
        dims = ("chain", "draw", "plan", "domain", "step")
        coords = {"plan": [plan.name], "domain": list(self.study.domains), "step": steps}
        return SimpleNamespace(dataset=xr.Dataset({"loss": (dims, loss)}, coords))


# What the forecasts above are off from.
TRUTH = [None]


def told(world):
    def sample(study, card, random_seed=None, seed=None, **options):
        return Told(study, card, world)

    return sample


@pytest.fixture(autouse=True)
def truth(study):
    TRUTH[0] = study


def compared(study, names, world=1, **options):
    cards = {name: CARDS[name] for name in names}
    return bc.compare_cards(study, cards, fit=told(world), ensemble=False, **options)


@pytest.mark.parametrize("world", range(1, 4))
def test_weights_favour_the_card_that_is_right(study, world):
    found = compared(study, ["bad", "good"], world)
    assert found.weights["good"] > 0.7
    assert list(found.table.index) == ["good", "bad"]
    assert found.table["behind"]["bad"] > 2 * found.table["behind_se"]["bad"]
    assert found.sentences[0].startswith("good forecasts held-out runs better than bad")
    assert found.weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("world", range(1, 4))
def test_cards_of_equal_worth_are_not_told_apart(study, world):
    found = compared(study, ["good", "like good"], world)
    # Luck on twelve runs: a weight has a standard error of .15.
    assert 0.2 < found.weights["good"] < 0.8
    assert "cannot tell" in found.sentences[0]
    # The mixture averages their errors, which are independent.
    assert found.stacked["crps_behind"] < found.stacked["crps_behind_se"]


def test_two_copies_of_a_card_share_its_weight(study):
    calls = []
    same = {"one": CARDS["good"], "two": CARDS["good"], "bad": CARDS["bad"]}
    found = bc.compare_cards(
        study, same, fit=told(1), ensemble=False, on_split=calls.append, runs=study.cpt_runs[:5]
    )
    assert found.weights["one"] == pytest.approx(found.weights["two"], abs=1e-9)
    assert any("one and two forecast the same" in text for text in found.sentences)
    # And are fitted once.
    assert len(calls) == 2 * 5


def test_the_table_has_each_score_with_its_error(study):
    found = compared(study, ["good", "bad"])
    for name in ("crps", "coverage_90", "log_score", "behind", "weight"):
        assert found.table[name].notna().all()
        assert (found.table[f"{name}_se"] >= 0).all()
    assert (found.table["runs"] == 12).all()
    assert found.by_run.shape == (12, 2)
    np.testing.assert_allclose(found.by_run.mean(), found.table["log_score"][["good", "bad"]])
    own = found.backtests["good"].scores(after=0.1)
    assert found.table["crps"]["good"] == pytest.approx(own["crps"].iloc[0])
    assert max(map(len, found.text().partition("\n\n")[0].splitlines())) <= 80
    assert "<table" in found._repr_html_()
    assert str(found) == found.text()


def test_results_do_not_depend_on_the_executor_and_go_on_from_kept_refits(study, tmp_path):
    runs = study.cpt_runs[:3]
    whole = compared(study, ["good", "bad"], runs=runs)
    kept = compared(study, ["good", "bad"], runs=runs, work=tmp_path)
    calls = []
    with ThreadPoolExecutor(2) as pool:
        again = compared(
            study, ["good", "bad"], runs=runs, work=tmp_path, executor=pool, on_split=calls.append
        )
    for other in (kept, again):
        np.testing.assert_array_equal(other.table, whole.table)
    assert calls[0] == f"good: {runs[0]}"


def test_few_runs_are_said_to_be_few(study):
    found = compared(study, ["good", "bad"], runs=study.cpt_runs[:3])
    told_of = " ".join(found.sentences)
    assert "3 held-out runs cannot rank cards" in told_of
    assert "none can be below 0.20 or above 0.80" in told_of
    one = compared(study, ["good", "bad"], runs=study.cpt_runs[:1])
    assert "1 held-out run cannot rank cards" in " ".join(one.sentences)
    assert np.isnan(one.table["crps_se"]).all()


def test_the_log_score_takes_few_losses_of_a_curve(study):
    table = compared(study, ["good", "bad"], runs=study.cpt_runs[:2]).backtests["good"].table
    rows = table.iloc[thinned(table)]
    counts = rows.groupby(["run", "domain"]).size()
    assert (counts == POINTS).all()
    last = table.groupby(["run", "domain"])["step"].max()
    assert (rows.groupby(["run", "domain"])["step"].max() == last).all()


def test_cards_are_labelled_and_checked(study):
    names = labelled_cards(study, ["cpt_replay", "cpt_fade", "cpt_replay"])
    assert list(names) == ["cpt_replay", "cpt_fade", "cpt_replay (2)"]
    with pytest.raises(PlanError, match="at least two cards and got only cpt_replay"):
        bc.compare_cards(study, ["cpt_replay"])
    with pytest.raises(PlanError, match="give a list"):
        bc.compare_cards(study, "cpt_replay")
    with pytest.raises(PlanError, match="prior_runs is 0"):
        bc.compare_cards(study, ["cpt_replay", "cpt_fade"], prior_runs=0)
    with pytest.raises(StudyError, match="nowhere"):
        compared(study, ["good", "bad"], runs=["nowhere"])


def test_suitable_cards_describe_what_the_runs_differ_by(study, trunks):
    found = suitable_cards(study)
    assert found[0] == "cpt_replay"
    assert "cpt_fade" in found
    assert not {"annealing", "cpt"} & set(found)
    assert "cpt_replay" not in suitable_cards(trunks)
    final = suitable_cards(bc.load_example("ibrahim_405m_german"))
    assert "dcpt" in final


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_card_that_made_the_runs_has_the_weight(seed):
    made = simulate_study(
        replays=(0.0, 0.25, 0.5), cpt_schedules=("wsd", "cosine"), eval_every=450,
        pt_eval_every=2000, sigma=0.003, seed=seed,
    ).study  # fmt: skip
    found = bc.compare_cards(
        made, ["cpt_replay", "cpt"], seed=seed, draws=200, tune=300, chains=2, cores=1
    )
    assert found.weights["cpt_replay"] > 0.7
    plan = bc.Plan.from_run(made.run(made.cpt_runs[0]))
    forecast = found.ensemble.forecast(plan, allow_failed=True)
    assert forecast.loss.sizes["draw"] == 200
