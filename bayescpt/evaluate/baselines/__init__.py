"""Baselines: simple forecasting methods, implemented directly from the papers."""

from bayescpt.evaluate.baselines.conformal import conformal, conformal_iid
from bayescpt.evaluate.baselines.iid import iid
from bayescpt.evaluate.baselines.last_value import last_value
from bayescpt.evaluate.baselines.paper_recipe import paper_bootstrap, paper_recipe
from bayescpt.evaluate.baselines.run_power_law import run_power_law

__all__ = [
    "conformal",
    "conformal_iid",
    "iid",
    "last_value",
    "paper_bootstrap",
    "paper_recipe",
    "run_power_law",
]
