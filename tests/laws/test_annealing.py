from dataclasses import replace

import numpy as np
import pytest

from bayescpt.data import schedules
from bayescpt.laws.kernels import KERNELS, typical
from bayescpt.laws.law import Law
from bayescpt.laws.term import TERMS
from bayescpt.laws.view import View

FLAT = np.full(20, 2e-3)


def definition_s2(lr, memory, previous):
    """S2 at steps 0..n: sum over earlier drops of (1 - lambda^(t-k+1)) / (1 - lambda)."""
    decay = 1 - 1 / memory
    drops = -np.diff(lr, prepend=previous)
    age = np.arange(1, lr.size + 1)[:, None] - np.arange(1, lr.size + 1)[None, :] + 1.0
    reach = np.where(age > 0, (1 - decay ** np.maximum(age, 0)) * memory, 0.0)
    return np.concatenate([[0.0], reach @ drops])


def at_memory(memory):
    return KERNELS["momentum"].weights({"log_memory": np.log(memory)}, None)


@pytest.fixture
def seen_s2(make_law, look):
    """Function: S2 of a run at every step, as the features hold it, unscaled."""

    def s2(study, name, memory):
        law = make_law()
        view = look(study, name, [0], law)
        view = look(study, name, np.arange(view.trajectory.n_steps + 1), law)
        anneal = law.features(view, is_target=False)["anneal"]
        return anneal @ at_memory(memory) * memory * view.refs["peak_lr"]

    return s2


def test_equals_c_s2_of_the_paper(make_term):
    c2, memory, peak = 0.298, 1000.0, 2e-4
    s2 = np.array([-0.05, 0.0, 0.1975])
    term = make_term("annealing", "momentum", pretraining=False)
    seen = {"anneal": s2 / (memory * peak), "is_cpt": 1.0}
    value = term.value({"anneal_ref": c2 * peak * memory}, seen)
    np.testing.assert_allclose(-value, c2 * s2, rtol=1e-14)


def test_is_the_same_by_numpy_xarray_and_pytensor(everywhere, make_term):
    term = make_term("annealing", "momentum")

    def law(anneal, is_cpt, anneal_ref, anneal_pt_ref, xp=np):
        p = {"anneal_ref": anneal_ref, "anneal_pt_ref": anneal_pt_ref}
        return term.value(p, {"anneal": anneal, "is_cpt": is_cpt}, xp)

    out = everywhere(
        law,
        {"anneal_ref": [0.0, 0.08], "anneal_pt_ref": [0.03, 0.0]},
        {"anneal": [-1.0, 0.0, 0.7, 1.0], "is_cpt": [1.0, 0.0, 1.0, 0.0]},
    )
    for values in out.values():
        np.testing.assert_allclose(values, out["numpy"], rtol=1e-10)


def test_each_phase_has_a_size_of_its_own(make_term):
    term = make_term("annealing", "momentum")
    p = {"anneal_ref": 0.06, "anneal_pt_ref": 0.07}
    found = [term.coefficients(p, {"is_cpt": phase})["anneal_ref"] for phase in (1.0, 0.0)]
    assert found == [0.06, 0.07]
    both = term.coefficients(p, {"is_cpt": np.array([1.0, 0.0])})["anneal_ref"]
    np.testing.assert_array_equal(both, found)
    alone = make_term("annealing", "momentum", continual=False)
    assert alone.coefficients({"anneal_pt_ref": 0.07}, {"is_cpt": 0.0}) == {"anneal_ref": 0.07}


def test_under_the_exponential_response_the_drop_changes_with_the_replay(make_term):
    term = make_term("annealing", "momentum")
    p = {"anneal_ref": 0.06, "anneal_pt_ref": 0.07, "anneal_replay": -0.4}
    found = term.coefficients(p, {"is_cpt": 1.0, "replay": 0.25})["anneal_ref"]
    assert found == pytest.approx(0.06 * np.exp(-0.4 * 0.25), rel=1e-14)
    assert term.coefficients(p, {"is_cpt": 0.0, "replay": 1.0})["anneal_ref"] == 0.07


@pytest.mark.parametrize("memory", [2.5, 17.0, 300.0, 4000.0])
def test_annealing_area_of_known_schedules(make_study, seen_s2, memory):
    cpt = schedules.wsd(lr=2e-3, num_training_steps=300, num_warmup_steps=20, num_decay_steps=60)
    study = make_study(FLAT, [cpt.lr, np.full(10, 2e-3)])
    exact = definition_s2(cpt.lr, memory, previous=2e-3)
    np.testing.assert_allclose(
        seen_s2(study, "run0", memory), exact, rtol=0, atol=1e-6 * np.abs(exact).max()
    )
    # Constant since the parent: nothing annealed.
    np.testing.assert_allclose(seen_s2(study, "run1", memory), 0.0, atol=1e-15)


