"""Schedule: valid learning rates, equality and concatenation."""

import json

import numpy as np
import pytest

from bayescpt.data import Schedule, schedules
from bayescpt.errors import ScheduleError


def test_learning_rates_are_a_read_only_copy():
    source = np.array([1, 2, 1])
    schedule = Schedule(source)
    source[0] = 9
    assert schedule.lr.dtype == np.float64
    np.testing.assert_array_equal(schedule.lr, [1.0, 2.0, 1.0])
    with pytest.raises(ValueError, match="read-only"):
        schedule.lr[0] = 0


def test_length_peak_and_end():
    schedule = Schedule([1e-4, 3e-4, 2e-4])
    assert (schedule.n_steps, schedule.peak_lr, schedule.final_lr) == (3, 3e-4, 2e-4)
    assert repr(schedule) == "Schedule('array': 3 steps, peak 0.0003, final 0.0002)"


def test_equality_hash_and_digest_go_by_learning_rate():
    one, same = schedules.constant(1e-3, 3), Schedule([1e-3] * 3, "logged")
    other = Schedule([1e-3, 1e-3, 2e-3])
    assert one == same
    assert hash(one) == hash(same)
    assert one.digest == same.digest
    assert one != other
    assert one.digest != other.digest
    assert one != "constant"


def test_equal_schedules_have_equal_hashes_whatever_the_sign_of_zero():
    assert Schedule([1.0, 0.0]) == Schedule([1.0, -0.0])
    assert len({Schedule([1.0, 0.0]), Schedule([1.0, -0.0])}) == 1


def test_then_concatenates_a_rewarmup():
    first = schedules.wsd(2e-3, num_stable_steps=2, num_decay_steps=2)
    again = schedules.constant_with_warmup(1e-3, 3, num_warmup_steps=2)
    both = first.then(again)
    np.testing.assert_array_equal(both.lr, [2e-3, 2e-3, 2e-3, 1e-3, 0.0, 5e-4, 1e-3])
    assert both.name == "warmup_stable_decay+constant_with_warmup"
    parts = json.loads(json.dumps(both.params))["parts"]
    rebuilt = [schedules.from_name(part["name"], **part["params"]) for part in parts]
    assert rebuilt[0].then(rebuilt[1]) == both


@pytest.mark.parametrize(
    ("lr", "message"),
    [
        ([1e-3, -1e-4], r"schedule 'mine', step 2: learning rate is -0.0001; expected a finite"),
        ([np.nan, 1.0], r"step 1: learning rate is nan"),
        ([1.0, 1.0, np.inf], r"step 3: learning rate is inf"),
        ([], r"schedule 'mine': no learning rate"),
        ([[1.0, 2.0]], r"shape \(1, 2\); expected \(n_steps,\)"),
        (1.0, r"shape \(\); expected \(n_steps,\)"),
        (["1e-3", "high"], r"schedule 'mine': learning rates are not numbers: .*high"),
    ],
)
def test_impossible_learning_rates_are_refused_by_step_and_value(lr, message):
    with pytest.raises(ScheduleError, match=message):
        Schedule(lr, "mine")
