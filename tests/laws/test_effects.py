import numpy as np
import pytest

from bayescpt.laws.kernels import KERNELS, typical
from bayescpt.laws.points import References
from bayescpt.laws.view import View

FLAT = np.full(20, 2e-3)


def columns(law, view):
    """What every effect of a law does to the loss, by name."""
    return {name: effect.column(term, view) for name, (term, effect) in law.effects.items()}


def test_effects_belong_to_the_terms_of_the_law(make_law):
    assert set(make_law().effects) == {"level", "shift", "anneal", "drift"}
    assert set(make_law(shift="none").effects) == {"level", "anneal", "drift"}
    for replay in ("own_share", "exponential", "memory"):
        term, _ = make_law(replay=replay).effects["shift"]
        assert term.name == replay


def test_effects_of_a_run_start_with_it(make_study, make_law, look):
    study, law = make_study(FLAT, [[2e-3] * 8]), make_law()
    seen = columns(law, look(study, "run0", np.arange(9), law))
    np.testing.assert_array_equal(seen["level"], [0, *[1] * 8])
    np.testing.assert_allclose(seen["drift"], np.log2(1 + np.arange(9) / 8))
    assert seen["shift"][0] == 0
    assert seen["shift"][-1] == pytest.approx(1.0)
    assert not seen["anneal"].any()


@pytest.mark.parametrize("kernel", KERNELS)
def test_effects_have_fixed_shapes_near_those_of_the_terms(make_study, make_law, look, kernel):
    study = make_study(FLAT, [np.r_[np.full(8, 2e-3), 1e-3, 1e-3, 0.0, 0.0]])
    law = make_law(annealing=kernel)
    view = look(study, "run0", np.arange(13), law)
    seen = columns(law, view)
    drift = seen["drift"]
    assert seen["level"].tolist() == [0.0] + [1.0] * 12
    area = np.r_[np.arange(0, 18, 2), 17, 18, 18, 18] / 18
    np.testing.assert_allclose(drift, np.log2(1 + area))
    np.testing.assert_allclose(seen["shift"], np.log(1 + 50 * area) / np.log(51))
    weights = KERNELS[kernel].weights(typical(KERNELS[kernel]), view.refs)
    anneal = law.features(view, False)["anneal"] @ weights
    np.testing.assert_allclose(seen["anneal"], anneal, atol=1e-14)
    assert seen["anneal"][-1] > 0


def test_effects_of_a_pre_training_run_follow_its_log_area(make_study, make_law, look):
    study, law = make_study(FLAT, [[2e-3] * 4]), make_law()
    seen = columns(law, look(study, "base", [5, 20], law))
    np.testing.assert_array_equal(seen["level"], 1.0)
    np.testing.assert_allclose(seen["shift"], [np.log(0.25), 0.0], atol=1e-14)
    np.testing.assert_array_equal(seen["drift"], seen["shift"])


def test_a_unit_that_is_a_share_names_parameters_of_the_law(make_law):
    for law in (make_law(), make_law(shift="none"), make_law(paper=True)):
        for _, effect in law.effects.values():
            assert (effect.share is None) == (effect.size is None)
            for phase, name in (effect.size or {}).items():
                if phase == "pt" or law.continual:
                    assert name in law.dims


def test_a_drift_grows_slower_than_a_run(make_study, make_law, look):
    """Where the pilots end it is 1; on a run ten times as long 3.5, not 10."""
    study, law = make_study(FLAT, [[2e-3] * 8]), make_law()
    view = look(study, "run0", np.array([8]), law)
    longer = look(make_study(FLAT, [[2e-3] * 80]), "run0", np.array([80]), law)
    refs = view.refs
    term, effect = law.effects["drift"]
    assert effect.column(term, view).tolist() == [1.0]
    beyond = View(longer.trajectory, longer.steps, refs)
    np.testing.assert_allclose(effect.column(term, beyond), np.log2(11))


def test_a_fit_saved_earlier_keeps_its_drift(make_study, make_law, look):
    """Its reference points have no bend: the drift was in proportion to the area."""
    study, law = make_study(FLAT, [[2e-3] * 8]), make_law()
    view = look(study, "run0", np.arange(9), law)
    before = {name: value for name, value in view.refs.points.items() if name != "drift_bend"}
    old = View(view.trajectory, view.steps, References(before, view.refs.warmup))
    term, effect = law.effects["drift"]
    np.testing.assert_allclose(effect.column(term, old), np.arange(9) / 8)
