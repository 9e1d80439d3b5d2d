"""Errors can be caught as what they are."""

import pytest

from bayescpt import errors


@pytest.mark.parametrize(
    "name", ["StudyError", "ScheduleError", "CardError", "PlanError", "FitError"]
)
def test_errors_are_value_errors_of_the_package(name):
    error = getattr(errors, name)
    assert issubclass(error, errors.BayescptError)
    assert issubclass(error, ValueError)


def test_failed_convergence_is_a_fit_error():
    assert issubclass(errors.ConvergenceError, errors.FitError)


def test_missing_extra_is_an_import_error_that_says_what_to_install():
    error = errors.MissingExtraError("tensorboard", extra="logs")
    assert isinstance(error, ImportError)
    assert error.name == "tensorboard"
    assert 'pip install "bayescpt[logs]"' in str(error)
