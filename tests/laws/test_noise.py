"""Truth test of the noise: draws and densities of every registered model agree."""

import itertools

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import integrate, linalg, stats

from bayescpt.evaluate.generate import draw_parameters
from bayescpt.forecast import Draws, Plan, forecast
from bayescpt.inference import fit, load_fit
from bayescpt.laws.functions import log_gamma
from bayescpt.laws.noise import Chain, Noise, register_noise
from bayescpt.laws.noises import NOISES
from bayescpt.laws.noises.normal import NormalNoise
from bayescpt.laws.noises.student_t import StudentNoise
from bayescpt.laws.parameter import Parameter
from bayescpt.model.build import rows_model
from bayescpt.model.card_file import parse_card
from bayescpt.model.containers import arrays
from bayescpt.model.priors import parse_prior
from bayescpt.model.rows import make_rows

TAIL = Parameter(
    "tail", "p", "1", (), 0.0, 20.0, {"dist": "LogNormal", "mu": 0.4, "sigma": 0.3},
    "between a double exponential and a normal distribution", "here",
)  # fmt: skip
GROWTH = Parameter(
    "growth", "g", "1", ("domain",), 0.0, 50.0, {"dist": "LogNormal", "mu": 0.0, "sigma": 0.5},
    "the end of a run may be twice as noisy", "here",
)  # fmt: skip


class ExponentialPower(Noise):
    """A family of its own, exp(-|z|^p)."""

    name = "exponential_power"

    @property
    def tail_parameters(self):
        return (TAIL,)

    def unit_density(self, z, p, xp=np):
        power = p["tail"]
        return xp.log(power / 2.0) - log_gamma(1.0 / power, xp) - abs(z) ** power

    def unit_draws(self, rng, shape, p):
        power = p["tail"]
        return rng.choice([-1.0, 1.0], shape) * rng.gamma(1.0 / power, size=shape) ** (1.0 / power)


class Widening(NormalNoise):
    """A scale of its own, which grows along a run."""

    name = "widening"

    @property
    def scale_parameters(self):
        return (*super().scale_parameters, GROWTH)

    def coefficients(self, p, f, xp=np):
        return {**super().coefficients(p, f, xp), "growth": p["growth"]}

    def inflation(self, c, f, xp=np):
        return (1.0 + c["growth"] * f["fraction"]) * super().inflation(c, f, xp)


OWN = (ExponentialPower, Widening)
NAMES = (*NOISES, *(kind.name for kind in OWN))
FLAGS = list(itertools.product((False, True), repeat=3))
# Any two flags in all four ways; the rest are slow.
PAIRWISE = [
    flags if sum(flags) in (0, 2) else pytest.param(flags, marks=pytest.mark.slow)
    for flags in FLAGS
]
CHAINED = [(False, False), (True, False), (False, True), (True, True)]
SEEDS = (1, 2, 3)
# Standard errors that a frequency or covariance may be off: one in millions.
MARGIN = 5.0


@pytest.fixture(scope="module", autouse=True)
def registered():
    """The models above, in cards while these tests run."""
    for kind in OWN:
        register_noise(kind)
    yield
    for kind in OWN:
        del NOISES[kind.name]


def tails(noise, quantile):
    """Values of the family's parameters at a quantile of their priors."""
    priors = {
        p.name: parse_prior({**p.default, "reason": p.reason}, p.name)
        for p in noise.tail_parameters
    }
    return {name: np.float64(prior.frozen().ppf(quantile)) for name, prior in priors.items()}


def integral(function, low=-np.inf, high=np.inf):
    """By pieces, as the density of a family may have an edge at 0."""
    inside = [low, *(x for x in (-3.0, 0.0, 3.0) if low < x < high), high]
    return sum(
        integrate.quad(function, a, b, epsabs=1e-11, epsrel=1e-11, limit=200)[0]
        for a, b in itertools.pairwise(inside)
    )


def distribution(noise, p):
    """Distribution function of a standardised residual, by quadrature of its density."""
    return lambda x: integral(lambda z: np.exp(noise.unit_density(z, p)), high=x)


