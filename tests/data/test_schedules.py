"""Constructors reproduce the schedules of the trainers they are named after.

The formulas below restate, step by step and in plain Python, the lambdas of
transformers/optimization.py and OptimizerParamScheduler.get_lr of Megatron-LM.
"""

import inspect
import json
import math

import numpy as np
import pytest

from bayescpt.data import Schedule, schedules
from bayescpt.errors import ScheduleError

LR, N, W, D = 3e-4, 200, 20, 50


def agrees(schedule, formula, scale=1.0):
    """Every step within 1e-12 of the origin, relative to the peak."""
    origin = np.array([scale * formula(step) for step in range(schedule.n_steps)])
    np.testing.assert_allclose(schedule.lr / LR, origin / LR, rtol=0, atol=1e-12)


# transformers: the factor that LambdaLR multiplies lr by at a step counted from 0.


def hf_warmup(step):
    return step / max(1, W)


def hf_constant_with_warmup(step):
    return step / max(1.0, W) if step < W else 1.0


def hf_linear(step):
    return hf_warmup(step) if step < W else max(0.0, (N - step) / max(1, N - W))


def hf_cosine(step, rate=0.0):
    if step < W:
        return hf_warmup(step)
    progress = (step - W) / max(1, N - W)
    factor = 0.5 * (1.0 + math.cos(math.pi * 0.5 * 2.0 * progress))
    return max(0.0, factor * (1 - rate) + rate)


def hf_cosine_warmup_with_min_lr(step, rate):
    if step < W:
        return (step + 1.0) / max(1.0, W)
    progress = (step - W + 1.0) / max(1.0, N - W)
    factor = 0.5 * (1.0 + math.cos(math.pi * 0.5 * 2.0 * progress))
    return max(0, factor * (1 - rate) + rate)


def hf_wsd(step, stable, decay_type, ratio):
    if step < W:
        factor = hf_warmup(step)
    elif step < W + stable:
        return 1.0
    elif step < W + stable + D:
        progress = (step - W - stable) / max(1, D)
        factor = {
            "linear": 1.0 - progress,
            "cosine": 0.5 * (1.0 + math.cos(math.pi * 0.5 * 2.0 * progress)),
            "1-sqrt": 1.0 - math.sqrt(progress),
        }[decay_type]
    else:
        return ratio
    return max(0.0, factor * (1.0 - ratio) + ratio)


def hf_inverse_sqrt(step, timescale):
    if step < W:
        return hf_warmup(step)
    return 1.0 / math.sqrt((step + timescale - W) / timescale)


def megatron(step, style, min_lr=3e-5, init_lr=1e-5, decay_iters=150, wsd_style=None):
    """Learning rate itself; the counter starts at 0 and grows by one an iteration."""
    if W > 0 and step <= W:
        return init_lr + (LR - init_lr) * step / W
    if style == "constant":
        return LR
    if step > decay_iters:
        return min_lr
    if style == "inverse-square-root":
        return max(min_lr, LR * W**0.5 / step**0.5)
    ratio = (step - W) / (decay_iters - W)
    if style == "linear":
        coeff = 1.0 - ratio
    elif style == "cosine":
        coeff = 0.5 * (math.cos(math.pi * ratio) + 1.0)
    elif step <= decay_iters - D:
        coeff = 1.0
    else:
        part = (step - (decay_iters - D)) / D
        coeff = {
            "linear": 1.0 - part,
            "cosine": 0.5 * (math.cos(math.pi * part) + 1.0),
            "exponential": 2.0 * math.pow(0.5, part) - 1.0,
            "minus_sqrt": 1.0 - math.sqrt(part),
        }[wsd_style]
    return min_lr + coeff * (LR - min_lr)


def test_transformers_constant():
    agrees(schedules.constant(LR, N), lambda step: LR)
    agrees(schedules.constant_with_warmup(LR, N, W), hf_constant_with_warmup, LR)


def test_transformers_linear():
    agrees(schedules.linear(LR, N, W), hf_linear, LR)


def test_transformers_cosine():
    agrees(schedules.cosine(LR, N, W), hf_cosine, LR)


def test_transformers_cosine_with_min_lr():
    agrees(schedules.cosine(LR, N, W, min_lr_ratio=0.1), lambda s: hf_cosine(s, 0.1), LR)
    agrees(schedules.cosine(LR, N, W, min_lr=LR / 10), lambda s: hf_cosine(s, 0.1), LR)


def test_transformers_cosine_warmup_with_min_lr_is_ours_one_step_ahead():
    ahead = schedules.cosine(LR, N + 1, W, num_decay_steps=N - W, min_lr_ratio=0.1)
    agrees(Schedule(ahead.lr[1:]), lambda s: hf_cosine_warmup_with_min_lr(s, 0.1), LR)


