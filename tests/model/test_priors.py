"""Every registered prior against SciPy and PyMC, and how to add one."""

import doctest
import importlib
import pkgutil
import subprocess
import sys
import textwrap

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from bayescpt.errors import CardError
from bayescpt.model import priors
from bayescpt.model.build import build_model
from bayescpt.model.card_file import parse_card
from bayescpt.model.priors import DISTRIBUTIONS, Distribution, parse_prior, register, unregister

CASES = [
    pytest.param(name, dict(args), id=f"{name}-{n}")
    for name, distribution in DISTRIBUTIONS.items()
    for n, args in enumerate(distribution.examples)
]
MODULES = [
    module.name for module in pkgutil.iter_modules(priors.__path__, "bayescpt.model.priors.")
]
SEEDS = range(3)
N_DRAWS = 20_000


def make(dist, args):
    return parse_prior({"dist": dist, **args, "reason": "a test"}, "test")


def random_variable(prior, size):
    """Random variable of a prior in a model of its own, as a vector."""
    with pm.Model(coords={"place": range(size)}):
        return prior.random_variable("x", "place")


# what every distribution must satisfy


def test_every_distribution_has_examples_and_every_argument_is_in_one():
    assert {"Normal", "HalfNormal", "LogNormal", "Gamma", "Beta", "Exponential", "Uniform"} <= set(
        DISTRIBUTIONS
    )
    for name, distribution in DISTRIBUTIONS.items():
        used = {key for args in distribution.examples for key in args}
        assert used == {*distribution.arguments, *distribution.optional}, name


@pytest.mark.parametrize(("dist", "args"), CASES)
def test_scipy_and_pymc_agree(dist, args):
    prior = make(dist, args)
    x = prior.frozen().ppf([0.001, 0.1, 0.5, 0.9, 0.999])
    density = pm.logp(random_variable(prior, x.size), x).eval(mode="FAST_COMPILE")
    # PyTensor holds a constant such as 0.5 in single precision, and its logarithm too.
    np.testing.assert_allclose(prior.frozen().logpdf(x), density, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("dist", "args"), CASES)
