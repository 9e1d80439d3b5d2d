"""Scores of forecasts by what they extrapolate."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bayescpt.errors import PlanError
from bayescpt.evaluate.backtest import Backtest
from bayescpt.evaluate.outside import EXTRAPOLATED, SEPARATOR
from bayescpt.evaluate.score import score_table


def scores_by_extrapolation(
    backtest: Backtest, by: Sequence[str] = ("domain",), after: float = 0.0
) -> pd.DataFrame:
    """Scores of the forecasts by what they extrapolate.

    A run that leaves the pilots' range in several ways counts under each of them, so that groups
    overlap.

    Parameters
    ----------
    backtest : Backtest
        Result of ``backtest(by="pilots")``, or several joined by `side_by_side`.
    by : sequence of str
        Columns to group by besides.
    after : float
        Rows in this initial fraction of a run are excluded.

    Returns
    -------
    DataFrame
        One row per group: extrapolated (of `bayescpt.evaluate.outside.EXTRAPOLATED`, in that
        order), the columns of `by`, forecasts (number of runs forecast, counted once a draw of
        pilots) and the columns of `score_table`. Standard errors are clustered by run.

    Raises
    ------
    PlanError
        If the backtest does not say what was extrapolated.

    Examples
    --------
    >>> import bayescpt as bc
    >>> from bayescpt.evaluate import scores_by_extrapolation
    >>> result = bc.backtest(
    ...     bc.load_example("cpt_micro"), by="pilots", pilots=4, draws=20
    ... )  # doctest: +SKIP
    >>> scores_by_extrapolation(result, after=0.1)  # doctest: +SKIP
    """
    table = backtest.table
    if "outside" not in table:
        raise PlanError("only a backtest by pilots says what its forecasts extrapolate")
    names = table["outside"].str.split(SEPARATOR, regex=False)
    # One copy of a row for each way in which its recipe lies outside.
    repeated = table.assign(extrapolated=names).explode("extrapolated", ignore_index=True)
    order = [name for name in EXTRAPOLATED if (repeated["extrapolated"] == name).any()]
    repeated["extrapolated"] = pd.Categorical(repeated["extrapolated"], order, ordered=True)
    keys = [*(key for key in by if key == "method"), "extrapolated"]
    keys += [key for key in by if key not in keys]
    scores = score_table(repeated, keys, after)
    used = repeated[~repeated["shared"] & (repeated["fraction"] > after)]
    counts = used.groupby(keys, observed=True)["split"].nunique().rename("forecasts")
    out = scores.merge(counts.reset_index(), on=keys, how="left")
    return out[[*keys, "forecasts", *(name for name in scores if name not in keys)]]
