"""Areas equal their definitions, their published values, and each other between the nodes."""

import numpy as np
import pytest

from bayescpt.data import areas, schedules

WSD = schedules.wsd(2e-4, 20_000, 500, 4_000).lr
COSINE = schedules.cosine(2e-4, 20_000, 500).lr
REWARMED = (
    schedules.wsd(2e-3, 1_000, 100, 300)
    .then(schedules.cosine(1e-3, 1_000, 30, min_lr_ratio=0.1))
    .lr
)


def by_definition(lr, decay, t, previous_lr):
    """S2(t) = sum_{k<=t} (eta_{k-1} - eta_k) (1 - decay^(t-k+1)) / (1 - decay), term by term."""
    before = np.concatenate([[previous_lr], lr[: t - 1]])
    k = np.arange(1, t + 1)
    return np.sum((before - lr[:t]) * (1 - decay ** (t - k + 1)) / (1 - decay))


def test_forward_area_adds_up_from_zero():
    np.testing.assert_array_equal(areas.forward_area([1.0, 2.0, 3.0]), [0.0, 1.0, 3.0, 6.0])


@pytest.mark.parametrize("previous_lr", [None, 0.0, 2e-3])
def test_annealing_area_is_its_definition(previous_lr):
    lr = REWARMED[900:1500]
    area = areas.annealing_area(lr, 0.99, previous_lr)
    assert area.shape == (lr.size + 1,)
    assert area[0] == 0
    before = lr[0] if previous_lr is None else previous_lr
    expected = [by_definition(lr, 0.99, t, before) for t in range(1, lr.size + 1)]
    np.testing.assert_allclose(area[1:], expected, rtol=1e-10, atol=1e-14)


def test_rewarmup_lowers_the_annealing_area():
    cold = areas.annealing_area([2e-3] * 50, 0.9, previous_lr=0.0)
    assert (cold[1:] < 0).all()
    assert (areas.annealing_area([2e-3] * 50, 0.9) == 0).all()


def test_published_areas_of_a_cosine_with_warmup_at_its_peak():
    # Tissue et al.'s code: 20,000 steps, step 0 counted, so their step t is our t + 1.
    lr = np.append(areas.count_warmup_at_peak(COSINE), 0.0)
    s1, s2 = areas.forward_area(lr), areas.annealing_area(lr, 0.999)
    assert s1[20_001] == pytest.approx(2.05010, abs=5e-6)
    assert s2[20_001] == pytest.approx(0.197474, abs=5e-7)
    assert s1[10_001] == pytest.approx(1.670353, abs=5e-7)
    assert s2[10_001] == pytest.approx(0.080400, abs=5e-7)


def test_published_area_of_a_constant_lr():
    lr = schedules.constant(2e-4, 20_001).lr  # their step 0 included
    assert areas.forward_area(lr)[-1] == pytest.approx(4.0002, abs=1e-9)


@pytest.mark.parametrize(
    ("lr", "previous_lr"),
    [(WSD, None), (COSINE, None), (REWARMED, None), (REWARMED[1000:], 0.0)],
    ids=["wsd", "cosine", "rewarmed", "rewarmup from zero"],
)
def test_interpolated_annealing_area_is_exact_to_1e_6(lr, previous_lr):
    nodes = areas.memory_nodes()
    steps = np.linspace(1, lr.size, 40, dtype=int)
    basis = areas.annealing_basis(lr, nodes, previous_lr, steps)
    before = lr[0] if previous_lr is None else previous_lr
    for memory in np.geomspace(5, 5000, 17):
        exact = np.array([by_definition(lr, 1 - 1 / memory, t, before) for t in steps])
        found = basis @ areas.memory_weights(memory, nodes)
        assert np.abs(found - exact).max() < 1e-6 * np.abs(exact).max()


def test_too_few_nodes_would_be_seen():
    nodes = areas.memory_nodes(16)
    error = areas.annealing_basis(WSD, nodes) @ areas.memory_weights(
        50.0, nodes
    ) - areas.annealing_area(WSD, 1 - 1 / 50.0)
    assert np.abs(error).max() > 1e-5 * areas.annealing_area(WSD, 1 - 1 / 50.0).max()


