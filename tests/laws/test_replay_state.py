import numpy as np
import pytest

from bayescpt.data import load_example
from bayescpt.laws import replay_state
from bayescpt.laws.replay_state import (
    BETA,
    ONSET,
    TARGET_EXPONENT,
    TARGET_ONSET,
    remembered_on_target,
    remembered_replay,
)
from bayescpt.laws.terms.shift import BETA as BETA_PARAMETER
from bayescpt.laws.terms.shift import ONSET as ONSET_PARAMETER
from bayescpt.laws.trajectory import run_trajectory
from bayescpt.laws.view import View
from bayescpt.model.priors import parse_prior

FLAT = np.full(20, 2e-3)
N = 200
AREA = np.linspace(0.0, 1.0, N + 1)
STEPS = np.arange(N + 1)


def left(area):
    """What is left of an update after an area, f."""
    return (1 + ONSET * area) ** -BETA


def by_hand(replay, area, step):
    """The sum over changes, one by one, at a step with some area behind it."""
    changes = [
        (replay[k] - replay[k - 1]) * (1 - left(area[step] - area[k])) for k in range(1, step)
    ]
    return replay[0] + sum(changes) / (1 - left(area[step]))


def drawn(seed, n=N):
    """Ratios and an area at random, with steps at LR 0 among them."""
    rng = np.random.default_rng(seed)
    lr = rng.uniform(0.0, 2.0, n) * (rng.random(n) > 0.2)
    return rng.uniform(0.0, 1.0, n), np.concatenate([[0.0], np.cumsum(lr / lr.sum())])


@pytest.mark.parametrize("ratio", [0.0, 0.1, 1 / 3, 1.0])
def test_a_constant_ratio_is_itself_as_a_number_and_as_an_array(ratio):
    for replay in (np.broadcast_to(ratio, N), np.full(N, ratio)):
        found = remembered_replay(replay, AREA, STEPS)
        np.testing.assert_allclose(found, ratio, rtol=1e-12, atol=0)


def test_a_constant_replay_of_a_run_stays_itself(make_study, make_law, look):
    lr, law = np.linspace(0.0, 3e-3, 200), make_law()
    one = make_study(FLAT, [lr], replay=0.1)
    each = make_study(FLAT, [lr], replay_by_step={"run0": np.full(200, 0.1)})
    for study in (one, each):
        view = look(study, "run0", np.arange(201), law)
        np.testing.assert_allclose(view.replay, 0.1, rtol=1e-12)


