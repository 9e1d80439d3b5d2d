from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import Study, schedules
from bayescpt.data.areas import warmup_steps
from bayescpt.errors import StudyError
from bayescpt.laws.annealing import LOG_MEMORY, TYPICAL, kernel_weights
from bayescpt.laws.features import (
    References,
    area_before,
    features,
    references,
    run_path,
    warming,
)
from bayescpt.laws.shift import TARGET_EXPONENT


def definition_s2(lr, memory, previous):
    """S2 at steps 0..n: sum over earlier drops of (1 - lambda^(t-k+1)) / (1 - lambda)."""
    decay = 1 - 1 / memory
    drops = -np.diff(lr, prepend=previous)
    age = np.arange(1, lr.size + 1)[:, None] - np.arange(1, lr.size + 1)[None, :] + 1.0
    reach = np.where(age > 0, (1 - decay ** np.maximum(age, 0)) * memory, 0.0)
    return np.concatenate([[0.0], reach @ drops])


def at_memory(memory):
    return kernel_weights("momentum", {"log_memory": np.log(memory)}, 1.0)


def seen_s2(study, name, memory, refs=None):
    """S2 of a run at every step, as the features hold it, unscaled."""
    refs = refs or references(study)
    path = run_path(study, name)
    seen = features(path, np.arange(path.n_steps + 1), refs)
    return seen.anneal @ at_memory(memory) * memory * refs.peak_lr


FLAT = np.full(20, 2e-3)


def test_areas_of_known_schedules(make_study):
    study = make_study(FLAT, [[1e-3, 2e-3, 2e-3, 0.0], [2e-3] * 3])
    refs = references(study)
    # End of pre-training; median end of the two cpt runs; highest LR.
    assert refs.area == pytest.approx(0.04)
    assert refs.shift_area == pytest.approx((0.005 + 0.006) / 2)
    assert refs.peak_lr == 2e-3
    seen = features(run_path(study, "run0"), np.arange(5), refs)
    own = np.array([0.0, 0.001, 0.003, 0.005, 0.005])
    np.testing.assert_allclose(seen.log_area, np.log((0.04 + own) / 0.04), atol=1e-14)
    assert seen.shift_area.shape == (5,)
    np.testing.assert_allclose(seen.shift_area, own / refs.shift_area, rtol=1e-12)
    np.testing.assert_allclose(seen.fraction, [0, 0.25, 0.5, 0.75, 1])
    assert seen.log_area_start == pytest.approx(0.0, abs=1e-14)


def test_pre_training_is_anchored_at_the_reference_area_and_has_no_shift(make_study):
    study = make_study(FLAT, [[2e-3] * 4])
    seen = features(run_path(study, "base"), np.array([10, 20]), references(study))
    np.testing.assert_allclose(seen.log_area, np.log([0.5, 1.0]), atol=1e-14)
    assert seen.log_area_start == 0.0
    assert not seen.shift_area.any()
    assert np.all(seen.replay == 1.0)


@pytest.mark.parametrize("memory", [2.5, 17.0, 300.0, 4000.0])
def test_annealing_area_of_known_schedules(make_study, memory):
    cpt = schedules.wsd(lr=2e-3, num_training_steps=300, num_warmup_steps=20, num_decay_steps=60)
    study = make_study(FLAT, [cpt.lr, np.full(10, 2e-3)])
    exact = definition_s2(cpt.lr, memory, previous=2e-3)
    np.testing.assert_allclose(
        seen_s2(study, "run0", memory), exact, rtol=0, atol=1e-6 * np.abs(exact).max()
    )
    # Constant since the parent: nothing annealed.
    np.testing.assert_allclose(seen_s2(study, "run1", memory), 0.0, atol=1e-15)


