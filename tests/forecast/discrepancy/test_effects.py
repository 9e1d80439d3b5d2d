"""Effects of runs: own, of a trunk, new; and what comes after the last fitted loss."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from bayescpt.data import Study, example_studies, schedules
from bayescpt.evaluate import simulate_study
from bayescpt.forecast import Draws, Plan, forecast
from bayescpt.forecast.discrepancy.effects import run_effects
from bayescpt.forecast.discrepancy.spread import (
    COURSE_SHARE,
    effect_columns,
    effect_spread,
    effect_unit,
)
from bayescpt.forecast.final import Screener
from bayescpt.forecast.plan import plan_trajectory
from bayescpt.laws.trajectory import run_trajectory
from bayescpt.laws.view import View
from tests.examples import shipped

# Of final losses, without schedules.
FINAL = ("ibrahim_405m_german",)
WSD = schedules.wsd(2e-3, 200, 10, 40)
# As r10_constant up to its own decay.
BRANCH = schedules.wsd(2e-3, 200, 4, 60)


def plan(name="new", ratio=0.25, schedule=WSD, **kwargs) -> Plan:
    return Plan(name, schedule, ratio, start="pt", **kwargs)


def branch(step=100, ratio=0.1, schedule=BRANCH, name="new", **kwargs) -> Plan:
    """Plan that shares steps with r10_constant."""
    return plan(name, ratio, schedule, branch_of="r10_constant", branch_step=step, **kwargs)


@pytest.fixture(scope="module")
def effects_of(without_noise) -> Callable[..., xr.DataArray]:
    """Function of draws and plans: realised minus expected loss without noise, at the last step."""

    def found(draws: Draws, *plans: Plan) -> xr.DataArray:
        made = forecast(without_noise(draws), plans, [200])
        return (made.loss - made.mu).isel(step=0)

    return found


@pytest.fixture(scope="module")
def pooled(make_draws) -> Draws:
    return make_draws('run_effects = ["level"]', draws=400)


def test_a_fitted_run_has_its_own_effects(pooled, simulated_study, effects_of):
    run = simulated_study.run("r10_constant")
    made = effects_of(pooled, Plan.from_run(run), Plan.from_run(run, name="again"))
    for domain in ("general", "target"):
        own = pooled.posterior["effect_level"].sel(curve=f"r10_constant|{domain}")
        for name in ("r10_constant", "again"):
            np.testing.assert_allclose(made.sel(plan=name, domain=domain), own, atol=1e-12)


def test_a_new_run_has_new_effects_wider_the_further_its_recipe(pooled):
    def drawn(seed, **recipe):
        path = plan_trajectory(plan(**recipe), pooled.study, pooled.rows.refs.warmup)
        made = run_effects(
            pooled, path, "general", pooled.extrapolation(path), np.random.default_rng(seed)
        )
        assert made.later is None
        return path, made.whole[0]

    (path, one), (_, two) = drawn(1), drawn(2)
    away = pooled.extrapolation(path)
    near, far = (pooled.value(f"discrepancy_{name}", 0) for name in ("near", "far"))
    scale = np.hypot(near, far * away) * effect_unit(pooled, "level", path, "general")
    np.testing.assert_allclose(effect_spread(pooled, path, "general", away)[0], scale)
    # 800 draws: the standard errors are .025 and .035.
    assert np.std(one / scale) == pytest.approx(1.0, abs=0.15)
    assert abs(np.corrcoef(one / scale, two / scale)[0, 1]) < 0.2
    further, other = drawn(1, ratio=0.9)
    assert pooled.extrapolation(further) > away
    assert np.all(np.abs(other) > np.abs(one))


def test_effects_are_measured_by_the_noise_and_the_size_of_the_term(pooled, without_noise):
    for run, noise, size in (("pt", "sigma_pt", "base_ref"), ("r10_wsd", "sigma", "shift_ref")):
        path = run_trajectory(pooled.study, run)
        term = COURSE_SHARE[path.phase] * pooled.value(size, 1)
        found = effect_unit(pooled, "level", path, pooled.labels.domain[1])
        np.testing.assert_allclose(found**2, pooled.value(noise, 1) ** 2 + term**2)
        # A large run without noise is not thought to follow the law to the last digit.
        quiet = effect_unit(without_noise(pooled), "level", path, pooled.labels.domain[1])
        np.testing.assert_allclose(quiet, np.abs(term))


def test_a_branch_carries_its_trunks_level_on(pooled, effects_of):
    made = effects_of(pooled, branch())
    own = pooled.posterior["effect_level"].sel(curve="r10_constant|general")
    np.testing.assert_allclose(made.sel(plan="new", domain="general"), own, atol=1e-12)


# past the last fitted loss


def cut(study: Study, run: str, step: int) -> Study:
    """The study without the losses of a run after a step."""
    curves = study.curves
    return Study.from_frames(
        curves[(curves["run"] != run) | (curves["step"] <= step)],
        study.runs,
        study.lrs,
        general=study.general,
    )


@pytest.mark.parametrize("seen_up_to", [60, 200])
def test_a_run_goes_astray_anew_after_its_last_fitted_loss(
    make_draws, simulated_study, seen_up_to, without_noise
):
    study = cut(simulated_study, "r10_constant", seen_up_to)
    drawn = make_draws('run_effects = ["drift"]', study=study, draws=2000)
    run = Plan.from_run(study.run("r10_constant"))
    steps = [20, 40, 60, 100, 150, 200]
    made = forecast(without_noise(drawn), run, steps)
    effect = (made.loss - made.mu).sel(plan=run.name, domain="general")
    path = run_trajectory(study, "r10_constant")
    drift = effect_columns(drawn, View(path, np.array(steps), drawn.rows.refs))[0]
    own = drawn.posterior["effect_drift"].sel(curve="r10_constant|general")
    beyond = effect - own * xr.DataArray(drift, dims="step", coords={"step": steps})
    last = drawn.last_step(drawn.labels.curve.index(("r10_constant", "general")))
    assert last == seen_up_to
    spread = beyond.std(("chain", "draw")).to_numpy()
    known = np.array(steps) <= last
    # Up to there it is what was fitted, to rounding; from there on the band opens.
    np.testing.assert_allclose(spread[known], 0.0, atol=1e-12)
    assert np.all(np.diff(spread[~known], prepend=0.0) > 1e-4)


@pytest.mark.parametrize(("seen_up_to", "branch_step"), [(60, 100), (200, 100)])
def test_a_branch_goes_astray_anew_where_its_trunks_losses_end(
    make_draws, simulated_study, seen_up_to, branch_step
):
    """At the branch, or at the trunk's last fitted loss if that is before."""
    study = cut(simulated_study, "r10_constant", seen_up_to)
    drawn = make_draws('run_effects = ["drift"]', study=study, draws=500)
    path = plan_trajectory(branch(branch_step), study, drawn.rows.refs.warmup)
    made = run_effects(drawn, path, "general", drawn.extrapolation(path), np.random.default_rng(0))
    since = min(seen_up_to, branch_step)
    assert made.since == since
    curve = drawn.labels.curve.index(("r10_constant", "general"))
    np.testing.assert_array_equal(made.whole[0], drawn.value("effect_drift", curve))
    steps = np.array([since - 10, since, since + 10, 200])
    view = View(path, steps, drawn.rows.refs)
    (drift,) = effect_columns(drawn, view)
    beyond = made.discrepancy(view) - made.whole[0][:, None] * drift
    np.testing.assert_allclose(beyond[:, :2], 0.0, atol=1e-15)
    assert np.all(np.diff(beyond.std(axis=0)[1:]) > 1e-5)