@pytest.mark.parametrize("decay_type", ["linear", "cosine", "1-sqrt"])
def test_transformers_wsd_warms_up_from_its_minimum(decay_type):
    ours = schedules.warmup_stable_decay(
        LR, N, W, D, min_lr_ratio=0.1, decay_type=decay_type, warmup_init_lr=0.1 * LR
    )
    agrees(ours, lambda s: hf_wsd(s, N - W - D, decay_type, 0.1), LR)


def test_transformers_wsd_with_stable_steps_holds_its_minimum_afterwards():
    ours = schedules.wsd(
        LR, N, W, D, num_stable_steps=100, min_lr_ratio=0.1, warmup_init_lr=0.1 * LR
    )
    agrees(ours, lambda s: hf_wsd(s, 100, "linear", 0.1), LR)


@pytest.mark.parametrize("timescale", [None, W, 500])
def test_transformers_inverse_sqrt(timescale):
    ours = schedules.inverse_sqrt(LR, N, W, timescale=timescale)
    agrees(ours, lambda s: hf_inverse_sqrt(s, timescale or W), LR)


def test_transformers_inverse_sqrt_without_warmup_has_a_timescale_of_10000():
    lr = schedules.inverse_sqrt(LR, N).lr
    np.testing.assert_allclose(lr, LR / np.sqrt(1 + np.arange(N) / 10_000), rtol=1e-13)


@pytest.mark.parametrize("style", ["constant", "linear", "cosine", "inverse-square-root"])
def test_megatron(style):
    common = {"lr": LR, "num_training_steps": N, "num_warmup_steps": W, "warmup_init_lr": 1e-5}
    decaying = {**common, "num_decay_steps": 150 - W, "min_lr": 3e-5}
    ours = {
        "constant": lambda: schedules.constant_with_warmup(**common),
        "linear": lambda: schedules.linear(**decaying),
        "cosine": lambda: schedules.cosine(**decaying),
        "inverse-square-root": lambda: schedules.inverse_sqrt(**common, min_lr=3e-5),
    }[style]()
    end = N if style == "inverse-square-root" else 150
    agrees(ours, lambda s: megatron(s, style, decay_iters=end))


@pytest.mark.parametrize(
    ("decay_type", "wsd_style"),
    [("linear", "linear"), ("cosine", "cosine"), ("exponential",) * 2, ("1-sqrt", "minus_sqrt")],
)
def test_megatron_wsd(decay_type, wsd_style):
    ours = schedules.wsd(
        LR,
        N,
        W,
        D,
        num_stable_steps=150 - W - D,
        min_lr=3e-5,
        decay_type=decay_type,
        warmup_init_lr=1e-5,
    )
    agrees(ours, lambda s: megatron(s, "WSD", wsd_style=wsd_style))


def test_geometric_decay_divides_by_a_constant():
    lr = schedules.wsd(LR, 30, 5, 10, min_lr_ratio=0.01, decay_type="geometric").lr
    np.testing.assert_allclose(lr[21:] / lr[20:-1], 0.01**0.1, rtol=1e-12)
    assert lr[20] == LR


def test_infinite_goes_through_its_four_stages():
    # Ibrahim et al., arXiv 2403.08763: warm-up, cooldown, constant, geometric anneal.
    lr = schedules.infinite(LR, N, W, 60, constant_lr=1e-4, num_decay_steps=40, min_lr_ratio=0.1).lr
    np.testing.assert_allclose(lr[:W], LR * np.arange(W) / W, rtol=1e-12)
    cooling = [1e-4 + (LR - 1e-4) * 0.5 * (1 + math.cos(math.pi * k / 60)) for k in range(60)]
    np.testing.assert_allclose(lr[W : W + 60], cooling, rtol=1e-12)
    np.testing.assert_array_equal(lr[W + 60 : N - 40], 1e-4)
    annealing = [1e-4 * (3e-5 / 1e-4) ** (k / 40) for k in range(40)]
    np.testing.assert_allclose(lr[N - 40 :], annealing, rtol=1e-12)


def test_infinite_inverse_sqrt_cooldown_reaches_the_constant():
    ours = schedules.infinite(LR, N, W, 60, constant_lr=1e-4, cooldown_type="inverse_sqrt")
    h = [1 / math.sqrt(1 + 10 * k / 60) - 1 for k in range(61)]
    cooling = [LR + (1e-4 - LR) * value / h[-1] for value in h]
    np.testing.assert_allclose(ours.lr[W : W + 61], cooling, rtol=1e-12)
    np.testing.assert_array_equal(ours.lr[W + 60 :], 1e-4)


def test_piecewise_joins_its_pieces():
    ours = schedules.piecewise(
        [(4, "linear", 0.0, 4e-4), (2, "constant", 4e-4, 4e-4), (2, "1-sqrt", 4e-4, 0.0)]
    )
    last = 4e-4 * (1 - math.sqrt(0.5))
    expected = [0.0, 1e-4, 2e-4, 3e-4, 4e-4, 4e-4, 4e-4, last]
    np.testing.assert_allclose(ours.lr, expected, rtol=1e-12, atol=1e-20)


