"""Simulated studies."""

import pytest

from bayescpt.data import Study
from bayescpt.evaluate import Simulation, simulate_study


@pytest.fixture(scope="session")
def simulation() -> Simulation:
    """Four replay ratios, three schedules, noiseless enough to see the law."""
    return simulate_study(eval_every=500, pt_eval_every=2000, sigma=0.001)


@pytest.fixture(scope="session")
def study(simulation) -> Study:
    return simulation.study


@pytest.fixture(scope="session")
def trunks() -> Study:
    """Pre-training only: constant, its branch wsd, and cosine."""
    return simulate_study(continual=False, shared_trunks=True, pt_eval_every=1000).study