# whose effects


@pytest.fixture
def notes(reasons):
    return lambda draws, *plans: reasons(forecast(draws, plans, [200]))


def differ(found: xr.DataArray, plan: str, own: xr.DataArray) -> None:
    """The effects of a plan are drawn anew, not those of a fitted run."""
    for domain in ("general", "target"):
        mine = found.sel(plan=plan, domain=domain).to_numpy().ravel()
        theirs = own.sel(curve=f"r10_constant|{domain}").to_numpy().ravel()
        assert abs(np.corrcoef(mine, theirs)[0, 1]) < 0.2
        assert not np.isclose(mine, theirs).any()


def test_the_same_recipe_has_the_runs_own_effects(pooled, simulated_study, effects_of, notes):
    """However it was put together."""
    run = simulated_study.run("r10_constant")
    same = Plan(
        "mine", schedules.from_array(run.schedule.lr), np.full(200, 0.1), start="pt",
        domain="target", run="r10_constant",
    )  # fmt: skip
    made, own = effects_of(pooled, same), pooled.posterior["effect_level"]
    for domain in ("general", "target"):
        np.testing.assert_allclose(
            made.sel(plan="mine", domain=domain),
            own.sel(curve=f"r10_constant|{domain}"),
            atol=1e-12,
        )
    assert notes(pooled, same) == []


