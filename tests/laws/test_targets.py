import numpy as np
import pytest
from scipy import stats

from bayescpt.errors import CardError
from bayescpt.laws.term import Setting
from bayescpt.laws.terms.targets import LEAST, PooledTargets, RegressedTargets
from bayescpt.model.card_file import load_card, parse_card

CHOICES = {"base": "power", "annealing": "area", "level": "washed", "shift": "power"}
FADE = Setting(CHOICES | {"replay": "fade", "rewarm": "tied", "targets": "pooled"})


def test_what_the_law_has_is_pooled():
    assert set(PooledTargets(FADE).pooled) == {
        "anneal_ref", "shift_ref", "onset", "forgetting_ref", "learning_ref", "share_kappa",
        "share_gamma", "share_size", "keep_power",
    }  # fmt: skip
    plain = PooledTargets(Setting(CHOICES | {"targets": "pooled"}))
    assert set(plain.pooled) == {"anneal_ref", "shift_ref", "onset", "beta"}
    dims = {p.name: p.dims for p in plain.parameters}
    assert dims["onset_common"] == ("side",)
    assert dims["anneal_ref_common"] == ()


@pytest.mark.parametrize("between", [0.05, 1.0, 20.0])
def test_each_entry_alone_has_the_prior_of_the_card_whatever_targets_have_in_common(between):
    """Kolmogorov-Smirnov at 1 in 10,000, and the correlation within 4 standard errors."""
    rng = np.random.default_rng(4)
    n, mu, sigma = 20_000, 3.0, 1.5
    p = {"onset_common": rng.standard_normal((n, 1)), "onset_between": between}
    mean, sd = PooledTargets(FADE).population("onset", p, {}, mu, sigma)
    entries = mean + sd * rng.standard_normal((n, 2))
    for one in entries.T:
        assert stats.kstest((one - mu) / sigma, "norm").pvalue > 1e-4
    expected = 1.0 / (1.0 + between**2)
    found = np.corrcoef(entries.T)[0, 1]
    assert abs(found - expected) < 4.0 * (1.0 - expected**2) / np.sqrt(n) + 1e-6


def test_shifts_differ_by_a_part_of_their_mean_and_follow_the_covariate():
    """Written a second time: C (1 + b x) and r C, below 0 on targets."""
    p = {"shift_ref_common": 0.7, "shift_ref_between": 0.3, "shift_ref_slope": 0.9}
    x, target = np.array([-0.5, 0.0, 1.0]), np.array([0.0, 1.0, 1.0])
    f = {"covariate": x, "is_target": target}
    mean, sd = RegressedTargets(FADE).population("shift_ref", p, f, 0.0, 2.0)
    size = 0.45 * 2.0 * np.exp(0.7)
    np.testing.assert_allclose(mean, np.array([1.0, -1.0, -1.0]) * size * (1 + 0.9 * x))
    np.testing.assert_allclose(sd, np.hypot(0.3 * size, LEAST))
    # Negative control: without the covariate all targets have one mean.
    alone, _ = PooledTargets(FADE).population("shift_ref", p, f, 0.0, 2.0)
    np.testing.assert_allclose(alone, np.array([1.0, -1.0, -1.0]) * size)


def test_what_only_one_side_uses_is_used_there_only():
    term = RegressedTargets(FADE)
    assert term.uses("share_size_common", True)
    assert not term.uses("share_size_common", False)
    assert term.uses("keep_power_common", False)
    assert not term.uses("keep_power_common", True)
    assert term.uses("onset_common", True)
    assert term.uses("share_size_between", False)
    card = load_card("cpt_targets")
    assert card.uses("share_size_common", "target")
    assert not card.uses("share_size_common", "general")


def test_a_prior_that_is_not_normal_cannot_be_pooled():
    text = 'name = "mine"\ndescription = "x"\n[law]\nshift = "power"\ntargets = "pooled"\n'
    with pytest.raises(CardError, match=r"pools 'beta', whose prior is Gamma.*LogNormal"):
        parse_card(text)
