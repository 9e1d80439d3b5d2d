"""Scores of forecasts of whole studies, by a method that does not sample."""

from dataclasses import replace

import pytest

import bayescpt as bc
from bayescpt.evaluate import backtest
from bayescpt.evaluate.baselines import last_value
from case_studies import judge_fleet

STUDY = "variant_lengths"


@pytest.fixture(scope="module")
def made():
    return backtest(bc.load_example(STUDY), by="pilots", pilots=4, repeats=2, method=last_value)


@pytest.fixture
def rows(made, monkeypatch):
    monkeypatch.setattr(judge_fleet, "backtest", lambda *args, **options: made)
    return judge_fleet.judged(STUDY, 4, 2, None)


def test_only_runs_that_nothing_was_chosen_by_are_judged():
    for name in judge_fleet.STUDIES:
        study = bc.load_example(name)
        split = study.runs.set_index("run")["split"]
        assert (split[list(study.cpt_runs)] == "test").all()


def test_each_forecast_of_each_draw_is_scored_on_its_later_losses(made, rows):
    assert set(rows["repeat"]) == {1, 2}
    assert len(rows) == len(made.table.groupby(["repeat", "run", "domain"]))
    for _, one in rows.iloc[[0, -1]].iterrows():
        keys = ["repeat", "run", "domain"]
        part = made.table[(made.table[keys] == one[keys]).all(axis=1)]
        inside = part["observed"].between(part["q0.05"], part["q0.95"])
        assert one["coverage_90"] == pytest.approx(inside[part["fraction"] > 0.1].mean())
        assert one["finals_inside"] == inside[part["step"].idxmax()]
    assert not rows["failed"].any()


def test_forecasts_count_the_same_and_failed_fits_are_told(made, rows, monkeypatch):
    table = judge_fleet.summary(rows, ["set"])
    of_target = rows[rows["set"] == "target"]
    assert table.loc["target", "forecasts"] == len(of_target)
    assert table.loc["target", "crps"] == pytest.approx(of_target["crps"].mean())
    second = made.fits["split"] == "draw 2"
    marked = made.fits.assign(failed_checks=second.map({True: "R-hat", False: ""}))
    monkeypatch.setattr(
        judge_fleet, "backtest", lambda *args, **options: replace(made, fits=marked)
    )
    failed = judge_fleet.judged(STUDY, 4, 2, None)
    assert set(failed.loc[failed["failed"], "repeat"]) == {2}