def test_the_last_lr_of_the_parent_counts_with_its_sign(make_study):
    memory = 50.0
    lr = np.full(200, 1e-3)
    lower, same, higher = (make_study([*FLAT, last], [lr]) for last in (2e-3, 1e-3, 0.0))
    steps = np.arange(201)
    one_drop = 1e-3 * memory * (1 - (1 - 1 / memory) ** steps)
    np.testing.assert_allclose(seen_s2(lower, "run0", memory), one_drop, atol=1e-9)
    np.testing.assert_allclose(seen_s2(same, "run0", memory), 0.0, atol=1e-15)
    # A re-warm-up is a drop the other way round: it raises the loss.
    np.testing.assert_allclose(seen_s2(higher, "run0", memory), -one_drop, atol=1e-9)


def test_from_scratch_the_first_lr_is_no_drop(make_study):
    study = make_study(FLAT, [[2e-3]])
    assert run_path(study, "base").start_lr is None
    seen = features(run_path(study, "base"), np.arange(1, 21), references(study))
    np.testing.assert_allclose(seen.anneal, 0.0, atol=1e-15)


def test_full_anneal_is_about_1(make_study):
    decay = schedules.wsd(lr=2e-3, num_training_steps=4000, num_warmup_steps=0, num_decay_steps=500)
    study = make_study(FLAT, [np.concatenate([decay.lr, np.zeros(500)])])
    refs = references(study)
    seen = features(run_path(study, "run0"), np.array([4500]), refs)
    assert (seen.anneal @ at_memory(20.0)).item() == pytest.approx(1.0, abs=1e-6)


def test_warmup_conventions_differ_where_they_should(make_study):
    base = np.concatenate([np.linspace(2e-4, 2e-3, 10), np.full(30, 2e-3)])
    lr = np.array([1e-3, 2e-3, 2e-3, 0.0])
    study = make_study(base, [lr])
    true, peak = references(study), references(study, "peak")
    assert true.area == pytest.approx(base.sum())
    assert peak.area == pytest.approx(40 * 2e-3)
    assert true.shift_area == pytest.approx(5e-3)
    assert peak.shift_area == pytest.approx(6e-3)
    steps = np.arange(5)
    counted = np.array([0.0, 2e-3, 4e-3, 6e-3, 6e-3])
    seen = features(run_path(study, "run0", "peak"), steps, peak)
    np.testing.assert_allclose(seen.log_area, np.log1p(counted / 0.08), atol=1e-14)
    np.testing.assert_allclose(seen.shift_area * 6e-3, counted, atol=1e-15)
    # The start checkpoint is the reference under either convention.
    assert seen.log_area_start == pytest.approx(0.0, abs=1e-14)
    seen = features(run_path(study, "run0"), steps, true)
    assert seen.log_area_start == pytest.approx(0.0, abs=1e-14)


def test_published_areas_of_the_peak_convention(make_study):
    """20,000 steps, peak 2e-4, warm-up 500, cosine to 0 (laws.md 2): S1 2.05010, S2 .197474."""
    cosine = schedules.cosine(lr=2e-4, num_training_steps=20_000, num_warmup_steps=500)
    study = make_study(cosine.lr, [])
    refs = references(study, "peak")
    seen = features(run_path(study, "base", "peak"), np.array([10_000, 20_000]), refs)
    area = np.exp(seen.log_area) * refs.area
    np.testing.assert_allclose(area, [1.670353, 2.05010], atol=2e-4)
    s2 = seen.anneal @ at_memory(1000.0) * 1000 * refs.peak_lr
    np.testing.assert_allclose(s2, [0.080400, 0.197474], rtol=2e-3)


def test_replay_that_varies_is_the_mean_over_the_area_so_far(make_study):
    lr = np.array([1e-3, 3e-3, 3e-3, 1e-3])
    replay = np.array([0.5, 0.1, 0.1, 0.9])
    study = make_study(FLAT, [lr], replay_by_step={"run0": replay})
    seen = features(run_path(study, "run0"), np.arange(5), references(study))
    mean = np.cumsum(lr * replay) / np.cumsum(lr)
    np.testing.assert_allclose(seen.replay, [0.5, *mean], rtol=1e-14)


def test_a_constant_replay_stays_itself(make_study):
    lr = np.linspace(0.0, 3e-3, 200)
    study = make_study(FLAT, [lr], replay=0.1)
    seen = features(run_path(study, "run0"), np.arange(201), references(study))
    np.testing.assert_allclose(seen.replay, 0.1, rtol=1e-12)


