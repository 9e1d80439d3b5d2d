"""Figures of forecasts and decisions."""

from bayescpt.present.plots import plot_forecast, plot_goal_probability, plot_losses

__all__ = ["plot_forecast", "plot_goal_probability", "plot_losses"]
