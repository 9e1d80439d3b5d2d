"""Errors of the package; every message gives the bad value, its location and valid values."""

# Characters of a message; a file can hold a value or a list of any length.
LONGEST = 4000


class BayescptError(ValueError):
    """Base class of the package's errors: an input that bayescpt cannot use.

    Parameters
    ----------
    message : str
        What is wrong; kept as one line, whose middle is left out where it is very long.
    """

    def __init__(self, message: str) -> None:
        text = " ".join(filter(None, (line.strip() for line in str(message).splitlines())))
        if len(text) > LONGEST:
            text = f"{text[: LONGEST // 2]} [...] {text[-LONGEST // 2 :]}"
        super().__init__(text)


class StudyError(BayescptError):
    """An invalid study: its runs, curves, learning rates or files."""


class ScheduleError(BayescptError):
    """An invalid learning-rate schedule: a bad value at a step, or bad arguments."""


class CardError(BayescptError):
    """An invalid model card, or one that cannot be read."""


class PlanError(BayescptError):
    """A plan, goal or comparison that cannot be evaluated."""


class FitError(BayescptError):
    """A fit that cannot be created, saved, loaded or used."""


class WriteError(BayescptError, OSError):
    """A file or folder that cannot be written; also an `OSError`.

    Parameters
    ----------
    message : str
        File and reason.
    number : int, optional
        Number of the system's error, such as ``errno.ENOSPC``.
    """

    def __init__(self, message: str, number: int | None = None) -> None:
        super().__init__(message)
        self.errno = number


class WorkError(BayescptError):
    """A work folder that is in use, or holds the pieces of other work."""


class ConvergenceError(FitError):
    """A fit whose convergence checks failed was used without an explicit override."""


class MissingExtraError(ImportError):
    """An optional dependency is not installed.

    Parameters
    ----------
    package : str
        Missing package.
    extra : str
        Extra of bayescpt that installs it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f'{package} is required but not installed: pip install "bayescpt[{extra}]"',
            name=package,
        )