def check_frequencies(draws, noise, p):
    """Draws below some values are as many as the density has it."""
    below = distribution(noise, p)
    for x in (-3.0, -1.5, -0.4, 0.0, 0.3, 1.0, 2.5):
        share = below(x)
        error = np.sqrt(share * (1.0 - share) / draws.size)
        assert abs(np.mean(draws < x) - share) < MARGIN * error, x


# Three domains of one run, domain after domain; the last two have steps without a partner.
STEPS = np.array([1, 3, 4, 10, 12, 30, 1, 3, 4, 10, 12, 20, 3, 4, 5, 30])
DOMAIN = np.repeat([0, 1, 2], [6, 6, 4])
SIZE = 40.0
N = STEPS.size
FIRST = np.array([0, 6, 12])
PREVIOUS = np.where(np.isin(np.arange(N), FIRST), np.arange(N), np.arange(N) - 1)
PARTNER = np.array([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 11, 1, 2, 14, 5])
PAIRED = (PARTNER != np.arange(N)).astype(float)
GAP = np.where(PREVIOUS == np.arange(N), 1e6, np.diff(STEPS, prepend=0) / SIZE)
SIGMA = np.array([0.02, 0.05, 0.03])
ELL, RHO = np.array([0.15, 0.3, 0.08]), np.array([0.0, 0.6, -0.4])
RNG = np.random.default_rng(11)
RESIDUAL = 0.05 * RNG.standard_normal(N)


def chain_of(noise, xp=np):
    own = {"corr_fraction": ELL[DOMAIN], "domain_corr": RHO[DOMAIN]}
    arguments = {"gap": GAP, "paired": PAIRED, "previous": PREVIOUS, "partner": PARTNER}
    if xp is pt:
        own = {name: pt.as_tensor(value) for name, value in own.items()}
        arguments = {name: pt.as_tensor(value) for name, value in arguments.items()}
    return noise.chain(own, **arguments, xp=xp)


def root(ar1, correlated):
    """Matrix that makes standardised residuals of independent unit innovations."""
    rho = RHO[DOMAIN] * PAIRED if correlated else np.zeros(N)
    along = np.exp(-GAP / ELL[DOMAIN]) if ar1 else np.zeros(N)
    mix = np.diag(np.sqrt(1 - rho**2))
    mix[np.arange(N), PARTNER] += rho
    out = np.zeros((N, N))
    for k in range(N):
        out[k] = along[k] * out[PREVIOUS[k]] + np.sqrt(1 - along[k] ** 2) * mix[k]
    return out


def test_the_covariance_is_the_one_that_is_described():
    """exp(-gap / ell) along a run, rho across at a step, unit variances."""
    covariance = root(True, True) @ root(True, True).T
    np.testing.assert_allclose(np.diag(covariance), 1.0)
    for domain, ell in enumerate(ELL):
        half = DOMAIN == domain
        lag = np.abs(np.subtract.outer(STEPS[half], STEPS[half])) / SIZE
        np.testing.assert_allclose(covariance[np.ix_(half, half)], np.exp(-lag / ell), rtol=1e-12)
    assert covariance[0, 6] == pytest.approx(RHO[1])
    across = root(False, True) @ root(False, True).T
    expected = np.eye(N)
    for row in np.flatnonzero(PAIRED):
        expected[row, PARTNER[row]] = expected[PARTNER[row], row] = RHO[DOMAIN[row]]
    # Two domains that both follow the first follow each other.
    for one, other in ((7, 12), (8, 13)):
        expected[one, other] = expected[other, one] = RHO[1] * RHO[2]
    np.testing.assert_allclose(across, expected, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_the_density_of_a_residual_integrates_to_1(name, quantile):
    noise = NOISES[name]()
    p = tails(noise, quantile)
    assert integral(lambda z: np.exp(noise.unit_density(z, p))) == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_independent_draws_have_the_density(name, quantile, seed):
    noise = NOISES[name]()
    p = tails(noise, quantile)
    draws = noise.sample(np.random.default_rng(seed), (200, 100), p, None)
    assert draws.shape == (200, 100)
    check_frequencies(draws, noise, p)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("ar1", "correlated"), CHAINED[1:])
