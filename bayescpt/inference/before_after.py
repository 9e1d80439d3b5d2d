"""Table of every quantity of the law before and after the data: prior and posterior intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from bayescpt.errors import FitError
from bayescpt.inference.checks import contractions
from bayescpt.inference.fit_data import FitData
from bayescpt.inference.idata import NOT_SAMPLED, prior_draws
from bayescpt.inference.summary import SYMBOLS

# Draws of the priors from which quantiles of derived symbols are computed.
DRAWS = 4000
# Levels of start checkpoints are measured rather than inferred.
LEFT_OUT = ("start_offset", "start_level")


def prior_posterior_table(fit: FitData, prob: float = 0.9, draws: int = DRAWS) -> pd.DataFrame:
    """Intervals of each parameter and symbol under the prior and under the posterior.

    Parameters
    ----------
    fit : Fit
        The fit; its checks need not have passed.
    prob : float
        Probability of the equal-tailed intervals.
    draws : int
        Number of draws of the priors, for the symbols that are derived from several parameters.

    Returns
    -------
    pandas.DataFrame
        Indexed by entry, such as ``beta[general|german]``, the paper's symbols first. Columns:
        quantity (``beta``), label (``general|german``; empty for a scalar), unit, prior_lower,
        prior_median, prior_upper, lower, median and upper (of the posterior), and ratio: the
        interquartile range of the posterior over that of the prior, NaN for what is derived. Near 1
        the data said little.

    Raises
    ------
    FitError
        If `prob` is not between 0 and 1.

    Examples
    --------
    >>> table = prior_posterior_table(fit)  # doctest: +SKIP
    >>> table.loc["lambda", ["prior_lower", "lower", "upper"]]  # doctest: +SKIP
    """
    if not 0.0 < prob < 1.0:
        raise FitError(f"prob is {prob!r}; it must lie strictly between 0 and 1, such as 0.9")
    tails = [(1.0 - prob) / 2.0, 0.5, (1.0 + prob) / 2.0]
    rng = np.random.default_rng([fit.seed, 0xBEF0])
    before = prior_draws(fit.card, fit.rows, rng, draws)
    ratios = {name: value for value, name in contractions(fit.posterior, fit.card)}
    rows: dict[str, dict[str, object]] = {}
    names = list(map(str, fit.posterior.data_vars))
    for name in dict.fromkeys([*(name for name in SYMBOLS if name in names), *names]):
        if name not in before or name.startswith((*NOT_SAMPLED, *LEFT_OUT)):
            continue
        for label, after in _entries(fit.posterior[name]).items():
            known = _entries(before[name])[label]
            if not fit.card.uses(name, label) or np.isnan(after).any() or np.isnan(known).any():
                continue
            entry = f"{name}[{label}]" if label else name
            first, last = (np.quantile(values, tails) for values in (known, after))
            rows[entry] = {
                "quantity": name,
                "label": label,
                "unit": str(fit.posterior[name].attrs.get("units", "1")),
                **dict(zip(("prior_lower", "prior_median", "prior_upper"), first, strict=True)),
                **dict(zip(("lower", "median", "upper"), last, strict=True)),
                "ratio": ratios.get(entry, np.nan),
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("entry")


def _entries(values: xr.DataArray) -> dict[str, np.ndarray]:
    """Draws of each entry by its label; one without a label for a scalar."""
    rest = [dim for dim in values.dims if dim not in ("chain", "draw")]
    if not rest:
        return {"": values.to_numpy().ravel()}
    return {
        str(label): values.isel({rest[0]: k}).to_numpy().ravel()
        for k, label in enumerate(values[rest[0]].to_numpy())
    }
