"""Annealing terms in which the LR enters other than by its drops: equations written again."""

from dataclasses import replace

import numpy as np
import pytensor.tensor as pt
import pytest

import bayescpt as bc
from bayescpt.data import schedules
from bayescpt.laws.law import Law
from bayescpt.laws.points import References
from bayescpt.laws.references import references
from bayescpt.laws.term import TERMS
from bayescpt.laws.trajectory import run_trajectory
from bayescpt.laws.view import View

PEAK = 3e-4
REFS = References({"anneal_steps": 200.0, "peak_lr": PEAK})
LRS = {
    "wsd": schedules.wsd(
        lr=PEAK, num_training_steps=900, num_warmup_steps=50, num_decay_steps=200
    ).lr,
    "cosine": schedules.cosine(lr=PEAK, num_training_steps=900, num_warmup_steps=50).lr,
    "cliffs": PEAK * np.r_[np.full(300, 1.0), np.full(200, 0.3), np.full(200, 0.8), np.zeros(200)],
}
STEPS = np.array([0, 1, 60, 300, 420, 501, 700, 760, 900])
# Names, and values of the parameters of their kernels.
KERNEL_VALUES = {
    "multi_power": ({"log_half": 3.0, "kernel_shape": 0.58, "lr_gamma": 0.64},
                    {"log_half": 4.5, "kernel_shape": 0.4, "lr_gamma": 0.2},
                    {"log_half": 2.0, "kernel_shape": 0.8, "lr_gamma": 0.9}),
    "momentum_weighted": ({"log_memory": 5.0, "lr_epsilon": 0.1},
                          {"log_memory": 3.0, "lr_epsilon": 0.7}),
    "lr_exponent": ({"log_half": 3.0, "kernel_shape": 0.58, "lr_exponent": 1.7},
                    {"log_half": 2.0, "kernel_shape": 0.8, "lr_exponent": 0.7}),
}  # fmt: skip
CASES = [(name, values) for name, all_values in KERNEL_VALUES.items() for values in all_values]
# Luo et al., arXiv 2503.12811, as printed by their code: L0, A, alpha, B, C, beta, gamma, and the
# means over the six unseen schedules of MAE, RMSE and R2 that their repository has.
PUBLISHED = {
    "mpl_25m": (
        (3.04045406, 0.52468604, 0.50786857, 363.78751622, 2.06560812, 0.58279013, 0.64142257),
        (0.00376, 0.00465, 0.9988),
    ),
    "mpl_100m": (
        (2.6514477, 0.60115152, 0.45295811, 437.9464276, 2.13245612, 0.59785199, 0.65523644),
        (0.00435, 0.00592, 0.9983),
    ),
}
FITTED = ("cosine_24000", "constant_24000", "wsdcon_9")


def area_by(name, values, lr, start, steps):
    """Annealing area from the equation of each paper, one drop after the other."""
    out = np.zeros(steps.size)
    before = np.r_[start, lr[:-1]]
    if name == "momentum_weighted":
        memory, momentum, area = np.exp(values["log_memory"]), 0.0, [0.0]
        for eta, last in zip(lr, before, strict=True):
            momentum = (1 - 1 / memory) * momentum + (last - eta)
            weight = max(eta / PEAK, 1e-3) ** values["lr_epsilon"] if eta > 0 else 0.0
            area.append(area[-1] + momentum * weight)
        return np.array(area)[steps] / (memory * PEAK)
    shape = values["kernel_shape"]
    scale = np.exp(values["log_half"]) / (2 ** (1 / shape) - 1)

    def reached(x):
        return 1 - (1 + x / scale) ** -shape

    power = values.get("lr_exponent", 1.0)
    for k, (eta, last) in enumerate(zip(lr, before, strict=True)):
        drop = (last / PEAK) ** power - (eta / PEAK) ** power
        if drop == 0.0:
            continue
        speed = max(eta / PEAK, np.exp(-3.5)) ** -values.get("lr_gamma", 0.0)
        since = np.cumsum(lr[k:]) / PEAK
        late = steps > k
        out[late] += drop * reached(speed * since[steps[late] - k - 1])
    return out / reached(REFS["anneal_steps"])


@pytest.mark.parametrize(("name", "values"), CASES)
@pytest.mark.parametrize("lr", LRS.values(), ids=LRS)
def test_the_area_is_that_of_the_equation(name, values, lr):
    kernel = TERMS["annealing"][name].kernel
    start = 0.4 * PEAK
    p = {key: np.array(value) for key, value in values.items()}
    found = kernel.basis(lr, start, STEPS, REFS) @ kernel.weights(p, REFS)
    np.testing.assert_allclose(found, area_by(name, values, lr, start, STEPS), atol=1e-4)
    # From scratch the first LR is no drop.
    scratch = kernel.basis(lr, None, STEPS, REFS) @ kernel.weights(p, REFS)
    np.testing.assert_allclose(scratch, area_by(name, values, lr, lr[0], STEPS), atol=1e-4)


