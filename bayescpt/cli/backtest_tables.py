"""Tables of ``bayescpt backtest``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bayescpt.cli.output import fixed, say, show_table

if TYPE_CHECKING:
    import pandas as pd

    from bayescpt.evaluate import GoalCalibration

# Name of our own method.
OWN = "bayescpt"


def show_backtest(scores: pd.DataFrame, keys: Sequence[str], after: float, unit: str) -> None:
    """Print scores, one row per group.

    Parameters
    ----------
    scores : pandas.DataFrame
        Output of `Backtest.scores`.
    keys : sequence of str
        Grouping columns.
    after : float
        Initial fraction of a run that was excluded.
    unit : str
        Loss unit of the study.
    """
    from bayescpt.data.units import unit_name

    names = map(str, scores)
    coverage = [name for name in names if name.startswith("coverage_") and name[-3:] != "_se"]
    heads = [f"in {name.removeprefix('coverage_')}%" for name in coverage]
    errors = {
        "crps": "CRPS",
        "interval_score": "interval score",
        "width_90": "90% width",
        "mae": "MAE",
        "mae_all_rows": "MAE, all rows",
        "bias": "bias",
    }
    shown = [name for name in errors if name in scores]
    show_table(
        f"held-out losses after the first {after:.0%} of a run ({unit_name(unit)}; "
        "± standard error by run)",
        [
            *keys,
            *("runs", "rows"),
            *heads,
            "MSCE",
            *(errors[name] for name in shown),
            "energy",
            "log score",
            "finals in 90%",
        ],
        [
            [
                *(_label(row[key]) for key in keys),
                *(int(row["runs"]), int(row["rows"])),
                *(share(row[name], row[f"{name}_se"]) for name in coverage),
                fixed(row["msce"], 4),
                *(fixed(row[name], 4) for name in shown),
                fixed(row["energy"], 4),
                fixed(row["log_score"], 2),
                share(row["finals_inside"], row["finals_inside_se"]),
            ]
            for row in scores.to_dict("records")
        ],
        keys=len(keys),
    )
    say(
        "Lower is better, except for the log score: the log density of a loss given the preceding "
        "ones on its curve, for comparing laws and noise models."
    )
    if "mae_all_rows" in scores:
        say(
            "MAE, all rows: over all rows of the held-out curves, including the first ones and "
            "those of a fitted trunk, as in published errors; the other scores exclude these."
        )


def show_goal_calibration(calibrations: dict[str, GoalCalibration]) -> None:
    """Print the calibration of goal probabilities.

    Parameters
    ----------
    calibrations : dict of str to GoalCalibration
        Calibrations by method.
    """
    several = len(calibrations) > 1
    show_table(
        "probability of final loss goals against outcomes (± standard error by run)",
        [
            *(["method"] if several else []),
            *("goal on", "forecasts", "runs", "Brier", "Brier, base rate", "skill", "ECE"),
        ],
        [
            [
                *([name] if several else []),
                "all jointly" if domain == "joint" else str(domain),
                *(int(row["forecasts"]), int(row["runs"])),
                _plus_minus(row["brier"], row["brier_se"]),
                _plus_minus(row["climatology_brier"], row["climatology_brier_se"]),
                fixed(row["skill"]),
                fixed(row["ece"]),
            ]
            for name, one in calibrations.items()
            for domain, row in one.table().iterrows()
        ],
        keys=2 if several else 1,
    )
    # Only our own method, as the bins of one method fill a screen; --json has all methods.
    show_table(
        f"reliability of {OWN}'s goal probabilities",
        ["goal on", "forecast between", "forecasts", "runs", "mean forecast", "share met"],
        [
            [
                "all jointly" if row["domain"] == "joint" else str(row["domain"]),
                f"{row['lower']:.0%}-{row['upper']:.0%}",
                *(int(row["forecasts"]), int(row["runs"])),
                fixed(row["probability"]),
                _plus_minus(row["met"], row["met_se"]),
            ]
            for row in calibrations[OWN].reliability().to_dict("records")
        ],
        keys=2,
    )


def _label(value: Any) -> str:
    return f"{value:.0%}" if isinstance(value, float) else str(value)


def share(value: float, error: float) -> str:
    """Percentage with its standard error.

    Parameters
    ----------
    value, error : float
        As fractions of 1.

    Returns
    -------
    str
        Empty for NaN; without an error that is NaN.
    """
    if value != value:
        return ""
    return f"{value:.0%}" + ("" if error != error else f" ± {100 * error:.0f}")


def _plus_minus(value: float, error: float) -> str:
    return fixed(value) + ("" if error != error else f" ± {fixed(error)}")
