"""Decisions on forecasts: goals, risk measures and the comparison of plans."""

from bayescpt.decide.compare import Decision, compare
from bayescpt.decide.goals import Goal, goal_probability
from bayescpt.decide.optimise import Optimum, optimise
from bayescpt.decide.risk import cvar, expected_regret, mean, probability_best, quantile
from bayescpt.decide.screen import screen
from bayescpt.decide.space import Space, read_space

__all__ = [
    "Decision",
    "Goal",
    "Optimum",
    "Space",
    "compare",
    "cvar",
    "expected_regret",
    "goal_probability",
    "mean",
    "optimise",
    "probability_best",
    "quantile",
    "read_space",
    "screen",
]
