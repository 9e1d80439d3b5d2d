"""Out-of-domain sets in forecasts, screening and goals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import Study, read_study, schedules, write_study
from bayescpt.data.study import Study as StudyClass
from bayescpt.errors import StudyError
from bayescpt.forecast import Draws, Plan, forecast
from bayescpt.forecast.final import Screener
from bayescpt.forecast.forecast import forecast_blocks
from bayescpt.forecast.out_of_domain import combination, set_notes, set_rows, weights_table
from bayescpt.model.rows import make_rows

WEIGHTS = {"books": (0.611, 0.475), "code": (-0.546, 1.853)}
WSD = schedules.wsd(2e-3, 200, 10, 40)
PLAN = Plan("new", WSD, 0.3, start="pt")


def with_sets(study: Study, noise: float = 0.001) -> Study:
    """The study with two sets that are combinations of the others."""
    rng = np.random.default_rng(1)
    wide = study.curves.pivot_table(index=["run", "step"], columns="domain", values="loss")
    wide = wide.dropna().reset_index()
    wide = wide[wide["run"].isin(study.cpt_runs)]
    curves = [study.curves]
    for name, (first, second) in WEIGHTS.items():
        loss = first * wide["general"] + second * wide["target"]
        loss = loss + noise * rng.standard_normal(len(wide))
        curves.append(wide[["run", "step"]].assign(domain=name, loss=loss))
    lrs = dict(study.lrs)
    return StudyClass.from_frames(
        pd.concat(curves), study.runs, lrs, name="sets", general="general",
        out_of_domain=list(WEIGHTS),
    )  # fmt: skip


@pytest.fixture(scope="module")
def study(simulated_study) -> Study:
    return with_sets(simulated_study)


@pytest.fixture(scope="module")
def draws(make_draws, study) -> Draws:
    return make_draws(study=study, law='annealing = "area"\nrewarm = "own"\nreplay = "memory"')


def test_sets_are_no_rows_of_the_law(study, draws):
    assert study.out_of_domain == ("books", "code")
    assert draws.labels.domain == ("general", "target")
    card = replace(draws.card, domains="all")
    assert make_rows(study, card).labels.domain == ("general", "target")
    assert draws.domains == ("general", "target", "books", "code")


def test_the_expected_curve_is_the_combination_draw_by_draw(draws):
    made = forecast(draws, PLAN)
    assert list(made.dataset["domain"].values) == ["general", "target", "books", "code"]
    general, target = (
        made.mu.sel(domain=d, plan="new").to_numpy().reshape(draws.size, -1)
        for d in ("general", "target")
    )
    for name in WEIGHTS:
        learnt = combination(draws.study, name, "target", draws.size)
        found = made.mu.sel(domain=name, plan="new").to_numpy().reshape(draws.size, -1)
        np.testing.assert_allclose(found, learnt.expected(general, target), rtol=1e-12)
    spread = made.loss.sel(domain="code") - made.mu.sel(domain="code")
    assert float(spread.std()) > 0.0


def test_a_screened_set_is_the_forecast_one(draws):
    plans = [PLAN, replace(PLAN, name="other", replay_ratio=0.15)]
    screener = Screener(draws)
    assert screener.domains == draws.domains
    placed = [screener.place(plan) for plan in plans]
    for kind in ("mu", "loss"):
        found = screener.evaluator(3)(placed, kind)
        expected = getattr(forecast(draws, plans, [200], seed=3), kind).to_numpy()
        shaped = expected.reshape(-1, 2, 4).transpose(1, 2, 0)
        np.testing.assert_allclose(found, shaped, rtol=1e-10)
    starts = screener.start_losses(placed)
    assert starts.shape == (2, 4, draws.size)
    assert np.isfinite(starts).all()


def test_blocks_of_steps_give_the_same_expected_curves(draws):
    steps = np.arange(10, 201, 10)
    whole = forecast(draws, PLAN, steps)
    parts = list(forecast_blocks(draws, PLAN, steps, size=7))
    joined = np.concatenate([part.mu.to_numpy() for part in parts], axis=-1)
    np.testing.assert_allclose(joined, whole.mu.to_numpy(), rtol=1e-12)
    # Realised ones have noise of their own, which carries on.
    loss = np.concatenate([part.loss.to_numpy() for part in parts], axis=-1)
    assert np.isfinite(loss).all()
    assert loss.std() == pytest.approx(float(whole.loss.std()), rel=0.2)


def test_a_plan_from_scratch_has_no_sets(draws):
    made = forecast(draws, Plan("scratch", WSD), [200])
    assert np.isnan(made.mu.sel(domain="code")).all()
    assert np.isfinite(made.mu.sel(domain="general")).all()


def test_start_losses_are_those_measured(study, draws):
    made = forecast(draws, PLAN, [200])
    measured = study.checkpoint_loss("pt", "code")
    assert measured is not None
    np.testing.assert_allclose(made.dataset["start_loss"].sel(domain="code"), measured)


def test_weights_are_tabled_with_their_intervals(study):
    table = weights_table(study)
    for name, weights in WEIGHTS.items():
        for parameter, truth in zip(("general", "target"), weights, strict=True):
            row = table.loc[(name, "target", parameter)]
            assert row["lower"] < row["median"] < row["upper"]
            assert abs(row["median"] - truth) < 0.05
    assert (table["rows"] == sum(one.loss.size for one in set_rows(study, "code", "target"))).all()


def test_notes_say_what_sets_are(study):
    notes = set_notes(study)
    assert len(notes) == 2
    assert "is a combination of the losses on 'general' and 'target', learnt from" in notes[0]


def test_rows_leave_out_the_first_tenth_and_shared_steps(study):
    for one in set_rows(study, "code", "target"):
        run = study.run(one.run)
        first = run.branch_step if run.branch_of in study else 0
        assert (one.fraction * run.steps > max(first, 20)).all()


def test_a_set_comes_back_from_disk_and_json(study, tmp_path):
    back = read_study(write_study(study, tmp_path / "sets"))
    assert back.out_of_domain == study.out_of_domain
    assert back.digest == study.digest
    part = replace(study, curves=study.curves[study.curves["domain"] != "code"])
    assert read_study(write_study(part, tmp_path / "part")).out_of_domain == ("books",)
    again = StudyClass.from_json(study.to_json())
    assert again.out_of_domain == study.out_of_domain
    assert replace(study, out_of_domain=()).digest != study.digest


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["books"], "'books', of which curves have no loss; domains are general, target"),
        (["general"], "'general', which is the general domain"),
        ("target", "'target', which is a target"),
        ([3], r"out_of_domain is \[3\]; expected names of domains"),
    ],
)
def test_what_is_no_out_of_domain_set_is_an_error(simulated_study, names, text):
    one = simulated_study
    with pytest.raises(StudyError, match=text):
        StudyClass.from_frames(one.curves, one.runs, dict(one.lrs), out_of_domain=names)
