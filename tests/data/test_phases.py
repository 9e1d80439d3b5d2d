import numpy as np

from bayescpt.data import load_example, schedules
from bayescpt.data.phases import schedule_phase


def changes(lr):
    """Phases in order, with the first step of each."""
    phase = schedule_phase(lr, np.arange(1, len(lr) + 1))
    first = np.flatnonzero(np.concatenate([[True], phase[1:] != phase[:-1]]))
    return [(str(phase[i]), int(i) + 1) for i in first]


def test_wsd_has_its_three_parts():
    lr = schedules.wsd(1.0, 100, 10, 20).lr
    assert changes(lr) == [("warm-up", 1), ("stable", 12), ("decay", 82)]


def test_cosine_decays_from_its_peak():
    phases = changes(schedules.cosine(1.0, 100, 10).lr)
    assert phases[0] == ("warm-up", 1)
    assert phases[-1][0] == "decay"
    assert phases[-1][1] <= 13


def test_a_floor_after_a_drop_counts_as_decay_and_a_second_rise_as_warm_up():
    lr = [1.0] * 5 + [0.3] * 5 + [0.6, 1.0] + [1.0] * 3
    assert changes(lr) == [("stable", 1), ("decay", 6), ("warm-up", 11), ("stable", 13)]


def test_step_0_counts_as_the_first_update_and_one_update_is_stable():
    assert list(schedule_phase([0.1, 0.2], [0, 1])) == ["warm-up", "warm-up"]
    assert list(schedule_phase([0.1], [0, 1])) == ["stable", "stable"]


def test_learning_rates_of_real_logs():
    # Kept as float32: neighbours that are meant to be equal may differ in the last bit.
    study = load_example("mpl_25m")
    assert [name for name, _ in changes(study.lrs["wsd_20000_24000"])] == [
        "warm-up",
        "stable",
        "decay",
    ]
