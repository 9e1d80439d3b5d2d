"""Forecasts from posteriors made by hand."""

import re
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

from bayescpt.data import schedules
from bayescpt.data.areas import annealing_area, forward_area
from bayescpt.errors import PlanError
from bayescpt.evaluate.generate import with_losses
from bayescpt.forecast import Plan, forecast, forecast_blocks
from bayescpt.forecast.final import Screener
from bayescpt.forecast.plan import plan_trajectory
from bayescpt.inference import Fit
from bayescpt.laws.kernels import KERNELS
from bayescpt.laws.terms.shift import shift_growth
from bayescpt.laws.terms.shift_own_share import power_share
from bayescpt.laws.view import View
from bayescpt.model.rows import make_rows

PEAK = 2e-3
WSD = schedules.wsd(PEAK, 200, 10, 40)
SHORT = schedules.cosine(PEAK, 120, 5, min_lr_ratio=0.1)


def plan(name="new", schedule=WSD, ratio=0.25, start="pt", **kwargs) -> Plan:
    return Plan(name, schedule, ratio, start=start, **kwargs)


# what is forecast


def equation(level, base_ref, alpha, anneal_ref, area, area_start, anneal, shift, growth):
    """Eq. 4 of arXiv 2505.07796 in nats at reference points, written out."""
    fallen = base_ref * (area**-alpha - area_start**-alpha)
    return level + fallen - anneal_ref * anneal + shift * growth


@pytest.mark.parametrize("domain", ["general", "target"])
def test_mu_is_the_law_at_each_draw(draws, domain):
    steps = np.array([0, 1, 10, 100, 160, 200])
    made = forecast(draws, plan(), steps).mu.sel(plan="new", domain=domain)
    study, refs = draws.study, draws.rows.refs
    before = study.run("pt").schedule
    spent, own = before.lr.sum(), forward_area(WSD.lr)
    for chain, n in ((0, 0), (1, 17)):
        at = draws.posterior.isel(chain=chain, draw=n)
        memory = float(np.exp(at["log_memory"]))
        by_domain = {"domain": domain}
        by_pair = {"pair": f"{domain}|target"}
        share = 0.75 if domain == "target" else 0.25
        phi = power_share(
            share,
            float(at["replay_gamma"].sel(by_pair)),
            float(at["replay_eps"].sel(by_pair)),
        )
        left = 1.0 - phi if domain == "target" else phi
        direct = equation(
            level=float(at["start_level"].sel(level=f"pt|{domain}")),
            base_ref=float(at["base_ref"].sel(by_domain)),
            alpha=float(at["alpha_s1"].sel(by_domain)),
            anneal_ref=float(at["anneal_ref"].sel(by_domain)),
            area=(spent + own[steps]) / refs["area"],
            area_start=spent / refs["area"],
            anneal=annealing_area(WSD.lr, 1 - 1 / memory, before.final_lr)[steps]
            / (memory * refs["peak_lr"]),
            shift=float(at["shift_ref"].sel(by_pair)) * left,
            growth=shift_growth(
                own[steps] / refs["shift_area"],
                float(at["onset"].sel(by_pair)),
                float(at["beta"].sel(by_pair)),
            ),
        )
        np.testing.assert_allclose(made.isel(chain=chain, draw=n), direct, rtol=1e-6)


