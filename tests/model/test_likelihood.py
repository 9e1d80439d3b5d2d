"""The chained density against a covariance written out."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats

from bayescpt.model.likelihood import _chained_random, observe, row_sigma

# General at 6 steps; the domain at 5 of them and at one of its own.
STEPS = np.array([1, 3, 4, 10, 12, 30, 1, 3, 4, 10, 12, 20])
DOMAIN = np.repeat([0, 1], 6)
SIZE = 40.0
RNG = np.random.default_rng(11)
SIGMA, ELL, RHO = np.array([0.02, 0.05]), np.array([0.15, 0.3]), 0.6
MEAN = RNG.uniform(2, 4, STEPS.size)
OBSERVED = MEAN + 0.05 * RNG.standard_normal(STEPS.size)


def row_arrays():
    n = STEPS.size
    own = np.arange(n)
    first = {0, 6}
    gap = np.r_[1e6, np.diff(STEPS[:6]) / SIZE, 1e6, np.diff(STEPS[6:]) / SIZE]
    partner = own.copy()
    partner[6:11] = np.arange(5)
    return {
        "row_domain": DOMAIN,
        "row_gap": gap,
        "row_previous": np.where(np.isin(own, list(first)), own, own - 1),
        "row_partner": partner,
        "row_paired": (partner != own).astype(float),
        "row_segment": DOMAIN,
        "row_fraction": STEPS / SIZE,
        "segment_is_cpt": np.ones(2),
        "observed": OBSERVED,
    }


def dense_root(ar1, correlated):
    """Matrix that makes the standardised residuals of independent unit innovations."""
    rows = row_arrays()
    n = STEPS.size
    rho = RHO * rows["row_paired"] if correlated else np.zeros(n)
    along = np.exp(-rows["row_gap"] / ELL[DOMAIN]) if ar1 else np.zeros(n)
    mix = np.diag(np.sqrt(1 - rho**2))
    mix[np.arange(n), rows["row_partner"]] += rho
    root = np.zeros((n, n))
    for k in range(n):
        root[k] = along[k] * root[rows["row_previous"][k]] + np.sqrt(1 - along[k] ** 2) * mix[k]
    return root


def model_of(card, values):
    with pm.Model() as model:
        data = {
            name: pm.Data(name, value, dims="segment" if name == "segment_is_cpt" else "obs")
            for name, value in row_arrays().items()
        }
        observe(pt.as_tensor(MEAN), values, data, card)
    return model


def parts(card, ar1, correlated, family="normal"):
    made = card(
        f'[law]\nshift = "power"\n[noise]\nfamily = "{family}"\n'
        f"ar1 = {str(ar1).lower()}\ndomain_correlation = {str(correlated).lower()}"
    )
    values = {
        "sigma": pt.as_tensor(SIGMA),
        "corr_fraction": pt.as_tensor(ELL),
        "domain_corr": pt.as_tensor(np.array([RHO])),
        "nu": pt.as_tensor(np.float64(4.5)),
    }
    return made, values


COMBINATIONS = [(False, False), (True, False), (False, True), (True, True)]


@pytest.mark.parametrize(("ar1", "correlated"), COMBINATIONS)
def test_normal_density_is_that_of_the_dense_covariance(card, ar1, correlated):
    model = model_of(*parts(card, ar1, correlated))
    scaled = SIGMA[DOMAIN][:, None] * dense_root(ar1, correlated)
    expected = stats.multivariate_normal(MEAN, scaled @ scaled.T).logpdf(OBSERVED)
    assert model.logp().eval(mode="FAST_COMPILE") == pytest.approx(expected, rel=1e-10)


def test_the_covariance_is_the_one_that_is_described():
    """exp(-gap / ell) along a run, rho across at a step, unit variances."""
    covariance = dense_root(True, True) @ dense_root(True, True).T
    np.testing.assert_allclose(np.diag(covariance), 1.0)
    for half, ell in ((slice(0, 6), ELL[0]), (slice(6, 12), ELL[1])):
        lag = np.abs(np.subtract.outer(STEPS[half], STEPS[half])) / SIZE
        np.testing.assert_allclose(covariance[half, half], np.exp(-lag / ell), rtol=1e-12)
    assert covariance[0, 6] == pytest.approx(RHO)
    across = dense_root(False, True) @ dense_root(False, True).T
    expected = np.eye(12)
    expected[range(5), range(6, 11)] = expected[range(6, 11), range(5)] = RHO
    np.testing.assert_allclose(across, expected, atol=1e-15)


@pytest.mark.parametrize(("ar1", "correlated"), COMBINATIONS)
def test_student_t_density_is_that_of_its_innovations(card, ar1, correlated):
    model = model_of(*parts(card, ar1, correlated, "student_t"))
    scaled = SIGMA[DOMAIN][:, None] * dense_root(ar1, correlated)
    unit = np.linalg.solve(scaled, OBSERVED - MEAN)
    expected = stats.t(4.5).logpdf(unit).sum() - np.linalg.slogdet(scaled)[1]
    assert model.logp().eval(mode="FAST_COMPILE") == pytest.approx(expected, rel=1e-10)


def chained_arguments():
    rows = row_arrays()
    along, across = np.exp(-rows["row_gap"] / ELL[DOMAIN]), RHO * rows["row_paired"]
    return MEAN, SIGMA[DOMAIN], along, across, rows["row_previous"], rows["row_partner"]


def test_draws_have_the_dense_covariance():
    n = 40_000
    draws = _chained_random(*chained_arguments(), rng=np.random.default_rng(2), size=(n,))
    assert draws.shape == (n, STEPS.size)
    z = (draws - MEAN) / SIGMA[DOMAIN]
    root = dense_root(True, True)
    # Five standard errors of a covariance of unit normals.
    np.testing.assert_allclose(z.T @ z / n, root @ root.T, atol=5 * np.sqrt(2 / n))
    np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=5 / np.sqrt(n))


def test_draws_with_heavy_tails():
    n = 20_000
    draws = _chained_random(
        *chained_arguments(), np.array(4.5), rng=np.random.default_rng(2), size=(n,)
    )
    z = (draws - MEAN) / SIGMA[DOMAIN]
    unit = np.linalg.solve(dense_root(True, True), z.T)
    assert stats.kstest(unit[:, ::7].ravel(), stats.t(4.5).cdf).pvalue > 1e-4
    assert stats.kstest(unit[:, ::7].ravel(), stats.norm.cdf).pvalue < 1e-10


def test_pymc_draws_through_it(card):
    model = model_of(*parts(card, True, True, "student_t"))
    draws = pm.draw(model["loss"], draws=3, random_seed=1, mode="FAST_COMPILE")
    assert draws.shape == (3, STEPS.size)
    assert len(np.unique(draws)) == draws.size


def evaluated_sigma(card, text, values, **changed):
    data = {**row_arrays(), **changed}
    data = {key: pt.as_tensor(value) for key, value in data.items()}
    values = {key: pt.as_tensor(np.array(value)) for key, value in values.items()}
    return row_sigma(values, data, card(text)).eval(mode="FAST_COMPILE")


def test_noise_is_wider_early_and_in_pretraining_has_a_scale_of_its_own(card):
    text = '[law]\nshift = "power"\n[noise]\nearly = true'
    values = {
        "sigma": SIGMA, "sigma_pt": [0.5, 0.6], "early": [3.0, 5.0], "early_width": [0.05, 0.1],
    }  # fmt: skip
    bump = np.array([3.0, 5.0])[DOMAIN] * np.exp(-STEPS / SIZE / np.array([0.05, 0.1])[DOMAIN])
    np.testing.assert_allclose(
        evaluated_sigma(card, text, values), SIGMA[DOMAIN] * (1 + bump), rtol=1e-12
    )
    mixed = evaluated_sigma(card, text, values, segment_is_cpt=np.array([1.0, 0.0]))
    np.testing.assert_allclose(mixed[:6], SIGMA[0] * (1 + bump[:6]), rtol=1e-12)
    np.testing.assert_allclose(mixed[6:], 0.6, rtol=1e-12)


def test_without_a_shift_the_early_noise_is_that_of_pretraining(card):
    values = {"sigma": SIGMA, "early": [3.0, 5.0], "early_width": [0.05, 0.1]}
    found = evaluated_sigma(
        card, "[noise]\nearly = true", values, segment_is_cpt=np.array([0.0, 0.0])
    )
    assert found[0] > 2 * SIGMA[0]
    np.testing.assert_allclose(found[5], SIGMA[0], rtol=1e-5)
