"""Forecasts of final losses, and optimal and critical ratios, from draws that are known."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescpt as bc
from bayescpt.data.final_losses import is_final
from bayescpt.errors import PlanError
from bayescpt.forecast.final_losses import forecast_final
from bayescpt.forecast.final_plans import FinalDraws
from bayescpt.forecast.plan_file import read_plans
from bayescpt.forecast.ratios import critical_ratio, optimal_ratio
from bayescpt.model.final_card import load_final_card
from bayescpt.model.final_rows import make_final_rows

TRUE = {
    "level": 2.4, "size_ref": 0.4, "alpha_n": 0.3, "data_ref": 0.2, "beta_d": 0.3, "eta_r": 1.2,
    "mix_half": 0.1, "gamma_r": 0.3, "eps_r": 0.01, "lr_slope": 0.0, "lr_curve": 0.02,
    "lr_tilt": 0.0, "sigma": 1e-3, "base_sd": 0.05,
}  # fmt: skip


def made_up_study(sizes=(4e8, 1e9), targets=("de",)):
    """Runs of two sizes, two budgets and three replay ratios, all with one loss a set."""
    rows, losses = [], []
    for size in sizes:
        for target in targets:
            for tokens in (1e10, 4e10):
                for ratio in (0.05, 0.25, 0.5):
                    name = f"{target}_{size:g}_{tokens:g}_{ratio}"
                    rows.append((name, "cpt", f"base_{size:g}", target, ratio, size, tokens))
                    losses += [(name, "general", 2.5), (name, target, 1.5)]
    bases = [(f"base_{s:g}", "pt", None, None, None, s, 1e12) for s in sizes]
    losses += [(base[0], "general", 2.3) for base in bases]
    columns = ["run", "phase", "parent", "domain", "replay_ratio", "n_params", "tokens"]
    runs = pd.DataFrame([*bases, *rows], columns=columns)
    return bc.Study.from_frames(pd.DataFrame(losses, columns=["run", "domain", "loss"]), runs)


def draws_of(study, card="dcpt", n=50, **changes):
    card = load_final_card(card)
    rows = make_final_rows(study, card)
    n_sets, n_bases = len(rows.labels.set), len(rows.labels.base)
    jitter = 1.0 + 1e-3 * np.random.default_rng(1).standard_normal((2, n, n_sets))
    values = {p.name: {**TRUE, **changes}[p.name] * jitter for p in card.parameters()}
    posterior = xr.Dataset({k: (("chain", "draw", "set"), v) for k, v in values.items()})
    unit = np.broadcast_to(np.arange(n_bases)[:, None], (2, n, n_bases, n_sets)).astype(float)
    posterior["base_unit"] = (("chain", "draw", "base", "set"), unit)
    return FinalDraws(posterior.assign_coords(chain=[0, 1], draw=range(n)), card, study, rows)


@pytest.fixture(scope="module")
def draws():
    return draws_of(made_up_study())


def test_the_expected_loss_is_the_law_with_the_effect_of_the_base(draws):
    refs = draws.rows.references
    # The reference point, of the second base: its effect is one sd.
    share = refs["share"]["de"]
    plan = bc.Plan("p", n_params=1e9, tokens=refs["tokens"], replay_ratio=1.0 - share)
    found = forecast_final(draws, plan).mu.sel(plan="p", domain="de").mean().item()
    size = 0.4 * ((1e9 / refs["n_params"]) ** -0.3 - 1.0)
    assert found == pytest.approx(2.4 + size + 0.05, abs=2e-3)


def test_plans_of_a_new_size_are_wider_and_share_the_effect_of_their_base(draws):
    plans = [
        bc.Plan(f"{size:g} {k}", n_params=size, tokens=2e10, replay_ratio=0.25, start=start)
        for size, start in ((1e9, "base_1e+09"), (2e9, None))
        for k in (1, 2)
    ]
    forecast = forecast_final(draws, plans, seed=3)
    sd = forecast.mu.sel(domain="general").std(("chain", "draw")).squeeze().to_numpy()
    assert sd[2] > 5 * sd[0]
    mu = forecast.mu.sel(domain="general")
    np.testing.assert_array_equal(mu.sel(plan="2e+09 1"), mu.sel(plan="2e+09 2"))
    assert "n_params 2e+09 is above" not in str(forecast.warnings)
    assert "plan '2e+09 1': parameters 2e+09 is above the fitted 1e+09" in forecast.warnings[0]


def test_start_losses_serve_relative_goals(draws):
    plan = bc.Plan("p", n_params=1e9, tokens=2e10, replay_ratio=0.25)
    forecast = forecast_final(draws, plan)
    assert forecast.dataset["start_loss"].sel(domain="general").median().item() == 2.3
    table = bc.goal_probability(forecast, {"general": "+30%", "de": 2.9})
    assert table.loc["p", "joint"] == 1.0


def test_critical_ratio_is_where_the_general_loss_crosses(draws):
    plan = bc.Plan("p", n_params=1e9, tokens=2e10)
    at = critical_ratio(draws, plan, tolerance=0.3)
    again = bc.Plan("at", n_params=1e9, tokens=2e10, replay_ratio=1.0 - at.median)
    loss = forecast_final(draws, again).mu.sel(domain="general").median().item()
    assert loss == pytest.approx(2.3 + 0.3, abs=2e-3)
    share = critical_ratio(draws, plan, tolerance=f"{0.3 / 2.3:.6%}")
    np.testing.assert_allclose(share.target_share, at.target_share, atol=1e-5)
    low, high = at.interval(0.9)
    wide = at.interval(0.99)
    assert wide[0] <= low < at.median < high <= wide[1]
    tight = critical_ratio(draws, plan, tolerance=0.0, start_loss=1.0)
    loose = critical_ratio(draws, plan, tolerance=100.0)
    assert tight.possible == 0.0
    assert not tight.target_share.any()
    assert (loose.target_share == 1.0).all()
    assert "none with probability 1.00" in repr(tight)


def test_more_tolerance_is_a_larger_share(draws):
    plan = bc.Plan("p", n_params=1e9, tokens=2e10)
    found = [critical_ratio(draws, plan, tolerance=t).median for t in (0.25, 0.35, 0.5)]
    assert found == sorted(found)
    assert found[0] < found[-1]


def test_optimal_ratio_is_the_minimum_over_plans(draws):
    plan = bc.Plan("p", n_params=1e9, tokens=2e10)
    best = optimal_ratio(draws, plan, {"general": 1.0, "de": 1.0})
    ratios = np.linspace(0.02, 0.98, 97)
    plans = [bc.Plan(f"{r}", n_params=1e9, tokens=2e10, replay_ratio=r) for r in ratios]
    total = forecast_final(draws, plans).mu.sum("domain").mean(("chain", "draw")).squeeze()
    assert 1.0 - best.median == pytest.approx(ratios[int(np.argmin(total.to_numpy()))], abs=0.02)
    assert optimal_ratio(draws, plan, {"de": 1.0}).median == 1.0
    assert optimal_ratio(draws, plan, {"general": 1.0}).median == 0.0


def test_few_target_tokens_call_for_longer_mixed_runs():
    steep = draws_of(made_up_study(), mix_half=0.01, data_ref=0.6, eta_r=1.01)
    plan = bc.Plan("p", n_params=1e9, tokens=2e10)
    assert optimal_ratio(steep, plan, target_tokens=5e9).median < 1.0
    flat = draws_of(made_up_study(), mix_half=0.5, data_ref=0.01)
    assert optimal_ratio(flat, plan, target_tokens=5e9).median == 1.0


def test_several_targets(draws):
    known = draws_of(made_up_study(targets=("de", "code")))
    assert set(known.rows.labels.set) == {"general|de", "de", "general|code", "code"}
    plan = bc.Plan("p", n_params=1e9, tokens=2e10, replay_ratio=0.1, domain="code")
    forecast = forecast_final(known, plan)
    assert np.isnan(forecast.mu.sel(domain="de")).all()
    assert np.isfinite(forecast.mu.sel(domain=["general", "code"])).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tokens": 1e10, "replay_ratio": 0.1}, "n_params is missing: the fitted runs have 4e"),
        ({"n_params": 1e9, "replay_ratio": 0.1}, "tokens is missing"),
        ({"n_params": 1e9, "tokens": 1e10}, "replay_ratio is missing"),
        ({"n_params": 1e9, "tokens": 1e14, "replay_ratio": 0.1}, "more than 100 times beyond"),
        (
            {"n_params": 1e9, "tokens": 1e10, "replay_ratio": 0.1, "start": "bse"},
            "unknown start 'bse'",
        ),
        ({"n_params": 1e9, "tokens": 1e10, "replay_ratio": 0.1, "domain": "fr"}, "domain 'fr'"),
    ],
)
def test_plans_that_lack_or_exceed(draws, given, message):
    with pytest.raises(PlanError, match=message):
        forecast_final(draws, bc.Plan("p", **given))


def test_wrong_values_of_plans_and_ratios(draws):
    with pytest.raises(PlanError, match=r"tokens = -1\.0 must be above 0"):
        bc.Plan("p", tokens=-1.0)
    plan = bc.Plan("p", n_params=1e9, tokens=2e10)
    with pytest.raises(PlanError, match="tolerance = 'much'"):
        critical_ratio(draws, plan, "much")
    with pytest.raises(PlanError, match="unknown set 'fr' in weights"):
        optimal_ratio(draws, plan, {"fr": 1.0})
    new = bc.Plan("p", n_params=2e9, tokens=2e10)
    with pytest.raises(PlanError, match="start checkpoint on 'general' is not known"):
        critical_ratio(draws, new, 0.05)
    assert critical_ratio(draws, new, 0.05, start_loss=2.6).possible > 0


def test_plan_files(draws, tmp_path):
    file = tmp_path / "plans.toml"
    file.write_text('[[plan]]\nname = "a"\nn_params = 1e9\ntokens = 2e10\nreplay_ratio = 0.2\n')
    assert is_final(draws.study)
    (plan,) = read_plans(file, draws.study)
    assert (plan.n_params, plan.tokens, plan.replay_ratio) == (1e9, 2e10, 0.2)
    file.write_text('[[plan]]\nname = "a"\ntoken = 2e10\n')
    with pytest.raises(PlanError, match="unknown key 'token'; did you mean 'tokens'"):
        read_plans(file, draws.study)


def test_a_plan_without_a_schedule_is_no_plan_for_curves():
    study = bc.load_example("cpt_micro")
    from bayescpt.forecast.plan import plan_trajectory

    with pytest.raises(PlanError, match="plan 'p' has no schedule"):
        plan_trajectory(bc.Plan("p", tokens=1e9, replay_ratio=0.5), study)


def test_mixtures_of_sources():
    runs = pd.DataFrame(
        {"run": ["a", "b", "c"], "share_web": [0.2, 0.7, 0.5], "share_code": [0.8, 0.3, 0.5]}
    )
    curves = pd.DataFrame({"run": ["a", "b", "c"], "domain": "web", "loss": [3.0, 2.8, 2.9]})
    study = bc.Study.from_frames(curves, runs)
    card = load_final_card("mixing")
    rows = make_final_rows(study, card)
    one = np.ones((2, 3, 1))
    values = {p.name: 0.2 * one for p in card.parameters() if p.dims == ("set",)}
    posterior = xr.Dataset({k: (("chain", "draw", "set"), v) for k, v in values.items()})
    pure = np.broadcast_to([0.5, 2.0], (2, 3, 1, 2))
    posterior["pure"] = (("chain", "draw", "set", "source"), pure)
    known = FinalDraws(posterior.assign_coords(chain=[0, 1], draw=range(3)), card, study, rows)
    assert rows.labels.source == ("web", "code")
    plan = bc.Plan("p", shares={"web": 0.5, "code": 0.5})
    assert forecast_final(known, plan).mu.max().item() == pytest.approx(0.2 + 1.0)
    for shares, message in (
        ({"web": 0.5, "cod": 0.5}, "no fitted run has source 'cod'"),
        ({"web": 0.5, "code": 0.9}, "sum to 1.4"),
    ):
        with pytest.raises(PlanError, match=message):
            forecast_final(known, bc.Plan("p", shares=shares))