@pytest.mark.parametrize("domain", ["general", "target"])
def test_mu_of_a_fading_memory_is_the_law_at_each_draw(make_draws, domain):
    """Half the reference peak, from a start of a lower LR: re-warm-up and both exponents count."""
    draws = make_draws(law='replay = "memory"\nannealing = "area"\nrewarm = "own"')
    lr, steps, refs = schedules.wsd(PEAK / 2, 200, 10, 40), np.array([1, 100, 200]), draws.rows.refs
    made = forecast(draws, plan(schedule=lr), steps).mu.sel(plan="new", domain=domain)
    before = draws.study.run("pt").schedule
    view = View(plan_trajectory(plan(schedule=lr), draws.study), steps, refs)
    own, is_target = forward_area(lr.lr)[steps], domain == "target"
    learned = forward_area((lr.lr / PEAK) ** 0.6) * PEAK / refs["shift_area"]
    at = draws.posterior.isel(chain=1, draw=5)
    value = {
        name: float(
            at[name].sel(
                {dim: domain if dim == "domain" else f"{domain}|target" for dim in at[name].dims}
            )
        )
        for name in (p.name for p in draws.card.parameters())
    }
    # All fitted runs rise from the same LR to the peak.
    rise = (PEAK / 2 - before.final_lr) / PEAK - (PEAK - before.final_lr) / PEAK
    shift, onset, area = value["shift_ref"], value["onset"], own / refs["shift_area"]
    memory = {"gamma": value["share_gamma"], "keep": 0.25}
    seen = refs["replay_seen"]  # where the shift is measured
    assert seen == 0.1
    if is_target:
        speed = (0.75 / (1 - seen)) ** value["share_kappa"] * 0.5 ** value["speed_peak"]
        shift *= shift_growth(speed, onset, value["beta"])
        onset, area, memory = onset * speed, learned[steps], {}
    else:
        shift *= 0.5 ** value["shift_peak"]
        shift /= shift_growth(1.0, onset, value["beta"], gamma=value["share_gamma"], keep=seen)
    weights = KERNELS["area"].weights({k: np.float64(v) for k, v in value.items()}, refs)
    spent = before.lr.sum()
    direct = equation(
        level=float(at["start_level"].sel(level=f"pt|{domain}"))
        + value["rewarm_ref"] * rise
        + value["jump"],
        base_ref=value["base_ref"],
        alpha=value["alpha_s1"],
        anneal_ref=value["anneal_ref"],
        area=(spent + own) / refs["area"],
        area_start=spent / refs["area"],
        anneal=draws.card.law.features(view, is_target)["anneal"] @ weights,
        shift=shift,
        growth=shift_growth(area, onset, value["beta"], **memory),
    )
    assert refs["peak_lr"] == PEAK
    np.testing.assert_allclose(made.isel(chain=1, draw=5), direct, rtol=1e-10)


def test_forecast_of_a_run_from_scratch(draws):
    made = forecast(draws, Plan("scratch", schedules.wsd(PEAK, 1000, 25, 200)), [1, 1000]).mu
    at = draws.posterior.isel(chain=0, draw=3).sel(domain="general")
    own = made.sel(plan="scratch", domain="general").isel(chain=0, draw=3)
    # S1 of the study's own pre-training is the reference area: the base term is level_pt there.
    area = schedules.wsd(PEAK, 1000, 25, 200).lr.sum()
    assert area == pytest.approx(draws.rows.refs["area"])
    memory = float(np.exp(at["log_memory"]))
    lr = schedules.wsd(PEAK, 1000, 25, 200).lr
    drop = annealing_area(lr, 1 - 1 / memory)[-1] / (memory * draws.rows.refs["peak_lr"])
    expected = at["level_pt"] - at["anneal_pt_ref"] * drop
    assert float(own[-1]) == pytest.approx(float(expected), rel=1e-6)


def test_the_dataset_has_the_draws_under_their_own_labels(draws):
    made = forecast(draws, [plan("a"), plan("b", SHORT)], [0, 50, 120])
    assert dict(made.dataset.sizes) == {"chain": 2, "draw": 40, "plan": 2, "domain": 2, "step": 3}
    assert made.mu.dims == made.loss.dims == ("chain", "draw", "plan", "domain", "step")
    assert list(made.dataset["plan"].values) == ["a", "b"]
    assert list(made.dataset["domain"].values) == ["general", "target"]
    assert made.study_name == "simulated"
    assert [p.name for p in made.plans] == ["a", "b"]


@pytest.mark.parametrize("unit", ["nat/token", "bit/byte", ""])
def test_the_unit_is_the_studys(draws, unit):
    other = replace(draws, study=replace(draws.study, curves_unit=unit, loss_unit="bit/token"))
    attrs = forecast(other, plan(), [200]).dataset.attrs
    assert (attrs["units"], attrs["shown_units"]) == (unit, "bit/token")