def test_draws_follow_the_distribution_function(dist, args, seed):
    """A correct sampler fails one in a million times; a scale wrong by a tenth does not pass."""
    prior = make(dist, args)
    variable = random_variable(prior, N_DRAWS)
    from_pymc = pm.draw(variable, random_seed=seed, mode="FAST_COMPILE")
    from_scipy = prior.draw(np.random.default_rng(seed), (N_DRAWS // 100, 100))
    assert from_scipy.shape == (N_DRAWS // 100, 100)
    for draws in (from_pymc, from_scipy.ravel()):
        assert stats.kstest(draws, prior.frozen().cdf).pvalue > 1e-6


@pytest.mark.parametrize(("dist", "args"), CASES)
def test_tails_and_standard_deviation_are_scipy_s(dist, args):
    prior = make(dist, args)
    frozen = prior.frozen()
    assert prior.sd() == frozen.std()
    ends = [-1e4, -5.0, 0.0, *frozen.ppf([1e-6, 0.001, 0.1, 0.6, 0.999, 1 - 1e-6]), 1.0, 40.0, 1e4]
    for x in ends:
        below, above = prior.distribution.tails(x, prior.args)
        assert below == pytest.approx(frozen.cdf(x), rel=1e-9, abs=1e-13)
        assert above == pytest.approx(frozen.sf(x), rel=1e-9, abs=1e-13)
        for upper in ends:
            expected = frozen.cdf(x) + frozen.sf(upper)
            assert prior.outside(x, upper) == pytest.approx(expected, rel=1e-9, abs=1e-13)


@pytest.mark.parametrize(("dist", "args"), CASES)
def test_bad_arguments_are_refused(dist, args):
    distribution = DISTRIBUTIONS[dist]
    assert dict(make(dist, args).args) == args
    bad = [{**args, "location": 1.0}]
    bad += [{k: v for k, v in args.items() if k != key} for key in distribution.arguments]
    bad += [
        {**args, key: value}
        for key in args
        for value in (np.nan, np.inf, -np.inf, 10**400, "1", None, True, [1.0])
    ]
    bad += [{**args, key: value} for key in distribution.positive for value in (0, 0.0, -1.0)]
    if {"lower", "upper"} <= set(args):
        bad += [{**args, "lower": args["upper"] + more} for more in (0.0, 1.0)]
    for changed in bad:
        with pytest.raises(CardError, match=r"^test: "):
            make(dist, changed)


@pytest.mark.parametrize(("dist", "args"), CASES)
@pytest.mark.parametrize("value", [-10, -0.5, 0, 0.1, 0.5, 1, 20.0])
def test_whatever_is_accepted_is_a_distribution(dist, args, value):
    for key in args:
        try:
            prior = make(dist, {**args, key: value})
        except CardError:
            continue
        low, middle, high = prior.frozen().ppf([0.1, 0.5, 0.9])
        assert low < middle < high
        assert prior.distribution.tails(low, prior.args)[0] == pytest.approx(0.1, rel=1e-9)


def test_nothing_is_outside_the_bounds_of_a_truncated_prior():
    args = {"mu": 4.6, "sigma": 1.5, "lower": 0.7, "upper": 8.5}
    assert make("Normal", args).outside(0.7, 8.5) == 0.0


def test_bounds_far_from_the_mean_keep_their_digits_or_are_refused():
    for args in ({"upper": -12.0}, {"lower": 12.0}, {"lower": -13.0, "upper": -12.0}):
        prior = make("Normal", {"mu": 0.0, "sigma": 1.0, **args})
        x = prior.frozen().ppf([0.1, 0.5, 0.9])
        below, above = np.transpose([prior.distribution.tails(at, prior.args) for at in x])
        np.testing.assert_allclose(below, [0.1, 0.5, 0.9], rtol=1e-9)
        np.testing.assert_allclose(above, [0.9, 0.5, 0.1], rtol=1e-9)
    with pytest.raises(CardError, match=r"Normal\(mu=0, sigma=1\) has no mass between lower = 40"):
        make("Normal", {"mu": 0.0, "sigma": 1.0, "lower": 40.0})


def test_it_reads_as_in_pymc():
    plain, bounded = (
        make("Normal", {"mu": 0.5, "sigma": 2, **more}) for more in ({}, {"lower": 0})
    )
    assert str(plain) == "Normal(mu=0.5, sigma=2)"
    assert str(bounded) == "TruncatedNormal(mu=0.5, sigma=2, lower=0)"
    assert (plain.truncated, bounded.truncated) == (False, True)


def test_shipped_tails_do_not_import_scipy_stats():
    """Loading a saved fit checks its priors. Only Beta falls back on SciPy."""
    code = """
        import sys
        from bayescpt.model.priors import DISTRIBUTIONS
        for name, distribution in DISTRIBUTIONS.items():
            for args in distribution.examples:
                name == "Beta" or distribution.tails(0.8, args)
        assert not {"scipy", "pymc"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)  # noqa: S603


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_run(module):
    before = dict(DISTRIBUTIONS)
    assert doctest.testmod(importlib.import_module(module)).failed == 0
    assert dict(DISTRIBUTIONS) == before


# a distribution of a user's own


class Laplace(Distribution):
    name = "Laplace"
    arguments = ("mu", "b")
    positive = ("b",)

    def frozen(self, args):
        return stats.laplace(args["mu"], args["b"])


CARD = """
    name = "mine"
    description = "Heavy tails."
    [law]
    [priors.level_pt]
    dist = "Laplace"
    mu = 3.0
    b = 0.5
    reason = "levels of a few odd domains"
"""


@pytest.fixture
def laplace():
    register(Laplace)
    yield
    unregister("Laplace")


@pytest.mark.usefixtures("laplace")
def test_a_registered_distribution_works_in_a_card_and_in_a_model(study):
    card = parse_card(CARD)
    prior = card.priors["level_pt"]
    assert str(prior) == "Laplace(mu=3, b=0.5)"
    model = build_model(study, card)
    level = model["level_pt"]
    assert model.named_vars_to_dims["level_pt"] == ("domain",)
    x = np.linspace(1.0, 5.0, len(model.coords["domain"]))
    density = pm.logp(level, x).eval(mode="FAST_COMPILE")
    np.testing.assert_allclose(density, prior.frozen().logpdf(x), atol=1e-7)
    # The tails that it inherits decide whether the parameter's range holds it.
    with pytest.raises(CardError, match="of its mass outside"):
        parse_card(CARD.replace("b = 0.5", "b = 5.0"))
    with pytest.raises(CardError, match=r"priors\.level_pt: b = 0 must be above 0"):
        parse_card(CARD.replace("b = 0.5", "b = 0"))
    with pytest.raises(CardError, match="Laplace takes mu, b; got mu, sigma"):
        parse_card(CARD.replace("b = 0.5", "sigma = 0.5"))


def test_an_unregistered_distribution_is_unknown():
    with pytest.raises(CardError, match="unknown distribution 'Laplace'; allowed are Beta, "):
        parse_card(CARD)
    with pytest.raises(CardError, match="unknown distribution 'Laplace'"):
        unregister("Laplace")


@pytest.mark.usefixtures("laplace")
def test_a_name_belongs_to_one_class():
    register(Laplace)  # the same again, as in a notebook
    other = type("Other", (Laplace,), {})
    with pytest.raises(CardError, match=r"Laplace has already registered 'Laplace'"):
        register(other)
    assert type(DISTRIBUTIONS["Laplace"]) is Laplace


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "`name` must be"),
        ({"arguments": ()}, "got none"),
        ({"arguments": ("mu", "reason")}, "none called dist or reason; got mu, reason"),
        ({"optional": ("mu",)}, "each once"),
        ({"positive": ("sigma",)}, "`positive` has unknown arguments: sigma"),
    ],
)
def test_a_defective_class_is_not_registered(change, message):
    before = dict(DISTRIBUTIONS)
    with pytest.raises(CardError, match=message):
        register(type("Laplace", (Laplace,), change))
    assert dict(DISTRIBUTIONS) == before


def test_a_class_without_scipy_s_distribution_says_so():
    with pytest.raises(NotImplementedError, match="Distribution must implement frozen"):
        Distribution().frozen({})
