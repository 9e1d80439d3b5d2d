"""Judge forecasts: simulated studies, backtests, scores, baselines and calibration."""

from bayescpt.evaluate import baselines
from bayescpt.evaluate.backtest import Backtest, backtest
from bayescpt.evaluate.calibrate import Calibration, calibrate
from bayescpt.evaluate.predict import Prediction, bayes_forecast
from bayescpt.evaluate.score import crps, energy_score, interval_score, score_table
from bayescpt.evaluate.simulate import Simulation, simulate_study
from bayescpt.evaluate.splits import Split, split_by_cutoff, split_by_run

__all__ = [
    "Backtest",
    "Calibration",
    "Prediction",
    "Simulation",
    "Split",
    "backtest",
    "baselines",
    "bayes_forecast",
    "calibrate",
    "crps",
    "energy_score",
    "interval_score",
    "score_table",
    "simulate_study",
    "split_by_cutoff",
    "split_by_run",
]