def test_steps_past_a_plans_own_end_are_nan(draws):
    made = forecast(draws, [plan("long"), plan("short", SHORT)])
    assert list(made.dataset["step"].values) == list(range(201))
    for kind in ("mu", "loss"):
        values = made.dataset[kind]
        assert not values.sel(plan="long").isnull().any()
        assert not values.sel(plan="short", step=slice(0, 120)).isnull().any()
        assert values.sel(plan="short", step=slice(121, None)).isnull().all()
        bands = made.interval(0.9, kind)
        assert bands["median"].sel(plan="short", step=slice(121, None)).isnull().all()
        assert not bands["median"].sel(plan="short", step=120).isnull().any()


def test_a_run_from_scratch_has_no_loss_at_step_0(draws):
    scratch = Plan("scratch", schedules.wsd(PEAK, 1000, 25, 200))
    made = forecast(draws, [plan(), scratch], [0, 1])
    assert made.mu.sel(plan="scratch", step=0).isnull().all()
    assert not made.mu.sel(plan="scratch", step=1).isnull().any()
    assert not made.mu.sel(plan="new", step=0).isnull().any()
    assert forecast(draws, scratch).dataset["step"].values[0] == 1


# bands


@pytest.mark.parametrize("kind", ["mu", "loss"])
def test_bands_of_higher_probability_contain_those_of_lower(draws, kind):
    made = forecast(draws, [plan()], [1, 100, 200])
    bands = [made.interval(prob, kind) for prob in (0.3, 0.5, 0.8, 0.95)]
    for inner, outer in pairwise(bands):
        assert (outer["lower"] <= inner["lower"]).all()
        assert (inner["lower"] <= inner["median"]).all()
        assert (inner["median"] <= inner["upper"]).all()
        assert (inner["upper"] <= outer["upper"]).all()
        assert (outer["upper"] - outer["lower"] > inner["upper"] - inner["lower"]).all()


def test_bands_hold_their_share_of_the_draws(draws):
    made = forecast(draws, plan(), [200])
    band = made.interval(0.8)
    inside = (made.loss >= band["lower"]) & (made.loss <= band["upper"])
    np.testing.assert_allclose(inside.mean(("chain", "draw")), 0.8, atol=0.03)


def test_loss_is_wider_than_mu_by_the_noise_and_the_effects(make_draws):
    draws = make_draws('run_effects = ["level"]', draws=400)
    narrow = draws.posterior.copy(deep=True)
    for name in narrow.data_vars:  # all draws one: only noise and effects are left
        narrow[name][:] = narrow[name].isel(chain=0, draw=0)
    narrow["sigma"][:] = 0.03
    # An effect of 4/3 of the noise, however new the recipe.
    narrow["discrepancy_near"][:], narrow["discrepancy_far"][:] = 4 / 3, 0.0
    made = forecast(replace(draws, posterior=narrow), plan(), [100, 200])
    assert float(made.mu.std(("chain", "draw")).max()) < 1e-12
    np.testing.assert_allclose(made.loss.std(("chain", "draw")), 0.05, rtol=0.12)
    # The effect is the run's, the noise the step's: .04^2 of .05^2 is shared between steps.
    both = made.loss.sel(plan="new", domain="general").to_numpy().reshape(-1, 2)
    assert np.corrcoef(both.T)[0, 1] == pytest.approx(0.64, abs=0.08)


def test_a_band_needs_a_probability_and_a_kind(draws):
    made = forecast(draws, plan(), [200])
    for prob in (0.0, 1.0, 90, float("nan")):
        with pytest.raises(PlanError, match=r"between 0 and 1, such as 0\.9"):
            made.interval(prob)
    with pytest.raises(PlanError, match="kind = 'noise'"):
        made.interval(0.9, "noise")


# plans beside each other


