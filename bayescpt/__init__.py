"""Bayesian scaling laws for continual pre-training.

Fit pilot runs, forecast the loss curves of new recipes with bands, and compute the probability that
they meet a general and a domain loss goal.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayescpt.data import (
        Run,
        Schedule,
        Study,
        curriculum,
        example_studies,
        load_example,
        published_fits,
        read_logs,
        read_study,
        schedules,
        write_study,
    )
    from bayescpt.decide import (
        BalancePoints,
        CriticalPoint,
        Decision,
        Findings,
        Goal,
        Optimum,
        Space,
        TurningLength,
        balance_points,
        compare,
        critical_point,
        goal_map,
        goal_probability,
        loss_potential,
        optimise,
        paper_findings,
        read_goal,
        read_space,
        screen,
        turning_length,
    )
    from bayescpt.evaluate import (
        backtest,
        calibrate,
        compare_cards,
        goal_calibration,
        scores_by_extrapolation,
        side_by_side,
    )
    from bayescpt.forecast import Forecast, Plan
    from bayescpt.inference import Check, Ensemble, Fit, fit, load_fit, prior_sensitivity
    from bayescpt.model.build import build_model
    from bayescpt.model.card import Card
    from bayescpt.model.card_file import load_card, shipped_cards
    from bayescpt.present import plot
    from bayescpt.present.notebook import write_notebook
    from bayescpt.present.report import report

    __version__: str

# Module of each public name. Names are imported on first use, so that the command line's --help
# does not load xarray, nor a forecast PyMC.
_HOMES = {
    "BalancePoints": "decide",
    "Card": "model.card",
    "Check": "inference",
    "CriticalPoint": "decide",
    "Decision": "decide",
    "Ensemble": "inference",
    "Findings": "decide",
    "Fit": "inference",
    "Forecast": "forecast",
    "Goal": "decide",
    "Optimum": "decide",
    "Plan": "forecast",
    "Run": "data",
    "Schedule": "data",
    "Space": "decide",
    "Study": "data",
    "TurningLength": "decide",
    "backtest": "evaluate",
    "balance_points": "decide",
    "build_model": "model.build",
    "calibrate": "evaluate",
    "compare": "decide",
    "compare_cards": "evaluate",
    "critical_point": "decide",
    "curriculum": "data",
    "example_studies": "data",
    "fit": "inference",
    "goal_calibration": "evaluate",
    "goal_map": "decide",
    "goal_probability": "decide",
    "load_card": "model.card_file",
    "load_example": "data",
    "load_fit": "inference",
    "loss_potential": "decide",
    "optimise": "decide",
    "paper_findings": "decide",
    "plot": "present",
    "prior_sensitivity": "inference",
    "published_fits": "data",
    "read_goal": "decide",
    "read_logs": "data",
    "read_space": "decide",
    "read_study": "data",
    "report": "present.report",
    "schedules": "data",
    "scores_by_extrapolation": "evaluate",
    "screen": "decide",
    "shipped_cards": "model.card_file",
    "side_by_side": "evaluate",
    "turning_length": "decide",
    "write_notebook": "present.notebook",
    "write_study": "data",
}

__all__ = [
    "BalancePoints",
    "Card",
    "Check",
    "CriticalPoint",
    "Decision",
    "Ensemble",
    "Findings",
    "Fit",
    "Forecast",
    "Goal",
    "Optimum",
    "Plan",
    "Run",
    "Schedule",
    "Space",
    "Study",
    "TurningLength",
    "backtest",
    "balance_points",
    "build_model",
    "calibrate",
    "compare",
    "compare_cards",
    "critical_point",
    "curriculum",
    "example_studies",
    "fit",
    "goal_calibration",
    "goal_map",
    "goal_probability",
    "load_card",
    "load_example",
    "load_fit",
    "loss_potential",
    "optimise",
    "paper_findings",
    "plot",
    "prior_sensitivity",
    "published_fits",
    "read_goal",
    "read_logs",
    "read_space",
    "read_study",
    "report",
    "schedules",
    "scores_by_extrapolation",
    "screen",
    "shipped_cards",
    "side_by_side",
    "turning_length",
    "write_notebook",
    "write_study",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("bayescpt")
    if name not in _HOMES:
        raise AttributeError(f"module 'bayescpt' has no attribute {name!r}")
    home = import_module(f"bayescpt.{_HOMES[name]}")
    value = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
