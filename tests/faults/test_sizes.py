"""Plans, schedules and logs of absurd lengths are refused in one line, before memory is taken."""

import json
import time
import tracemalloc
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

import bayescpt as bc
from bayescpt.cli import main
from bayescpt.data import read_study, schedules
from bayescpt.data.schedule import MAX_STEPS
from bayescpt.data.schedules.registry import _REGISTRY
from bayescpt.errors import PlanError, ScheduleError, StudyError
from bayescpt.forecast.plan_file import read_plans
from bayescpt.forecast.step_grid import plan_steps

HUGE = [MAX_STEPS + 1, 10**8, 10**12, 10**400]
# What a refusal may cost.
MOST_BYTES, MOST_SECONDS = 40e6, 5.0


@contextmanager
def cheap():
    """Fail if more memory or time was taken than a refusal needs."""
    tracemalloc.start()
    began = time.monotonic()
    try:
        yield
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < MOST_BYTES
    assert time.monotonic() - began < MOST_SECONDS


def counts():
    """Each registered schedule, with each of its arguments that is a number of updates huge."""
    base = {
        "constant": {},
        "constant_with_warmup": {"num_warmup_steps": 2},
        "cosine": {},
        "linear": {},
        "inverse_sqrt": {},
        "warmup_stable_decay": {"num_warmup_steps": 2, "num_decay_steps": 3},
        "infinite": {"num_warmup_steps": 2, "num_cooldown_steps": 3, "constant_lr": 1e-4},
    }
    for name, extra in base.items():
        arguments = {"lr": 1e-3, "num_training_steps": 20, **extra}
        schedules.from_name(name, **arguments)
        for argument in arguments:
            if argument.startswith("num_"):
                yield pytest.param(name, arguments, argument, id=f"{name}-{argument}")
    yield pytest.param(
        "wsd", {"lr": 1e-3, "num_stable_steps": 1, "num_decay_steps": 3}, "num_stable_steps",
        id="wsd-num_stable_steps",
    )  # fmt: skip


@pytest.mark.parametrize("steps", HUGE)
@pytest.mark.parametrize(("name", "arguments", "argument"), list(counts()))
def test_no_schedule_is_made_of_absurdly_many_updates(name, arguments, argument, steps):
    with cheap(), pytest.raises(ScheduleError) as error:
        schedules.from_name(name, **{**arguments, argument: steps})
    assert "\n" not in str(error.value)
    assert f"{argument} is " in str(error.value)
    assert "at most 10,000,000 optimiser updates" in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("steps", HUGE)
def test_shares_and_pieces_of_absurdly_many_updates(steps):
    with cheap(), pytest.raises(ScheduleError, match="at most 10,000,000"):
        schedules.from_name("wsd", lr=1e-3, num_training_steps=steps, decay_share=0.2)
    with cheap(), pytest.raises(ScheduleError, match="at most 10,000,000"):
        schedules.piecewise([(steps, "constant", 1e-3, 1e-3)])
    # Each piece would do, all of them would not.
    whole = [(MAX_STEPS // 2 + 1, "constant", 1e-3, 1e-3)] * 2
    with pytest.raises(ScheduleError, match="piece 2: the sum of durations"):
        schedules.piecewise(whole)


def test_schedules_cannot_be_joined_to_more_than_the_most():
    half = schedules.constant(1e-3, MAX_STEPS // 2 + 1)
    with pytest.raises(ScheduleError, match="expected at most 10,000,000"):
        half.then(half)


def test_schedules_of_ones_own_are_not_called_with_absurd_lengths():
    @schedules.register_schedule
    def endless(lr: float, num_training_steps: int):
        return np.full(num_training_steps, lr)

    try:
        for steps in HUGE:
            with cheap(), pytest.raises(ScheduleError, match=r"schedules.endless: num_training"):
                schedules.from_name("endless", lr=1e-3, num_training_steps=steps)
    finally:
        del _REGISTRY["endless"]


@pytest.mark.parametrize("steps", HUGE[:3])
def test_plan_files(tmp_path, steps):
    path = tmp_path / "plans.toml"
    path.write_text(
        f'[[plan]]\nname = "a"\nschedule = "cosine"\nlr = 1e-3\nnum_training_steps = {steps}\n'
    )
    with cheap(), pytest.raises(PlanError, match=r"plans.toml: plan 'a': .* at most 10,000,000"):
        read_plans(path)


@pytest.mark.parametrize("steps", HUGE[:3])
@pytest.mark.parametrize("place", ["steps", "schedule_params"])
def test_schedule_params_of_runs(tmp_path, capsys, steps, place):
    (tmp_path / "study.toml").write_text('name = "s"\n')
    params = "lr=1e-3" if place == "steps" else f"lr=1e-3;num_training_steps={steps}"
    own = steps if place == "steps" else ""
    (tmp_path / "runs.csv").write_text(
        f"run,phase,schedule,schedule_params,steps\npt,pt,cosine,{params},{own}\n"
    )
    (tmp_path / "curves.csv").write_text("run,step,domain,loss\npt,1,general,3.0\n")
    with cheap(), pytest.raises(StudyError, match=r"run 'pt': .* at most 10,000,000"):
        read_study(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["check", str(tmp_path)])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_many_runs_cannot_take_together_what_one_may_not(tmp_path):
    (tmp_path / "study.toml").write_text('name = "s"\n')
    runs = pd.DataFrame({"run": [f"pt{k}" for k in range(500)], "phase": "pt"})
    runs["schedule"], runs["schedule_params"] = "constant", "lr=1e-3;num_training_steps=4000000"
    runs.to_csv(tmp_path / "runs.csv", index=False)
    (tmp_path / "curves.csv").write_text("run,step,domain,loss\npt0,1,general,3.0\n")
    with pytest.raises(StudyError, match="the sum of steps of all named schedules"):
        read_study(tmp_path)


def test_search_spaces():
    space = bc.Space(schedule="cosine", lr=1e-3, num_training_steps=10**12, replay_ratio=0.2)
    with cheap(), pytest.raises(ScheduleError, match="10,000,000"):
        space.plan(space.point({}))


@pytest.mark.parametrize("step", HUGE[:3])
def test_logs_whose_steps_are_no_steps(tmp_path, step):
    log = tmp_path / "run.jsonl"
    rows = [
        {"step": k, "lr": 1e-3 * k / step, "train_loss": 3.0, "val_loss": 3.0}
        for k in (step // 3, step // 2, step)
    ]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with cheap(), pytest.raises(StudyError, match=r"run '.*': step .* \(--map\)"):
        bc.read_logs([log])


def test_points_of_a_table_are_steps_of_a_plan():
    with cheap():
        assert plan_steps(100, 10**12).tolist() == list(range(1, 101))


def test_the_longest_schedule_is_still_made():
    schedule = schedules.wsd(1e-3, MAX_STEPS, num_decay_steps=1000)
    assert schedule.n_steps == MAX_STEPS
