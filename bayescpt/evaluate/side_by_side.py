"""Forecasts of several methods in one table, on the rows common to all."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bayescpt.errors import PlanError
from bayescpt.evaluate.backtest import Backtest

_ROW = ["split", "run", "domain", "step"]


def side_by_side(backtests: Mapping[str, Backtest]) -> Backtest:
    """Join backtests of several methods on the same splits.

    Parameters
    ----------
    backtests : Mapping of str to Backtest
        Backtests by method name.

    Returns
    -------
    Backtest
        Backtest whose tables start with a column `method`, to score ``by="method"`` or ``["method",
        "domain"]``. Rows that some method did not forecast are excluded.

    Raises
    ------
    PlanError
        If there is no row that all methods forecast.

    Examples
    --------
    >>> import bayescpt as bc
    >>> from bayescpt.evaluate import baselines
    >>> study = bc.load_example("cpt_micro")
    >>> joined = bc.side_by_side(
    ...     {
    ...         "bayescpt": bc.backtest(study, by="cutoff"),
    ...         "last value": bc.backtest(study, by="cutoff", method=baselines.last_value),
    ...     }
    ... )  # doctest: +SKIP
    >>> joined.scores(by="method")[["method", "crps", "coverage_90"]]  # doctest: +SKIP
    """
    if not backtests:
        raise PlanError("there is no backtest to join")
    tables = {name: result.table for name, result in backtests.items()}
    common: pd.MultiIndex | None = None
    for table in tables.values():
        index = pd.MultiIndex.from_frame(table[_ROW])
        common = index if common is None else common.intersection(index)
    if common is None or not len(common):
        raise PlanError(f"{', '.join(backtests)}: no row was forecast by all methods")
    kept = {
        name: table[pd.MultiIndex.from_frame(table[_ROW]).isin(common)]
        for name, table in tables.items()
    }
    finals = {
        name: result.finals[pd.MultiIndex.from_frame(result.finals[_ROW]).isin(common)]
        for name, result in backtests.items()
    }
    return Backtest(
        _stacked(kept),
        _stacked({name: result.fits for name, result in backtests.items()}),
        _stacked(finals),
    )


def _stacked(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    parts = []
    for name, table in tables.items():
        part = table.copy()
        # Categorical, so that scores keep the given order of the methods.
        labels = pd.Categorical([name] * len(part), list(tables))
        part.insert(0, "method", pd.Series(labels, index=part.index))
        parts.append(part)
    joined = pd.concat(parts, ignore_index=True)
    joined.attrs["units"] = next(iter(tables.values())).attrs.get("units")
    return joined
