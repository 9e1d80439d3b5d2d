"""Mixture ratios of a fit of loss curves, as methods."""

from __future__ import annotations

from collections.abc import Mapping

from bayescpt.errors import PlanError
from bayescpt.forecast import Draws, Plan
from bayescpt.forecast.curve_ratios import critical_ratio, optimal_ratio
from bayescpt.forecast.ratios import Ratio
from bayescpt.inference.fit_data import FitData


class CurveRatios(FitData):
    """A fit with its mixture ratios; see `Fit`."""

    def draws(self, allow_failed: bool = False) -> Draws:
        """Draws for use in forecasts; see `Fit.draws`.

        Parameters
        ----------
        allow_failed : bool
            Proceed even if a convergence check failed.

        Returns
        -------
        Draws
        """
        raise NotImplementedError

    def critical_ratio(
        self,
        plan: Plan | None = None,
        tolerance: float | str = 0.05,
        start_loss: float | None = None,
        allow_failed: bool = False,
    ) -> Ratio:
        """Critical mixture ratio: the largest target share at which the general loss holds.

        After arXiv 2407.17467, at the last step of any recipe and for any tolerance.

        Parameters
        ----------
        plan : Plan
            Schedule, start and target, which must be given; its replay ratio does not count.
        tolerance : float or str
            Rise of the general loss over the start checkpoint: nats, or a share such as ``"3%"``.
        start_loss : float, optional
            General loss of the start checkpoint, nats per token; by default as it was measured.
        allow_failed : bool
            Proceed even if a check failed.

        Returns
        -------
        Ratio
            Of the expected loss; see `Ratio.interval`, `Ratio.possible` and `Ratio.notes`.

        Raises
        ------
        ConvergenceError
            If a check failed and `allow_failed` is not set.
        PlanError
            If there is no plan, the study has no general set, the card no replay term, or the
            tolerance is in neither form.

        Examples
        --------
        >>> schedule = bc.schedules.wsd(2e-3, 1000, 30, 200)  # doctest: +SKIP
        >>> plan = bc.Plan("wsd", schedule, start="pt_r0")  # doctest: +SKIP
        >>> fit.critical_ratio(plan, tolerance=0.2).interval(0.9)  # doctest: +SKIP
        """
        recipe = _given(plan)
        return critical_ratio(self.draws(allow_failed), recipe, tolerance, start_loss)

    def optimal_ratio(
        self,
        plan: Plan | None = None,
        weights: Mapping[str, float] | None = None,
        *,
        allow_failed: bool = False,
    ) -> Ratio:
        """Target share with the lowest weighted expected loss at the end of a recipe.

        Parameters
        ----------
        plan : Plan
            Schedule, start and target, which must be given; its replay ratio does not count.
        weights : mapping of str to float, optional
            Weight of each domain's loss; by default equal over all that have a forecast.
        allow_failed : bool
            Proceed even if a check failed.

        Returns
        -------
        Ratio
            Of the expected loss. `bayescpt.balance_points` varies the schedule too.

        Raises
        ------
        ConvergenceError
            If a check failed and `allow_failed` is not set.
        PlanError
            If there is no plan, a domain of the weights has no forecast, or the card has no replay
            term.

        Examples
        --------
        >>> schedule = bc.schedules.wsd(2e-3, 1000, 30, 200)  # doctest: +SKIP
        >>> plan = bc.Plan("wsd", schedule, start="pt_r0")  # doctest: +SKIP
        >>> fit.optimal_ratio(plan, {"general": 1, "german": 1}).median  # doctest: +SKIP
        """
        return optimal_ratio(self.draws(allow_failed), _given(plan), weights)


def _given(plan: Plan | None) -> Plan:
    """The plan, which only fits of final losses do without."""
    if plan is None:
        raise PlanError("no plan: give the schedule, start and target that the ratio is for")
    return plan
