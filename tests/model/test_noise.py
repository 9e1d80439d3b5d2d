"""The noise of a model against a covariance written out."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from scipy import stats

from bayescpt.data import Study
from bayescpt.laws.noises import NOISES
from bayescpt.laws.noises.normal import NormalNoise
from bayescpt.laws.parameter import Parameter
from bayescpt.model.build import rows_model
from bayescpt.model.rows import make_rows

# General at 6 steps; the domain at 5 of them and at one of its own.
STEPS = np.array([1, 3, 4, 10, 12, 30, 1, 3, 4, 10, 12, 20])
DOMAIN = np.repeat([0, 1], 6)
SIZE = 40
RNG = np.random.default_rng(11)
SIGMA, ELL, RHO, NU = np.array([0.02, 0.05]), np.array([0.15, 0.3]), 0.6, 4.5
# Loss of the start checkpoint, which the law stays at.
MEAN = np.array([3.1, 6.2])[DOMAIN]
OBSERVED = MEAN + 0.05 * RNG.standard_normal(STEPS.size)
FLAT = {
    "base_ref": [0.0, 0.0], "alpha_s1": [0.5, 0.5], "log_memory": 3.0, "anneal_ref": [0.0, 0.0],
    "shift_ref": [0.0, 0.0], "onset": [30.0, 30.0], "beta": [0.2, 0.2], "start_offset": [0.0, 0.0],
    "anneal_pt_ref": [0.0, 0.0], "level_pt": [3.0, 3.0],
}  # fmt: skip
NOISE = {
    "sigma": SIGMA, "corr_fraction": ELL, "domain_corr": [RHO], "nu": NU,
    "sigma_pt": [0.5, 0.6], "early": [3.0, 5.0], "early_width": [0.05, 0.1],
}  # fmt: skip


@pytest.fixture(scope="module")
def curves():
    """A study of one run on a constant LR, on two domains."""
    names = np.array(["general", "german"])
    measured = pd.DataFrame(
        {"run": "run", "step": STEPS, "domain": names[DOMAIN], "loss": OBSERVED}
    )
    start = pd.DataFrame({"run": "run", "step": 0, "domain": names, "loss": [3.1, 6.2]})
    before = pd.DataFrame(
        [("base", step, name, 3.0 - step / 100) for name in names for step in (40, 60, 80)],
        columns=["run", "step", "domain", "loss"],
    )
    runs = pd.DataFrame(
        {
            "run": ["base", "run"],
            "phase": ["pt", "cpt"],
            "parent": [None, "base"],
            "domain": [None, "german"],
            "replay_ratio": [np.nan, 0.0],
        }
    )
    lrs = {"base": np.full(100, 1e-3), "run": np.full(SIZE, 1e-3)}
    return Study.from_frames(pd.concat([start, measured, before]), runs, lrs, name="flat")


def row_arrays():
    n = STEPS.size
    own = np.arange(n)
    first = {0, 6}
    gap = np.r_[1e6, np.diff(STEPS[:6]) / SIZE, 1e6, np.diff(STEPS[6:]) / SIZE]
    partner = own.copy()
    partner[6:11] = np.arange(5)
    return {
        "domain": DOMAIN,
        "gap": gap,
        "previous": np.where(np.isin(own, list(first)), own, own - 1),
        "partner": partner,
        "paired": (partner != own).astype(float),
        "fraction": STEPS / SIZE,
    }


def dense_root(ar1, correlated):
    """Matrix that makes the standardised residuals of independent unit innovations."""
    rows = row_arrays()
    n = STEPS.size
    rho = RHO * rows["paired"] if correlated else np.zeros(n)
    along = np.exp(-rows["gap"] / ELL[DOMAIN]) if ar1 else np.zeros(n)
    mix = np.diag(np.sqrt(1 - rho**2))
    mix[np.arange(n), rows["partner"]] += rho
    root = np.zeros((n, n))
    for k in range(n):
        root[k] = along[k] * root[rows["previous"][k]] + np.sqrt(1 - along[k] ** 2) * mix[k]
    return root


def parts(card, ar1, correlated, family="normal"):
    return card(
        f'[law]\nshift = "power"\n[rows]\npretraining = "none"\n[noise]\nfamily = "{family}"\n'
        f"ar1 = {str(ar1).lower()}\ndomain_correlation = {str(correlated).lower()}"
    )


def model_of(made, study):
    """Model whose parameters are all fixed, and whose law stays at the start checkpoint."""
    model = rows_model(make_rows(study, made), made, starts=False)
    values = {v.name: np.array((FLAT | NOISE)[v.name.removesuffix("_net")]) for v in model.free_RVs}
    return pm.do(model, values)


COMBINATIONS = [(False, False), (True, False), (False, True), (True, True)]


def test_rows_are_linked_as_they_were_measured(curves, card):
    rows = make_rows(curves, parts(card, True, True))
    for name, expected in row_arrays().items():
        # Where there is no row before, the gap is a million runs, give or take the first step.
        np.testing.assert_allclose(rows.row[name], expected, rtol=1e-7)
    np.testing.assert_array_equal(rows.loss, OBSERVED)


@pytest.mark.parametrize(("ar1", "correlated"), COMBINATIONS)
def test_normal_density_is_that_of_the_dense_covariance(curves, card, ar1, correlated):
    model = model_of(parts(card, ar1, correlated), curves)
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
def test_student_t_density_is_that_of_its_innovations(curves, card, ar1, correlated):
    model = model_of(parts(card, ar1, correlated, "student_t"), curves)
    scaled = SIGMA[DOMAIN][:, None] * dense_root(ar1, correlated)
    unit = np.linalg.solve(scaled, OBSERVED - MEAN)
    expected = stats.t(NU).logpdf(unit).sum() - np.linalg.slogdet(scaled)[1]
    assert model.logp().eval(mode="FAST_COMPILE") == pytest.approx(expected, rel=1e-10)


def residuals(card, family, n):
    """Draws of standardised residuals by the noise model, shape (n, row)."""
    noise, rows = parts(card, True, True, family).noise, row_arrays()
    own = {"corr_fraction": ELL[DOMAIN], "domain_corr": RHO}
    links = {name: rows[name] for name in ("gap", "paired", "previous", "partner")}
    chain = noise.chain(own, **links)
    return noise.sample(np.random.default_rng(2), (n, STEPS.size), {"nu": NU}, chain)


def test_draws_have_the_dense_covariance(card):
    n = 40_000
    z = residuals(card, "normal", n)
    assert z.shape == (n, STEPS.size)
    root = dense_root(True, True)
    # Five standard errors of a covariance of unit normals.
    np.testing.assert_allclose(z.T @ z / n, root @ root.T, atol=5 * np.sqrt(2 / n))
    np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=5 / np.sqrt(n))


def test_draws_with_heavy_tails(card):
    z = residuals(card, "student_t", 20_000)
    unit = np.linalg.solve(dense_root(True, True), z.T)
    assert stats.kstest(unit[:, ::7].ravel(), stats.t(NU).cdf).pvalue > 1e-4
    assert stats.kstest(unit[:, ::7].ravel(), stats.norm.cdf).pvalue < 1e-10


def test_pymc_draws_through_it(curves, card):
    n = 2000
    model = model_of(parts(card, True, True), curves)
    draws = pm.draw(model["loss"], draws=n, random_seed=1, mode="FAST_COMPILE")
    assert draws.shape == (n, STEPS.size)
    z = (draws - MEAN) / SIGMA[DOMAIN]
    root = dense_root(True, True)
    np.testing.assert_allclose(z.T @ z / n, root @ root.T, atol=5 * np.sqrt(2 / n))


def test_pymc_draws_heavy_tails_through_it(curves, card):
    model = model_of(parts(card, True, True, "student_t"), curves)
    draws = pm.draw(model["loss"], draws=3, random_seed=1, mode="FAST_COMPILE")
    assert draws.shape == (3, STEPS.size)
    assert len(np.unique(draws)) == draws.size


def evaluated_sigma(made, study):
    """Scale of every row of a model whose parameters are all fixed, and the rows."""
    loss = model_of(made, study)["loss"].owner
    return loss.op.dist_params(loss)[1].eval(mode="FAST_COMPILE"), make_rows(study, made)


def test_noise_is_wider_early_and_in_pretraining_has_a_scale_of_its_own(curves, card):
    made = card('[law]\nshift = "power"\n[rows]\npretraining = "all"\n[noise]\nearly = true')
    found, rows = evaluated_sigma(made, curves)
    bump = np.array([3.0, 5.0])[DOMAIN] * np.exp(-STEPS / SIZE / np.array([0.05, 0.1])[DOMAIN])
    np.testing.assert_allclose(found[:12], SIGMA[DOMAIN] * (1 + bump), rtol=1e-12)
    assert not rows.segment["is_cpt"][rows.row["segment"][12:]].any()
    pretraining = np.array([0.5, 0.6])[rows.row["domain"][12:]]
    np.testing.assert_allclose(found[12:], pretraining, rtol=1e-12)


def test_without_a_shift_the_early_noise_is_that_of_pretraining(card):
    noise = card("[noise]\nearly = true").noise
    p = {name: np.array(NOISE[name])[DOMAIN] for name in ("sigma", "early", "early_width")}
    found = noise.scale(p, {"is_cpt": np.zeros(12), "fraction": STEPS / SIZE})
    assert found[0] > 2 * SIGMA[0]
    np.testing.assert_allclose(found[5], SIGMA[0], rtol=1e-5)


class Growing(NormalNoise):
    """Noise whose scale grows along a run, by parts that are not those of early noise."""

    name = "growing"

    @property
    def scale_parameters(self):
        normal = {"dist": "Normal", "mu": 0.0, "sigma": 0.5}
        slope = Parameter("slope", "s", "1", ("domain",), -9, 9, normal, "a test", "a test")
        return (*super().scale_parameters, slope)

    def coefficients(self, p, f, xp=np):
        return {**super().coefficients(p, f, xp), "slope": p["slope"]}

    def inflation(self, c, f, xp=np):
        return xp.exp(c["slope"] * f["fraction"])


def test_a_registered_noise_has_the_inflation_that_it_describes(curves, card, monkeypatch):
    monkeypatch.setitem(NOISES, "growing", Growing)
    slope = np.array([0.5, -2.0])
    scale = (SIGMA * np.exp(slope * np.array([[0.0], [1.0]])))[:, DOMAIN]
    made = card('[law]\nshift = "power"\n[rows]\npretraining = "none"\n[noise]\nfamily = "growing"')
    p = {"sigma": SIGMA[DOMAIN], "slope": slope[DOMAIN]}
    for fraction, expected in zip((0.0, 1.0), scale, strict=True):
        found = made.noise.scale(p, {"is_cpt": np.ones(12), "fraction": np.full(12, fraction)})
        np.testing.assert_allclose(found, expected, rtol=1e-14)
    monkeypatch.setitem(NOISE, "slope", slope)
    along = SIGMA[DOMAIN] * np.exp(slope[DOMAIN] * STEPS / SIZE)
    logp = model_of(made, curves).logp().eval(mode="FAST_COMPILE")
    assert logp == pytest.approx(stats.norm(MEAN, along).logpdf(OBSERVED).sum(), rel=1e-10)
