"""Decisions on forecasts: goals, risk measures and the comparison of plans."""

from bayescpt.decide.compare import Decision, compare
from bayescpt.decide.goal_file import read_goal
from bayescpt.decide.goal_map import GoalMap, goal_map
from bayescpt.decide.goals import Goal, goal_probability
from bayescpt.decide.optimise import Optimum, optimise
from bayescpt.decide.risks.cvar import cvar
from bayescpt.decide.risks.mean import mean
from bayescpt.decide.risks.quantile import quantile
from bayescpt.decide.risks.regret import expected_regret, probability_best
from bayescpt.decide.screen import screen
from bayescpt.decide.space import Space, read_space

__all__ = [
    "Decision",
    "Goal",
    "GoalMap",
    "Optimum",
    "Space",
    "compare",
    "cvar",
    "expected_regret",
    "goal_map",
    "goal_probability",
    "mean",
    "optimise",
    "probability_best",
    "quantile",
    "read_goal",
    "read_space",
    "screen",
]