@pytest.mark.parametrize("noise", ["ar1 = true", 'run_effects = ["level", "shift"]'])
def test_a_plan_s_draws_do_not_depend_on_the_others(make_draws, noise):
    draws = make_draws(f"early = true\n{noise}")
    a, b, c = plan("a"), plan("b", SHORT), plan("c", ratio=0.4)
    alone = forecast(draws, a).dataset.sel(plan="a")
    for others in ([a, b], [b, a], [c, b, a]):
        xr.testing.assert_identical(forecast(draws, others).dataset.sel(plan="a"), alone)
    assert not forecast(draws, a, seed=1).loss.equals(forecast(draws, a, seed=2).loss)
    xr.testing.assert_identical(forecast(draws, a, seed=1).mu, forecast(draws, a, seed=2).mu)


def test_plans_share_the_parameter_draws(draws):
    made = forecast(draws, [plan("a"), plan("b", ratio=0.3)], [200]).mu.sel(domain="general")
    one, two = (made.sel(plan=name).to_numpy().ravel() for name in "ab")
    assert np.corrcoef(one, two)[0, 1] > 0.99


# starts


def test_a_plan_may_start_from_any_checkpoint_with_a_known_loss(draws, without_noise):
    made = forecast(without_noise(draws), plan(start="r10_wsd"), [0, 200])
    measured = draws.study.checkpoint_loss("r10_wsd", "general")
    at_start = made.mu.sel(plan="new", domain="general", step=0)
    assert float(at_start.mean()) == pytest.approx(measured, abs=0.01)
    assert float(at_start.std()) == pytest.approx(draws.card.level_sd, rel=0.3)
    # one start in both: not drawn anew for the realised curve
    xr.testing.assert_allclose(made.loss, made.mu)


def test_a_start_without_a_measured_loss_is_an_error(draws):
    study = draws.study
    gone = study.curves[(study.curves["run"] != "r10_wsd") | (study.curves["step"] < 200)]
    cut = replace(draws, study=with_losses(study, gone))
    with pytest.raises(PlanError, match=r"start checkpoint 'r10_wsd' on 'general' was not meas"):
        forecast(cut, plan(start="r10_wsd"), [200])


def test_an_unknown_start_is_an_error_that_lists_the_runs(draws):
    with pytest.raises(PlanError, match=r"plan 'new': unknown start checkpoint 'base'; .*pt, r10"):
        forecast(draws, plan(start="base"))


def test_an_unknown_domain_is_an_error_that_lists_the_targets(draws):
    with pytest.raises(PlanError, match=r"plan 'new': no fitted run trains on domain 'code'.*targ"):
        forecast(draws, plan(domain="code"))


def test_from_scratch_needs_fitted_pretraining(make_draws, simulated_study):
    study = simulated_study
    curves = study.curves[study.curves["run"] != "pt"]
    draws = make_draws(draws=2, study=with_losses(study, curves))
    stripped = replace(draws, card=replace(draws.card, pretraining="none"))
    with pytest.raises(PlanError, match="plan 'scratch' starts from scratch, but card 'test' fits"):
        forecast(stripped, Plan("scratch", WSD))


# arguments


@pytest.mark.parametrize("steps", [[0.5], [], [10.0, 10.5], [np.nan]])
def test_steps_must_be_whole_numbers(draws, steps):
    with pytest.raises(PlanError, match="steps must be whole numbers, at least one"):
        forecast(draws, plan(), steps)


@pytest.mark.parametrize("bad", [-1, 201])
def test_steps_must_lie_in_the_plan(draws, bad):
    with pytest.raises(PlanError, match=rf"step {bad} is outside the range of the plans, 0\.\.200"):
        forecast(draws, plan(), [100, bad])


def test_steps_come_sorted_once_each(draws):
    made = forecast(draws, plan(), [200, 10, 10, 50.0])
    assert list(made.dataset["step"].values) == [10, 50, 200]


def test_no_plan_and_two_of_one_name_are_errors(draws):
    with pytest.raises(PlanError, match="no plan to forecast"):
        forecast(draws, [])
    with pytest.raises(PlanError, match="two plans are named 'a'; names must be unique"):
        forecast(draws, [plan("a"), plan("b"), plan("a", SHORT)])


