"""Forecast loss curves of plans from posterior draws."""

from bayescpt.forecast.forecast import Forecast, forecast, forecast_blocks
from bayescpt.forecast.plan import Plan
from bayescpt.forecast.posterior import Draws

__all__ = ["Draws", "Forecast", "Plan", "forecast", "forecast_blocks"]
