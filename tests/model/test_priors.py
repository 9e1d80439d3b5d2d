import numpy as np
import pymc as pm
import pytest

from bayescpt.model.priors import DISTRIBUTIONS, parse_prior

PRIORS = [
    ("Normal", {"mu": 0.3, "sigma": 1.2}),
    ("Normal", {"mu": 4.6, "sigma": 1.5, "lower": 0.7, "upper": 8.5}),
    ("Normal", {"mu": 0.5, "sigma": 2.0, "lower": 0.0}),
    ("Normal", {"mu": 0.5, "sigma": 2.0, "upper": 1.0}),
    ("HalfNormal", {"sigma": 0.02}),
    ("LogNormal", {"mu": -2.3, "sigma": 0.8}),
    ("Gamma", {"alpha": 2.0, "beta": 5.0}),
    ("Beta", {"alpha": 2.0, "beta": 3.0}),
    ("Exponential", {"lam": 4.0}),
    ("Uniform", {"lower": -0.95, "upper": 0.95}),
]


def make(dist, args):
    return parse_prior({"dist": dist, **args, "reason": "a test"}, "test")


def test_all_distributions_are_tried():
    assert {dist for dist, _ in PRIORS} == set(DISTRIBUTIONS)


@pytest.mark.parametrize(("dist", "args"), PRIORS)
def test_scipy_and_pymc_agree(dist, args):
    prior = make(dist, args)
    frozen = prior.frozen()
    x = frozen.ppf([0.001, 0.1, 0.5, 0.9, 0.999])
    made = (pm.TruncatedNormal if prior.truncated else getattr(pm, dist)).dist(**args)
    density = pm.logp(made, x).eval(mode="FAST_COMPILE")
    # PyTensor holds a constant such as 0.5 in single precision, and its logarithm too.
    np.testing.assert_allclose(frozen.logpdf(x), density, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("dist", "args"), PRIORS)
def test_draws_follow_the_prior(dist, args):
    prior = make(dist, args)
    draws = prior.draw(np.random.default_rng(1), (40, 100))
    assert draws.shape == (40, 100)
    # Quartiles, within 4 standard errors of a share.
    below = [(draws < prior.frozen().ppf(q)).mean() for q in (0.25, 0.5, 0.75)]
    np.testing.assert_allclose(below, [0.25, 0.5, 0.75], atol=4 * 0.5 / np.sqrt(4000))
    assert prior.sd() == pytest.approx(draws.std(), rel=0.15)


@pytest.mark.parametrize(("dist", "args"), PRIORS)
def test_the_mass_outside_a_range_is_scipy_s(dist, args):
    prior = make(dist, args)
    frozen = prior.frozen()
    ends = [-5.0, 0.0, *frozen.ppf([0.001, 0.1, 0.6, 0.999]), 1.0, 40.0, 1e4]
    for lower in ends:
        for upper in ends:
            expected = frozen.cdf(lower) + frozen.sf(upper)
            assert prior.outside(lower, upper) == pytest.approx(expected, rel=1e-9, abs=1e-13)


def test_nothing_is_outside_the_bounds_of_a_truncated_prior():
    assert make(*PRIORS[1]).outside(0.7, 8.5) == 0.0


def test_it_reads_as_in_pymc():
    assert str(make(*PRIORS[0])) == "Normal(mu=0.3, sigma=1.2)"
    assert str(make(*PRIORS[2])) == "TruncatedNormal(mu=0.5, sigma=2, lower=0)"