@pytest.mark.parametrize(("name", "values"), CASES)
def test_weights_are_the_same_by_numpy_and_pytensor(name, values):
    kernel = TERMS["annealing"][name].kernel
    values = {key: np.float64(value) for key, value in values.items()}
    symbols = {key: pt.dscalar(key) for key in values}
    graph = kernel.weights(symbols, REFS, pt)
    point = {symbols[key]: value for key, value in values.items()}
    plain = kernel.weights(values, REFS)
    np.testing.assert_allclose(graph.eval(point, mode="FAST_COMPILE"), plain, atol=1e-10)
    # A draw a row.
    stacked = {key: np.array([value, value + 0.01]) for key, value in values.items()}
    np.testing.assert_allclose(kernel.weights(stacked, REFS)[0], plain)
    assert kernel.basis(LRS["wsd"], PEAK, STEPS, REFS).shape == (STEPS.size, plain.size)


def test_a_power_of_the_area_keeps_its_sign(make_term):
    term = make_term("annealing", "momentum_zeta", continual=False)
    area = np.array([-1.0, -0.3, 0.0, 0.2, 0.7, 1.0])
    for zeta in (0.6, 1.0, 1.8):
        p = {"anneal_pt_ref": 0.1, "anneal_zeta": zeta}
        found = term.value(p, {"anneal": area, "is_cpt": 0.0})
        expected = -0.1 * np.sign(area) * np.abs(area) ** zeta
        np.testing.assert_allclose(found, expected, atol=2e-4)


def law_of_published(study, values):
    """Law, and its parameters for published ones: L0, A, alpha, B, C, beta, gamma."""
    level, size, alpha, b, c, beta, gamma = values
    law = Law({"base": "power", "annealing": "multi_power", "level": "anchored"})
    refs = references(study, law)
    base = size * refs["area"] ** -alpha
    scale = refs["peak_lr"] ** (gamma - 1) / c
    reached = 1 - (1 + refs["anneal_steps"] / scale) ** -beta
    p = {
        "base_ref": base,
        "alpha_s1": alpha,
        "level_pt": level + base,
        "anneal_pt_ref": b * refs["peak_lr"] * reached,
        "log_half": np.array(np.log(scale * (2 ** (1 / beta) - 1))),
        "kernel_shape": np.array(beta),
        "lr_gamma": np.array(gamma),
    }
    return law, refs, p


def published_losses(study, run, values):
    """Losses of a run by the law in our parameters, and those measured."""
    law, refs, p = law_of_published(study, values)
    curve = study.curve(run, study.general)
    view = View(run_trajectory(study, run), curve["step"].to_numpy(), refs)
    seen = law.features(view, False)
    seen["anneal"] = seen["anneal"] @ law.weights(p, refs)["anneal"]
    return law.value(p, seen | {"is_cpt": 0.0}), curve["loss"].to_numpy()


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_parameters_reproduce_the_published_table(name):
    study, (values, table) = bc.load_example(name), PUBLISHED[name]
    found = []
    for run in study.pt_runs:
        if run in FITTED:
            continue
        law, loss = published_losses(study, run, values)
        error = law - loss
        r2 = 1 - np.sum(error**2) / np.sum((loss - loss.mean()) ** 2)
        found.append((np.abs(error).mean(), np.sqrt(np.mean(error**2)), r2))
    # To 1.1%: the rows that their evaluation takes are not told.
    mae, rmse, r2 = np.mean(found, axis=0)
    assert (mae, rmse) == pytest.approx(table[:2], rel=0.011)
    assert r2 == pytest.approx(table[2], abs=1e-4)


def test_symbols_are_those_of_the_paper():
    study, (values, _) = bc.load_example("mpl_25m"), PUBLISHED["mpl_25m"]
    law, refs, p = law_of_published(study, values)
    symbols = law.symbols(p, refs)
    names = ("L0", "A", "alpha_s1", "B_anneal", "C_anneal", "kernel_shape", "lr_gamma")
    found = [(p | symbols)[name] for name in names]
    np.testing.assert_allclose(found, values, rtol=1e-10)


def ends_by_peak(study, run, values, factors, tail=0):
    """Last loss of a run with its LR multiplied, and so many steps at an LR of 0 added."""
    law, refs, p = law_of_published(study, values)
    ends = []
    for factor in factors:
        path = run_trajectory(study, run)
        path = replace(path, lr=np.r_[factor * path.lr, np.zeros(tail)])
        seen = law.features(View(path, np.array([path.n_steps]), refs), False)
        seen["anneal"] = seen["anneal"] @ law.weights(p, refs)["anneal"]
        ends.append(law.value(p, seen | {"is_cpt": 0.0}).item())
    return np.array(ends)


@pytest.mark.parametrize("run", ["cosine_24000", "wsd_20000_24000", "constant_24000"])
def test_of_a_higher_peak_more_is_left_at_the_end(run):
    """Under momentum a higher peak always helps; here the best one is finite."""
    study, (values, _) = bc.load_example("mpl_25m"), PUBLISHED["mpl_25m"]
    ends = ends_by_peak(study, run, values, [0.25, 1.0, 4.0, 16.0, 64.0])
    assert 0 < np.argmin(ends) < 4


def test_steps_at_an_lr_of_0_change_nothing():
    study, (values, _) = bc.load_example("mpl_25m"), PUBLISHED["mpl_25m"]
    ends = [ends_by_peak(study, "wsdcon_3", values, [1.0], tail) for tail in (1, 50, 5000)]
    assert np.ptp(ends) < 1e-9