def test_the_last_lr_of_the_parent_counts_with_its_sign(make_study, seen_s2):
    memory = 50.0
    lr = np.full(200, 1e-3)
    lower, same, higher = (make_study([*FLAT, last], [lr]) for last in (2e-3, 1e-3, 0.0))
    steps = np.arange(201)
    one_drop = 1e-3 * memory * (1 - (1 - 1 / memory) ** steps)
    np.testing.assert_allclose(seen_s2(lower, "run0", memory), one_drop, atol=1e-9)
    np.testing.assert_allclose(seen_s2(same, "run0", memory), 0.0, atol=1e-15)
    # A re-warm-up is a drop the other way round: it raises the loss.
    np.testing.assert_allclose(seen_s2(higher, "run0", memory), -one_drop, atol=1e-9)


def test_from_scratch_the_first_lr_is_no_drop(make_study, make_law, look):
    study, law = make_study(FLAT, [[2e-3]]), make_law()
    view = look(study, "base", np.arange(1, 21), law)
    assert view.trajectory.start_lr is None
    np.testing.assert_allclose(law.features(view, False)["anneal"], 0.0, atol=1e-15)


def test_full_anneal_is_about_1(make_study, make_law, look):
    decay = schedules.wsd(lr=2e-3, num_training_steps=4000, num_warmup_steps=0, num_decay_steps=500)
    study = make_study(FLAT, [np.concatenate([decay.lr, np.zeros(500)])])
    law = make_law()
    anneal = law.features(look(study, "run0", [4500], law), False)["anneal"]
    assert (anneal @ at_memory(20.0)).item() == pytest.approx(1.0, abs=1e-6)


RATES = {
    "wsd": schedules.wsd(
        lr=1.0, num_training_steps=2000, num_warmup_steps=100, num_decay_steps=400
    ).lr,
    "cosine": schedules.cosine(lr=1.0, num_training_steps=2000, num_warmup_steps=100).lr,
    "cliff": np.r_[np.full(600, 1.0), np.full(600, 0.3), np.full(600, 0.8), np.zeros(10)],
}


@pytest.mark.parametrize("lr", RATES.values(), ids=RATES)
def test_interpolation_error_over_the_priors_range_of_memories(make_study, make_law, look, lr):
    study, law = make_study([0.5], [lr]), make_law()
    steps = np.arange(0, lr.size + 1, 10)
    view = look(study, "run0", steps, law)
    anneal = law.features(view, False)["anneal"]
    (memory,) = KERNELS["momentum"].parameters
    low, high = memory.default["lower"], memory.default["upper"]
    for memory in np.exp(np.linspace(low, high, 6)):
        exact = definition_s2(lr, memory, previous=0.5)[steps]
        found = anneal @ at_memory(memory) * memory * view.refs["peak_lr"]
        error = np.abs(found - exact).max() / np.abs(exact).max()
        assert error < 1e-6, (memory, error)


def test_a_rewarm_up_of_its_own_size_leaves_the_annealing_area(make_study, make_law, look):
    lr = np.r_[np.linspace(2e-4, 2e-3, 10), np.full(20, 2e-3), np.linspace(1.9e-3, 0.0, 20)]
    study = make_study(np.r_[FLAT, 0.0], [lr])
    steps = np.arange(lr.size + 1)

    def anneal(law):
        return law.features(look(study, "run0", steps, law), False)["anneal"]

    own = anneal(make_law(annealing="area", rewarm="own"))
    whole = anneal(make_law(annealing="area"))
    assert np.abs(own[:30]).max() < 1e-12 < np.abs(whole[:30]).max()
    assert np.all(own[-1] > 0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_basis_is_weighted_by_the_kernel(make_law, make_study, look, kernel):
    study, law = make_study(FLAT, [FLAT]), make_law(annealing=kernel)
    p = {p.name: np.float64(p.default["mu"]) for p in KERNELS[kernel].parameters}
    p["kernel_shape"] = np.float64(0.5)
    refs = look(study, "run0", [0], law).refs
    weights = law.weights(p, refs)
    assert list(weights) == ["anneal"]
    np.testing.assert_array_equal(weights["anneal"], KERNELS[kernel].weights(p, refs))
    assert law.n_columns == {"anneal": weights["anneal"].size}


@pytest.mark.parametrize("kernel", ["power", "area", "multi_power"])
def test_a_higher_peak_does_not_always_help(make_study, look, kernel):
    """More is left of a higher LR when a run ends: at some peak that outweighs what it trains."""
    law = Law({"base": "power", "annealing": kernel, "level": "anchored"})
    lr = schedules.wsd(
        lr=2e-3, num_training_steps=2000, num_warmup_steps=50, num_decay_steps=400
    ).lr
    view = look(make_study(lr, []), "base", [lr.size], law)
    p = typical(TERMS["annealing"][kernel].kernel)
    p |= {"base_ref": 0.3, "alpha_s1": 0.5, "anneal_pt_ref": 0.1, "level_pt": 3.0}
    ends = []
    for factor in 2.0 ** np.arange(-3, 9):
        path = replace(view.trajectory, lr=factor * lr)
        seen = law.features(View(path, view.steps, view.refs), False)
        seen["anneal"] = seen["anneal"] @ law.weights(p, view.refs)["anneal"]
        ends.append(law.value(p, seen | {"is_cpt": 0.0}).item())
    best = int(np.argmin(ends))
    assert 0 < best < len(ends) - 1
    assert np.all(np.diff(ends[best:]) > 0)
