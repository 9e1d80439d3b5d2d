"""Summary table of a posterior."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd
import xarray as xr

from bayescpt.model.card import Card

# Symbols of the paper, which come before all other quantities.
SYMBOLS = ("L0", "A", "alpha_s1", "C1", "C2", "lambda", "B", "E", "beta")


def parameter_table(posterior: xr.Dataset, card: Card, prob: float) -> pd.DataFrame:
    """Summary table of the parameters, the paper's symbols first.

    Parameters
    ----------
    posterior : xr.Dataset
        Dims chain, draw and those of the model.
    card : Card
        Its card.
    prob : float
        Probability of the equal-tailed interval.

    Returns
    -------
    DataFrame
        See `bayescpt.inference.Fit.summary`.
    """
    from arviz_stats import ess, rhat

    tail = (1.0 - prob) / 2.0
    shown = posterior.drop_vars([n for n in posterior if str(n).startswith("effect_")])
    names: list[Hashable] = [name for name in SYMBOLS if name in shown]
    names += [name for name in shown.data_vars if name not in names]
    with np.errstate(invalid="ignore", divide="ignore"):
        # What a card fixes has the same value in all draws, and no R-hat: NaN.
        mixing, bulk, last = rhat(shown), ess(shown, method="bulk"), ess(shown, method="tail")
    table = {}
    for name in names:
        draws = shown[name]
        rest = [dim for dim in draws.dims if dim not in ("chain", "draw")]
        for k, label in enumerate(draws[rest[0]].to_numpy() if rest else [None]):
            at = {rest[0]: k} if rest else {}
            values = draws.isel(at).to_numpy().ravel()
            if np.isnan(values).all() or not card.uses(str(name), str(label)):
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
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("parameter")
