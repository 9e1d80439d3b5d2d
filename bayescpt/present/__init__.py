"""Figures of studies, forecasts, decisions and backtests, and reports on plans."""

from bayescpt.present import plot
from bayescpt.present.canvas import page

__all__ = ["page", "plot"]
