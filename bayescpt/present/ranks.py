"""Ranks of simulation-based calibration: is a posterior as wide as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.errors import PlanError
from bayescpt.evaluate.ranks import Calibration
from bayescpt.evaluate.uniformity import ecdf_band
from bayescpt.present.canvas import add_legend, given_axes, new_figure, panel_array
from bayescpt.present.plain import plain_text
from bayescpt.present.style import DASHES, INK, MUTED, colour, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# Quantities named in the legend, those that fail the test first.
MOST_NAMED = 6
PANELS = {"rank": "posterior", "control": "control: half the width"}
BAND = "#e6e6e6"


@plain_text
def ranks(calibration: Calibration, prob: float = 0.95, *, axes: Any = None) -> Any:
    """Draw the ranks of the truth in simulations against uniform ones.

    Parameters
    ----------
    calibration : Calibration
        Output of `bayescpt.calibrate`.
    prob : float
        Probability with which the whole curve of a calibrated quantity stays inside the band.
    axes : array_like of matplotlib.axes.Axes, optional
        Axes to draw on, one for the posterior and one for the control; by default those of a new
        figure.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (2,)
        The difference of the empirical CDF of the ranks to the uniform one, a line per quantity.
        Quantities whose adjusted p-value is at most 5% (`Calibration.table`) are in colour and
        named, the others grey. The second panel shows the control, posteriors of half the width,
        which should leave the band: an S shape.

    Raises
    ------
    PlanError
        If there is no simulation, `prob` is not between 0 and 1, or there are not two axes.

    Examples
    --------
    >>> import bayescpt as bc
    >>> calibration = bc.calibrate("cpt_replay", n_simulations=300)  # doctest: +SKIP
    >>> bc.plot.ranks(calibration)  # doctest: +SKIP
    """
    if calibration.ranks.empty:
        raise PlanError("the calibration has no simulation to draw")
    if not 0.0 < prob < 1.0:
        raise PlanError(f"prob is {prob!r}; it must lie strictly between 0 and 1, such as 0.95")
    table = calibration.table()
    # The control has many that fail: they are not named.
    failed = [str(name) for name in table.index[table["p_adjusted"] <= 0.05]]
    if axes is None:
        fig = new_figure(7.4, 3.4)
        chosen = list(fig.subplots(1, len(PANELS), sharey=True))
    else:
        chosen = given_axes(axes, list(PANELS))
    legend: dict[str, Any] = {}
    for ax, (column, title) in zip(chosen, PANELS.items(), strict=True):
        legend |= _panel(ax, calibration, column, prob, failed if column == "rank" else [])
        ax.set_title(title, loc="left", fontsize=9.5, color=INK)
        ax.set_xlabel("rank of the truth / number of draws", fontsize=8.5, color=INK)
        if ax is chosen[0] or axes is not None:
            ax.set_ylabel("ECDF minus uniform (share)", fontsize=8.5, color=INK)
    add_legend(chosen, legend, axes)
    return panel_array(chosen)


def _panel(
    ax: Axes, calibration: Calibration, column: str, prob: float, failed: list[str]
) -> dict[str, Any]:
    """Draw the ranks of one column; return the legend entries."""
    tidy(ax)
    groups = calibration.ranks.groupby("quantity", sort=False)[column]
    size = int(groups.size().max())
    x, low, high = ecdf_band(size, calibration.n_ranks, prob)
    legend: dict[str, Any] = {
        f"{prob:.0%} band of uniform ranks": ax.fill_between(
            x, low - x, high - x, step="mid", color=BAND, linewidth=0, zorder=1
        )
    }
    ax.axhline(0.0, color=MUTED, lw=0.8, zorder=1.5)
    for name, values in groups:
        difference = _ecdf(values.to_numpy(), calibration.n_ranks) - x
        named = failed[:MOST_NAMED].index(str(name)) if str(name) in failed[:MOST_NAMED] else None
        if named is None:
            (line,) = ax.plot(x, difference, color=INK, lw=0.8, alpha=0.45, zorder=2)
            legend.setdefault("quantities", line)
        else:
            (legend[f"{name}: not uniform"],) = ax.plot(
                x, difference, color=colour(named), ls=DASHES[named % len(DASHES)], lw=1.6, zorder=3
            )
    ax.set_xlim(0, 1)
    return legend


def _ecdf(values: NDArray[np.int64], n_ranks: int) -> NDArray[np.float64]:
    """Share of the ranks at or below each rank but the last."""
    counts = np.bincount(values, minlength=n_ranks + 1)
    return np.asarray(np.cumsum(counts)[:-1] / len(values))
