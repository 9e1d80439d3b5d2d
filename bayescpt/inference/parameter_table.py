"""Summary table of the parameters of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Hashable

    from bayescpt.inference.fit_data import FitData


def parameter_table(fit: FitData, prob: float = 0.9) -> pd.DataFrame:
    """Summary table of the parameters, the paper's symbols first; see `Fit.summary`.

    Parameters
    ----------
    fit : FitData
        The fit.
    prob : float
        Probability of the equal-tailed interval.

    Returns
    -------
    DataFrame
        One row per parameter.
    """
    from arviz_stats import ess, rhat

    tail = (1.0 - prob) / 2.0
    shown = fit.posterior.drop_vars([n for n in fit.posterior if str(n).startswith("effect_")])
    first = ("L0", "A", "alpha_s1", "C1", "C2", "lambda", "B", "E", "beta")
    names: list[Hashable] = [name for name in first if name in shown]
    names += [name for name in shown.data_vars if name not in names]
    mixing, bulk, last = rhat(shown), ess(shown, method="bulk"), ess(shown, method="tail")
    table = {}
    for name in names:
        draws = shown[name]
        rest = [dim for dim in draws.dims if dim not in ("chain", "draw")]
        for k, label in enumerate(draws[rest[0]].to_numpy() if rest else [None]):
            at = {rest[0]: k} if rest else {}
            values = draws.isel(at).to_numpy().ravel()
            if np.isnan(values).all() or not fit.card.uses(str(name), str(label)):
                continue
            low, middle, high = np.quantile(values, [tail, 0.5, 1.0 - tail])
            table[str(name) if label is None else f"{name}[{label}]"] = {
                "unit": draws.attrs.get("units", "1"),
                "mean": values.mean(),
                "sd": values.std(ddof=1),
                "lower": low,
                "median": middle,
                "upper": high,
                "r_hat": float(mixing[name].isel(at)),
                "ess_bulk": float(bulk[name].isel(at)),
                "ess_tail": float(last[name].isel(at)),
            }
    out = pd.DataFrame.from_dict(table, orient="index").rename_axis("parameter")
    out.attrs = {"prob": prob, "failed_checks": fit.failed_checks}
    return out
