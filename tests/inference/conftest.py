"""One real fit, small enough to sample in seconds once its sampler is compiled."""

import pytest

import bayescpt as bc
from bayescpt.data import Study
from bayescpt.evaluate import simulate_study
from bayescpt.inference import Fit

SETTINGS = {"seed": 3, "draws": 150, "tune": 300, "chains": 2, "progress": False}


@pytest.fixture(scope="session")
def settings() -> dict[str, object]:
    """Settings of the small fit: too few draws to pass the checks."""
    return SETTINGS


@pytest.fixture(scope="session")
def study() -> Study:
    """One pre-training and four cpt runs, a dozen rows a curve."""
    made = simulate_study(
        replays=(0.0, 0.25), cpt_schedules=("wsd", "cosine"), eval_every=450, pt_eval_every=2000
    )
    return made.study


@pytest.fixture(scope="session")
def small_fit(study) -> Fit:
    return bc.fit(study, card="cpt_replay", **SETTINGS)
