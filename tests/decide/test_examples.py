"""The examples in the docstrings give what they show."""

import doctest
import importlib
import pkgutil

import pytest

from bayescpt import decide

MODULES = [module.name for module in pkgutil.walk_packages(decide.__path__, f"{decide.__name__}.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0


# Results, shown by the calls that return them.
RESULTS = {"Decision", "GoalMap", "Optimum"}
RESULTS |= {"BalancePoints", "CriticalPoint", "Findings", "TurningLength"}


def test_every_public_call_has_an_example():
    finder = doctest.DocTestFinder(recurse=False)
    without = [
        name
        for name in decide.__all__
        if name not in RESULTS
        and not any(test.examples for test in finder.find(getattr(decide, name), name))
    ]
    assert not without
