from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import load_example
from bayescpt.errors import PlanError
from bayescpt.evaluate import simulate_study
from bayescpt.evaluate.backtest import backtest
from bayescpt.evaluate.baselines import last_value, paper_bootstrap, paper_recipe, run_power_law
from bayescpt.evaluate.baselines.paper_law import NAMES, Areas, curve, run_areas
from bayescpt.evaluate.splits import split_by_cutoff, split_by_run


@pytest.fixture(scope="module")
def exact():
    """Paper's law with its exponential replay response, all but noiseless."""
    return simulate_study(replay="exponential", sigma=1e-4, eval_every=500, pt_eval_every=2000)


def held_out(study, run):
    split = split_by_run(study, [run])[0]
    return split.train, split.held_out[["step", "domain"]], split.held_out["observed"].to_numpy()


def test_gradient_of_the_law(exact):
    steps = np.array([100, 1500, 5000])
    areas = run_areas(exact.study, "r25_wsd", steps)
    values = np.array([3.0, 0.5, 0.3, 0.2, 0.4, 0.5, np.log(28), 0.2, 2.0, 0.1])
    _, gradient = curve(values, areas)
    for k in range(len(NAMES)):
        step = np.zeros(len(NAMES))
        step[k] = 1e-6
        difference = (curve(values + step, areas)[0] - curve(values - step, areas)[0]) / 2e-6
        np.testing.assert_allclose(gradient[k], difference, atol=1e-8)


def test_areas_are_the_papers(exact):
    areas = run_areas(exact.study, "r10_wsd", np.array([0, 5000]))
    assert isinstance(areas, Areas)
    pt, cpt = exact.study.lrs["pt"], exact.study.lrs["r10_wsd"]
    np.testing.assert_allclose(areas.s1, [pt.sum(), pt.sum() + cpt.sum()])
    np.testing.assert_allclose(areas.s1_cpt, [0, cpt.sum()])
    np.testing.assert_allclose(areas.replay, 0.1)


def test_the_recipe_finds_its_own_law(exact):
    train, rows, observed = held_out(exact.study, "r25_cosine")
    made = paper_recipe(train, "r25_cosine", rows, seed=1, n_draws=200)
    assert made.draws.shape == (200, len(rows))
    assert np.abs(np.median(made.draws, axis=0) - observed).mean() < 5e-4


def test_the_bootstrap_is_wider_than_the_residuals_alone(exact):
    train, rows, _ = held_out(exact.study, "r50_wsd")
    rows = rows[rows["domain"] == "general"].reset_index(drop=True)
    kwargs = {"seed": 1, "n_draws": 400}
    plain = paper_recipe(train, "r50_wsd", rows, **kwargs).draws
    resampled = paper_bootstrap(train, "r50_wsd", rows, n_resamples=5, **kwargs).draws
    assert resampled.std(axis=0).mean() > plain.std(axis=0).mean()
    assert np.abs(np.median(resampled, axis=0) - np.median(plain, axis=0)).max() < 0.01


def test_the_recipe_on_pre_training_is_tissues_law():
    study = simulate_study(continual=False, sigma=1e-4, pt_eval_every=1000).study
    train, rows, observed = held_out(study, "cosine")
    made = paper_recipe(train, "cosine", rows, seed=1, n_draws=200)
    assert np.abs(np.median(made.draws, axis=0) - observed).mean() < 1e-3


def test_run_power_law_continues_a_power_law(study):
    split = split_by_cutoff(study, ["r0_wsd"], (0.5,))[0]
    steps = np.arange(100, 2600, 100)
    rows = [
        {"run": "r0_wsd", "step": s, "domain": d, "loss": c + a * s**-0.5}
        for d, c, a in (("general", 3.5, -2.0), ("target", 2.5, 3.0))
        for s in steps
    ]
    others = split.train.curves[split.train.curves["run"] != "r0_wsd"]
    train = replace(split.train, curves=pd.concat([pd.DataFrame(rows), others]))
    ahead = pd.DataFrame({"step": [3000, 5000] * 2, "domain": ["general"] * 2 + ["target"] * 2})
    made = run_power_law(train, "r0_wsd", ahead, seed=1)
    truth = [3.5 - 2 * 3000**-0.5, 3.5 - 2 * 5000**-0.5, 2.5 + 3 * 3000**-0.5, 2.5 + 3 * 5000**-0.5]
    np.testing.assert_allclose(np.median(made.draws, axis=0), truth, atol=1e-3)


def test_run_power_law_needs_a_run_in_flight(study):
    train, rows, _ = held_out(study, "r0_wsd")
    with pytest.raises(PlanError, match="has 0 known losses on domain 'general'"):
        run_power_law(train, "r0_wsd", rows, seed=1)


def test_last_value_stays_and_widens(study):
    split = split_by_cutoff(study, ["r0_cosine"], (0.5,))[0]
    made = last_value(split.train, "r0_cosine", split.held_out, seed=1, n_draws=4000)
    known = split.train.curve("r0_cosine", "target")["loss"].iloc[-1]
    target = made.draws[:, (split.held_out["domain"] == "target").to_numpy()]
    spread = target.std(axis=0)
    assert (np.diff(spread) > 0).all()
    assert np.abs(target.mean(axis=0) - known).max() < 4 * spread.max() / np.sqrt(4000)
    # Twice the way ahead, sqrt(2) times the spread; draws of one walk are joint over steps.
    assert spread[3] / spread[1] == pytest.approx(np.sqrt(2), rel=0.1)
    assert np.corrcoef(target[:, 0], target[:, 1])[0, 1] > 0.5


def test_last_value_of_a_new_run_is_its_checkpoint(study):
    train, rows, _ = held_out(study, "r0_wsd")
    made = last_value(train, "r0_wsd", rows, seed=1)
    start = study.start_loss("r0_wsd", "general")
    general = made.draws[:, (rows["domain"] == "general").to_numpy()]
    assert general.std(axis=0).min() > 0
    assert np.abs(general[:, 0].mean() - start) < 0.01


@pytest.mark.parametrize("method", [last_value, run_power_law])
def test_the_same_scores_apply_to_all(method):
    study = load_example("cpt_micro")
    made = backtest(study, by="cutoff", runs=["de_r25_cos"], cutoffs=(0.5,), method=method)
    scores = made.scores(by="domain")
    assert list(scores["domain"]) == ["general", "german"]
    assert (scores["crps"] > 0).all()
    assert (scores["energy"] > 0).all()
