"""Errors of the package; every message says the bad value, where it stands and what is right."""


class BayescptError(ValueError):
    """Base of the package's errors: something given to bayescpt cannot be used as it is."""


class StudyError(BayescptError):
    """A defect of a study: its runs, curves, learning rates or files."""


class ScheduleError(BayescptError):
    """A learning-rate schedule that cannot be: a bad value at a step, or bad arguments."""


class CardError(BayescptError):
    """A model card that cannot be read, or that asks for what does not exist."""


class PlanError(BayescptError):
    """A plan, goal or comparison that cannot be evaluated."""


class FitError(BayescptError):
    """A fit that cannot be made, saved, loaded or used."""


class ConvergenceError(FitError):
    """A fit whose convergence checks failed was used without an explicit override."""


class MissingExtraError(ImportError):
    """An optional dependency is not installed.

    Parameters
    ----------
    package : str
        The package that is missing.
    extra : str
        The extra of bayescpt that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is needed for this and is not installed: pip install bayescpt[{extra}]",
            name=package,
        )