def test_area_before_adds_up_the_ancestors(make_study):
    study = make_study(FLAT, [[1e-3] * 4])
    second = study.runs.iloc[[1]].assign(run="second", parent="run0", steps=2)
    runs = pd.concat([study.runs, second])
    lrs = {**study.lrs, "second": np.array([1e-3, 0.0])}
    longer = Study.from_frames(study.curves, runs, lrs)
    assert area_before(longer, None) == 0.0
    assert area_before(longer, "base") == pytest.approx(0.04)
    assert area_before(longer, "run0") == pytest.approx(0.044)
    path = run_path(longer, "second")
    assert path.start_area == pytest.approx(0.044)
    assert path.start_lr == 1e-3


def test_an_ancestor_without_rates_is_named(make_study):
    study = make_study(FLAT, [[1e-3] * 4])
    runs = study.runs.astype({"steps": float})
    runs.loc[runs["run"] == "base", "steps"] = np.nan
    curves = study.curves[study.curves["run"] != "base"]
    open_base = Study.from_frames(curves, runs, {"run0": study.lrs["run0"]})
    with pytest.raises(StudyError, match="'base' has no learning rates"):
        references(open_base)


def test_without_cpt_runs_the_reference_is_the_longest_run(make_study):
    refs = references(make_study(FLAT, []))
    assert refs == References(area=pytest.approx(0.04), shift_area=1.0, peak_lr=2e-3)


RATES = {
    "wsd": schedules.wsd(
        lr=1.0, num_training_steps=2000, num_warmup_steps=100, num_decay_steps=400
    ).lr,
    "cosine": schedules.cosine(lr=1.0, num_training_steps=2000, num_warmup_steps=100).lr,
    "cliff": np.r_[np.full(600, 1.0), np.full(600, 0.3), np.full(600, 0.8), np.zeros(10)],
}


@pytest.mark.parametrize("lr", RATES.values(), ids=RATES)
def test_interpolation_error_over_the_priors_range_of_memories(make_study, lr):
    study = make_study([0.5], [lr])
    path, refs = run_path(study, "run0"), references(study)
    steps = np.arange(0, lr.size + 1, 10)
    seen = features(path, steps, refs)
    low, high = LOG_MEMORY.default["lower"], LOG_MEMORY.default["upper"]
    for memory in np.exp(np.linspace(low, high, 6)):
        exact = definition_s2(lr, memory, previous=0.5)[steps]
        found = seen.anneal @ at_memory(memory) * memory * refs.peak_lr
        error = np.abs(found - exact).max() / np.abs(exact).max()
        assert error < 1e-6, (memory, error)


def test_a_target_learns_by_a_power_of_the_lr_in_the_unit_of_the_shift(make_study):
    lr = np.r_[np.linspace(1e-4, 2e-3, 20), np.full(200, 2e-3), np.linspace(2e-3, 1e-5, 80)]
    study = make_study(FLAT, [lr])
    refs = references(study)
    seen = features(run_path(study, "run0"), np.arange(301), refs)
    exact = np.r_[0.0, np.cumsum((lr / 2e-3) ** TARGET_EXPONENT)] / (lr.sum() / 2e-3)
    np.testing.assert_allclose(seen.target_area, exact, rtol=1e-12)
    before = features(run_path(study, "base"), np.array([1, 20]), refs)
    assert not before.target_area.any()
    assert not before.shift_area.any()


@pytest.mark.parametrize(
    ("lr", "steps"),
    [([2.0, 2.0, 1.0], 0), ([0.5, 1.0, 2.0, 2.0, 0.0], 2), ([1.0, 2.0, 3.0], 2), ([3.0, 1.0], 0)],
    ids=["no warm-up", "warm-up", "rises to the end", "falls"],
)
def test_a_rewarm_up_ends_where_the_lr_stops_rising(lr, steps):
    assert warmup_steps(lr) == steps