def test_basis_keeps_the_steps_asked_for():
    nodes = areas.memory_nodes(4, (10.0, 100.0))
    whole = areas.annealing_basis(REWARMED, nodes)
    assert whole.shape == (REWARMED.size + 1, 4)
    np.testing.assert_array_equal(
        areas.annealing_basis(REWARMED, nodes, steps=[0, 7, 2000]), whole[[0, 7, 2000]]
    )


def test_nodes_rise_inside_the_range():
    nodes = areas.memory_nodes(12, (5.0, 500.0))
    assert (np.diff(nodes) > 0).all()
    assert nodes[0] > 5
    assert nodes[-1] < 500


@pytest.mark.parametrize("n_nodes", [1, 5, 16, 40])
def test_weights_pick_a_node_and_sum_to_one(n_nodes):
    nodes = areas.memory_nodes(n_nodes)
    np.testing.assert_allclose(areas.memory_weights(nodes, nodes), np.eye(n_nodes), atol=1e-12)
    weights = areas.memory_weights(np.full((2, 3), 77.0), nodes)
    assert weights.shape == (2, 3, n_nodes)
    np.testing.assert_allclose(weights.sum(axis=-1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(weights[1, 2], areas.memory_weights(77.0, nodes))


def test_weights_in_a_pytensor_graph_agree_with_their_gradient_at_a_node():
    import pytensor.tensor as pt  # slow to import, and only needed here

    nodes = areas.memory_nodes(6, (5.0, 500.0))
    memory = pt.dscalar("memory")
    weights = areas.memory_weights(memory, nodes, xp=pt)
    coefficients = np.arange(6.0)
    slope = pt.grad((weights * coefficients).sum(), memory)
    for value in (nodes[2], 60.0):
        np.testing.assert_allclose(
            weights.eval({memory: value}), areas.memory_weights(value, nodes), atol=1e-13
        )
        ahead, behind = (
            areas.memory_weights(value + step, nodes) @ coefficients for step in (1e-4, -1e-4)
        )
        assert slope.eval({memory: value}) == pytest.approx((ahead - behind) / 2e-4, rel=1e-6)


def test_warmup_counts_at_the_peak_and_nothing_else_changes():
    lr = np.array([0.0, 1.0, 2.0, 2.0, 1.0, 1.5])
    np.testing.assert_array_equal(areas.count_warmup_at_peak(lr), [2, 2, 2, 2, 1, 1.5])
    np.testing.assert_array_equal(areas.count_warmup_at_peak([2.0, 1.0]), [2, 1])
    np.testing.assert_array_equal(areas.count_warmup_at_peak([1.0, 2.0]), [2, 2])
    assert lr[0] == 0


@pytest.mark.parametrize("clock", ["area", "steps"])
@pytest.mark.parametrize("previous_lr", [None, 0.0, 2e-3])
@pytest.mark.parametrize("steps", [None, [120, 7, 7, 0, 1, 2], [14, 160], [0], []])
@pytest.mark.parametrize("block", [7, 256])
def test_relaxed_drops_are_their_definition(monkeypatch, clock, previous_lr, steps, block):
    monkeypatch.setattr(areas, "BLOCK", block)
    # With a plateau, whose blocks hold no drop.
    lr = np.concatenate([REWARMED[940:1050], np.full(40, 7e-4), REWARMED[1060:1070]])
    rates = np.array([1e-3, 0.1, 3.0]) / (1e-3 if clock == "area" else 1.0)
    got = areas.relaxation_basis(lr, rates, previous_lr, steps, clock)
    before = np.concatenate([[lr[0] if previous_lr is None else previous_lr], lr[:-1]])
    expected = []
    for t in range(lr.size + 1) if steps is None else steps:
        # Each drop relaxes by the learning rates from its own step on.
        passed = [lr[k:t].sum() if clock == "area" else t - k for k in range(t)]
        relaxed = -np.expm1(-np.multiply.outer(passed, rates))
        expected.append((before - lr)[:t] @ relaxed.reshape(t, rates.size))
    expected = np.reshape(expected, (-1, rates.size))
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-15)
