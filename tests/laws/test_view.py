import numpy as np
import pytest

from bayescpt.data import schedules
from bayescpt.laws.kernels import KERNELS
from bayescpt.laws.points import References
from bayescpt.laws.trajectory import Trajectory
from bayescpt.laws.view import SMALLEST, View

FLAT = np.full(20, 2e-3)


def test_areas_of_known_schedules(make_study, make_law, look):
    study, law = make_study(FLAT, [[1e-3, 2e-3, 2e-3, 0.0], [2e-3] * 3]), make_law()
    view = look(study, "run0", np.arange(5), law)
    # End of pre-training; median end of the two cpt runs; highest LR.
    assert view.refs["area"] == pytest.approx(0.04)
    assert view.refs["shift_area"] == pytest.approx((0.005 + 0.006) / 2)
    assert view.refs["peak_lr"] == 2e-3
    own = np.array([0.0, 0.001, 0.003, 0.005, 0.005])
    seen = law.features(view, is_target=False)
    np.testing.assert_allclose(seen["log_area"], np.log((0.04 + own) / 0.04), atol=1e-14)
    assert seen["shift_area"].shape == (5,)
    np.testing.assert_allclose(seen["shift_area"], own / view.refs["shift_area"], rtol=1e-12)
    np.testing.assert_allclose(view.fraction, [0, 0.25, 0.5, 0.75, 1])
    assert seen["log_area_start"] == pytest.approx(0.0, abs=1e-14)
    np.testing.assert_allclose(view.area, own, atol=1e-17)
    np.testing.assert_array_equal(view.spent, seen["shift_area"])


def test_pre_training_is_anchored_at_the_reference_area_and_has_no_shift(
    make_study, make_law, look
):
    study, law = make_study(FLAT, [[2e-3] * 4]), make_law()
    view = look(study, "base", [10, 20], law)
    seen = law.features(view, is_target=False)
    np.testing.assert_allclose(seen["log_area"], np.log([0.5, 1.0]), atol=1e-14)
    assert seen["log_area_start"] == 0.0
    assert not seen["shift_area"].any()
    assert np.all(view.replay == 1.0)
    assert not view.is_cpt


def test_warmup_conventions_differ_where_they_should(make_study, make_law, look):
    base = np.concatenate([np.linspace(2e-4, 2e-3, 10), np.full(30, 2e-3)])
    lr = np.array([1e-3, 2e-3, 2e-3, 0.0])
    study, steps = make_study(base, [lr]), np.arange(5)
    true = look(study, "run0", steps, make_law())
    peak = look(study, "run0", steps, make_law(warmup="peak"))
    assert true.refs["area"] == pytest.approx(base.sum())
    assert peak.refs["area"] == pytest.approx(40 * 2e-3)
    assert true.refs["shift_area"] == pytest.approx(5e-3)
    assert peak.refs["shift_area"] == pytest.approx(6e-3)
    counted = np.array([0.0, 2e-3, 4e-3, 6e-3, 6e-3])
    np.testing.assert_allclose(peak.log_area, np.log1p(counted / 0.08), atol=1e-14)
    np.testing.assert_allclose(peak.spent * 6e-3, counted, atol=1e-15)
    # The start checkpoint is the reference under either convention.
    assert peak.log_area_start == pytest.approx(0.0, abs=1e-14)
    assert true.log_area_start == pytest.approx(0.0, abs=1e-14)


def test_published_areas_of_the_peak_convention(make_study, make_law, look):
    """20,000 steps, peak 2e-4, warm-up 500, cosine to 0 (laws.md 2): S1 2.05010, S2 .197474."""
    cosine = schedules.cosine(lr=2e-4, num_training_steps=20_000, num_warmup_steps=500)
    study, law = make_study(cosine.lr, []), make_law(warmup="peak")
    view = look(study, "base", [10_000, 20_000], law)
    area = np.exp(view.log_area) * view.refs["area"]
    np.testing.assert_allclose(area, [1.670353, 2.05010], atol=2e-4)
    weights = KERNELS["momentum"].weights({"log_memory": np.log(1000.0)}, view.refs)
    s2 = law.features(view, False)["anneal"] @ weights * 1000 * view.refs["peak_lr"]
    np.testing.assert_allclose(s2, [0.080400, 0.197474], rtol=2e-3)


def test_peaks_are_compared_by_their_logarithm(make_study, make_law, look):
    study, law = make_study(FLAT, [[1e-3, 2e-3, 0.0], [1e-4, 5e-4, 0.0]]), make_law()
    assert look(study, "run0", [0], law).log_peak == 0.0
    assert look(study, "run1", [0], law).log_peak == pytest.approx(-np.log(4))


def test_before_any_training_the_logarithms_are_finite():
    lr = np.zeros(3)
    path = Trajectory("still", "pt", lr, np.ones(3), None, 0.0, (), None, None)
    refs = References({"area": 2.0, "shift_area": 1.0, "peak_lr": 1e-3})
    view = View(path, np.arange(4), refs)
    np.testing.assert_allclose(view.log_area, np.log(SMALLEST), rtol=1e-14)
    assert view.log_peak == pytest.approx(np.log(SMALLEST))


def test_what_domains_share_is_computed_once(make_study, make_law, look):
    law, calls = make_law(), []
    view = look(make_study(FLAT, [[2e-3] * 4]), "run0", [2, 4], law)
    for _ in range(2):
        value = view.shared("own", lambda: calls.append(1) or "computed")
    assert (value, calls) == ("computed", [1])
    general, target = (law.features(view, is_target)["anneal"] for is_target in (False, True))
    assert general is target
