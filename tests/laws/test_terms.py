import numpy as np
import pytest

from bayescpt.laws.replay import exponential_response, power_response
from bayescpt.laws.shift import shift_growth
from bayescpt.laws.terms import cpt_terms, pt_terms

VALUES = {
    "start_level": 3.0, "level_pt": 3.2, "base_ref": 0.2, "alpha_s1": 0.5, "anneal_ref": 0.06,
    "anneal_pt_ref": 0.07, "shift_ref": 0.8, "onset": 28.0, "beta": 0.2, "replay_gamma": 0.4,
    "replay_eps": 0.03, "share_kappa": 1.2, "replay_rate": 2.5, "anneal_replay": -0.4,
}  # fmt: skip


@pytest.mark.parametrize("is_target", [0.0, 1.0])
def test_replay_scales_the_shift(is_target):
    for form, response, anneal in (
        ("none", 1.0, 0.06),
        ("own_share", power_response(0.25, is_target, 0.4, 0.03), 0.06),
        ("exponential", exponential_response(0.25, 2.5), 0.06 * np.exp(-0.4 * 0.25)),
    ):
        terms = cpt_terms(VALUES, 0.25, is_target, {"replay": form})
        assert terms["shift"] == pytest.approx(0.8 * response, rel=1e-14)
        assert terms["anneal_ref"] == pytest.approx(anneal, rel=1e-14)
        assert (terms["level"], terms["base_ref"], terms["alpha"]) == (3.0, 0.2, 0.5)
        assert (terms["onset"], terms["beta"]) == (28.0, 0.2)


def test_a_rewarm_up_of_its_own_raises_the_level():
    values = VALUES | {"rewarm_ref": 0.2, "jump": -0.05}
    terms = cpt_terms(values, 0.0, 0.0, {"replay": "own_share"}, rise=0.75)
    assert terms["level"] == pytest.approx(3.0 + 0.2 * 0.75 - 0.05)


def test_memory_keeps_the_share_of_other_sets_and_counts_the_targets_own_tokens():
    values = VALUES | {"share_gamma": 0.3, "shift_peak": 0.4, "speed_peak": -0.2}
    law = {"replay": "memory"}
    other = cpt_terms(values, 0.25, 0.0, law, log_peak=np.log(0.5))
    assert (other["keep"], other["gamma"], other["onset"]) == (0.25, 0.3, 28.0)
    assert other["shift"] == pytest.approx(0.8 * 0.5**0.4, rel=1e-14)
    target = cpt_terms(values, 0.25, 1.0, law, log_peak=np.log(0.5))
    assert (target["keep"], target["gamma"]) == (0.0, -1.0)
    own = 0.75**1.2 * 0.5**-0.2
    assert target["onset"] == pytest.approx(28.0 * own, rel=1e-14)
    assert target["shift"] == pytest.approx(0.8 * shift_growth(own, 28.0, 0.2), rel=1e-13)


def test_pre_training_has_its_own_level_and_annealing():
    assert pt_terms(VALUES) == {
        "level": 3.2, "base_ref": 0.2, "alpha": 0.5, "anneal_ref": 0.07,
    }  # fmt: skip
