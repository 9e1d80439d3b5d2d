"""A derived quantity by draw, which may lie beyond either end of what was searched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescpt.decide.montecarlo import probability_mcse
from bayescpt.errors import PlanError
from bayescpt.forecast.tails import equal_tails

Array = NDArray[np.float64]


@dataclass(frozen=True, repr=False, eq=False)
class Quantity:
    """A derived quantity by draw.

    Attributes
    ----------
    name : str
        What it is.
    values : ndarray, shape (n_chains, n_draws)
        Its value in each draw; ``-inf`` and ``inf`` where it lies below and above all that was
        searched.
    low, high : float
        Ends of the range that was searched.
    margin : ndarray, shape (n_chains, n_draws)
        A loss difference of the same draws, nats, which tells how correlated they are where all of
        them agree.
    below_means, above_means : str
        What ``-inf`` and ``inf`` stand for.
    notes : tuple of str
        Where it leaves the range of the fitted runs.
    """

    name: str
    values: Array
    low: float
    high: float
    margin: Array
    below_means: str
    above_means: str
    notes: tuple[str, ...] = ()

    @property
    def below(self) -> float:
        """Probability that it lies below all that was searched."""
        return float(np.mean(self.values == -np.inf))

    @property
    def above(self) -> float:
        """Probability that it lies above all that was searched."""
        return float(np.mean(self.values == np.inf))

    @property
    def below_mcse(self) -> float:
        """Monte Carlo standard error of `below`."""
        return float(probability_mcse(self.values == -np.inf, self.margin))

    @property
    def above_mcse(self) -> float:
        """Monte Carlo standard error of `above`."""
        return float(probability_mcse(self.values == np.inf, self.margin))

    @property
    def median(self) -> float:
        """Median; infinite where at least half of the draws lie beyond an end."""
        return self.quantile(0.5)

    def quantile(self, prob: float) -> float:
        """Quantile over the draws, those beyond the ends among them.

        Parameters
        ----------
        prob : float
            Its probability, 0 to 1.

        Returns
        -------
        float
            One of the draws, so that it is infinite where it lies beyond an end.

        Raises
        ------
        PlanError
            If `prob` is not between 0 and 1.
        """
        if not 0 <= prob <= 1:
            raise PlanError(f"prob = {prob!r}: give a probability between 0 and 1, such as 0.9")
        return float(np.quantile(self.values, prob, method="inverted_cdf"))

    def interval(self, prob: float = 0.9) -> tuple[float, float]:
        """Equal-tailed interval; an end is infinite where it lies beyond what was searched.

        Parameters
        ----------
        prob : float
            Its probability, between 0 and 1.

        Returns
        -------
        lower, upper : float

        Raises
        ------
        PlanError
            If `prob` is not between 0 and 1.
        """
        lower, upper = equal_tails(prob)
        return self.quantile(lower), self.quantile(upper)

    def show(self, value: float) -> str:
        """Text of a value of this quantity.

        Parameters
        ----------
        value : float
            From `quantile` or `interval`.

        Returns
        -------
        str
            Three significant digits; ``< low`` or ``> high`` beyond the ends.
        """
        return show_within(value, self.low, self.high)

    def __repr__(self) -> str:
        """Name, median, interval and probabilities of the ends."""
        low, high = (self.show(end) for end in self.interval(0.9))
        tails = [
            f"; {means} with probability {prob:.2f}"
            for means, prob in ((self.below_means, self.below), (self.above_means, self.above))
            if prob > 0
        ]
        return (
            f"{self.name}: {self.show(self.median)}, 90% interval {low} to {high}{''.join(tails)}"
        )


def show_within(value: float, low: float, high: float) -> str:
    """Text of a value that may lie beyond what was searched.

    Parameters
    ----------
    value : float
        The value; infinite beyond an end.
    low, high : float
        Ends of what was searched.

    Returns
    -------
    str
        Three significant digits; ``< low`` or ``> high`` beyond the ends.

    Examples
    --------
    >>> [show_within(value, 0.1, 20_000) for value in (-np.inf, 0.12345, 1234.5, np.inf)]
    ['< 0.1', '0.123', '1,230', '> 20,000']
    """
    if value == -np.inf:
        return f"< {low:.3g}"
    if value == np.inf:
        return f"> {high:,.6g}"
    return f"{float(f'{value:.3g}'):,.6g}"


def rise_curve(rise: Array, over: Array, index: pd.Index) -> pd.DataFrame:
    """Rise of the general loss over the start, by the value of a setting.

    Parameters
    ----------
    rise : ndarray, shape (n, n_draws)
        nats/token.
    over : ndarray, shape (n, n_draws)
        What of it exceeds the tolerance.
    index : pandas.Index, length n
        Values of the setting.

    Returns
    -------
    pandas.DataFrame
        ``lower``, ``median`` and ``upper`` (90%) of the rise, and ``prob_back``, the probability
        that it is within the tolerance.
    """
    lower, median, upper = np.quantile(rise, [0.05, 0.5, 0.95], axis=1)
    back = (over <= 0).mean(axis=1)
    columns = {"lower": lower, "median": median, "upper": upper, "prob_back": back}
    return pd.DataFrame(columns, index=index)