def test_the_rise_is_from_the_start_checkpoints_lr_to_the_top_of_the_rewarm_up(make_study):
    study = make_study(np.r_[FLAT, 5e-4], [[1e-3, 2e-3, 2e-3, 0.0], [1e-4] * 3])
    refs = references(study)
    # .75 and -.2, around their mean
    assert refs.rise == pytest.approx(0.275)
    assert warming(run_path(study, "run0"), refs)[0] == pytest.approx(0.475)
    assert warming(run_path(study, "run1"), refs)[0] == pytest.approx(-0.475)
    assert warming(run_path(study, "base"), refs)[0] == 0.0


def test_runs_that_are_only_planned_do_not_move_the_reference_points(make_study):
    pilots = make_study(np.r_[FLAT, 5e-4], [[1e-3, 2e-3, 2e-3], [1e-3, 2e-3, 0.0]])
    study = make_study(np.r_[FLAT, 5e-4], [[1e-3, 2e-3, 2e-3], [1e-3, 2e-3, 0.0], [5e-3] * 9])
    curves = study.curves
    # Its start checkpoint's loss is all that is known of run2.
    later = (curves["run"] == "run2") & (curves["step"] > 1)
    known = curves[~later].assign(step=lambda rows: rows["step"].where(rows["run"] != "run2", 0))
    planned = replace(study, curves=known)
    assert planned.has_curve("run2")
    assert not planned.is_observed("run2")
    assert references(planned) == references(pilots) != references(study)


def test_a_rewarm_up_of_its_own_size_leaves_the_annealing_area(make_study):
    lr = np.r_[np.linspace(2e-4, 2e-3, 10), np.full(20, 2e-3), np.linspace(1.9e-3, 0.0, 20)]
    study = make_study(np.r_[FLAT, 0.0], [lr])
    steps = np.arange(lr.size + 1)
    path = run_path(study, "run0")
    own = features(path, steps, references(study, kernel="area", own_rewarm=True)).anneal
    whole = features(path, steps, references(study, kernel="area")).anneal
    assert np.abs(own[:30]).max() < 1e-12 < np.abs(whole[:30]).max()
    assert np.all(own[-1] > 0)


def test_effects_of_a_run_start_with_it(make_study):
    study = make_study(FLAT, [[2e-3] * 8])
    level, shift, anneal, drift = features(
        run_path(study, "run0"), np.arange(9), references(study)
    ).misfit
    np.testing.assert_array_equal(level, [0, *[1] * 8])
    np.testing.assert_allclose(drift, np.arange(9) / 8)
    assert shift[0] == 0
    assert shift[-1] == pytest.approx(1.0)
    assert not anneal.any()


def test_the_area_kernel_is_that_of_its_paper(make_study):
    """sum of drops times G(S_k(t)), scaled to 1 after 100 steps at the peak (2503.12811)."""
    lr = np.r_[np.linspace(1e-4, 2e-3, 5), np.full(20, 2e-3), np.linspace(2e-3, 1e-5, 30)]
    study = make_study(FLAT, [lr])
    refs = references(study, kernel="area")
    half, shape = 30.0, 0.6
    values = {"log_half": np.log(half), "kernel_shape": np.float64(shape)}
    seen = features(run_path(study, "run0"), np.arange(lr.size + 1), refs)
    found = seen.anneal @ kernel_weights("area", values, refs.anneal_steps)

    def reached(x):
        return 1 - (1 + x * (2 ** (1 / shape) - 1) / half) ** -shape

    drops = -np.diff(lr, prepend=2e-3) / 2e-3
    since = np.cumsum(lr)[:, None] - np.cumsum(np.r_[0.0, lr[:-1]])[None, :]
    parts = np.where(since > 0, reached(np.maximum(since, 0) / 2e-3), 0.0) @ drops
    assert reached(half) == pytest.approx(0.5)
    np.testing.assert_allclose(found[1:], parts / reached(refs.anneal_steps), atol=2e-5)
    assert found[0] == 0.0


