"""Several methods' forecasts in one table, on the rows that all of them forecast."""

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
        Backtest by name of the method.

    Returns
    -------
    Backtest
        Its tables have a column `method` first, to score ``by="method"`` or ``["method",
        "domain"]``. Rows that not all methods forecast are left out.

    Raises
    ------
    PlanError
        If there is no row that all methods forecast.
    """
    if not backtests:
        raise PlanError("there is no backtest to join")
    tables = {name: made.table for name, made in backtests.items()}
    common: pd.MultiIndex | None = None
    for table in tables.values():
        index = pd.MultiIndex.from_frame(table[_ROW])
        common = index if common is None else common.intersection(index)
    if common is None or not len(common):
        raise PlanError(f"{', '.join(backtests)}: no row was forecast by all of them")
    kept = {
        name: table[pd.MultiIndex.from_frame(table[_ROW]).isin(common)]
        for name, table in tables.items()
    }
    finals = {
        name: made.finals[pd.MultiIndex.from_frame(made.finals[_ROW]).isin(common)]
        for name, made in backtests.items()
    }
    return Backtest(
        _stacked(kept), _stacked({n: made.fits for n, made in backtests.items()}), _stacked(finals)
    )


def _stacked(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    parts = []
    for name, table in tables.items():
        part = table.copy()
        # A category, so that scores keep the order in which the methods were given.
        labels = pd.Categorical([name] * len(part), list(tables))
        part.insert(0, "method", pd.Series(labels, index=part.index))
        parts.append(part)
    joined = pd.concat(parts, ignore_index=True)
    joined.attrs["units"] = next(iter(tables.values())).attrs.get("units")
    return joined
