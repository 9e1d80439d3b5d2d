"""The learning rate of every update, from rates that are logged now and then."""

import numpy as np
import pytest

from bayescpt.data import schedules
from bayescpt.data.readers.lr import find_lr

N = 2000


def truth_of(steps):
    """Schedules of N updates, or with the rate of the update after the last."""
    return {
        "constant": schedules.constant(3e-4, steps),
        "constant_with_warmup": schedules.constant_with_warmup(3e-4, steps, 130),
        "linear": schedules.linear(2e-4, steps, 100, N - 100),
        "linear to a floor": schedules.linear(2e-4, steps, 100, N - 100, min_lr=2e-5),
        "cosine": schedules.cosine(2e-4, steps, 100, N - 100),
        "cosine without warm-up": schedules.cosine(1.5e-4, steps, 0, N),
        "cosine to a floor": schedules.cosine(2e-4, steps, 100, N - 100, min_lr_ratio=0.1),
        "cosine that ends early": schedules.cosine(2e-4, steps, 100, 1500, min_lr=1e-5),
        "cosine cut short": schedules.cosine(2e-4, steps, 100, 2900),
        "inverse_sqrt": schedules.inverse_sqrt(2e-4, steps, 100),
        **{
            f"wsd {decay}": schedules.wsd(
                *(2e-4, steps, 100, 400, N - 500),
                decay_type=decay,
                min_lr=2e-5 if decay == "geometric" else None,
            )
            for decay in ("linear", "cosine", "1-sqrt", "exponential", "geometric")
        },
        "wsd that warms up from its floor": schedules.wsd(
            *(2e-4, steps, 100, 400, N - 500),
            decay_type="cosine",
            min_lr=2e-5,
            warmup_init_lr=2e-5,
        ),
    }


TRUTHS, LONGER = truth_of(N), truth_of(N + 1)


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize("every", [1, 7, 25])
@pytest.mark.parametrize("name", TRUTHS)
def test_a_known_schedule_is_found_from_every_kth_rate(name, every, late):
    truth = TRUTHS[name]
    steps = np.arange(every, N + 1, every)
    found = find_lr(steps, LONGER[name].lr[steps - 1 + late], N, {})
    assert found.schedule is not None, found.notes
    np.testing.assert_allclose(found.schedule.lr, truth.lr, rtol=2e-6, atol=1e-9 * truth.peak_lr)


def test_the_offset_is_said():
    truth = TRUTHS["cosine"]
    steps = np.arange(10, N, 10)
    assert find_lr(steps, truth.lr[steps], N, {}).notes == [
        "the logged learning rate is the next update's"
    ]
    assert find_lr(steps, truth.lr[steps - 1], N, {}).notes == []


def test_a_run_in_flight_keeps_its_plan():
    truth = TRUTHS["cosine"]
    steps = np.arange(10, 400, 10)
    found = find_lr(steps, truth.lr[steps - 1], N, {})
    np.testing.assert_allclose(found.lr, truth.lr, rtol=1e-6, atol=1e-12)
    plateau = TRUTHS["wsd 1-sqrt"]
    hints = {
        "scheduler": "WSD",
        "decay_steps": 400,
        "decay_type": "minus_sqrt",
        "warmup_steps": 100,
    }
    found = find_lr(steps, plateau.lr[steps - 1], N, hints)
    np.testing.assert_allclose(found.lr, plateau.lr, rtol=1e-6, atol=1e-12)
    assert found.schedule.name == "warmup_stable_decay"


def test_a_plateau_of_an_unknown_scheduler_is_taken_as_constant_and_said():
    steps = np.arange(10, 400, 10)
    found = find_lr(steps, np.full(steps.size, 1e-4), N, {})
    assert found.lr.size == N
    assert any("taken as constant up to the planned step 2000" in note for note in found.notes)


def test_skipped_updates_leave_the_column_right_and_the_plan_wrong():
    truth = TRUTHS["cosine without warm-up"]
    steps = np.arange(5, N + 1, 5)
    lag = np.where(steps >= 115, 2, 0)  # the scheduler did not step at two updates
    hints = {"scheduler": "cosine", "peak_lr": 1.5e-4}
    found = find_lr(steps, truth.lr[steps - 1 - lag], N, hints)
    assert found.schedule is None
    assert any("the column is kept" in note and "skipped" in note for note in found.notes)
    assert found.lr[steps[-40] - 1] == pytest.approx(truth.lr[steps[-40] - 3], rel=2e-3)


def test_a_column_that_fits_no_schedule_is_interpolated():
    steps = np.array([1, 5, 9])
    found = find_lr(steps, np.array([1e-4, 3e-4, 1.5e-4]), 9, {})
    assert found.schedule is None
    np.testing.assert_allclose(found.lr[:6], [1e-4, 1.5e-4, 2e-4, 2.5e-4, 3e-4, 2.625e-4])
    assert any("rates between its rows are interpolated" in note for note in found.notes)