def test_half_the_lr_is_two_thirds_of_a_targets_area(make_study):
    """2^-.6 = .659754, 4^-.6 = .435275; the shift's reference is 3.5e-3, the peak 2e-3."""
    study = make_study(FLAT, [[2e-3, 1e-3, 5e-4]])
    seen = features(run_path(study, "run0"), np.arange(4), references(study))
    expected = np.array([0.0, 1.0, 1.659754, 2.095029]) * 2e-3 / 3.5e-3
    np.testing.assert_allclose(seen.target_area, expected, rtol=1e-6)


def test_peaks_are_compared_by_their_logarithm(make_study):
    study = make_study(FLAT, [[1e-3, 2e-3, 0.0], [1e-4, 5e-4, 0.0]])
    refs = references(study)
    assert warming(run_path(study, "run0"), refs)[1] == 0.0
    assert warming(run_path(study, "run1"), refs)[1] == pytest.approx(-np.log(4))


def test_a_drop_is_measured_after_a_tenth_of_a_run_but_not_a_short_one(make_study):
    assert references(make_study(FLAT, [])).anneal_steps == 100.0
    runs = [np.full(n, 1e-3) for n in (500, 2000, 9000)]
    assert references(make_study(FLAT, runs)).anneal_steps == 200.0


def test_the_power_kernel_counts_steps_and_starts_at_the_climbed_warmup(make_study):
    """sum of drops times G(t - k + 1), plus the warm-up's rise, which the level holds."""
    lr = np.r_[np.linspace(1e-4, 2e-3, 5), np.full(20, 2e-3), np.linspace(2e-3, 1e-5, 30)]
    study = make_study(lr, [])
    refs = references(study, kernel="power")
    half, shape = 12.0, 0.6
    values = {"log_half": np.log(half), "kernel_shape": np.float64(shape)}
    seen = features(run_path(study, "base"), np.arange(lr.size + 1), refs)
    found = seen.anneal @ kernel_weights("power", values, refs.anneal_steps)

    def reached(x):
        return 1 - (1 + np.maximum(x, 0) * (2 ** (1 / shape) - 1) / half) ** -shape

    drops = -np.diff(lr, prepend=lr[0]) / 2e-3
    at = np.arange(lr.size)
    parts = reached(at[:, None] - at[None, :] + 1) * (at[:, None] >= at[None, :]) @ drops
    assert refs.climb == pytest.approx(0.95)
    # Once all has taken effect: what the LR has dropped to since its peak.
    whole = kernel_weights("power", values, refs.anneal_steps).sum()
    scale = reached(refs.anneal_steps)
    np.testing.assert_allclose(found[1:], parts / scale + 0.95 * whole, atol=1e-4)


@pytest.mark.parametrize("kernel", ["momentum", "area", "power"])
def test_effects_have_fixed_shapes_near_those_of_the_terms(make_study, kernel):
    study = make_study(FLAT, [np.r_[np.full(8, 2e-3), 1e-3, 1e-3, 0.0, 0.0]])
    refs = references(study, kernel=kernel)
    seen = features(run_path(study, "run0"), np.arange(13), refs)
    level, shift, anneal, drift = seen.misfit
    assert level.tolist() == [0.0] + [1.0] * 12
    np.testing.assert_allclose(drift, np.r_[np.arange(0, 18, 2), 17, 18, 18, 18] / 18)
    np.testing.assert_allclose(shift, np.log(1 + 50 * drift) / np.log(51))
    weights = kernel_weights(kernel, TYPICAL[kernel], refs.anneal_steps)
    np.testing.assert_allclose(anneal, seen.anneal @ weights, atol=1e-14)
    assert anneal[-1] > 0


def test_effects_of_a_pre_training_run_follow_its_log_area(make_study):
    study = make_study(FLAT, [[2e-3] * 4])
    path = run_path(study, "base")
    level, shift, _, drift = features(path, np.array([5, 20]), references(study)).misfit
    np.testing.assert_array_equal(level, 1.0)
    np.testing.assert_allclose(shift, [np.log(0.25), 0.0], atol=1e-14)
    np.testing.assert_array_equal(drift, shift)