@pytest.mark.parametrize("name", NAMES)
def test_chained_draws_are_made_of_independent_ones(name, ar1, correlated, seed):
    noise = NOISES[name](ar1=ar1, domain_correlation=correlated)
    p = tails(noise, 0.5)
    draws = noise.sample(np.random.default_rng(seed), (2000, N), p, chain_of(noise))
    unit = np.linalg.solve(root(ar1, correlated), draws.T)
    check_frequencies(unit, noise, p)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("ar1", "correlated"), CHAINED)
@pytest.mark.parametrize("name", NAMES)
def test_draws_have_the_correlations(name, ar1, correlated, seed):
    noise = NOISES[name](ar1=ar1, domain_correlation=correlated)
    p = tails(noise, 0.5)
    draws = noise.sample(np.random.default_rng(seed), (20_000, N), p, chain_of(noise))
    variance = integral(lambda z: z**2 * np.exp(noise.unit_density(z, p)))
    matrix = root(ar1, correlated)
    products = draws[:, :, None] * draws[:, None, :]
    error = products.std(axis=0) / np.sqrt(len(draws))
    off = products.mean(axis=0) - variance * matrix @ matrix.T
    assert np.abs(off / error).max() < MARGIN
    assert np.abs(draws.mean(axis=0)).max() < MARGIN * np.sqrt(variance / len(draws))


@pytest.mark.parametrize("flags", FLAGS, ids=str)
def test_without_a_chain_the_density_is_that_of_scipy(flags):
    early, *chained = flags
    scale = SIGMA[DOMAIN]
    normal = NormalNoise(early, *chained).log_density(RESIDUAL, scale, {}, None)
    np.testing.assert_allclose(normal, stats.norm(0, scale).logpdf(RESIDUAL), rtol=1e-13)
    for nu in (0.5, 4.5, 300.0):
        student = StudentNoise(early, *chained).log_density(
            RESIDUAL, scale, {"nu": np.float64(nu)}, None
        )
        expected = stats.t(nu, scale=scale).logpdf(RESIDUAL)
        np.testing.assert_allclose(student, expected, rtol=1e-11)


@pytest.mark.parametrize(("ar1", "correlated"), CHAINED[1:])
def test_the_normal_density_is_that_of_the_dense_covariance(ar1, correlated):
    noise = NormalNoise(ar1=ar1, domain_correlation=correlated)
    scale = SIGMA[DOMAIN]
    found = noise.log_density(RESIDUAL, scale, {}, chain_of(noise)).sum()
    scaled = scale[:, None] * root(ar1, correlated)
    expected = stats.multivariate_normal(np.zeros(N), scaled @ scaled.T).logpdf(RESIDUAL)
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("ar1", "correlated"), CHAINED[1:])
def test_the_normal_density_is_that_of_a_covariance_by_hand(ar1, correlated):
    """At the same steps, with one length: exp(-lag / ell) times the domains' correlations."""
    steps, ell, rho = np.array([0.0, 0.02, 0.1, 0.5, 0.51]), 0.2, np.array([0.0, 0.7, -0.3])
    n, here = steps.size, np.arange(3 * steps.size)
    noise = NormalNoise(ar1=ar1, domain_correlation=correlated)
    chain = noise.chain(
        {"corr_fraction": np.full(3 * n, ell), "domain_corr": np.repeat(rho, n)},
        gap=np.tile(np.diff(steps, prepend=-1e6), 3),
        paired=(here >= n).astype(float),
        previous=np.where(here % n == 0, here, here - 1),
        partner=here % n,
    )
    lag = np.abs(np.subtract.outer(steps, steps))
    over_steps = np.exp(-lag / ell) if ar1 else np.eye(n)
    over_domains = np.array([[1, 0.7, -0.3], [0.7, 1, -0.21], [-0.3, -0.21, 1]])
    covariance = np.kron(over_domains if correlated else np.eye(3), over_steps)
    scale = np.repeat(SIGMA, n)
    residual = 0.05 * np.random.default_rng(3).standard_normal(3 * n)
    found = noise.log_density(residual, scale, {}, chain).sum()
    expected = stats.multivariate_normal(np.zeros(3 * n), covariance).logpdf(residual / scale)
    assert found == pytest.approx(expected - np.log(scale).sum(), rel=1e-10)
    # Draws have it too.
    for seed in SEEDS:
        z = noise.sample(np.random.default_rng(seed), (20_000, 3 * n), {}, chain)
        white = linalg.solve_triangular(np.linalg.cholesky(covariance), z.T, lower=True)
        # Variances of a normal covariance estimate are 2 / n and 1 / n.
        error = np.sqrt((1 + np.eye(3 * n)) / len(z))
        assert np.abs((white @ white.T / len(z) - np.eye(3 * n)) / error).max() < MARGIN