def test_a_kept_column_does_not_reach_a_far_planned_end():
    rng = np.random.default_rng(1)
    steps = np.arange(10, 400, 10)
    found = find_lr(steps, 1e-4 * rng.uniform(0.5, 1, steps.size), N, {})
    assert found.lr.size == 390
    assert any("2000 steps are planned" in note for note in found.notes)


@pytest.mark.parametrize("places", [".6f", ".3e", ".4e"])
def test_rates_as_printed(places):
    truth = schedules.cosine(6e-4, N, 100)
    steps = np.arange(10, N + 1, 10)
    rates = np.array([float(format(lr, places)) for lr in truth.lr[steps - 1]])
    found = find_lr(steps, rates, N, {}, decimals=6 if places == ".6f" else None)
    assert found.schedule is not None
    np.testing.assert_allclose(found.lr, truth.lr, atol=6e-7)


@pytest.mark.parametrize("decimals", [None, 6])
@pytest.mark.parametrize("jump", [0, 1])
def test_a_warm_up_that_begins_with_a_share(decimals, jump):
    # llm.c: (step + 1) / warmup, then a cosine of the step; nanoGPT: (it + 1) / (warmup + 1).
    counter, peak, warmup = np.arange(N), 6e-4, 70
    decay = 0.5 * (1 + np.cos(np.pi * (counter - warmup) / (N - warmup)))
    rates = np.where(counter < warmup, peak * (counter + 1) / (warmup + jump), peak * decay)
    shown = rates if decimals is None else np.array([float(f"{lr:.6f}") for lr in rates])
    found = find_lr(counter + 1, shown, N, {}, decimals)
    assert found.schedule is not None, found.notes
    np.testing.assert_allclose(found.lr, rates, atol=1e-12 if decimals is None else 6e-7)


def test_rates_printed_with_too_few_digits_tell_nothing():
    truth = schedules.cosine(2e-5, N, 100)
    steps = np.arange(10, N + 1, 10)
    found = find_lr(steps, truth.lr[steps - 1].round(6), N, {}, decimals=6)
    assert found.lr is None
    assert "printed with too few digits" in found.notes[0]
    assert find_lr(steps, np.zeros(steps.size), N, {}).lr is None


def test_a_schedule_over_the_steps_of_an_earlier_run_too():
    truth = TRUTHS["cosine"]
    own = np.arange(10, 501, 10)  # of a run that starts at step 1500
    hints = {"scheduler": "cosine", "peak_lr": 2e-4, "warmup_steps": 100}
    found = find_lr(own, truth.lr[1500 + own - 1], 500, hints, offset=1500)
    np.testing.assert_allclose(found.lr, truth.lr[1500:], rtol=1e-5, atol=1e-10)


def test_no_column():
    assert find_lr(np.empty(0, int), np.empty(0), 100, {}).lr is None


def test_digits_that_are_few_may_be_all_there_are():
    truth = schedules.constant_with_warmup(1e-4, 300, 100)
    steps = np.arange(1, 301)
    found = find_lr(steps, truth.lr, 300, {})
    assert found.schedule is not None
    np.testing.assert_allclose(found.lr, truth.lr, rtol=1e-9)


def test_a_configuration_is_believed_where_digits_are_few_but_agree():
    truth = schedules.cosine(2e-5, N, 100)
    steps = np.arange(10, N + 1, 10)
    hints = {"scheduler": "cosine", "peak_lr": 2e-5, "warmup_steps": 100}
    found = find_lr(steps, truth.lr[steps - 1].round(6), N, hints, decimals=6)
    assert found.schedule == truth


def test_the_last_row_of_a_run_in_flight_is_no_floor():
    truth = schedules.linear(5e-5, N, 0, min_lr=1.5e-5)
    steps = np.arange(10, 601, 10)
    found = find_lr(steps, truth.lr[steps - 1], N, {})
    np.testing.assert_allclose(found.lr, truth.lr, rtol=1e-6)


def test_a_warm_up_that_no_row_shows_is_said():
    steps = np.arange(50, N + 1, 50)
    found = find_lr(steps, schedules.cosine(2e-4, N, 30).lr[steps - 1], N, {})
    assert any("a warm-up before it is not seen" in note for note in found.notes)
    seen = find_lr(steps, schedules.cosine(2e-4, N, 130).lr[steps - 1], N, {})
    assert not seen.notes
    hints = {"scheduler": "cosine", "warmup_steps": 30}
    told = find_lr(steps, schedules.cosine(2e-4, N, 30).lr[steps - 1], N, hints)
    assert told.schedule == schedules.cosine(2e-4, N, 30)
    assert not told.notes