def test_percent_for_replay_is_an_error_with_the_ratio():
    with pytest.raises(PlanError, match=r"plan 'new': replay_ratio = 25 is outside.*25% is 0\.25"):
        plan(ratio=25)
    ratio = np.full(200, 0.2)
    ratio[7] = np.nan
    with pytest.raises(PlanError, match="replay_ratio = nan at step 8 is outside"):
        plan(ratio=ratio)
    with pytest.raises(PlanError, match=r"replay_ratio has shape \(3,\).*\(200,\)"):
        plan(ratio=np.zeros(3))


def test_a_schedule_must_be_one():
    with pytest.raises(PlanError, match="schedule is a ndarray; make one with"):
        plan(schedule=WSD.lr)


# memory


def test_a_forecast_too_large_is_refused_and_can_be_had_in_blocks(draws, monkeypatch):
    whole = forecast(draws, plan(), range(100, 201))
    module = sys.modules["bayescpt.forecast.forecast"]
    monkeypatch.setattr(module, "MEMORY_LIMIT", 16.0 * 2 * 10 * draws.size)
    with pytest.raises(PlanError, match=r"at 101 steps with 80 draws takes .*forecast_blocks"):
        forecast(draws, plan(), range(100, 201))
    parts = list(forecast_blocks(draws, plan(), range(100, 201), size=10))
    assert [part.dataset.sizes["step"] for part in parts] == [10] * 10 + [1]
    joined = xr.concat([part.dataset for part in parts], "step", data_vars="minimal")
    xr.testing.assert_allclose(joined["mu"], whole.mu, rtol=1e-12)
    assert joined["loss"].dims == whole.loss.dims
    with pytest.raises(PlanError, match="at 11 steps"):
        next(forecast_blocks(draws, plan(), range(100, 201), size=11))
    with pytest.raises(PlanError, match="size = 0"):
        next(forecast_blocks(draws, plan(), size=0))


def test_steps_that_nobody_names_are_about_200_with_all_ends(draws):
    plans = [plan("long", schedules.constant(2e-3, 5000)), plan("short", SHORT), plan()]
    steps = forecast(draws, plans).dataset["step"].to_numpy()
    assert 150 < steps.size <= 210
    assert {0, SHORT.n_steps, WSD.n_steps, 5000} <= set(steps.tolist())
    every = forecast(draws, plans[0], "all").dataset["step"].to_numpy()
    np.testing.assert_array_equal(every, np.arange(5001))
    for bad in ("every", [1.5], [], [np.nan], [True]):
        with pytest.raises(PlanError, match="steps must be whole numbers"):
            forecast(draws, plan(), bad)


# ranges


def test_a_plan_inside_what_was_fitted_has_no_warning(draws, simulated_study, reasons):
    plans = [plan(), *(Plan.from_run(simulated_study.run(n)) for n in simulated_study.cpt_runs)]
    assert reasons(forecast(draws, plans, [200])) == []


@pytest.mark.parametrize(
    ("schedule", "ratio", "text"),
    [
        (schedules.constant(4e-3, 200), 0.2, r"peak LR 0\.004 is above the fitted 0\.002"),
        (schedules.constant(1e-3, 200), 0.2, r"peak LR 0\.001 is below the fitted 0\.002"),
        (WSD, 0.6, r"replay ratio 0\.6 is above the fitted 0\.5"),
        (WSD, 0.0, r"replay ratio 0 is below the fitted 0\.1"),
        (schedules.constant(PEAK, 201), 0.2, "201 steps are more than the fitted 200"),
        (schedules.constant(PEAK, 99), 0.2, "99 steps are far fewer than the fitted 200"),
        (
            schedules.from_array(np.r_[np.full(180, PEAK), np.zeros(20)]),
            0.2,
            "the last 20 steps have LR 0",
        ),
    ],
)
def test_a_plan_outside_what_was_fitted_is_warned_of(draws, schedule, ratio, text, reasons):
    outside = plan(schedule=schedule, ratio=ratio)
    (warning,) = reasons(forecast(draws, outside, [90]))
    assert warning.startswith("plan 'new': ")
    assert warning.endswith("; the forecast extrapolates")
    assert re.search(text, warning)
    (clause,) = Screener(draws).place(outside).outside
    assert warning == f"plan 'new': {clause}; the forecast extrapolates"


