"""What holds for every registered schedule: length, peak, warm-up, end, and bad arguments."""

import inspect
from typing import Any, NamedTuple

import numpy as np
import pytest

from bayescpt.data import Schedule, schedules
from bayescpt.data.schedules import registry
from bayescpt.errors import ScheduleError

LR, N, W, D = 3e-4, 200, 20, 50
MIN = 3e-5


class Example(NamedTuple):
    """Arguments of a schedule, and the learning rate of its last update, worked out by hand."""

    arguments: dict[str, Any]
    final_lr: float
    n_steps: int = N


COMMON = {"lr": LR, "num_training_steps": N, "num_warmup_steps": W, "min_lr": MIN}
WSD = Example(COMMON | {"num_decay_steps": D}, MIN + (LR - MIN) / D)
EXAMPLES = {
    "constant": Example({"lr": LR, "num_training_steps": N}, LR),
    "constant_with_warmup": Example({"lr": LR, "num_training_steps": N, "num_warmup_steps": W}, LR),
    "linear": Example(COMMON, MIN + (LR - MIN) / (N - W)),
    "cosine": Example(COMMON, MIN + (LR - MIN) * (1 + np.cos(np.pi * 179 / 180)) / 2),
    "inverse_sqrt": Example(COMMON, LR * (W / (N - 1)) ** 0.5),
    "warmup_stable_decay": WSD,
    "wsd": WSD,
    "infinite": Example(
        COMMON | {"num_cooldown_steps": 60, "constant_lr": 1e-4, "num_decay_steps": D},
        1e-4 * (MIN / 1e-4) ** (49 / 50),
    ),
    "piecewise": Example(
        {"pieces": [(W, "linear", 0.0, LR), (30, "constant", LR, LR), (D, "cosine", LR, MIN)]},
        MIN + (LR - MIN) * (1 + np.cos(np.pi * 49 / 50)) / 2,
        W + 30 + D,
    ),
}


def build(name, **changes):
    return schedules.from_name(name, **EXAMPLES[name].arguments | changes)


def takes(name, argument):
    return argument in inspect.signature(getattr(schedules, name)).parameters


every_schedule = pytest.mark.parametrize("name", schedules.registered_schedules())


def test_every_registered_schedule_is_offered_and_has_an_example():
    assert set(schedules.registered_schedules()) == set(EXAMPLES)
    # Search spaces look schedules up in __all__.
    assert set(schedules.__all__) == {*EXAMPLES, "from_array", "from_name"}


@every_schedule
def test_has_its_length_and_remembers_its_arguments(name):
    schedule = build(name)
    assert schedule.n_steps == EXAMPLES[name].n_steps
    assert getattr(schedules, schedule.name) is getattr(schedules, name)
    assert getattr(schedules, name)(**EXAMPLES[name].arguments) == schedule
    assert schedules.from_name(schedule.name, **schedule.params) == schedule


@every_schedule
def test_learning_rates_are_finite_and_positive_after_the_first_update(name):
    lr = build(name).lr
    assert np.isfinite(lr).all()
    assert lr[0] >= 0
    assert (lr[1:] > 0).all()


@every_schedule
def test_peak_is_the_learning_rate_asked_for(name):
    assert build(name).peak_lr == LR
    if takes(name, "min_lr"):
        assert build(name).lr[W:].min() >= MIN


@every_schedule
def test_warm_up_is_linear_and_ends_at_the_peak(name):
    lr = build(name).lr
    if not takes(name, "num_warmup_steps") and name != "piecewise":
        assert lr[0] == LR
        return
    np.testing.assert_allclose(lr[: W + 1], LR * np.arange(W + 1) / W, rtol=1e-12)
    if takes(name, "warmup_init_lr"):
        raised = build(name, warmup_init_lr=LR / 10).lr[: W + 1]
        np.testing.assert_allclose(raised, np.linspace(LR / 10, LR, W + 1), rtol=1e-12)


@every_schedule
def test_ends_at_the_learning_rate_of_its_formula(name):
    assert build(name).final_lr == pytest.approx(EXAMPLES[name].final_lr, rel=1e-12)


BAD_ARGUMENTS = [
    ("lr", -1e-4),
    ("lr", float("nan")),
    ("lr", float("inf")),
    ("lr", "high"),
    ("num_training_steps", 0),
    ("num_training_steps", -1),
    ("num_training_steps", 10.5),
    ("num_training_steps", "many"),
    ("num_warmup_steps", -1),
    ("num_warmup_steps", N + 1),
    ("num_warmup_steps", 2.5),
    ("num_decay_steps", -1),
    ("num_cooldown_steps", -1),
    ("min_lr", -1e-5),
    ("min_lr", 2 * LR),
    ("min_lr_ratio", 0.1),  # in addition to min_lr
    ("warmup_init_lr", -1e-5),
    ("timescale", 0),
    ("pieces", []),
    ("pieces", [(5, "linear", 0.0, -1.0)]),
    ("pieces", [(5, "zigzag", 0.0, LR)]),
]


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        (name, argument, value)
        for name in schedules.registered_schedules()
        for argument, value in [*BAD_ARGUMENTS, ("misspelt", 1)]
        if argument == "misspelt" or takes(name, argument)
    ],
)
def test_bad_arguments_are_errors_that_name_the_schedule(name, argument, value):
    changes = {argument: value}
    if name == "infinite" and argument == "timescale":
        changes["cooldown_type"] = "inverse_sqrt"
    shown = "wsd|warmup_stable_decay" if name == "wsd" else name
    with pytest.raises(ScheduleError, match=shown):
        build(name, **changes)


@every_schedule
def test_a_missing_argument_is_named(name):
    missing = "pieces" if name == "piecewise" else "lr"
    arguments = {k: v for k, v in EXAMPLES[name].arguments.items() if k != missing}
    with pytest.raises(ScheduleError, match=rf"schedules\.{name}: missing .*'{missing}'"):
        schedules.from_name(name, **arguments)


def test_a_new_schedule_is_found_by_name_until_it_is_removed(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))

    @registry.register_schedule
    def halving(lr, num_training_steps):
        return lr * 0.5 ** np.arange(num_training_steps)

    assert schedules.from_name("halving", lr=1.0, num_training_steps=3) == Schedule([1, 0.5, 0.25])
    assert "halving" in schedules.registered_schedules()


def test_a_name_is_registered_once(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))

    def cosine(lr):
        return np.array([lr])

    message = "'cosine' .* is registered already, by bayescpt.data.schedules.cosine_schedule"
    with pytest.raises(ScheduleError, match=message):
        registry.register_schedule(cosine)


def test_completion_offers_the_schedules_only():
    assert dir(schedules) == sorted(schedules.__all__)