@pytest.mark.parametrize(("ar1", "correlated"), CHAINED)
@pytest.mark.parametrize("name", NAMES)
def test_the_density_is_that_of_the_innovations(name, ar1, correlated):
    noise = NOISES[name](ar1=ar1, domain_correlation=correlated)
    for quantile in (0.1, 0.5, 0.9):
        p = tails(noise, quantile)
        scaled = SIGMA[DOMAIN][:, None] * root(ar1, correlated)
        unit = np.linalg.solve(scaled, RESIDUAL)
        expected = noise.unit_density(unit, p).sum() - np.linalg.slogdet(scaled)[1]
        found = noise.log_density(RESIDUAL, SIGMA[DOMAIN], p, chain_of(noise)).sum()
        assert found == pytest.approx(expected, rel=1e-10)


def test_draws_by_draw_have_tails_of_their_own():
    noise, nu = StudentNoise(ar1=True), np.array([[4.0], [300.0]])
    chain = Chain(np.full(2, 0.0), np.zeros(2), np.arange(2), np.arange(2))
    draws = noise.sample(np.random.default_rng(4), (2, 40_000), {"nu": nu}, None)
    for one, degrees in zip(draws, (4.0, 300.0), strict=True):
        assert stats.kstest(one, stats.t(degrees).cdf).pvalue > 1e-4
    assert stats.kstest(draws[0], stats.norm.cdf).pvalue < 1e-10
    assert noise.sample(np.random.default_rng(4), (3, 2, 2), {"nu": nu}, chain).shape == (3, 2, 2)


VALUES = {
    "sigma": SIGMA[DOMAIN], "sigma_pt": 10 * SIGMA[DOMAIN],
    "early": np.array([3.0, 5.0, 0.5])[DOMAIN], "early_width": np.array([0.05, 0.1, 0.02])[DOMAIN],
    "growth": np.array([0.5, 1.0, 2.0])[DOMAIN],
}  # fmt: skip


