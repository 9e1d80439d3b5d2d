"""Figures of forecasts, decisions and backtests."""

from bayescpt.present.coverage import plot_coverage, plot_pit
from bayescpt.present.held_out import plot_held_out
from bayescpt.present.plots import plot_forecast, plot_goal_probability, plot_losses

__all__ = [
    "plot_coverage",
    "plot_forecast",
    "plot_goal_probability",
    "plot_held_out",
    "plot_losses",
    "plot_pit",
]