def test_half_of_the_shortest_run_is_not_far_fewer_steps(draws, reasons):
    assert reasons(forecast(draws, plan(schedule=schedules.constant(PEAK, 100)), [100])) == []


def test_a_start_that_no_fitted_run_had_is_warned_of(draws, reasons):
    """Also where its loss is known, and so the plan can be forecast."""
    elsewhere = plan(start="r10_wsd")
    told = "no fitted run starts from checkpoint 'r10_wsd' (they start from 'pt')"
    assert reasons(forecast(draws, elsewhere, [200])) == [
        f"plan 'new': {told}; the forecast extrapolates"
    ]
    assert Screener(draws).place(elsewhere).outside == (told,)


@pytest.fixture(scope="module")
def unmeasured(make_draws, simulated_study):
    """Draws of a study in which nobody measured the target at the start checkpoint."""
    curves = simulated_study.curves
    target = curves["domain"] == "target"
    gone = target & ((curves["run"] == "pt") | (curves["step"] == 0))
    return make_draws(study=with_losses(simulated_study, curves[~gone]), rows="domains = 'goals'")


def test_a_start_level_that_was_not_measured_is_said(unmeasured, draws, reasons):
    study = unmeasured.study
    assert study.checkpoint_loss("pt", "target") is None
    assert study.checkpoint_loss("pt", "general") is not None
    made = Fit(unmeasured.card, study, unmeasured.rows, unmeasured.posterior, xr.Dataset(), 0)
    (note,) = made.notes
    first = study.curve("r10_constant", "target")["loss"].iloc[0]
    assert note.startswith("the loss of start checkpoint 'pt' on 'target' was not measured")
    assert f"{first:.3g}, with a standard deviation of 1 nat" in note
    told = (
        "the loss of its start checkpoint on 'target' was not measured; its level is estimated "
        "from the runs that start there"
    )
    fc = forecast(unmeasured, [plan("a"), plan("b", SHORT)], [100])
    assert reasons(fc) == [f"plan '{name}': {told}" for name in "ab"]
    assert Screener(unmeasured).place(plan()).outside == (told,)
    # A start that was measured needs no note, nor one from scratch.
    assert not any(told in note for note in forecast(draws, plan(), [100]).warnings)
    scratch = forecast(unmeasured, Plan("scratch", study.run("pt").schedule), [100]).warnings
    assert not any("measured" in note for note in scratch)
    whole = Fit(draws.card, draws.study, draws.rows, draws.posterior, xr.Dataset(), 0)
    assert whole.notes == []


# leaks


def test_losses_of_a_dropped_run_reach_nothing(draws, simulated_study):
    held = "r50_wsd"
    table = simulated_study.curves.copy()
    hit = table["run"] == held
    table.loc[hit, "loss"] = np.random.default_rng(9).uniform(1.0, 9.0, hit.sum())
    kept = simulated_study.drop([held])
    scrambled = with_losses(simulated_study, table).drop([held])
    assert scrambled.digest == kept.digest
    one, two = make_rows(kept, draws.card), make_rows(scrambled, draws.card)
    assert held not in one.labels.run
    assert one.labels == two.labels
    assert one.refs == two.refs
    np.testing.assert_array_equal(one.loss, two.loss)
    for part in ("segment", "row", "start", "basis", "mix"):
        for name, values in getattr(one, part).items():
            np.testing.assert_array_equal(values, getattr(two, part)[name], err_msg=name)


def test_scrambled_losses_of_a_fitted_run_do_reach_the_rows(draws, simulated_study):
    table = simulated_study.curves.copy()
    table.loc[table["run"] == "r50_wsd", "loss"] += 1.0
    rows = make_rows(with_losses(simulated_study, table), draws.card)
    assert not np.array_equal(rows.loss, draws.rows.loss)