def test_wsd_is_an_alias_and_takes_the_lengths_that_are_given():
    assert schedules.wsd is schedules.warmup_stable_decay
    by_total = schedules.wsd(LR, 100, 10, 30)
    by_stable = schedules.wsd(LR, num_warmup_steps=10, num_stable_steps=60, num_decay_steps=30)
    assert by_total == by_stable


def test_params_are_the_arguments_and_rebuild_the_schedule():
    built = [
        schedules.cosine(np.float64(LR), np.int64(N), num_warmup_steps=W),
        schedules.piecewise([(4, "linear", 0.0, LR)]),
        schedules.infinite(LR, N, W, 60, constant_lr=1e-4),
    ]
    for schedule in built:
        params = json.loads(json.dumps(schedule.params))
        assert schedules.from_name(schedule.name, **params) == schedule
    assert built[0].params == {"lr": LR, "num_training_steps": N, "num_warmup_steps": W}


def test_constructors_keep_their_signature_and_text():
    assert list(inspect.signature(schedules.constant).parameters) == ["lr", "num_training_steps"]
    assert "Constant learning rate" in (schedules.constant.__doc__ or "")


def test_from_array_keeps_the_learning_rates():
    schedule = schedules.from_array([1e-3, 5e-4], name="logged")
    assert (schedule.name, schedule.params) == ("logged", {})
    np.testing.assert_array_equal(schedule.lr, [1e-3, 5e-4])


def test_parse_params_reads_numbers_and_text():
    parsed = schedules.parse_params("lr=2e-4; num_training_steps=100;decay_type=1-sqrt;")
    assert parsed == {"lr": 2e-4, "num_training_steps": 100, "decay_type": "1-sqrt"}
    assert schedules.parse_params("") == {}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: schedules.cosine(LR, N, min_lr=1e-5, min_lr_ratio=0.1),
            r"schedules.cosine: give min_lr \(1e-05\) or min_lr_ratio \(0.1\), not both",
        ),
        (lambda: schedules.cosine(LR, N, min_lr=1.0), r"min_lr is 1.0; expected 0 to lr 0.0003"),
        (lambda: schedules.cosine(LR, N, min_lr_ratio=10), r"min_lr_ratio is 10; expected 0 to 1"),
        (lambda: schedules.linear(LR, N, N + 1), r"num_warmup_steps 201 exceeds .* 200"),
        (lambda: schedules.wsd(LR, N, W, N), r"\+ num_decay_steps 200 exceed .* 200"),
        (lambda: schedules.wsd(LR), r"give num_training_steps, num_stable_steps or both"),
        (lambda: schedules.wsd(LR, N, decay_type="sqrt"), r"unknown decay_type 'sqrt'; known: lin"),
        (
            lambda: schedules.wsd(LR, N, 0, 10, decay_type="geometric"),
            r"geometric decay from 0.0003 to 0.0 needs both above 0: give min_lr",
        ),
        (lambda: schedules.constant(-1.0, N), r"schedules.constant: lr is -1.0; expected a fin"),
        (lambda: schedules.constant(LR, 10.5), r"num_training_steps is 10.5; expected a whole"),
        (lambda: schedules.constant(LR, 0), r"no learning rate"),
        (lambda: schedules.linear("high", N), r"lr is 'high'; expected a finite number"),
        (lambda: schedules.linear(LR, N, "few"), r"schedules.linear: num_warmup_steps is 'few'"),
        (lambda: schedules.inverse_sqrt(LR, N, timescale=0), r"timescale is 0; expected a pos"),
        (lambda: schedules.infinite(LR, N, W, 60, 1.0), r"constant_lr is 1.0; expected above 0"),
        (lambda: schedules.infinite(LR, N, W, N, 1e-4), r"num_cooldown_steps 200 .* exceed"),
        (
            lambda: schedules.infinite(LR, N, W, 9, 1e-4, cooldown_type="exp"),
            r"unknown cooldown_type 'exp'; known: cosine, inverse_sqrt",
        ),
        (lambda: schedules.piecewise([(5, "linear", 0.0)]), r"piece 1 is .*; expected \(duration"),
        (
            lambda: schedules.piecewise([(5, "linear", 0.0, 1.0), (-5, "cosine", 1.0, 0.0)]),
            r"piece 2: duration is -5; expected a whole number",
        ),
        (
            lambda: schedules.piecewise([(5, "constant", 0.0, 1.0)]),
            r"piece 1: constant, but starts at 0.0 and ends at 1.0",
        ),
        (
            lambda: schedules.from_name("cosin"),
            r"unknown schedule 'cosin'; did you mean 'cosine'\? known: constant, ",
        ),
        (
            lambda: schedules.from_name("constant", lr=LR, steps=3),
            r"unknown argument 'steps'; did you mean 'num_training_steps'\? arguments: lr, num_t",
        ),
        (lambda: schedules.parse_params("lr"), r"schedule parameter 'lr'; expected key=value"),
    ],
)
def test_bad_arguments_are_refused_by_name_and_value(make, message):
    with pytest.raises(ScheduleError, match=message):
        make()
