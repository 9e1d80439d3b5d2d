"""The tables and the figure behind the case study of how many pilots."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayescpt as bc
from bayescpt.evaluate.baselines import last_value
from bayescpt.evaluate.score import cluster_mean
from case_studies.how_many_pilots import __main__ as command
from case_studies.how_many_pilots import tables as kept
from case_studies.how_many_pilots import tasks
from case_studies.how_many_pilots.figure import PANELS, by_number, figure

STUDY = "variant_fresh"


@pytest.fixture(scope="module")
def made():
    """Forecasts of a few tasks by a method that does not sample."""
    out = {}
    for pilots in (3, 8):
        task = tasks.Task(STUDY, 1, pilots)
        out[task] = task.run(method=last_value)
    return out


@pytest.fixture(scope="module")
def tables(made):
    return kept.tables_of(made)


def test_pilots_of_smaller_draws_are_among_those_of_larger_ones(made):
    few, more = (set(one.fits["pilots"].iloc[0].split(", ")) for one in made.values())
    assert len(few) == 3
    assert len(more) == 8
    assert few < more


def test_no_study_is_kept_for_the_last_look():
    for name in tasks.STUDIES:
        runs = bc.load_example(name).runs
        assert not (runs["split"] == "test").any()
        assert (runs["parent"] == tasks.main_start(name)).sum() > max(tasks.NUMBERS)


def test_scores_of_a_curve_are_those_of_its_later_losses(made, tables):
    task, one = next(iter(made.items()))
    row = tables.forecasts[tables.forecasts["pilots"] == task.pilots].iloc[0]
    domain = "general" if row["domain"] == "general" else "math"
    part = one.table[(one.table["run"] == row["run"]) & (one.table["domain"] == domain)]
    later = part[part["fraction"] > 0.1]
    inside = (later["q0.05"] <= later["observed"]) & (later["observed"] <= later["q0.95"])
    assert row["coverage_90"] == pytest.approx(inside.mean())
    assert row["width_90"] == pytest.approx((later["q0.95"] - later["q0.05"]).mean())
    assert row["crps"] == pytest.approx(later["crps"].mean())
    assert row["last_inside"] == inside.iloc[-1]
    assert row["outside"] == part["outside"].iloc[0]


def test_numbers_are_compared_on_the_same_runs(tables):
    rows = tables.forecasts
    pilots = set(tables.fits.set_index("pilots").loc[8, "runs"].split(", "))
    assert pilots & set(rows.loc[rows["pilots"] == 3, "run"])
    common = kept.on_common_runs(rows)
    by = {number: set(part["run"]) for number, part in common.groupby("pilots")}
    assert by[3] == by[8] == set(rows["run"]) - pilots


def test_goals_are_the_same_for_every_fit_of_a_study(made, tables):
    goals = tables.goals
    assert set(goals["domain"]) == {"general", "target", "joint"}
    per_run = goals.groupby(["run", "domain", "goal"])["met"].nunique()
    assert per_run.eq(1).all()
    table = kept.calibration(goals).table()
    general = goals[goals["domain"] == "general"]
    brier = ((general["probability"] - general["met"]) ** 2).mean()
    assert table.loc["general", "brier"] == pytest.approx(brier, rel=1e-5)
    assert table.loc["general", "forecasts"] == len(general)


def test_runs_of_one_name_in_two_studies_are_two(tables):
    other = replace(tables, forecasts=tables.forecasts.assign(study="another")).forecasts
    both = pd.concat([tables.forecasts, other])
    one = kept.means(tables.forecasts, ["domain"], ["crps"])
    two = kept.means(both, ["domain"], ["crps"])
    assert two["crps"].to_numpy() == pytest.approx(one["crps"].to_numpy())
    assert (two["runs"] == 2 * one["runs"]).all()
    part = tables.forecasts[tables.forecasts["domain"] == "target"]
    expected = cluster_mean(part["crps"].to_numpy(float), part["run"].to_numpy())
    assert one.loc["target", ["crps", "crps_se"]].tolist() == pytest.approx(list(expected))


def test_tables_come_back_from_their_files(tables, tmp_path):
    tables.save(tmp_path)
    again = kept.Tables.read(tmp_path)
    for name, table in vars(tables).items():
        pd.testing.assert_frame_equal(getattr(again, name), table, check_dtype=False)


def test_the_figure_shows_the_means(tables):
    scores = by_number(tables)
    for ax, column in zip(figure(tables).axes, PANELS, strict=True):
        drawn = [line for line in ax.get_lines() if len(line.get_xdata()) == 2][:2]
        for line, domain in zip(drawn, kept.DOMAINS, strict=True):
            assert line.get_ydata() == pytest.approx(scores.loc[domain, column].to_numpy())
        assert ax.get_ylabel()
        assert ax.get_xlabel()


def test_a_finished_fit_is_not_made_again(made, tmp_path, monkeypatch):
    task, one = next(iter(made.items()))
    calls = []
    monkeypatch.setattr(tasks.Task, "run", lambda self, **options: calls.append(self) or one)
    first = command.fitted(task, tmp_path)
    second = command.fitted(task, tmp_path)
    assert calls == [task]
    pd.testing.assert_frame_equal(first.table, second.table)
    assert (second.fits["processor_seconds"] >= 0).all()


def test_the_tables_that_are_shipped_are_those_of_the_command():
    shipped = kept.Tables.read(kept.FOLDER)
    rows = shipped.fits[["study", "draw", "pilots"]].itertuples(index=False)
    assert {tasks.Task(*row) for row in rows} == set(tasks.all_tasks(command.DRAWS))
    assert np.isfinite(shipped.forecasts.select_dtypes("number").to_numpy()).all()
    assert shipped.goals["probability"].between(0, 1).all()
