"""Where along a plan it leaves the range of the fitted runs."""

import numpy as np
import pytest

from bayescpt import schedules
from bayescpt.forecast.ranges import FittedRange, range_of
from bayescpt.laws.trajectory import Trajectory

RANGE = FittedRange(peak_lr=(1e-3, 2e-3), n_steps=(400, 500), replay=(0.1, 0.5), starts=("pt",))
WSD = schedules.wsd(2e-3, 500, num_warmup_steps=20, num_decay_steps=100)


def path(schedule=WSD, replay=0.3, start="pt"):
    lr = np.asarray(schedule.lr, dtype=float)
    ratio = np.broadcast_to(np.asarray(replay, dtype=float), lr.shape)
    return Trajectory("plan", "cpt", lr, ratio, start, 1.0, (), None, "german")


CASES = {
    "inside": (path(), None),
    "long": (path(schedules.constant(2e-3, 700)), 501),
    # The LR of update 68 is 67% of the peak.
    "high peak": (path(schedules.linear(3e-3, 500, num_warmup_steps=100)), 68),
    "low peak": (path(schedules.constant(5e-4, 500)), 1),
    "short": (path(schedules.constant(2e-3, 100)), 1),
    "other start": (path(start="elsewhere"), 1),
    "replay from a step on": (path(replay=np.r_[np.full(300, 0.3), np.full(200, 0.6)]), 301),
    "no replay": (path(replay=0.0), 1),
    "idle": (path(schedules.from_array(np.r_[WSD.lr[:400], np.zeros(100)])), 401),
}


@pytest.mark.parametrize("name", CASES)
def test_first_step_outside(name):
    made, expected = CASES[name]
    found = RANGE.first_step_outside(made)
    assert found == expected
    assert (found is None) == (not RANGE.outside(made))


def test_a_curriculum_is_outside_constant_ratios_from_its_first_change_on():
    rising = path(replay=np.r_[np.full(300, 0.2), np.full(200, 0.4)])
    constant = range_of([path(replay=0.1), path(replay=0.5)])
    assert constant.first_step_outside(rising) == 301
    text = "the replay ratio changes along it, and along no fitted run"
    assert constant.outside_replay(rising) == [text]
    assert constant.dimensions_outside(rising) == ["replay"]
    assert constant.outside(path(replay=np.full(500, 0.2))) == []
    seen = range_of([path(replay=0.1), path(replay=0.5), path(replay=np.linspace(0.5, 0.1, 500))])
    assert seen.outside(rising) == []
    assert seen.first_step_outside(rising) is None
