"""random_seed and seed are one argument."""

import inspect

import pytest

import bayescpt as bc
from bayescpt.evaluate import simulate_study


@pytest.mark.parametrize(
    "function", [bc.fit, bc.backtest, bc.calibrate, bc.optimise, bc.screen, bc.Fit.forecast]
)
def test_public_calls_name_it_as_pymc_does(function):
    assert "random_seed" in inspect.signature(function).parameters
    with pytest.raises(TypeError, match="random_seed and seed"):
        function(random_seed=1, seed=1)


def test_both_names_give_the_same():
    one, two, other = (
        simulate_study(cpt_steps=200, replays=(0.1,), **seed).study.digest
        for seed in ({"seed": 5}, {"random_seed": 5}, {"random_seed": 6})
    )
    assert one == two != other
