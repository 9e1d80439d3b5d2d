"""Marginalised effects of runs: the compiled density against the covariance written out."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.stats import multivariate_normal

from bayescpt.errors import CardError
from bayescpt.model.card_file import parse_card
from bayescpt.model.compiled.run_effects import EffectsDensity, effects_density

CARD = """
name = "marginal"
description = "Effects of runs in the likelihood."
[law]
annealing = "area"
shift = "power"
replay = "fade"
[noise]
run_effects = {effects}
marginal_effects = {marginal}
"""


def case(seed, size=0.3):
    """Curves of 1, 7 and 30 rows under two effects."""
    rng = np.random.default_rng(seed)
    first = np.array([0, 1, 8])
    columns = np.stack([np.ones(38), rng.standard_normal(38)])
    sizes = size * rng.uniform(0.5, 2.0, 3)
    return rng.standard_normal(38), rng.uniform(0.1, 0.5, 38), sizes, columns, first


def dense(residual, scale, size, columns, first):
    """The same density by scipy, curve by curve."""
    total = 0.0
    for c, begin in enumerate(first):
        here = slice(begin, first[c + 1] if c + 1 < len(first) else len(residual))
        own = size[c] * columns[:, here]
        covariance = np.diag(scale[here] ** 2) + own.T @ own
        total += multivariate_normal.logpdf(residual[here], cov=covariance)
    return total


@pytest.mark.parametrize("seed", range(3))
def test_the_density_is_that_of_the_covariance(seed):
    one = case(seed)
    assert EffectsDensity().compiled(*one)[0][0] == pytest.approx(dense(*one), rel=1e-12)


def test_without_effects_the_rows_are_independent():
    residual, scale, _, columns, first = case(4)
    density = EffectsDensity().compiled
    found = density(residual, scale, np.zeros(3), columns, first)[0][0]
    unit = residual / scale
    assert found == pytest.approx(np.sum(-0.5 * unit**2 - np.log(scale * np.sqrt(2 * np.pi))))
    # And with them they are not.
    assert density(residual, scale, np.full(3, 0.3), columns, first)[0][0] > found + 1


@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_those_of_differences(seed):
    values = case(seed)
    symbols = [pt.dvector(), pt.dvector(), pt.dvector()]
    fixed = [pt.as_tensor(value) for value in values[3:]]
    slopes = pytensor.grad(effects_density(*symbols, *fixed), symbols)
    found = pytensor.function(symbols, slopes, mode="FAST_COMPILE")(*values[:3])
    for k, slope in enumerate(found):
        for place in list(np.ndindex(slope.shape))[::5]:
            moved = []
            for step in (-1e-5, 1e-5):
                changed = [value.copy() for value in values]
                changed[k][place] += step
                moved.append(dense(*changed))
            wanted = (moved[1] - moved[0]) / 2e-5
            assert slope[place] == pytest.approx(wanted, rel=1e-5, abs=1e-6)


def test_the_size_is_a_parameter_with_a_prior():
    card = parse_card(CARD.format(effects='["level", "drift"]', marginal="true"))
    assert card.parameters()[-1].name == "run_sd"
    assert str(card.priors["run_sd"]).startswith("LogNormal")


@pytest.mark.parametrize(
    ("effects", "marginal", "message"),
    [
        ("[]", "true", "marginal_effects needs noise.run_effects"),
        ('["level"]', '"yes"', "noise.marginal_effects = 'yes' must be true or false"),
    ],
)
def test_a_card_that_means_nothing_is_an_error(effects, marginal, message):
    with pytest.raises(CardError, match=message):
        parse_card(CARD.format(effects=effects, marginal=marginal))
