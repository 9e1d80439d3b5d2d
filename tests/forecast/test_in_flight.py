"""A run in flight counts for what has been trained of it; its forecast carries on from there."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescpt.data import Schedule, Study, schedules
from bayescpt.data.in_flight import in_flight, last_step, observed_steps
from bayescpt.evaluate.generate import draw_curves, with_losses
from bayescpt.evaluate.splits import split_by_cutoff
from bayescpt.forecast import Plan, forecast
from bayescpt.forecast.discrepancy.judge import add_discrepancy
from bayescpt.forecast.ranges import fitted_ranges
from bayescpt.laws.observed import observed_trajectory
from bayescpt.laws.trajectory import run_trajectory
from bayescpt.model.rows import make_rows

# Ten times the pilots' steps, at half of their peak: planned, and trained to a tenth of it.
PLANNED, NOW = 2000, 200
LR = schedules.wsd(1e-3, PLANNED, 10, 400)
EFFECTS = 'run_effects = ["level", "drift", "anneal"]\nearly = true'


def with_run(study: Study, steps: int, seen: int = NOW, replay: float = 0.2) -> Study:
    """The study and a run of so many steps of `LR`, with losses to step `seen`."""
    row = {
        "run": "big", "phase": "cpt", "parent": "pt", "domain": "target", "replay_ratio": replay,
        "n_params": 106e6, "tokens_per_step": 4e6,
    }  # fmt: skip
    like = study.curves[(study.curves["run"] == "r10_constant") & (study.curves["step"] <= seen)]
    curves = pd.concat([study.curves, like.assign(run="big", loss=like["loss"] + 0.01)])
    runs = pd.concat([study.runs, pd.DataFrame([row])], ignore_index=True)
    lrs = {**study.lrs, "big": LR.lr[:steps]}
    return Study.from_frames(curves, runs.drop(columns="steps"), lrs, name="with a big run")


@pytest.fixture(scope="module")
def studies(simulated_study):
    """The run in flight, the same run planned to end now, and the study without it."""
    return with_run(simulated_study, PLANNED), with_run(simulated_study, NOW), simulated_study


def new_plan(name="new"):
    return Plan(name, LR, 0.2, start="pt")


# what has been observed of a run


@pytest.mark.parametrize(
    ("steps", "seen", "covered"),
    [
        (2000, range(0, 1001, 100), 1000),
        (2000, range(0, 2000, 128), 2000),  # the next loss would come after the end
        (2000, [2000], 2000),
        (2000, [1000], 1000),  # one interval before the end, but half of the run
        (2000, range(2000), 2000),  # counted from 0
        (2000, [0], 0),
    ],
)
def test_a_run_is_observed_to_its_last_loss(simulated_study, steps, seen, covered):
    study = with_run(simulated_study, steps)
    curve = pd.DataFrame({"run": "big", "step": list(seen), "domain": "general", "loss": 3.0})
    kept = pd.concat([study.curves[study.curves["run"] != "big"], curve])
    cut = Study.from_frames(kept, study.runs, study.lrs)
    assert observed_steps(cut, "big") == covered
    assert in_flight(cut, "big") == (0 < covered < steps)
    assert last_step(cut, "big") == max(seen)


def test_its_trajectory_ends_at_its_last_loss_and_a_child_has_the_whole(studies):
    flying, _, _ = studies
    path = observed_trajectory(flying, "big")
    np.testing.assert_array_equal(path.lr, LR.lr[:NOW])
    assert path.replay.size == NOW
    runs = pd.concat(
        [flying.runs, pd.DataFrame([{"run": "child", "phase": "cpt", "parent": "big",
                                     "domain": "target", "replay_ratio": 0.2,
                                     "n_params": 106e6, "tokens_per_step": 4e6}])],
        ignore_index=True,
    )  # fmt: skip
    child = Study.from_frames(flying.curves, runs, {**flying.lrs, "child": LR})
    assert run_trajectory(child, "child").before[-1].size == PLANNED


# what the pilots cover


def test_the_fit_is_that_of_a_run_that_ends_now(studies, make_draws):
    """The wrong answer: a run planned for 20,000 steps, losses to 1,000, narrowed their bands."""
    flying, ended, without = studies
    one, two = (make_draws(EFFECTS, study=study) for study in (flying, ended))
    assert one.rows.refs == two.rows.refs
    np.testing.assert_array_equal(one.rows.loss, two.rows.loss)
    for part in ("segment", "row", "basis"):
        for name, values in getattr(two.rows, part).items():
            np.testing.assert_allclose(getattr(one.rows, part)[name], values, atol=1e-12)
    xr.testing.assert_allclose(add_discrepancy(one, 1), add_discrepancy(two, 1))
    assert fitted_ranges(one) == fitted_ranges(two)
    long = fitted_ranges(make_draws(EFFECTS, study=without))["cpt"].n_steps
    assert fitted_ranges(one)["cpt"].n_steps == long == (NOW, NOW)


def test_a_plan_of_its_length_has_its_wide_band_and_its_note(studies, make_draws):
    flying, ended, _ = studies
    made = [
        forecast(make_draws(EFFECTS, study=s), new_plan(), [NOW, PLANNED]) for s in (flying, ended)
    ]
    xr.testing.assert_allclose(made[0].loss, made[1].loss)
    assert made[0].warnings == made[1].warnings
    assert any(
        f"{PLANNED} steps are more than the fitted {NOW}" in note for note in made[0].warnings
    )


def test_a_peak_not_reached_yet_is_not_covered(simulated_study, make_draws):
    warming = Schedule(np.linspace(0.0, 8e-3, PLANNED), "rising")
    study = with_run(simulated_study, PLANNED)
    study.lrs["big"] = warming.lr
    ranges = fitted_ranges(make_draws(study=study))["cpt"]
    assert ranges.peak_lr[1] == pytest.approx(2e-3)
    assert make_rows(study, make_draws().card).refs["peak_lr"] == pytest.approx(2e-3)


# its own forecast


def settled(draws):
    """Draws of one set of parameters, with losses that it explains and the effects they leave."""
    posterior = draws.posterior.copy(deep=True)
    for name in posterior.data_vars:
        posterior[name][:] = posterior[name].isel(chain=0, draw=0)
    posterior["sigma"][:], posterior["early"][:] = 0.003, 0.0
    one = posterior.isel(chain=[0], draw=[0])
    made = with_losses(draws.study, draw_curves(draws.card, draws.study, draws.rows, one, seed=1))
    known = replace(draws, posterior=posterior, study=made, rows=make_rows(made, draws.card))
    return replace(known, posterior=add_discrepancy(known, 1))


def width(made, plan, step):
    band = made.interval(0.9).sel(plan=plan, step=step)
    return (band["upper"] - band["lower"]).to_numpy()


def test_its_band_is_narrow_at_its_last_loss_and_grows_from_there(studies, make_draws):
    draws = settled(make_draws(EFFECTS, study=studies[0], draws=400))
    run = Plan.from_run(studies[0].run("big"))
    steps = [NOW, NOW + 20, 1000, PLANNED]
    made = forecast(draws, [run, new_plan()], steps)
    assert made.now == {"big": NOW}
    for step in (NOW, NOW + 20):
        assert (width(made, "big", step) < 0.5 * width(made, "new", step)).all()
    assert (width(made, "big", PLANNED) > width(made, "big", NOW)).all()
    # Continuous: the median moves no more from now to the next steps than the expected curve does.
    middle = made.interval(0.9)["median"].sel(plan="big")
    expected = made.interval(0.9, "mu")["median"].sel(plan="big")
    moved = (middle - expected).sel(step=NOW + 20) - (middle - expected).sel(step=NOW)
    np.testing.assert_allclose(moved, 0.0, atol=0.004)


def test_its_losses_so_far_come_with_its_forecast(studies, make_draws):
    draws = make_draws(EFFECTS, study=studies[0])
    run = Plan.from_run(studies[0].run("big"), name="onwards")
    made = forecast(draws, [run, new_plan()], [PLANNED])
    assert set(made.so_far["run"]) == {"onwards"}
    assert made.so_far["step"].max() == NOW
    assert set(made.so_far["domain"]) == {"general", "target"}
    assert forecast(draws, new_plan(), [PLANNED]).now == {}


def test_it_may_go_on_otherwise_than_planned(studies, make_draws):
    """Decay now: the past is the run's, the future is not."""
    draws = make_draws(EFFECTS, study=studies[0])
    rest = np.linspace(LR.lr[NOW], 0.0, 300)
    sooner = Schedule(np.concatenate([LR.lr[:NOW], rest]), "decay now")
    plan = Plan("sooner", sooner, 0.2, start="pt", run="big")
    made = forecast(draws, plan, [NOW + 300])
    assert made.now == {"sooner": NOW}
    other = Plan("other", Schedule(1.1 * sooner.lr, "higher"), 0.2, start="pt", run="big")
    made = forecast(draws, other, [NOW + 300])
    assert made.now == {}
    assert any("differs from that of the fitted run 'big'" in note for note in made.warnings)


def test_a_cutoff_of_a_backtest_is_a_run_in_flight(simulated_study):
    for split in split_by_cutoff(simulated_study, ["r50_wsd"], (0.5, 0.9)):
        assert in_flight(split.train, "r50_wsd")
        # Early noise is measured as in the finished runs.
        assert observed_trajectory(split.train, "r50_wsd").nominal_steps == NOW
