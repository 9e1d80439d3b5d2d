"""Figures, offered as ``bayescpt.plot``; matplotlib is loaded when one is drawn.

Every function draws on axes and returns them. Without ``ax`` or ``axes`` it makes a new figure with
pyplot, which notebooks show; the figure of axes is ``ax.figure``. Functions with several panels
return an array of axes. Names of runs, plans and domains appear as they are, never as mathematics;
colours can be told apart by colour-blind readers, and marks and dashes tell them apart in grey.
"""

from bayescpt.present.components import components
from bayescpt.present.coverage import coverage, pit
from bayescpt.present.fan_chart import fan
from bayescpt.present.goal_bars import goal_probability
from bayescpt.present.goal_map import goal_map
from bayescpt.present.held_out import held_out
from bayescpt.present.loss_scatter import ends
from bayescpt.present.misses import misses
from bayescpt.present.overlay import overlay
from bayescpt.present.pareto import pareto
from bayescpt.present.prior_posterior import prior_posterior
from bayescpt.present.ranks import ranks
from bayescpt.present.rates import schedules
from bayescpt.present.risks import risks
from bayescpt.present.study_figure import study

__all__ = [
    "components",
    "coverage",
    "ends",
    "fan",
    "goal_map",
    "goal_probability",
    "held_out",
    "misses",
    "overlay",
    "pareto",
    "pit",
    "prior_posterior",
    "ranks",
    "risks",
    "schedules",
    "study",
]
