"""The base class of risk measures, whose docstring says how to add one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescpt.decide.montecarlo import Effective, effective_draws, mean_mcse
from bayescpt.errors import PlanError

Array = NDArray[np.float64]


class RiskMeasure(ABC):
    """A number that ranks plans by the posterior draws of their losses.

    To add a risk measure to the package:

    1. Create ``bayescpt/decide/risks/<name>.py``, named after the measure. Nothing else has to be
       edited: the file is imported with the package, and `compare`, `screen`, `optimise` and the
       command line's ``--risk`` take every registered measure.
    2. In it, derive a class from `RiskMeasure`, decorate it with `register`, set `name`, and set
       those of the other attributes below whose default does not apply.
    3. Write `contributions`: one value per draw, whose average is the measure. An expectation has
       its integrand (the mean has the losses, a probability has 0 and 1). Any other statistic has
       its influence function plus its own value, as in ``quantile.py``. Monte Carlo standard
       errors and the differences between plans are computed from these values.
    4. Write `definition`: the textbook definition in plain loops. The tests in
       ``tests/decide/test_risks.py`` run over every registered measure; they compare it with
       `contributions` and check that a plan with lower losses never has a higher risk.

    A measure of your own that stays outside the package needs steps 2 and 3 only: define the class
    in your module and decorate it with `register`.

    A measure has no state: one instance serves all threads.

    Attributes
    ----------
    name : str
        Value of ``risk=`` and ``--risk``.
    position : int
        Place among the columns of tables, lowest first.
    uses_level : bool
        Whether the value depends on ``level``.
    needs_goal : bool
        Whether it judges the goal. Its `losses` are then, draw by draw, the largest excess of a
        domain's loss over its threshold (nats/token; at or below 0 where the goal is met) instead
        of the weighted loss.
    relative : bool
        Whether a plan's value depends on the other plans. `screen`, which sees a few plans at a
        time, refuses such a measure.
    ranks_as : str
        Measure that ranks plans in the same order but is not relative, if there is one;
        `optimise` searches by it.
    higher_is_better : bool
        Whether the best plan has the highest value.

    Examples
    --------
    The expected shortfall of a goal, in nats per token:

    >>> import numpy as np
    >>> from bayescpt.decide.risks import RiskMeasure, get, register, unregister
    >>> @register
    ... class Shortfall(RiskMeasure):
    ...     name = "shortfall"
    ...     needs_goal = True
    ...
    ...     def contributions(self, losses, level=0.9):
    ...         return np.maximum(losses, 0.0)
    >>> print(get("shortfall").value([-0.25, 0.25, 0.5, -0.5]))
    0.1875
    >>> unregister("shortfall")
    """

    name: ClassVar[str] = ""
    position: ClassVar[int] = 100
    uses_level: ClassVar[bool] = False
    needs_goal: ClassVar[bool] = False
    relative: ClassVar[bool] = False
    ranks_as: ClassVar[str] = ""
    higher_is_better: ClassVar[bool] = False

    @property
    def column(self) -> str:
        """Its column in `Decision.table`; by default its name."""
        return self.name

    @property
    def screen_column(self) -> str:
        """Its column in the table of `screen`; by default that of `Decision.table`."""
        return self.column

    def label(self, level: float) -> str:
        """Return the heading of its column where people read the table.

        Parameters
        ----------
        level : float
            Probability level.

        Returns
        -------
        str
            By default its name.
        """
        return self.name

    @abstractmethod
    def contributions(self, losses: Array, level: float = 0.9) -> Array:
        """Return values, one per draw, whose average is the measure.

        Parameters
        ----------
        losses : ndarray, shape (..., n_draws)
            Weighted losses or, with `needs_goal`, excesses over the goal; nats/token. Shape
            (n_plans, n_draws) for a relative measure.
        level : float
            Probability level, strictly between 0 and 1.

        Returns
        -------
        ndarray, shape (..., n_draws)
            In the unit of the measure. The standard error of their mean is that of the measure.
        """

    def definition(self, losses: Sequence[Sequence[float]], plan: int, level: float) -> float:
        """Return the measure of one plan by its definition, for tests.

        Parameters
        ----------
        losses : sequence of sequence of float
            As for `contributions`: one sequence of draws per plan.
        plan : int
            Index of the plan.
        level : float
            Probability level, strictly between 0 and 1.

        Returns
        -------
        float
            In the unit of the measure.

        Raises
        ------
        NotImplementedError
            If the measure has none.
        """
        raise NotImplementedError(f"risk measure {self.name!r} has no definition to test against")

    def value(self, losses: ArrayLike, level: float = 0.9) -> Array:
        """Return the measure of each plan.

        Parameters
        ----------
        losses : array_like, shape (..., n_draws)
            As for `contributions`.
        level : float
            Probability level, strictly between 0 and 1.

        Returns
        -------
        ndarray, shape (...)
            In the unit of the measure.

        Raises
        ------
        PlanError
            If the measure uses the level and it is out of range.
        """
        if self.uses_level:
            check_level(level)
        draws = np.asarray(losses, dtype=np.float64)
        return np.asarray(self.contributions(draws, level).mean(axis=-1))

    def mcse(
        self, contributions: Array, losses: Array, effective: Effective = effective_draws
    ) -> Array:
        """Return the Monte Carlo standard error of the measure.

        Parameters
        ----------
        contributions : ndarray, shape (..., n_chains, n_draws)
            From `contributions`, by chain.
        losses : ndarray, shape (..., n_chains, n_draws)
            What they were computed from.
        effective : callable
            Estimator of the effective sample size.

        Returns
        -------
        ndarray, shape (...)
            In the unit of the measure.
        """
        return mean_mcse(contributions, effective)


def check_level(level: Any) -> float:
    """Return a probability level strictly between 0 and 1.

    Parameters
    ----------
    level : Any
        Probability level.

    Returns
    -------
    float
        The same level.

    Raises
    ------
    PlanError
        If it is not a number strictly between 0 and 1.
    """
    if not (isinstance(level, int | float | np.number) and 0.0 < level < 1.0):
        raise PlanError(f"level is {level!r}; it must lie strictly between 0 and 1, such as 0.9")
    return float(level)
