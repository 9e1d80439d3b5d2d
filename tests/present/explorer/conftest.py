"""Fits to explore, made without a sampler."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

import bayescpt as bc
from bayescpt.present.explorer.view import Session
from tests.present.report.conftest import renamed
from tests.test_cli import made_up_fit

GOALS = {"general": "3.45", "german": "3.01"}


@contextmanager
def exploring(fit, folder, *words):
    """Process of ``bayescpt explore`` of a fit, which is ended afterwards."""
    fit.save(folder / "fit.nc")
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "bayescpt", "explore", "fit.nc", "--no-browser", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


@pytest.fixture(scope="session")
def fit():
    study = bc.load_example("cpt_micro")
    return made_up_fit(study.select(["de_r25_wsd_s1", "de_r0_wsd", "de_r25_wsd_p25"]))


@pytest.fixture(scope="session")
def session(fit):
    return Session(fit, goals=GOALS)


@pytest.fixture(scope="session")
def odd_session(simulated_study):
    """Session about names that a browser would take for more."""
    return Session(made_up_fit(renamed(simulated_study)), allow_failed=True)
