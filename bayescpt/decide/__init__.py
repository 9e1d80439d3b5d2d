"""Decisions on forecasts: goals, risk measures and the comparison of plans."""

from bayescpt.decide.compare import Decision, compare
from bayescpt.decide.goals import Goal, goal_probability
from bayescpt.decide.risk import cvar, expected_regret, mean, probability_best, quantile

__all__ = [
    "Decision",
    "Goal",
    "compare",
    "cvar",
    "expected_regret",
    "goal_probability",
    "mean",
    "probability_best",
    "quantile",
]
