"""Fan charts of forecasts: bands of the loss curves of plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescpt.data.units import loss_label
from bayescpt.decide.draws import ForecastLike, Kind, names
from bayescpt.decide.goals import Goal
from bayescpt.errors import PlanError
from bayescpt.present.canvas import PAGE, add_legend, given_axes, new_figure, panel_array
from bayescpt.present.labels import forecast_unit
from bayescpt.present.legend import band_keys
from bayescpt.present.panels import learning_rates, panels_of
from bayescpt.present.plain import plain_text
from bayescpt.present.style import INK, TITLE, colour, drawn_updates, folded, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# Sizes of a panel with its strip of learning rates, inches. More plans than MOST_LARGE have smaller
# ones, two plans side by side where they fit, so that eight of them take a page.
WIDEST, TALLEST, LOWEST, MOST_LARGE = 3.7, 2.9, 1.15, 4
# Characters of a title in an inch.
PER_INCH, BESIDE = 8.6, 9.3


@plain_text
def fan(
    fc: ForecastLike | xr.Dataset,
    observed: pd.DataFrame | None = None,
    prob: float | Sequence[float] = (0.5, 0.9),
    plans: Sequence[str] | None = None,
    fitted: pd.DataFrame | None = None,
    goal: Goal | Mapping[str, float | str] | None = None,
    kind: Kind = "loss",
    first_step: int | Mapping[str, int] = 0,
    *,
    axes: Any = None,
) -> Any:
    """Draw fan charts: one row per plan, its domains side by side, the learning rate underneath.

    Each plan has a step axis of its own, so that a short plan beside a long one can be read. Many
    plans are easier to compare in one overlay, see `bayescpt.plot.overlay`.

    A plan that is a run in flight (`bayescpt.Forecast.so_far`) has its losses so far drawn as
    fitted ones, and a line at the last of them, now. Steps at which a plan is outside the range of
    the fitted runs (`bayescpt.Forecast.leaves_range`) are hatched, with a line at their edge.

    Parameters
    ----------
    fc : ForecastLike or xarray.Dataset
        Forecast of the plans, or its dataset. The attribute ``units`` of the dataset is the unit in
        the axis labels. If the forecast has `plans` with schedules, their learning rates are drawn.
    observed : pandas.DataFrame, optional
        Curves that were not fitted: columns ``run``, ``step``, ``domain`` and ``loss`` (in the unit
        of the forecast). Runs that have the name of a plan are drawn over its bands as hollow
        circles, at most 60 in a panel, evenly spaced, so that they do not bury the band.
    prob : float or sequence of float
        Probabilities of the central bands, each strictly between 0 and 1.
    plans : sequence of str, optional
        Plans to draw, in this order; all by default.
    fitted : pandas.DataFrame, optional
        Curves that were fitted, with the columns of `observed`; drawn as small grey dots, thinned
        likewise.
    goal : Goal or mapping of str to float or str, optional
        Highest loss allowed per domain, in any form that `Goal` takes; drawn as dashed lines.
    kind : {"loss", "mu"}
        ``loss`` is the loss that the log of a new run will show; ``mu`` is the expected loss.
    first_step : int or mapping of str to int
        First step to draw, or that of each plan: a steep start leaves little height for the bands
        that follow.
    axes : array_like of matplotlib.axes.Axes, optional
        Axes to draw on, one for each panel; learning rates are not drawn on them. By default those
        of a new figure, which takes at most a page for eight plans on two domains.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (n_panels,)
        The domains of the first plan, then those of the next.

    Raises
    ------
    PlanError
        If a plan or a domain of the goal is unknown, a probability is out of range, a column of
        the curves is missing, no run of `observed` has the name of a plan, `first_step` is past
        the end of every plan, or there are more or fewer axes than panels.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import bayescpt as bc
    >>> draws = np.random.default_rng(0).normal(3.0, 0.1, (2, 50, 1, 1, 3))
    >>> forecast = xr.Dataset(
    ...     {"loss": (("chain", "draw", "plan", "domain", "step"), draws)},
    ...     coords={"plan": ["wsd"], "domain": ["german"], "step": [100, 200, 300]},
    ...     attrs={"units": "nat/token"},
    ... )
    >>> bc.plot.fan(forecast, prob=0.9)[0].get_ylabel()
    'loss (nats per token)'
    """
    panels = panels_of(fc, observed, prob, plans, fitted, goal, kind, first_step)
    chosen, domains = names(panels.values, "plan"), names(panels.values, "domain")
    rates = learning_rates(fc, chosen)

    shown = {plan: [d for d in domains if panels.drawn_steps(plan, d).any()] for plan in chosen}
    shown = {plan: own for plan, own in shown.items() if own}
    if not shown:
        raise PlanError(f"no plan has a forecast at or after first_step={first_step}")
    keys = [(plan, domain) for plan, own in shown.items() for domain in own]
    layout = _Layout.of(shown, rates) if axes is None else None
    drawn = layout.new_axes() if layout else given_axes(axes, keys)
    first_of_domain: dict[str, Axes] = {}
    for ax, (plan, domain) in zip(drawn, keys, strict=True):
        if layout:
            # On their own figure the losses of a domain are on one scale.
            if domain in first_of_domain:
                ax.sharey(first_of_domain[domain])
            first_of_domain.setdefault(domain, ax)
        title = None if layout is None else layout.title(plan, domain)
        panels.draw_panel(ax, plan, domain, colour(domains.index(domain)), title)
        if layout is None or layout.is_left(plan, domain):
            ax.set_ylabel(loss_label(forecast_unit(fc)), fontsize=8.5, color=INK)
        bottom = ax
        if layout and plan in layout.rates:
            ax.tick_params(labelbottom=False)
            bottom = layout.strip(ax, plan, domain)
            _draw_learning_rate(
                bottom, rates[plan], panels.first(plan), layout.is_left(plan, domain)
            )
        if layout is None or layout.is_lowest(plan):
            bottom.set_xlabel("CPT step", fontsize=8.5, color=INK)
    add_legend(drawn, band_keys(panels.probs) | panels.legend, axes)
    return panel_array(drawn)


@dataclass
class _Layout:
    """Places of the panels on a new figure.

    Attributes
    ----------
    shown : dict of str to list of str
        Domains of each plan.
    rates : Mapping of str to ndarray
        Learning rates to draw; empty where panels are too low for them.
    across : int
        Plans side by side.
    size : (float, float)
        Width and height of a panel, inches.
    """

    shown: dict[str, list[str]]
    rates: Mapping[str, NDArray[np.float64]]
    across: int
    size: tuple[float, float]

    @classmethod
    def of(cls, shown: dict[str, list[str]], rates: Mapping[str, NDArray[np.float64]]) -> _Layout:
        wide = max(map(len, shown.values()))
        across = 2 if len(shown) > MOST_LARGE and wide <= 2 else 1
        rows = -(-len(shown) // across)
        tallest = TALLEST if rates else TALLEST - 0.5
        height = min(tallest, max(LOWEST, (PAGE[1] - 1.0) / rows))
        width = WIDEST if across == 1 else (PAGE[0] - 0.8) / (across * wide)
        return cls(shown, rates if height > 1.8 else {}, across, (min(WIDEST, width), height))

    @property
    def wide(self) -> int:
        return max(map(len, self.shown.values()))

    @property
    def rows(self) -> int:
        return -(-len(self.shown) // self.across)

    def new_axes(self) -> list[Axes]:
        """Panels of a new figure; a column more is the gap between plans side by side."""
        columns = self.across * self.wide
        fig = new_figure(0.8 + self.size[0] * columns, 0.7 + self.size[1] * self.rows)
        strips = 2 if self.rates else 1
        self.grid = fig.add_gridspec(
            strips * self.rows, columns, height_ratios=[1.0, 0.2][:strips] * self.rows
        )
        return [
            fig.add_subplot(self.grid[strips * row, column])
            for row, column in (self._place(p, d) for p, own in self.shown.items() for d in own)
        ]

    def _place(self, plan: str, domain: str) -> tuple[int, int]:
        row, column = divmod(list(self.shown).index(plan), self.across)
        return row, column * self.wide + self.shown[plan].index(domain)

    def strip(self, ax: Axes, plan: str, domain: str) -> Axes:
        """Axes of the learning rates, below the panel of a plan and domain."""
        row, column = self._place(plan, domain)
        strip: Axes = ax.figure.add_subplot(self.grid[2 * row + 1, column], sharex=ax)
        return strip

    def is_left(self, plan: str, domain: str) -> bool:
        return self._place(plan, domain)[1] == 0

    def is_lowest(self, plan: str) -> bool:
        """Whether no plan stands below."""
        return list(self.shown).index(plan) >= len(self.shown) - self.across

    def title(self, plan: str, domain: str) -> str | None:
        """Name of the plan where panels are narrow: above the first one only, if need be higher."""
        if self.across == 1:
            return None
        if domain != self.shown[plan][0]:
            return ""
        beside = int(BESIDE * self.size[0]) - len(domain)
        if len(plan) <= beside:
            return folded(plan, TITLE)
        # The line of the domains stays free.
        return f"{folded(plan, int(PER_INCH * self.size[0] * self.wide) - 2)}\n"


def _draw_learning_rate(ax: Axes, lr: NDArray[np.float64], first_step: int, labelled: bool) -> None:
    """Draw a schedule as a thin filled strip; lr[i] belongs to step i + 1."""
    tidy(ax)
    ax.grid(False)
    steps = drawn_updates(len(lr))
    steps = steps[steps >= first_step]
    ax.fill_between(steps, 0, lr[steps - 1], color="#c9c9c9", linewidth=0)
    peak = float(lr.max())
    ax.set_ylim(0, 1.15 * peak if peak > 0 else 1.0)
    mantissa, exponent = f"{peak:.2e}".split("e")
    ax.set_yticks([peak], [f"{float(mantissa):g}e{int(exponent)}" if labelled else ""])
    ax.tick_params(axis="y", labelsize=7)
    if labelled:
        ax.set_ylabel("LR", fontsize=8, color=INK, rotation=0, ha="right", va="center")