@pytest.mark.parametrize("flags", FLAGS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_numpy_and_pytensor_have_the_same_scale_and_density(name, flags):
    noise = NOISES[name](*flags)
    p = tails(noise, 0.5) | {q.name: VALUES[q.name] for q in noise.scale_parameters}
    seen = {"is_cpt": (DOMAIN != 1).astype(float), "fraction": STEPS / SIZE}
    scale = noise.scale(p, seen)
    density = noise.log_density(RESIDUAL, scale, p, chain_of(noise))
    assert density.shape == (N,)
    assert np.all(np.isfinite(density))
    symbols = {key: pt.as_tensor(value) for key, value in p.items()}
    at = {key: pt.as_tensor(value) for key, value in seen.items()}
    graph = noise.scale(symbols, at, pt)
    logp = noise.log_density(pt.as_tensor(RESIDUAL), graph, symbols, chain_of(noise, pt), pt)
    scale_there, density_there = pytensor.function([], [graph, logp], mode="FAST_COMPILE")()
    np.testing.assert_allclose(scale_there, scale, rtol=1e-10)
    np.testing.assert_allclose(density_there, density, rtol=1e-10, atol=1e-10)


def test_noise_is_wider_early_and_in_pre_training_has_a_scale_of_its_own():
    noise, bump = NormalNoise(early=True), np.exp(-STEPS / SIZE / VALUES["early_width"])
    inflated = 1 + VALUES["early"] * bump
    seen = {"is_cpt": 1.0, "fraction": STEPS / SIZE}
    np.testing.assert_allclose(noise.scale(VALUES, seen), SIGMA[DOMAIN] * inflated, rtol=1e-12)
    mixed = noise.scale(VALUES, seen | {"is_cpt": (DOMAIN == 0).astype(float)})
    np.testing.assert_allclose(mixed[:6], SIGMA[0] * inflated[:6], rtol=1e-12)
    np.testing.assert_allclose(mixed[6:], 10 * SIGMA[DOMAIN][6:], rtol=1e-12)


def test_without_a_shift_the_early_noise_is_that_of_pre_training():
    noise = NormalNoise(early=True, continual=False)
    values = {key: VALUES[key] for key in ("sigma", "early", "early_width")}
    found = noise.scale(values, {"is_cpt": 0.0, "fraction": STEPS / SIZE})
    assert found[0] > 2 * SIGMA[0]
    np.testing.assert_allclose(found[5], SIGMA[0], rtol=1e-5)


def test_a_model_without_early_noise_has_one_scale_a_segment():
    seen = {"is_cpt": 1.0, "fraction": STEPS / SIZE}
    assert NormalNoise().scale({"sigma": 0.02}, seen) == 0.02
    assert NormalNoise().scale({"sigma": 0.02, "sigma_pt": 0.3}, seen | {"is_cpt": 0.0}) == 0.3


@pytest.mark.parametrize("flags", FLAGS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_those_of_the_parts(name, flags):
    early, ar1, correlated = flags
    noise = NOISES[name](*flags)
    names = [parameter.name for parameter in noise.parameters]
    assert names[:2] == ["sigma", "sigma_pt"]
    assert len(set(names)) == len(names)
    assert {"early", "early_width"} <= set(names) if early else not {"early"} & set(names)
    assert ("corr_fraction" in names, "domain_corr" in names) == (ar1, correlated)
    assert noise.chained == (ar1 or correlated)
    assert (chain_of(noise) is None) == (not noise.chained)
    for phases in ((True, False), (False, True), (False, False)):
        alone = [parameter.name for parameter in NOISES[name](*flags, *phases).parameters]
        assert alone == [one for one in names if one != "sigma_pt"]


def test_links_are_those_of_the_parts():
    chain = chain_of(NormalNoise(ar1=True, domain_correlation=True))
    np.testing.assert_allclose(chain.along, np.exp(-GAP / ELL[DOMAIN]))
    assert not chain.along[FIRST].any()
    np.testing.assert_array_equal(chain.across, RHO[DOMAIN] * PAIRED)
    assert not chain_of(NormalNoise(domain_correlation=True)).along.any()
    assert not chain_of(NormalNoise(ar1=True)).across.any()


def test_a_scale_of_its_own_is_used():
    values = {"sigma": SIGMA[DOMAIN], "growth": VALUES["growth"]}
    seen = {"is_cpt": 1.0, "fraction": STEPS / SIZE}
    grown = SIGMA[DOMAIN] * (1 + VALUES["growth"] * STEPS / SIZE)
    np.testing.assert_allclose(Widening().scale(values, seen), grown, rtol=1e-14)


def test_a_name_is_taken_once():
    assert register_noise(Widening) is Widening

    class Other(NormalNoise):
        pass

    with pytest.raises(
        ValueError, match=r"noise.family = 'normal' is already registered as NormalNoise"
    ):
        register_noise(Other)
    assert NOISES["normal"] is NormalNoise


def make_card(name, flags):
    early, ar1, correlated = (str(flag).lower() for flag in flags)
    return parse_card(
        f'name = "own"\ndescription = "A card."\n[law]\nshift = "power"\n[noise]\n'
        f'family = "{name}"\nearly = {early}\nar1 = {ar1}\ndomain_correlation = {correlated}'
    )


def expected_rows(rows, card, values):
    """Expected loss and scale of every row, in NumPy."""
    data = {name: value for name, value, _ in arrays(rows, card)}
    values = values | {
        "start_level": data["start_loss"] + data["start_sd"] * values["start_offset"]
    }
    segment = {key: value[rows.row["segment"]] for key, value in rows.segment.items()}
    dims = card.law.dims | {parameter.name: parameter.dims for parameter in card.noise.parameters}
    p = {
        name: value[tuple(segment[dim] for dim in dims[name])] if dims[name] else value
        for name, value in values.items()
        if name in dims and "other" not in dims[name]
    }
    weights = card.law.weights(values, rows.refs)
    seen = segment | rows.row
    for name, weight in weights.items():
        seen[name] = (rows.basis[name].T @ (rows.mix[name] @ weight))[rows.row["place"]]
    return card.law.value(p, seen), card.noise.scale(p, seen), p


@pytest.mark.parametrize("flags", PAIRWISE, ids=str)
@pytest.mark.parametrize("name", [kind.name for kind in OWN])
def test_a_model_of_ones_own_works_in_a_card(simulated_study, name, flags):
    card = make_card(name, flags)
    assert isinstance(card.noise, NOISES[name])
    rows = make_rows(simulated_study, card)
    model = rows_model(rows, card, fused="nothing", starts=False)
    free = [*model.free_RVs, *model.deterministics]
    outputs = [*model.logp(vars=[model["loss"]], sum=False), *model.replace_rvs_by_values(free)]
    evaluate = pytensor.function(
        model.value_vars, outputs, mode="FAST_COMPILE", on_unused_input="ignore"
    )
    rng = np.random.default_rng(7)
    point = {k: v + 0.1 * rng.standard_normal(v.shape) for k, v in model.initial_point().items()}
    found, *values = evaluate(*[point[value.name] for value in model.value_vars])
    values = dict(zip([variable.name for variable in free], values, strict=True))
    assert {parameter.name for parameter in card.noise.parameters} <= set(values)
    mean, scale, p = expected_rows(rows, card, values)
    domain = rows.row["domain"]
    own = {"corr_fraction": p.get("corr_fraction")}
    if card.domain_correlation:
        own["domain_corr"] = np.r_[0.0, values["domain_corr"]][domain]
    links = (rows.row[key] for key in ("gap", "paired", "previous", "partner"))
    expected = card.noise.log_density(rows.loss - mean, scale, p, card.noise.chain(own, *links))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_forecasts_draw_from_it(simulated_study, name):
    """Noise of a forecast over its scale has the density, whatever the scale does."""
    card = make_card(name, (True, False, False))
    rows = make_rows(simulated_study, card)
    values = draw_parameters(card, rows, np.random.default_rng(5)).isel(draw=[0] * 1000)
    values = values.assign_coords(draw=np.arange(1000))
    draws = Draws(values, card, simulated_study, rows)
    run, steps = simulated_study.cpt_runs[0], np.array([2, 20, 110, 200])
    made = forecast(draws, [Plan.from_run(simulated_study.run(run))], steps, 3).dataset
    noise = (made["loss"] - made["mu"]).isel(plan=0, chain=0)
    p = {q.name: draws.value(q.name)[0] for q in card.noise.tail_parameters}
    for domain in rows.labels.domain:
        own = {key: value[0] for key, value in draws.noise_parameters(domain).items()}
        scale = card.noise.scale(own, {"is_cpt": 1.0, "fraction": steps / 200})
        z = noise.sel(domain=domain).transpose("draw", "step").to_numpy() / scale
        check_frequencies(z, card.noise, p)


@pytest.mark.slow
@pytest.mark.parametrize("name", [kind.name for kind in OWN])
def test_a_model_of_ones_own_is_fitted_saved_and_loaded(simulated_study, tmp_path, name):
    card = make_card(name, (True, True, True))
    made = fit(simulated_study, card, draws=20, tune=50, chains=2, seed=1, progress=False)
    names = {parameter.name for parameter in card.noise.parameters}
    assert names <= set(made.posterior.data_vars)
    made.save(tmp_path / "fit.nc")
    again = load_fit(tmp_path / "fit.nc")
    assert isinstance(again.card.noise, NOISES[name])
    for key in names:
        np.testing.assert_array_equal(again.posterior[key], made.posterior[key])
