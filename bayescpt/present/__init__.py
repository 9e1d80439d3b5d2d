"""Figures of forecasts, decisions and backtests; matplotlib is imported when one is drawn."""

from bayescpt.present.components import plot_components
from bayescpt.present.coverage import plot_coverage, plot_pit
from bayescpt.present.fan_chart import plot_forecast
from bayescpt.present.goal_bars import plot_goal_probability
from bayescpt.present.held_out import plot_held_out
from bayescpt.present.loss_scatter import plot_losses
from bayescpt.present.overlay import plot_overlay
from bayescpt.present.pareto import plot_pareto
from bayescpt.present.prior_posterior import plot_prior_posterior
from bayescpt.present.study_figure import draw_study

__all__ = [
    "draw_study",
    "plot_components",
    "plot_coverage",
    "plot_forecast",
    "plot_goal_probability",
    "plot_held_out",
    "plot_losses",
    "plot_overlay",
    "plot_pareto",
    "plot_pit",
    "plot_prior_posterior",
]
