"""Checks of the table of loss curves: steps, losses, runs and domains."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from bayescpt.data.checks.columns import require_names, require_whole_numbers
from bayescpt.errors import StudyError

# Nats. A uniform guess over the largest vocabulary has 12.5, and the surest model on the most
# repetitive text has not a ten-thousandth; forecasts stay below `MOST` too.
LEAST, MOST = 1e-4, 100.0


def check_curve_steps(curves: pd.DataFrame) -> None:
    """Check that steps are whole numbers that increase within each run and domain.

    Parameters
    ----------
    curves : DataFrame
        Table of curves.

    Raises
    ------
    StudyError
        If a name or step is missing, or a step is not whole, duplicated or out of order.
    """
    for column in ("run", "domain"):
        require_names(curves[column], column, "curves")
    for row in np.flatnonzero(curves["step"].isna())[:1]:
        raise StudyError(f"curves: run {curves['run'].iloc[row]!r}: row {row + 1} has no step")
    require_whole_numbers(curves["step"], "step", curves["run"], "curves")
    change = curves.groupby(["run", "domain"])["step"].diff()
    for row in np.flatnonzero(change <= 0)[:1]:
        step = curves["step"].iloc[row]
        problem = (
            "appears twice"
            if change.iloc[row] == 0
            else f"comes after step {step - change.iloc[row]:g}: steps must increase"
        )
        raise StudyError(f"curves: {_location(curves, row)}: step {step:g} {problem}")


def check_curves(curves: pd.DataFrame, runs: pd.DataFrame) -> None:
    """Check that curves belong to known runs, losses are positive, and each target has a curve.

    Parameters
    ----------
    curves : DataFrame
        Table of curves.
    runs : DataFrame
        Table of runs.

    Raises
    ------
    StudyError
        If a run is unknown, a loss is not a finite number above 0, or no curve has the target
        domain of a cpt run.
    """
    for row in np.flatnonzero(~curves["run"].isin(runs["run"]))[:1]:
        name = curves["run"].iloc[row]
        raise StudyError(f"curves: unknown run {name!r}; runs: {', '.join(runs['run'])}")
    loss = curves["loss"]
    for row in np.flatnonzero(~(np.isfinite(loss) & (loss > 0)))[:1]:
        raise StudyError(
            f"curves: {_location(curves, row)}: loss is {loss.iloc[row]:g}; "
            "expected a finite number above 0"
        )
    measured = set(curves["domain"].unique())
    cpt = runs[runs["phase"] == "cpt"]
    for name, domain in zip(cpt["run"], cpt["domain"], strict=True):
        if domain not in measured:
            raise StudyError(
                f"runs: run {name!r}: unknown domain {domain!r}; "
                f"domains with a curve: {', '.join(sorted(measured))}"
            )


def check_sizes(given: pd.DataFrame, curves: pd.DataFrame, unit: str) -> None:
    """Check that no loss is one that no language model has.

    Parameters
    ----------
    given : DataFrame
        Table of curves with the losses as they were given.
    curves : DataFrame
        The same rows, in nats.
    unit : str
        Unit of the losses as they were given.

    Raises
    ------
    StudyError
        If a loss is below `LEAST` or above `MOST` nats.
    """
    loss = curves["loss"].to_numpy()
    for row in np.flatnonzero((loss < LEAST) | (loss > MOST))[:1]:
        if loss[row] < LEAST:
            hint = "is the set empty, or masked?"
        elif unit == "perplexity":
            hint = "leave out the losses of a diverged run"
        else:
            hint = (
                'perplexities need loss_unit = "perplexity" in study.toml; of a diverged run, '
                "leave out the losses"
            )
        raise StudyError(
            f"curves: {_location(given, row)}: loss is {given['loss'].iloc[row]:g} {unit}; "
            f"expected {LEAST:g} to {MOST:g} nats: {hint}"
        )


def check_curve_ends(curves: pd.DataFrame, runs: pd.DataFrame) -> None:
    """Check that no curve continues past the end of its run.

    Parameters
    ----------
    curves : DataFrame
        Table of curves.
    runs : DataFrame
        Table of runs.

    Raises
    ------
    StudyError
        If a step of a curve is past the last update of the run.
    """
    ends = curves["run"].map(dict(zip(runs["run"], runs["steps"], strict=True)))
    for row in np.flatnonzero(curves["step"] > ends)[:1]:
        raise StudyError(
            f"curves: {_location(curves, row)}: step {curves['step'].iloc[row]} is past the end "
            f"of the schedule at step {ends.iloc[row]}"
        )


def check_general(general: str | None, domains: Collection[str]) -> None:
    """Check that the name of the general domain is not a misspelt domain.

    Parameters
    ----------
    general : str or None
        The general domain; it may be one without a curve.
    domains : collection of str
        Domains with a curve.

    Raises
    ------
    StudyError
        If the general domain has no curve, and a domain that has one is spelt almost the same.
    """
    if general and general not in domains:
        for match in difflib.get_close_matches(general, domains, n=1, cutoff=0.8):
            raise StudyError(
                f"general domain {general!r} has no curve; did you mean {match!r}? "
                f"domains: {', '.join(sorted(domains))}"
            )


def _location(curves: pd.DataFrame, row: int | np.integer[Any]) -> str:
    name, step, domain = curves[["run", "step", "domain"]].iloc[row]
    return f"run {name!r}, step {step:g}, domain {domain!r}"
