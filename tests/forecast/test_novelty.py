"""How far plans reach outside the pilots."""

import pytest

from bayescpt import schedules
from bayescpt.forecast import Plan
from bayescpt.forecast.forecast import forecast
from bayescpt.forecast.novelty import novelties


def test_novelty_says_what_the_warnings_of_a_forecast_say(draws, reasons):
    study = draws.study
    same = Plan.from_run(study.run(study.cpt_runs[0]))
    far = Plan("far", schedules.constant(4e-3, 400), 0.9, study.cpt_runs and study.pt_runs[0])
    one, other = novelties(draws, [same, far])
    assert (one.plan, one.outside, one.notes) == (same.name, (), ())
    assert (one.is_fitted, other.is_fitted) == (True, False)
    # A fitted run is compared with the others.
    assert one.nearest != same.name
    assert one.nearest in draws.labels.run
    assert other.distance > 1.0
    warnings = reasons(forecast(draws, [same, far], steps=[100]))
    own = [w for w in warnings if w.startswith("plan 'far': ")]
    assert len(own) == len(other.outside) == 3
    assert all(clause in text for clause, text in zip(other.outside, own, strict=True))


@pytest.mark.parametrize("k", range(4))
def test_distance_is_that_of_the_bands(draws, k):
    run = draws.labels.run[-1 - k]
    found = novelties(draws, [Plan.from_run(draws.study.run(run))])[0]
    assert found.distance == draws.extrapolation(draws.trajectories[run])


def test_a_curriculum_is_new_where_no_fitted_run_had_one(draws):
    start = draws.study.pt_runs[0]
    schedule = draws.study.run(draws.study.cpt_runs[-1]).schedule
    plans = [
        Plan("even", schedule, 0.3, start),
        Plan("steps", schedule, [(0, 0.2), (100, 0.4)], start),
    ]
    even, steps = novelties(draws, plans)
    assert even.outside == ()
    assert steps.outside == ("the replay ratio changes along it, and along no fitted run",)
    assert steps.distance > even.distance
    made = forecast(draws, plans, steps=[200])
    assert [w for w in made.warnings if "changes along it" in w] == [
        "plan 'steps': the replay ratio changes along it, and along no fitted run; "
        "the forecast extrapolates"
    ]
