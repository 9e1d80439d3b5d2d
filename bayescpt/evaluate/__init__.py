"""Evaluate forecasts: simulated studies, backtests, scores, baselines and calibration."""

from bayescpt.evaluate import baselines
from bayescpt.evaluate.backtest import Backtest, backtest
from bayescpt.evaluate.calibrate import calibrate
from bayescpt.evaluate.compare_cards import CardComparison, compare_cards
from bayescpt.evaluate.extrapolated import scores_by_extrapolation
from bayescpt.evaluate.pilot_splits import split_by_pilots
from bayescpt.evaluate.predict import Prediction, bayes_forecast
from bayescpt.evaluate.ranks import Calibration
from bayescpt.evaluate.reliability import GoalCalibration, goal_calibration
from bayescpt.evaluate.residuals import residuals_by_phase
from bayescpt.evaluate.score import crps, energy_score, interval_score, score_table
from bayescpt.evaluate.side_by_side import side_by_side
from bayescpt.evaluate.simulate import Simulation, simulate_study
from bayescpt.evaluate.splits import Split, split_by_cutoff, split_by_fit, split_by_run
from bayescpt.evaluate.target_splits import split_by_target

__all__ = [
    "Backtest",
    "Calibration",
    "CardComparison",
    "GoalCalibration",
    "Prediction",
    "Simulation",
    "Split",
    "backtest",
    "baselines",
    "bayes_forecast",
    "calibrate",
    "compare_cards",
    "crps",
    "energy_score",
    "goal_calibration",
    "interval_score",
    "residuals_by_phase",
    "score_table",
    "scores_by_extrapolation",
    "side_by_side",
    "simulate_study",
    "split_by_cutoff",
    "split_by_fit",
    "split_by_pilots",
    "split_by_run",
    "split_by_target",
]
