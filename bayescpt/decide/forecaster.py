"""What decisions ask of a fit: anything with these methods can stand in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayescpt.errors import PlanError
from bayescpt.forecast import Forecast, Plan
from bayescpt.forecast.ranges import FittedRange


class PlacedPlan(Protocol):
    """A plan at its start checkpoint, ready to be evaluated.

    Attributes
    ----------
    outside : tuple of str
        Where the plan leaves the range of the fitted runs.
    """

    @property
    def outside(self) -> tuple[str, ...]:
        """Where the plan leaves the range of the fitted runs."""
        ...  # pragma: no cover


class FinalEvaluator(Protocol):
    """Evaluates placed plans at their last steps; used by one thread at a time."""

    def __call__(self, plans: Sequence[Any], kind: str = "loss") -> NDArray[np.float64]:
        """Return the losses of plans at their last steps.

        Parameters
        ----------
        plans : sequence of PlacedPlan
            From `Screener.place` of the screener that the evaluator comes from.
        kind : str
            ``loss``, what the log of a new run will show, or ``mu``, the expected curve.

        Returns
        -------
        ndarray, shape (n_plans, n_domains, n_draws)
            nats/token, the draws of one chain after those of another; NaN on a domain that a plan
            has no forecast for. The caller may change it, and the next call may overwrite it.
        """
        ...  # pragma: no cover


class Screener(Protocol):
    """Evaluates many plans at their last steps.

    It may also have ``start_losses(placed, seed)``, losses of the start checkpoints of plans, shape
    (n_plans, n_domains, n_draws), which goals relative to them need; ``units``, a `LossUnits`; and
    ``observed``, the lowest and highest loss of the fitted runs by domain.

    Attributes
    ----------
    domains : tuple of str
        Evaluated domains.
    n_chains, n_draws : int
        Number of chains, and of draws over all chains; every chain has as many.
    checkpoints : tuple of str
        Fitted start checkpoints.
    ranges : mapping of str to FittedRange
        Range of the fitted runs of each phase (``pt``, ``cpt``).
    """

    @property
    def domains(self) -> tuple[str, ...]:
        """Evaluated domains."""
        ...  # pragma: no cover

    @property
    def n_chains(self) -> int:
        """Number of chains."""
        ...  # pragma: no cover

    @property
    def n_draws(self) -> int:
        """Number of draws over all chains."""
        ...  # pragma: no cover

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Fitted start checkpoints."""
        ...  # pragma: no cover

    @property
    def ranges(self) -> Mapping[str, FittedRange]:
        """Range of the fitted runs of each phase."""
        ...  # pragma: no cover

    def place(self, plan: Plan) -> PlacedPlan:
        """Place a plan at its start checkpoint; called from one thread.

        Parameters
        ----------
        plan : Plan
            Recipe.

        Returns
        -------
        PlacedPlan
            Argument of the evaluators.

        Raises
        ------
        PlanError
            If the plan does not belong to the study.
        """
        ...  # pragma: no cover

    def evaluator(self, seed: int = 0) -> FinalEvaluator:
        """Return an evaluator for one thread.

        Parameters
        ----------
        seed : int
            Seed of the noise. Evaluators of the same seed give the same losses.

        Returns
        -------
        FinalEvaluator
            With buffers of its own.
        """
        ...  # pragma: no cover


class Forecaster(Protocol):
    """Anything that forecasts plans: a `Fit`, or an ensemble of fits.

    `screen` and `optimise` call these methods and no others; `compare` and `goal_probability`
    take what `forecast` returns.

    Attributes
    ----------
    failed_checks : list of str
        Names of the convergence checks that failed.
    """

    @property
    def failed_checks(self) -> list[str]:
        """Names of the convergence checks that failed."""
        ...  # pragma: no cover

    def forecast(
        self,
        plans: Sequence[Plan] | Plan,
        steps: ArrayLike | None = None,
        random_seed: int = 0,
        allow_failed: bool = False,
        extrapolate: bool = False,
        /,
    ) -> Forecast:
        """Forecast the loss curves of plans; called with positional arguments.

        Parameters
        ----------
        plans : Plan or sequence of Plan
            Recipes.
        steps : array_like of int, optional
            Steps; by default about 200, the last of every plan among them.
        random_seed : int
            Seed of the noise.
        allow_failed : bool
            Forecast even if a convergence check failed.
        extrapolate : bool
            Also forecast plans absurdly far from the pilots.

        Returns
        -------
        Forecast
            Curves by draw, with the plans and `failed_checks`.

        Raises
        ------
        ConvergenceError
            If a check failed and `allow_failed` is not set.
        PlanError
            If a plan does not belong to the study.
        """
        ...  # pragma: no cover

    def screener(self, allow_failed: bool = False, extrapolate: bool = False) -> Screener:
        """Return what evaluates many plans at their last steps.

        Parameters
        ----------
        allow_failed : bool
            Go on even if a convergence check failed.
        extrapolate : bool
            Also take plans absurdly far from the pilots.

        Returns
        -------
        Screener
            Its losses are those of `forecast` at the last step with the same seed.

        Raises
        ------
        ConvergenceError
            If a check failed and `allow_failed` is not set.
        """
        ...  # pragma: no cover


def open_screener(
    forecaster: Forecaster, allow_failed: bool = False, extrapolate: bool = False
) -> Screener:
    """Return the screener of a forecaster.

    Parameters
    ----------
    forecaster : Forecaster
        Fit, or ensemble of fits.
    allow_failed : bool
        Go on even if a convergence check failed.
    extrapolate : bool
        Also take plans absurdly far from the pilots.

    Returns
    -------
    Screener
        From `Forecaster.screener`.

    Raises
    ------
    ConvergenceError
        If a check failed and `allow_failed` is not set.
    PlanError
        If the object does not forecast.
    """
    needed = ("failed_checks", "forecast", "screener")
    missing = [name for name in needed if not hasattr(forecaster, name)]
    if missing:
        raise PlanError(
            f"a {type(forecaster).__name__} cannot be screened: it has no {', '.join(missing)}; "
            "give a Fit, or an object with the methods of bayescpt.decide.forecaster.Forecaster"
        )
    if extrapolate:
        return forecaster.screener(allow_failed, extrapolate=True)
    return forecaster.screener(allow_failed)
