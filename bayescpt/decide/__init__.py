"""Decisions on forecasts: goals, risk measures and the comparison of plans."""

from bayescpt.decide.compare import Decision, compare
from bayescpt.decide.derived.balance import BalancePoints, balance_points
from bayescpt.decide.derived.critical import CriticalPoint, critical_point
from bayescpt.decide.derived.findings import Findings, paper_findings
from bayescpt.decide.derived.potential import loss_potential
from bayescpt.decide.derived.turning import TurningLength, turning_length
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
    "BalancePoints",
    "CriticalPoint",
    "Decision",
    "Findings",
    "Goal",
    "GoalMap",
    "Optimum",
    "Space",
    "TurningLength",
    "balance_points",
    "compare",
    "critical_point",
    "cvar",
    "expected_regret",
    "goal_map",
    "goal_probability",
    "loss_potential",
    "mean",
    "optimise",
    "paper_findings",
    "probability_best",
    "quantile",
    "read_goal",
    "read_space",
    "screen",
    "turning_length",
]
