import inspect

import pytest

from bayescpt.laws import annealing, base, paper, replay, shift
from bayescpt.laws.table import Parameter
from bayescpt.model import noise_table
from bayescpt.model.priors import parse_prior


def parameters(module):
    for _, value in inspect.getmembers(module):
        if isinstance(value, dict):
            value = tuple(value.values())
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Parameter):
                yield item


ALL = [p for m in (annealing, base, paper, replay, shift, noise_table) for p in parameters(m)]


def test_the_tables_were_found():
    assert len(ALL) > 25


@pytest.mark.parametrize("parameter", ALL, ids=lambda p: p.name)
def test_parameter_is_documented_and_its_default_prior_is_inside_its_range(parameter):
    assert parameter.symbol
    assert parameter.unit
    assert parameter.source
    assert set(parameter.dims) <= {"domain", "pair", "other"}
    prior = parse_prior({**parameter.default, "reason": parameter.reason}, parameter.name)
    frozen = prior.frozen()
    assert frozen.cdf(parameter.lower) + frozen.sf(parameter.upper) < 1e-3
    if parameter.start is not None:
        assert parameter.lower < parameter.start < parameter.upper