@pytest.mark.parametrize(
    "other",
    [
        {"ratio": 0.25},
        {"schedule": WSD, "ratio": 0.1},
        {"ratio": np.r_[np.zeros(100), [0.2] * 100]},
    ],
)
def test_a_plan_called_like_a_fitted_run_is_not_it(
    pooled, simulated_study, effects_of, other, notes
):
    own = pooled.posterior["effect_level"]
    schedule = simulated_study.run("r10_constant").schedule
    named = plan(**{"schedule": schedule, **other}, run="r10_constant")
    differ(effects_of(pooled, named), "new", own)
    told = "its recipe differs from that of the fitted run 'r10_constant'; forecast as a new run"
    assert f"plan 'new': {told}" in notes(pooled, named)
    assert told in Screener(pooled).place(named).outside
    # It may be as near to that run as to any other.
    path = plan_trajectory(named, simulated_study)
    nameless = plan_trajectory(replace(named, run=None), simulated_study)
    assert pooled.extrapolation(path) == pooled.extrapolation(nameless)


def test_a_run_of_another_study_is_not_the_fitted_one_of_its_name(pooled, effects_of, notes):
    other = simulate_study(
        replays=(0.1,), cpt_schedules=("constant",), pt_steps=1000, cpt_steps=200, peak_lr=1.5e-3,
        eval_every=20, pt_eval_every=100, shared_trunks=True,
    )  # fmt: skip
    named = Plan.from_run(other.study.run("r10_constant"), "theirs")
    assert named.run == "r10_constant"
    differ(effects_of(pooled, named), "theirs", pooled.posterior["effect_level"])
    assert any(
        "differs from that of the fitted run 'r10_constant'" in note
        for note in notes(pooled, named)
    )


@pytest.mark.parametrize(
    "other",
    [
        {"schedule": WSD},
        {"ratio": 0.5},
        {"ratio": np.r_[np.full(50, 0.1), np.zeros(150)]},
        {"step": 180},
    ],
)
def test_a_branch_whose_trunk_differs_takes_nothing(pooled, effects_of, other, notes):
    named = branch(**other)
    differ(effects_of(pooled, named), "new", pooled.posterior["effect_level"])
    step = other.get("step", 100)
    told = f"its first {step} steps differ from those of 'r10_constant'; the effects of that"
    assert any(told in note for note in notes(pooled, named))
    assert any(told in note for note in Screener(pooled).place(named).outside)
    assert not any("differ from those of" in note for note in notes(pooled, branch()))


def test_a_branch_step_that_is_one_too_high_is_still_a_branch(pooled, effects_of, notes):
    """Logs that count updates from 0 give such steps."""
    schedule, named = BRANCH.lr.copy(), branch(step=101)
    schedule[100:] /= 2
    named = replace(named, schedule=schedules.from_array(schedule))
    path = plan_trajectory(named, pooled.study)
    assert pooled.trunk_steps(path) == 100
    assert pooled.trunk_steps(plan_trajectory(branch(step=101), pooled.study)) == 101
    assert pooled.trunk_steps(plan_trajectory(replace(named, branch_step=102), pooled.study)) == 0
    made = effects_of(pooled, named)
    own = pooled.posterior["effect_level"].sel(curve="r10_constant|general")
    np.testing.assert_allclose(made.sel(plan="new", domain="general"), own, atol=1e-12)
    assert not any("differ from those of" in note for note in notes(pooled, named))


@pytest.mark.parametrize("study", [name for name in example_studies() if name not in FINAL])
def test_every_branch_of_a_shipped_study_is_that_of_its_trunk(study):
    read = shipped(study)
    paths = {name: run_trajectory(read, name) for name in read.runs["run"]}
    fitted = SimpleNamespace(trajectories=paths)
    for name, path in paths.items():
        planned = plan_trajectory(Plan.from_run(read.run(name)), read)
        assert planned.digest == path.digest
        assert Draws.trunk_steps(fitted, planned) == path.branch_step
