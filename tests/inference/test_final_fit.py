"""Fits of final losses: published tables, recovery of parameters, calibration, files."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import bayescpt as bc
from bayescpt.cli import app
from bayescpt.errors import CardError, FitError
from bayescpt.inference.final_fit import FinalFit
from bayescpt.inference.final_sample import _structure
from bayescpt.laws.final import FINAL_LAWS
from bayescpt.model.final_card import FinalCard, load_final_card
from bayescpt.model.final_rows import make_final_rows

SEEDS = (1, 2, 3, 4, 5)
# Without effects of bases all studies of two sets share one compiled sampler.
CARD = load_final_card("dcpt")
PLAIN = FinalCard("dcpt", "no base effects", "dcpt", True, False, CARD.priors)


@pytest.fixture(scope="module")
def published():
    return bc.load_example("ibrahim_405m_german")


@pytest.fixture(scope="module")
def fit(published):
    return bc.fit(published.select(["r0", "r1", "r5", "r50"]), seed=1, progress=False)


def test_published_replay_ratios_are_forecast_from_four_others(fit, published):
    """arXiv 2403.08763: from replay 0, 1, 5 and 50%, the losses at 10 and 25%."""
    assert [check.status for check in fit.checks()] == ["ok"] * 8
    plans = [bc.Plan.from_run(published.run("r10")), bc.Plan("r25", replay_ratio=0.25)]
    band = fit.forecast(plans).interval(0.9).squeeze("step")
    for plan, most in (("r10", 0.10), ("r25", 0.06)):
        for domain in ("pile", "german"):
            at = band.sel(plan=plan, domain=domain)
            true = published.curve(plan, domain)["loss"].item()
            assert at["lower"] <= true <= at["upper"], (plan, domain)
        general = band.sel(plan=plan, domain="pile")
        assert general["upper"] - general["lower"] < most


def test_it_is_a_fit_that_decides_saves_and_loads(fit, tmp_path):
    assert isinstance(fit, bc.Fit)
    plans = [bc.Plan("10%", replay_ratio=0.1), bc.Plan("40%", replay_ratio=0.4)]
    goal = {"pile": "+0.2", "german": 1.25}
    forecast = fit.forecast(plans, seed=2)
    table = bc.goal_probability(forecast, goal)
    assert table.loc["10%", "joint"] < 0.1 < 0.9 < table.loc["40%", "joint"]
    screened = bc.screen(fit, plans, goal=goal, random_seed=2)
    np.testing.assert_allclose(screened["joint"], table["joint"])
    loaded = bc.load_fit(fit.save(tmp_path / "fit.nc"))
    assert isinstance(loaded, FinalFit)
    xr.testing.assert_identical(loaded.forecast(plans, seed=2).dataset, forecast.dataset)
    assert loaded.checks() == fit.checks()
    pd.testing.assert_frame_equal(loaded.summary(), fit.summary())
    assert {"level[pile]", "C[german]", "sigma[pile]"} <= set(fit.summary().index)
    assert any("one size" in note for note in fit.notes)


def test_d_cpt_usage_1():
    """arXiv 2406.01375: the best chemistry share at 1.8B, 10B tokens, general loss +3% is .924."""
    share = [0.90, 0.92, 0.924, 0.93, 1.0]
    losses = {
        "general": [2.9052, 2.9376, 2.9445, 2.9644, 3.4667],
        "chemistry": [1.7321, 1.7311, 1.7291, 1.7279, 1.7220],
    }
    runs = pd.DataFrame({"run": [f"r{s}" for s in share], "replay_ratio": 1.0 - np.array(share)})
    runs = runs.assign(n_params=1.8e9, tokens=1e10)
    curves = pd.concat(
        pd.DataFrame({"run": runs["run"], "domain": d, "loss": v}) for d, v in losses.items()
    )
    # Quantiles of 2,000 draws are off by some hundredths of the interval.
    few = {"draws": 500, "tune": 500, "extend": 1, "progress": False}
    found = bc.fit(bc.Study.from_frames(curves, runs), seed=1, **few)
    ratio = found.critical_ratio(tolerance="3%", start_loss=2.8602, allow_failed=True)
    low, high = ratio.interval(0.9)
    assert low <= 0.924 <= high
    assert high - low < 0.03


def simulated(seed, true=None):
    """A study of a design of sizes, tokens, replay ratios and LRs, and its true parameters."""
    rng = np.random.default_rng(seed)
    grid = [
        (n, d, r, f)
        for n in (2e8, 8e8, 3e9)
        for d in (2e9, 1e10, 5e10)
        for r, f in ((0.02, 0.5), (0.1, 1.0), (0.3, 0.7), (0.7, 0.4))
    ]
    columns = ["n_params", "tokens", "replay_ratio", "lr_factor"]
    runs = pd.DataFrame(grid, columns=columns)
    runs.insert(0, "run", [f"r{k}" for k in range(len(runs))])
    curves = pd.concat(
        pd.DataFrame({"run": runs["run"], "domain": d, "loss": 2.0}) for d in ("general", "de")
    )
    study = bc.Study.from_frames(curves, runs, allow_mixed=["n_params"])
    rows = make_final_rows(study, PLAIN)
    if true is None:
        true = {p.name: PLAIN.priors[p.name].draw(rng, (2,)) for p in PLAIN.parameters()}
        true["level"] = rng.uniform(1.5, 3.0, 2)
    mu = PLAIN.law.loss({k: v[rows.set_index] for k, v in true.items()}, rows.points())
    noisy = mu + true["sigma"][rows.set_index] * rng.standard_normal(mu.size)
    table = rows.table[["run", "domain"]].assign(loss=np.maximum(noisy, 0.05))
    return bc.Study.from_frames(table, runs, allow_mixed=["n_params"]), true


@pytest.fixture(scope="module")
def recovered():
    """Posterior quantiles of the true parameters, over five simulated studies."""
    ranks = []
    for seed in SEEDS:
        study, true = simulated(seed)
        found = bc.fit(study, PLAIN, seed=seed, draws=300, tune=400, progress=False, extend=1)
        for name, values in true.items():
            draws = found.posterior[name].stack(sample=("chain", "draw"))
            ranks.append((draws < xr.DataArray(values, dims="set")).mean("sample").to_numpy())
    return np.concatenate(ranks)


@pytest.mark.slow
def test_parameters_are_recovered(recovered):
    inside = (recovered > 0.025) & (recovered < 0.975)
    assert inside.mean() >= 0.90
    # Ranks are uniform: 130 of them, none of the quarters more than 4 errors off.
    quarters = np.histogram(recovered, [0, 0.25, 0.5, 0.75, 1.0])[0] / recovered.size
    assert np.abs(quarters - 0.25).max() < 4 * np.sqrt(0.25 * 0.75 / recovered.size)


@pytest.mark.slow
def test_parameters_of_another_law_are_not_covered():
    """The negative control: exponents of size four times the true ones."""
    study, true = simulated(6)
    wrong = {**true, "alpha_n": true["alpha_n"] * 4.0}
    found = bc.fit(study, PLAIN, seed=6, draws=300, tune=400, progress=False, extend=1)
    draws = found.posterior["alpha_n"].stack(sample=("chain", "draw"))
    rank = (draws < xr.DataArray(wrong["alpha_n"], dims="set")).mean("sample").to_numpy()
    assert (rank > 0.975).any()


def test_wrong_cards_and_studies(published):
    with pytest.raises(CardError, match="no card 'cpt_replay' for final losses"):
        bc.fit(published, "cpt_replay", progress=False)
    with pytest.raises(FitError, match="is for final losses"):
        make_final_rows(bc.load_example("mpl_25m"), CARD)


def test_the_command_line_fits_and_judges(fit, tmp_path):
    run = CliRunner().invoke
    file, plans = tmp_path / "fit.nc", tmp_path / "plans.toml"
    plans.write_text('[[plan]]\nname = "quarter"\nreplay_ratio = 0.25\n')
    few = ["--draws", "50", "--tune", "50", "--chains", "2", "--extend", "1", "--quiet"]
    done = run(app, ["fit", "ibrahim_405m_german", "--out", str(file), *few])
    # 100 draws are not 400 effective ones.
    assert done.exit_code == 1, done.output
    assert "12 losses of 6 runs" in done.output
    assert "noise sd" in done.output
    assert isinstance(bc.load_fit(file), FinalFit)
    fit.save(file)
    goal = ["goal", str(file), "--plans", str(plans), "--goal", "pile=+0.3", "--json"]
    done = run(app, goal)
    assert done.exit_code == 0, done.output
    row = json.loads(done.output)["rows"][0]
    assert row["joint"] > 0.9
    done = run(app, ["forecast", str(file), "--plans", str(plans)])
    assert done.exit_code == 0, done.output


def test_finished_chains_are_kept_and_taken(published, tmp_path):
    study = published.select(["r0", "r1", "r5", "r50"])
    few = {"seed": 1, "draws": 50, "tune": 50, "extend": 1, "progress": False}
    alone = bc.fit(study, **few)
    again = bc.fit(study, **few, work=tmp_path / "work")
    assert (tmp_path / "work").is_dir()
    xr.testing.assert_equal(again.posterior, alone.posterior)
    kept = bc.fit(study, **few, work=tmp_path / "work", cores=1)
    xr.testing.assert_equal(kept.posterior, alone.posterior)


class OwnLaw(FINAL_LAWS["dcpt"]):
    """A law from outside the package."""


def test_a_law_of_ones_own_enters_the_key_of_the_cache(published, monkeypatch):
    rows = make_final_rows(published, PLAIN)
    *_, shipped = _structure(rows, PLAIN)
    monkeypatch.setitem(FINAL_LAWS, "dcpt", OwnLaw)
    *_, own = _structure(rows, FinalCard("dcpt", "own", "dcpt", True, False, CARD.priors))
    assert shipped == ()
    assert len(own) == 1