def test_a_single_change_is_the_formula_by_hand():
    replay = np.repeat([0.5, 0.1], [120, 80])
    found = remembered_replay(replay, AREA, STEPS)
    np.testing.assert_array_equal(found[:121], 0.5)
    later = AREA[121:]
    expected = 0.5 - 0.4 * (1 - left(later - 0.6)) / (1 - left(later))
    np.testing.assert_allclose(found[121:], expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_many_changes_are_the_sum_of_single_ones(seed):
    replay, area = drawn(seed, 40)
    steps = np.flatnonzero(area[1:] > 0) + 1
    expected = [by_hand(replay, area, step) for step in steps]
    np.testing.assert_allclose(remembered_replay(replay, area, steps), expected, rtol=1e-12)


@pytest.mark.parametrize("shape", ["step", "ramp"])
def test_recent_updates_count_more(shape):
    rising = np.repeat([0.0, 0.5], N // 2) if shape == "step" else np.linspace(0.0, 0.5, N)
    up = remembered_replay(rising, AREA, STEPS)
    down = remembered_replay(rising[::-1], AREA, STEPS)
    assert up[-1] > rising.mean() + 0.05
    assert down[-1] < rising.mean() - 0.05
    # The mean of the updates so far, all along the way.
    so_far = np.cumsum(rising) / np.arange(1, N + 1)
    assert np.all(up[1:] >= so_far - 1e-12)
    assert np.all(down[1:] <= np.cumsum(rising[::-1]) / np.arange(1, N + 1) + 1e-12)


def test_the_order_of_the_mixtures_matters():
    orders = [[0.1, 0.5, 0.9], [0.5, 0.1, 0.9], [0.9, 0.5, 0.1], [0.1, 0.9, 0.5]]
    ends = [
        remembered_replay(np.repeat(order, [60, 60, 80]), AREA, np.array([N])).item()
        for order in orders
    ]
    assert len({round(end, 3) for end in ends}) == len(orders)


def test_it_is_linear_in_the_ratios():
    one, other = drawn(1)[0], drawn(2)[0]
    both = remembered_replay(0.3 * one + 0.7 * other, AREA, STEPS)
    parts = 0.3 * remembered_replay(one, AREA, STEPS) + 0.7 * remembered_replay(other, AREA, STEPS)
    np.testing.assert_allclose(both, parts, atol=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_it_stays_within_the_ratios_so_far(seed):
    replay, area = drawn(seed)
    found = remembered_replay(replay, area, STEPS)
    low, high = np.minimum.accumulate(replay), np.maximum.accumulate(replay)
    assert np.all(found[1:] >= low - 1e-12)
    assert np.all(found[1:] <= high + 1e-12)
    assert found[0] == replay[0]


def test_it_depends_on_the_updates_so_far_only():
    replay, area = drawn(3)
    other = np.r_[replay[:90], np.ones(110)]
    found, changed = (remembered_replay(r, area, STEPS) for r in (replay, other))
    np.testing.assert_allclose(changed[:91], found[:91], rtol=1e-14)
    assert abs(changed[120] - found[120]) > 0.05


def test_chosen_steps_are_those_of_all():
    replay, area = drawn(4)
    steps = np.array([200, 0, 7, 90, 7])
    np.testing.assert_allclose(
        remembered_replay(replay, area, steps), remembered_replay(replay, area, STEPS)[steps],
        rtol=1e-13,
    )  # fmt: skip


@pytest.mark.parametrize("block", [1, 201, 1000, 7 * 201])
def test_blocks_give_the_same_as_one_piece(monkeypatch, block):
    replay, area = drawn(6)
    whole = remembered_replay(replay, area, STEPS)
    monkeypatch.setattr(replay_state, "BLOCK", block)
    np.testing.assert_allclose(remembered_replay(replay, area, STEPS), whole, atol=1e-14)


@pytest.mark.parametrize("ratio", [0.5, 0.9], ids=["as before", "of another ratio"])
@pytest.mark.parametrize("at", [0, 1, 60, 100, 150, 200], ids=str)
def test_steps_at_lr_0_change_nothing(at, ratio):
    replay = np.repeat([0.5, 0.1], [100, 100])
    idle = np.insert(replay, [at] * 30, ratio)
    area = np.insert(AREA, [at] * 30, AREA[at])
    steps = np.arange(idle.size + 1)
    found, plain = remembered_replay(idle, area, steps), remembered_replay(replay, AREA, STEPS)
    np.testing.assert_allclose(found[at + 31 :], plain[at + 1 :], rtol=1e-12)
    if at:
        np.testing.assert_allclose(found[: at + 1], plain[: at + 1], rtol=1e-12)
        np.testing.assert_allclose(found[at : at + 31], plain[at], rtol=1e-12)


def test_nothing_trained_is_the_first_ratio():
    found = remembered_replay(np.array([0.3, 0.7, 0.1]), np.zeros(4), np.arange(4))
    np.testing.assert_array_equal(found, 0.3)


def test_the_unit_of_the_area_counts():
    """The longer the run, the more of its start has faded."""
    replay = np.repeat([0.0, 0.5], N // 2)
    ends = [remembered_replay(replay, AREA * scale, np.array([N])).item() for scale in (1e-6, 1, 9)]
    assert ends[0] == pytest.approx(0.25, abs=1e-4)
    assert ends[0] < ends[1] < ends[2] < 0.5


def test_it_fades_as_the_shift_grows_at_the_medians_of_its_priors():
    for value, parameter in ((ONSET, ONSET_PARAMETER), (BETA, BETA_PARAMETER)):
        prior = parse_prior({**parameter.default, "reason": parameter.reason}, parameter.name)
        assert value == pytest.approx(prior.frozen().median(), rel=0.02)


def test_a_branch_in_the_middle_remembers_its_trunk(make_study, make_law, look):
    """Another mixture from step 60 on: the same up to there, the formula by hand after it."""
    lr = np.r_[np.linspace(1e-4, 2e-3, 10), np.full(90, 2e-3)]
    trunk, branch = np.full(100, 0.25), np.repeat([0.25, 0.75], [60, 40])
    study = make_study(FLAT, [lr, lr], replay_by_step={"run0": trunk, "run1": branch})
    law, steps = make_law(), np.arange(101)
    whole, after = (look(study, name, steps, law) for name in ("run0", "run1"))
    np.testing.assert_array_equal(after.replay[:61], whole.replay[:61])
    assert np.all(np.diff(after.replay[60:]) > 0)
    here = after.spent
    expected = 0.25 + 0.5 * (1 - left(here[61:] - here[60])) / (1 - left(here[61:]))
    np.testing.assert_allclose(after.replay[61:], expected, rtol=1e-12)
    # It is the mixture that was trained on, not where the branch stands in the study.
    path = run_trajectory(study, "run1")
    again = View(path, np.array([100]), after.refs).replay
    np.testing.assert_allclose(again, after.replay[-1:], rtol=1e-13)


def test_the_warmup_convention_counts(make_study, make_law, look):
    lr, replay = np.r_[np.linspace(1e-4, 2e-3, 10), np.full(10, 2e-3)], np.repeat([0.0, 1.0], 10)
    study = make_study(FLAT, [lr], replay_by_step={"run0": replay})
    true, peak = (
        look(study, "run0", [20], make_law(warmup=warmup)).replay.item()
        for warmup in ("true", "peak")
    )
    # Counted as if at the peak, the first mixture has a larger part.
    assert 0.5 < peak < true


# what the target remembers


@pytest.mark.parametrize("ratio", [0.0, 0.1, 1 / 3, 1.0])
def test_a_target_remembers_a_constant_ratio_as_itself(ratio):
    for replay in (np.broadcast_to(ratio, N), np.full(N, ratio)):
        found = remembered_on_target(replay, AREA, STEPS)
        np.testing.assert_allclose(found, ratio, rtol=1e-12, atol=1e-15)


def test_a_target_remembers_a_single_change_by_fourth_roots():
    replay = np.repeat([0.5, 0.1], [120, 80])
    found = remembered_on_target(replay, AREA, STEPS)
    later = AREA[121:]
    part = (1 - (1 + TARGET_ONSET * (later - 0.6)) ** -BETA) / (
        1 - (1 + TARGET_ONSET * later) ** -BETA
    )
    expected = 1 - (0.5**0.25 + (0.9**0.25 - 0.5**0.25) * part) ** 4
    np.testing.assert_array_equal(found[:121], 0.5)
    np.testing.assert_allclose(found[121:], expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_what_a_target_remembers_stays_within_the_ratios_so_far(seed):
    replay, area = drawn(seed)
    found = remembered_on_target(replay, area, STEPS)
    assert np.all(found[1:] >= np.minimum.accumulate(replay) - 1e-12)
    assert np.all(found[1:] <= np.maximum.accumulate(replay) + 1e-12)
    assert found[0] == replay[0]


def test_a_target_without_tokens_for_a_while_is_not_lost_for_good():
    replay = np.repeat([0.0, 1.0, 0.0], [80, 40, 80])
    found = remembered_on_target(replay, AREA, STEPS)
    assert np.isfinite(found).all()
    assert 0.0 < found[-1] < found[120] < 1.0


def test_late_replay_costs_the_target_less_than_others_gain():
    rising = np.repeat([0.0, 0.5], N // 2)
    for replay, sign in ((rising, 1), (rising[::-1], -1)):
        others = remembered_replay(replay, AREA, STEPS)[-1]
        assert sign * (others - remembered_on_target(replay, AREA, STEPS)[-1]) > 0.05


def equal_ratios(study, steps):
    """Ratios of curricula remembered in two ways, and constant ones of their target's last loss."""
    ends = {
        name: study.curve(name, study.targets[0]).sort_values("step")["loss"].iloc[-1]
        for name in study.cpt_runs
    }
    constant = {float(study.run(n).replay_ratio): ends[n] for n in ("r0_wsd", "r25_wsd", "r50_wsd")}
    response = np.polyfit([*constant], [*constant.values()], 2)
    grid = np.linspace(0.0, 1.0, 2001)
    rows = []
    for name in study.replays:
        lr, replay = study.run(name).schedule.lr, np.asarray(study.run(name).replay_ratio)
        if lr.size != steps:
            continue
        own, plain = (np.r_[0.0, np.cumsum(lr**power)] for power in (TARGET_EXPONENT, 1.0))
        equal = grid[np.abs(np.polyval(response, grid) - ends[name]).argmin()]
        at = np.array([steps])
        on_target = remembered_on_target(replay, own / own[-1], at).item()
        rows.append((equal, on_target, remembered_replay(replay, plain / plain[-1], at).item()))
    return np.array(rows).T


def test_targets_of_real_curricula_end_as_at_the_constant_ratio_that_they_remember():
    """Nine runs of one length and peak, whose schedules and starts differ: not exactly alike."""
    equal, on_target, as_others = equal_ratios(load_example("variant_curricula"), 1600)
    assert equal.size == 9
    assert np.sqrt(np.mean((on_target - equal) ** 2)) < 0.03
    # Remembered as by other sets, they do not.
    assert np.sqrt(np.mean((as_others - equal) ** 2)) > 0.06
